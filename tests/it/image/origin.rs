//! What `build.rs` finds out about the source, each time run alone, as cargo would run it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use tempfile::TempDir;

use crate::world::{
    git::committed,
    tools::{printed, root},
};

/// The build script as a program.
static SCRIPT: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("build-script");
    let built = Command::new("rustc")
        .current_dir(root())
        .args(["--edition", "2024", "build.rs", "-o"])
        .arg(&program)
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    (folder, program)
});

/// What the script told cargo.
struct Told(String);

impl Told {
    /// The value that the crate will see.
    fn value(&self, name: &str) -> &str {
        let line = format!("cargo::rustc-env=TAURUS_BUILD_{name}=");
        let mut found = self.0.lines().filter_map(|it| it.strip_prefix(&line));
        let value = found.next().expect(name);
        assert_eq!(found.next(), None, "{}", self.0);
        value
    }

    fn commit(&self) -> &str {
        self.value("COMMIT")
    }

    /// The files whose change has the script run again.
    fn watched(&self) -> Vec<&str> {
        let lines = self.0.lines();
        lines
            .filter_map(|line| line.strip_prefix("cargo::rerun-if-changed="))
            .collect()
    }
}

/// Runs the script in a folder with the source, in a profile.
fn run(source: &Path, profile: &str, environment: &[(&str, &str)]) -> Told {
    let out = format!("/target/{profile}/build/taurus-port-operator-1a2b/out");
    let output = Command::new(&SCRIPT.1)
        .current_dir(source)
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .envs([("OUT_DIR", out.as_str()), ("TARGET", "x86_64-test")])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    Told(printed(output))
}

/// A folder with some source, as a tarball has it.
fn tarball() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_source(folder.path());
    folder
}

fn write_source(folder: &Path) {
    fs::create_dir_all(folder.join("src")).unwrap();
    for file in ["build.rs", "Cargo.toml", "Cargo.lock", "src/lib.rs"] {
        fs::write(folder.join(file), "").unwrap();
    }
}

#[test]
fn a_tarball_knows_no_commit_wherever_it_was_unpacked() {
    let alone = tarball();
    let outer = tempfile::tempdir().unwrap();
    fs::write(outer.path().join("README"), "somebody else's").unwrap();
    committed(outer.path());
    let within = outer.path().join("vendor/taurus");
    write_source(&within);
    for folder in [alone.path(), &within] {
        let told = run(folder, "release", &[]);
        assert_eq!(told.commit(), "");
        assert_eq!(told.value("SECOND"), "");
        assert_eq!(told.value("PROFILE"), "release");
        assert_eq!(told.value("TARGET"), "x86_64-test");
    }
}

#[test]
fn a_release_names_its_commit_and_whether_the_source_is_that_of_the_commit() {
    let folder = tarball();
    let commit = committed(folder.path());
    let told = run(folder.path(), "release", &[]);
    assert_eq!(told.commit(), commit);
    assert_eq!(told.value("SECOND"), "1700000000");
    for file in ["src", "Cargo.lock", ".git/logs/HEAD"] {
        assert!(told.watched().contains(&file), "{}", told.0);
    }

    fs::write(folder.path().join("README.md"), "not of the program").unwrap();
    assert_eq!(run(folder.path(), "release", &[]).commit(), commit);
    fs::write(folder.path().join("src/new.rs"), "").unwrap();
    let dirty = format!("{commit}-dirty");
    assert_eq!(run(folder.path(), "release", &[]).commit(), dirty);
}

#[test]
fn while_developing_no_commit_has_the_crate_built_anew() {
    let folder = tarball();
    committed(folder.path());
    for profile in ["debug", "fast"] {
        let told = run(folder.path(), profile, &[]);
        assert_eq!(told.commit(), "");
        assert_eq!(told.watched(), ["build.rs"], "{profile}");
        assert_eq!(told.value("PROFILE"), profile);
    }
}

#[test]
fn what_the_builder_says_comes_first_if_it_is_fit_for_a_label() {
    let folder = tarball();
    let commit = committed(folder.path());
    let told = run(
        folder.path(),
        "debug",
        &[("TAURUS_COMMIT", "1a2b3c"), ("SOURCE_DATE_EPOCH", "86400")],
    );
    assert_eq!(told.commit(), "1a2b3c");
    assert_eq!(told.value("SECOND"), "86400");

    // The date alone is said by those who want the same file twice.
    let dated = run(folder.path(), "release", &[("SOURCE_DATE_EPOCH", "86400")]);
    assert_eq!(dated.commit(), commit);
    assert_eq!(dated.value("SECOND"), "86400");

    let long = "a".repeat(81);
    for odd in ["", "two words", "one\ncargo::warning=two", "\"}", &long] {
        let told = run(folder.path(), "debug", &[("TAURUS_COMMIT", odd)]);
        assert_eq!(told.commit(), "", "{odd}");
        assert!(!told.0.contains("warning"), "{}", told.0);
    }
    for odd in ["", "yesterday", "-1", "1\n2"] {
        let told = run(folder.path(), "debug", &[("SOURCE_DATE_EPOCH", odd)]);
        assert_eq!(told.value("SECOND"), "", "{odd}");
    }
}
