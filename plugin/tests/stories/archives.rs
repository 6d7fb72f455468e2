//! `build/plugin`: what is in an archive, and what krew makes of it and of the manifest.

use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use taurus_controlplane::needs;

/// The target that the tests are built for.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Runs `build/plugin`.
fn build(folder: &Path, arguments: &[&str]) -> Command {
    let mut build = Command::new(root().join("build/plugin"));
    build.args(arguments).env("CARGO_TARGET_DIR", folder);
    build
}

/// Packs a file as the program; gives the folder with the archives.
pub fn packed(folder: &Path, program: &Path, arguments: &[&str]) -> PathBuf {
    let program = ["--program", program.to_str().unwrap()];
    good(&mut build(folder, &[&program, arguments].concat()));
    folder.join("dist/plugin")
}

fn good(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A program of `tests/gitops`.
fn tool(name: &str) -> Command {
    let mut find = Command::new(root().join("tests/gitops/build"));
    let path = good(find.args(["--find", name]));
    if path.is_empty() {
        let way = "not all of helm, krew and the like are built: run `make gitops-tools`";
        needs::lacking("GitOps tools", way);
    }
    Command::new(path.trim())
}

fn manifest(dist: &Path) -> Value {
    let text = std::fs::read_to_string(dist.join("taurus-port.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// What krew's own validation says of a manifest.
fn judged(manifest: &Path) -> Output {
    let mut validate = tool("validate-krew-manifest");
    let validate = validate.arg("-skip-install").arg("-manifest").arg(manifest);
    validate.output().unwrap()
}

/// Lets krew install a platform of the manifest into a folder; gives where its files lie.
fn installed(dist: &Path, platform: &Value, into: &Path) -> PathBuf {
    let text = |pointer: &str| platform.pointer(pointer).and_then(Value::as_str).unwrap();
    let archive = text("/uri").rsplit('/').next().unwrap();
    let mut krew = tool("krew");
    krew.args(["install", "--manifest"])
        .arg(dist.join("taurus-port.yaml"))
        .arg("--archive")
        .arg(dist.join(archive))
        .env("KREW_ROOT", into)
        .env("KREW_OS", text("/selector/matchLabels/os"))
        .env("KREW_ARCH", text("/selector/matchLabels/arch"));
    good(&mut krew);
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    into.join("store/taurus-port").join(version)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[taurus_needs::test]
fn krew_installs_the_plugin_with_its_licence_and_kubectl_completes_it() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = Path::new(env!("CARGO_BIN_EXE_kubectl-taurus_port"));
    let dist = packed(folder.path(), plugin, &["--target", TARGET]);
    let krew = folder.path().join("krew");
    let files = installed(&dist, &manifest(&dist)["spec"]["platforms"][0], &krew);
    let licence = std::fs::read(files.join("LICENSE")).unwrap();
    assert_eq!(licence, include_bytes!("../../../LICENSE"));
    let program = krew.join("bin/kubectl-taurus_port");
    let version = good(Command::new(&program).arg("--version"));
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    // The second name, by the command that krew shows.
    let caveats = manifest(&dist)["spec"]["caveats"].clone();
    let line = caveats
        .as_str()
        .unwrap()
        .lines()
        .find(|line| line.starts_with("ln -s "));
    good(
        Command::new("bash")
            .args(["-ec", line.unwrap()])
            .env("KREW_ROOT", &krew),
    );
    let complete = krew.join("bin/kubectl_complete-taurus_port");
    assert!(good(Command::new(complete).arg("hist")).starts_with("history\n"));
}

#[taurus_needs::test]
fn krew_takes_the_manifest_and_the_archive_of_each_system() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    std::fs::write(&program, "a program").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let dist = packed(folder.path(), &program, &[]);
    let path = dist.join("taurus-port.yaml");
    let said = judged(&path);
    assert!(said.status.success(), "{said:?}");
    let all = manifest(&dist);
    let platforms = all["spec"]["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 6, "{platforms:?}");
    for (number, platform) in platforms.iter().enumerate() {
        let into = folder.path().join(format!("krew-{number}"));
        let files = installed(&dist, platform, &into);
        let is_windows = platform["selector"]["matchLabels"]["os"] == "windows";
        let ending = if is_windows { ".exe" } else { "" };
        let name = format!("kubectl-taurus_port{ending}");
        assert_eq!(names(&files), ["LICENSE".to_owned(), name.clone()].into());
        assert_eq!(std::fs::read(files.join(&name)).unwrap(), b"a program");
        let mode = std::fs::metadata(files.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755, "all may run it");
    }
    good(
        Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(&dist),
    );

    // The same files make the same archives.
    let again = tempfile::tempdir().unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let later = packed(again.path(), &program, &[]);
    let sums = |dist: &Path| std::fs::read_to_string(dist.join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&dist), sums(&later));

    // What krew would refuse is seen.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("arch: arm64", "arch: amd64")).unwrap();
    let said = judged(&path);
    assert!(!said.status.success(), "{said:?}");
}

#[test]
fn of_a_system_that_can_not_be_built_for_the_reason_is_said() {
    let folder = tempfile::tempdir().unwrap();
    // A toolchain that has the library of one system, and no cargo-zigbuild.
    let programs = folder.path().join("programs");
    std::fs::create_dir_all(
        folder
            .path()
            .join("lib/rustlib/aarch64-unknown-linux-musl/lib"),
    )
    .unwrap();
    std::fs::create_dir(&programs).unwrap();
    let rustc = programs.join("rustc");
    std::fs::write(
        &rustc,
        format!("#!/bin/sh\necho {}\n", folder.path().display()),
    )
    .unwrap();
    std::fs::set_permissions(&rustc, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let mut build = build(folder.path(), &[]);
    let output = build
        .env("PATH", path)
        .env("CARGO_ZIGBUILD", "/none/cargo-zigbuild")
        .output();
    let output = output.unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    for part in [
        "no archive for windows/arm64: the toolchain has no standard library for aarch64-pc-windows-gnullvm",
        "no archive for linux/arm64: cargo-zigbuild is missing",
    ] {
        assert!(said.contains(part), "{said}");
    }
}
