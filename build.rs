//! Tells the crate from which commit, for which target and in which profile it is built; `src/version.rs` says it.
//!
//! Relies on git only in the release profile and where `TAURUS_COMMIT` isn't given: elsewhere each commit would have the
//! crate built anew. Promises that no clock is read, so that the same source gives the same program, and that what isn't
//! known is left empty, not guessed: a tarball knows no commit, whatever repository it was unpacked in.
#![expect(
    clippy::disallowed_methods,
    reason = "so cargo speaks with build scripts"
)]

use std::{env, path::Path, process::Command};

/// What the commit says of; git knows of other files that change nothing about the program.
const SOURCES: [&str; 4] = ["build.rs", "src", "Cargo.toml", "Cargo.lock"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["TAURUS_COMMIT", "SOURCE_DATE_EPOCH"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let profile = profile();
    let own = Origin {
        commit: given("TAURUS_COMMIT").filter(|text| is_word(text)),
        second: given("SOURCE_DATE_EPOCH").filter(|text| is_number(text)),
    };
    let origin = match own.commit {
        None if profile == "release" => own.or(Origin::of_git()),
        _ => own,
    };
    tell("COMMIT", &origin.commit.unwrap_or_default());
    tell("SECOND", &origin.second.unwrap_or_default());
    tell("PROFILE", &profile);
    tell("TARGET", &given("TARGET").unwrap_or_default());
}

fn tell(name: &str, value: &str) {
    println!("cargo::rustc-env=TAURUS_BUILD_{name}={value}");
}

/// A variable of the environment that has a value.
fn given(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The name of the profile is that of a folder; cargo tells only which of its own two it inherits from.
fn profile() -> String {
    let folder = given("OUT_DIR").and_then(|out| {
        let folder = Path::new(&out).ancestors().nth(3)?.file_name()?;
        Some(folder.to_str()?.to_owned())
    });
    folder.or_else(|| given("PROFILE")).unwrap_or_default()
}

/// A commit goes into a label, a log line and a line of its own.
fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+".contains(&byte);
    text.len() <= 80 && text.bytes().all(plain)
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where the source comes from, and of when it is, in seconds of Unix time.
struct Origin {
    commit: Option<String>,
    second: Option<String>,
}

impl Origin {
    fn or(self, other: Self) -> Self {
        Self {
            commit: self.commit.or(other.commit),
            second: self.second.or(other.second),
        }
    }

    /// What git says, if this folder is the root of its work tree.
    fn of_git() -> Self {
        let commit = git(&["rev-parse", "--show-prefix"])
            .filter(String::is_empty)
            .and_then(|_| git(&["rev-parse", "HEAD"]));
        let Some(mut commit) = commit else {
            return Self {
                commit: None,
                second: None,
            };
        };
        // The log of HEAD grows with each commit and each checkout; HEAD itself does only with the latter.
        for name in ["HEAD", "logs/HEAD"] {
            if let Some(path) = git(&["rev-parse", "--git-path", name])
                && Path::new(&path).exists()
            {
                println!("cargo::rerun-if-changed={path}");
            }
        }
        for path in SOURCES {
            println!("cargo::rerun-if-changed={path}");
        }
        let mut status = vec!["status", "--porcelain", "--"];
        status.extend(SOURCES);
        if git(&status).is_none_or(|changes| !changes.is_empty()) {
            commit.push_str("-dirty");
        }
        let second = git(&["log", "-1", "--format=%ct"]);
        Self {
            commit: Some(commit),
            second,
        }
    }
}

/// What git prints; none where it fails, or is not there.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
