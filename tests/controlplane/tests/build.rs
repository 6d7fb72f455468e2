//! The script that builds the binaries says what is wrong, and is quick where nothing is to do.
#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "helpers of tests"
)]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Output},
};

fn script(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new("bash");
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/build"))
        .args(arguments);
    command
        .env_remove("KUBEBUILDER_ASSETS")
        .env_remove("KUBERNETES");
    command.envs(environment.iter().copied()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn program(folder: &Path, name: &str) {
    let path = folder.join(name);
    fs::write(&path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder with all programs of this machine but Go.
fn without_go() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for source in ["/usr/bin", "/bin"] {
        for entry in fs::read_dir(source).unwrap().flatten() {
            if entry.file_name() != "go" {
                // Where /bin is /usr/bin, each name is there already.
                let _ = symlink(entry.path(), folder.path().join(entry.file_name()));
            }
        }
    }
    folder
}

/// A folder with all programs of this machine, and with a Go that only writes what it was asked for: the real build takes
/// minutes. It is slow enough for two builds to meet, and leaves a line for each program.
fn with_go() -> tempfile::TempDir {
    let folder = without_go();
    let go = "#!/bin/sh\nif [ \"$1\" = env ]; then echo go9.9; exit; fi\nwhile [ \"$1\" != -o ]; do shift; done\n\
              sleep 0.2; echo \"$2\" >> \"$TAURUS_CACHE/built\"; : > \"$2\"; chmod +x \"$2\"\n";
    let path = folder.path().join("go");
    fs::write(&path, go).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn two_builds_at_once_build_each_program_once() {
    let (cache, programs) = (tempfile::tempdir().unwrap(), with_go());
    let environment = [
        ("TAURUS_CACHE", cache.path().to_str().unwrap()),
        ("PATH", programs.path().to_str().unwrap()),
    ];
    let outputs = std::thread::scope(|scope| {
        let builds = [(); 2].map(|()| scope.spawn(|| script(&environment, &["--print-assets"])));
        builds.map(|build| build.join().unwrap())
    });
    for output in &outputs {
        assert!(output.status.success(), "{}", said(output));
        assert!(
            Path::new(String::from_utf8_lossy(&output.stdout).trim())
                .join("kubectl")
                .exists()
        );
    }
    let built = fs::read_to_string(cache.path().join("built")).unwrap();
    assert_eq!(built.lines().count(), 3, "{built}");
}

#[test]
fn the_assets_of_the_environment_win_and_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    program(folder.path(), "etcd");
    let lacking = script(&[("KUBEBUILDER_ASSETS", path)], &["--print-assets"]);
    assert!(!lacking.status.success());
    assert!(
        said(&lacking).contains("lacks kube-apiserver kubectl"),
        "{}",
        said(&lacking)
    );
    program(folder.path(), "kube-apiserver");
    program(folder.path(), "kubectl");
    let whole = script(&[("KUBEBUILDER_ASSETS", path)], &["--print-assets"]);
    assert_eq!(String::from_utf8_lossy(&whole.stdout).trim(), path);
}

#[test]
fn the_controllers_are_built_when_they_are_asked_for_and_the_others_are_left_alone() {
    let (cache, programs) = (tempfile::tempdir().unwrap(), with_go());
    let folder = tempfile::tempdir().unwrap();
    for name in ["etcd", "kube-apiserver", "kubectl"] {
        program(folder.path(), name);
    }
    // Where the assets of the environment lack it, and where they have it.
    for expected in [
        cache.path().join("controlplane/v1.37.2"),
        folder.path().to_owned(),
    ] {
        let output = script(
            &[
                ("TAURUS_CACHE", cache.path().to_str().unwrap()),
                ("KUBEBUILDER_ASSETS", folder.path().to_str().unwrap()),
                ("PATH", programs.path().to_str().unwrap()),
            ],
            &["kube-controller-manager"],
        );
        assert!(output.status.success(), "{}", said(&output));
        let path = expected.join("kube-controller-manager");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            path.to_str().unwrap()
        );
        assert!(path.exists());
        program(folder.path(), "kube-controller-manager");
    }
    let built = fs::read_to_string(cache.path().join("built")).unwrap();
    assert_eq!(built.lines().count(), 1, "{built}");
}

#[test]
fn a_missing_go_is_named_with_the_two_ways_out() {
    let (cache, programs) = (tempfile::tempdir().unwrap(), without_go());
    let output = script(
        &[
            ("TAURUS_CACHE", cache.path().to_str().unwrap()),
            ("PATH", programs.path().to_str().unwrap()),
        ],
        &[],
    );
    assert!(!output.status.success());
    let said = said(&output);
    assert!(
        said.contains("Go is missing")
            && said.contains("install Go")
            && said.contains("KUBEBUILDER_ASSETS"),
        "{said}"
    );
}

#[test]
fn an_unknown_version_is_refused_with_those_there_are() {
    let output = script(&[("KUBERNETES", "1.99")], &[]);
    assert!(!output.status.success());
    assert!(
        said(&output).contains("no Kubernetes 1.99") && said(&output).contains("1.37"),
        "{}",
        said(&output)
    );
}

#[test]
fn what_is_built_is_not_built_again() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("controlplane/v1.37.2");
    fs::create_dir_all(&folder).unwrap();
    for name in ["etcd", "kube-apiserver", "kubectl"] {
        program(&folder, name);
    }
    let environment = [
        ("TAURUS_CACHE", cache.path().to_str().unwrap()),
        ("PATH", "/usr/bin:/bin"),
    ];
    let output = script(&environment, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output).lines().count(), 1);
}

#[test]
fn an_interrupted_build_goes_on_with_what_is_missing() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("controlplane/v1.37.2");
    fs::create_dir_all(&folder).unwrap();
    for name in ["etcd", "kube-apiserver"] {
        program(&folder, name);
    }
    let programs = with_go();
    let environment = [
        ("TAURUS_CACHE", cache.path().to_str().unwrap()),
        ("PATH", programs.path().to_str().unwrap()),
    ];
    let output = script(&environment, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        !said(&output).contains("building etcd") && said(&output).contains("building kubectl"),
        "{}",
        said(&output)
    );
}
