//! `build/plugin`: what is in an archive, and whether krew would take the manifest.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Packs the plugin of this build; gives the folder with the archives, and what was said.
fn packed(folder: &Path) -> (PathBuf, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let plugin = env!("CARGO_BIN_EXE_kubectl-taurus_port");
    let output = Command::new(root.join("build/plugin"))
        .args(["--target", TARGET, "--program", plugin])
        .env("CARGO_TARGET_DIR", folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    (folder.join("dist/plugin"), said)
}

/// What `krew`'s own validation asks of a manifest.
fn faults(manifest: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut ask = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
    let is_word = |word: &str| {
        let fits =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        !word.is_empty() && word.chars().all(fits) && !word.starts_with("kubectl")
    };
    let version = text("/apiVersion");
    ask(
        version == Some("krew.googlecontainertools.github.com/v1alpha2"),
        "apiVersion",
    );
    ask(text("/kind") == Some("Plugin"), "kind");
    ask(text("/metadata/name").is_some_and(is_word), "metadata.name");
    let version = text("/spec/version").and_then(|version| version.strip_prefix('v'));
    let is_number =
        |part: &str| part.parse::<u64>().is_ok() && (part == "0" || !part.starts_with('0'));
    let parts = version.map(|version| version.split('.').filter(|part| is_number(part)).count());
    ask(parts == Some(3), "spec.version is no semantic version");
    let short = text("/spec/shortDescription").unwrap_or_default();
    ask(
        !short.is_empty() && short.len() <= 50 && !short.contains('\n'),
        "spec.shortDescription",
    );
    ask(
        text("/spec/description").is_some_and(|it| !it.trim().is_empty()),
        "spec.description",
    );
    ask(
        text("/spec/homepage").is_some_and(|it| it.starts_with("https://")),
        "spec.homepage",
    );
    let platforms = manifest
        .pointer("/spec/platforms")
        .and_then(Value::as_array);
    ask(
        platforms.is_some_and(|all| !all.is_empty()),
        "spec.platforms",
    );
    let mut systems = BTreeSet::new();
    for platform in platforms.into_iter().flatten() {
        let text = |pointer: &str| {
            platform
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let system = (
            text("/selector/matchLabels/os"),
            text("/selector/matchLabels/arch"),
        );
        ask(["linux", "darwin", "windows"].contains(&system.0), "os");
        ask(["amd64", "arm64"].contains(&system.1), "arch");
        ask(systems.insert(system), "two platforms match");
        let uri = text("/uri");
        ask(
            uri.starts_with("https://") && uri.ends_with(".tar.gz"),
            "uri",
        );
        let sum = text("/sha256");
        ask(
            sum.len() == 64 && sum.chars().all(|it| matches!(it, '0'..='9' | 'a'..='f')),
            "sha256",
        );
        let bin = text("/bin");
        ask(
            !bin.is_empty() && !bin.contains("..") && !bin.starts_with('/'),
            "bin",
        );
        ask(
            (system.0 == "windows") == Path::new(bin).extension().is_some_and(|it| it == "exe"),
            "bin of windows",
        );
    }
    faults
}

#[test]
fn an_archive_has_the_plugin_and_the_licence_and_krew_takes_its_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let (dist, said) = packed(folder.path());
    assert!(said.contains("kubectl-taurus_port-"), "{said}");
    let text = std::fs::read_to_string(dist.join("taurus-port.yaml")).unwrap();
    let manifest: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(faults(&manifest), Vec::<String>::new(), "{text}");
    let platform = &manifest["spec"]["platforms"][0];
    let archive = platform["uri"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap();
    let sum = Command::new("sha256sum")
        .arg(dist.join(archive))
        .output()
        .unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert!(
        sum.starts_with(platform["sha256"].as_str().unwrap()),
        "{sum}"
    );

    let unpacked = folder.path().join("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    let untarred = Command::new("tar")
        .arg("-xzf")
        .arg(dist.join(archive))
        .arg("-C")
        .arg(&unpacked)
        .status();
    assert!(untarred.unwrap().success());
    let names = std::fs::read_dir(&unpacked).unwrap();
    let names: BTreeSet<String> = names
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    let wanted = [
        "LICENSE",
        "kubectl-taurus_port",
        "kubectl_complete-taurus_port",
    ];
    assert_eq!(names, wanted.map(str::to_owned).into());
    let licence = std::fs::read(unpacked.join("LICENSE")).unwrap();
    assert_eq!(licence, include_bytes!("../../../LICENSE"));
    let run = |name: &str, argument: &str| {
        let output = Command::new(unpacked.join(name))
            .arg(argument)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(
        run(platform["bin"].as_str().unwrap(), "--version").contains(env!("CARGO_PKG_VERSION"))
    );
    assert!(run("kubectl_complete-taurus_port", "hist").starts_with("history\n"));

    let mut wrong = manifest.clone();
    wrong["spec"]["platforms"][0]["sha256"] = "0".into();
    wrong["spec"]["version"] = "1.0".into();
    assert_eq!(faults(&wrong).len(), 2);
}

#[test]
fn of_a_system_that_can_not_be_built_for_the_reason_is_said() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sysroot = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .unwrap();
    let sysroot = String::from_utf8(sysroot.stdout).unwrap();
    let target = "aarch64-pc-windows-gnullvm";
    if Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(target)
        .exists()
    {
        // This machine could.
        return;
    }
    let output = Command::new(root.join("build/plugin"))
        .args(["--target", target])
        .env("CARGO_TARGET_DIR", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        said.contains("no archive for windows/arm64: the toolchain has no standard library"),
        "{said}"
    );
}
