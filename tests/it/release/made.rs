//! A release, made of a copy of the sources and of programs that stand in for those that cargo builds.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use taurus_controlplane::needs;
use tempfile::TempDir;

use crate::world::{
    git::committed,
    tools::{copy_into, printed, tool},
};

/// The version that is released.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a release is made of, besides what cargo builds.
const SOURCES: [&str; 10] = [
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "build",
    "crds",
    "deploy",
    "plugin/Cargo.toml",
    "plugin/krew.yaml",
];

/// What somebody has set who runs the tests.
const SETTINGS: [&str; 13] = [
    "BUILDER_ID",
    "CARGO_TARGET_DIR",
    "COSIGN",
    "COSIGN_IDENTITY",
    "COSIGN_ISSUER",
    "COSIGN_KEY",
    "COSIGN_PUBLIC_KEY",
    "DOWNLOADS",
    "REGISTRY",
    "SOURCE_DATE_EPOCH",
    "SOURCE_URI",
    "TAURUS_COMMIT",
    "UNSIGNED",
];

/// A repository of one commit with these sources, and programs to pack.
pub struct Source {
    folder: TempDir,
    pub commit: String,
}

impl Source {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        for path in SOURCES {
            copy_into(&source, path);
        }
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).unwrap();
        for name in ["operator-amd64", "operator-arm64", "plugin"] {
            let path = programs.join(name);
            fs::write(&path, format!("#!/bin/sh\necho {name}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for arch in ["amd64", "arm64"] {
            let about = json!({"component": {"type": "application", "name": arch}});
            let bill = json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "metadata": about});
            fs::write(programs.join(format!("bill-{arch}.json")), bill.to_string()).unwrap();
        }
        Self {
            commit: committed(&source),
            folder,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    pub fn programs(&self) -> PathBuf {
        self.folder.path().join("programs")
    }

    /// A script of `build`, with the settings of nobody.
    pub fn script(&self, name: &str) -> Command {
        let mut script = Command::new(self.path().join("build").join(name));
        for variable in SETTINGS {
            script.env_remove(variable);
        }
        script
            .arg(VERSION)
            .env("HELM", tool("helm"))
            .env("KUBECTL", needs::kubectl());
        script
    }

    /// Makes a release for a registry, and gives the folder with its files.
    pub fn rehearsed(&self, registry: &str) -> PathBuf {
        let mut script = self.script("release");
        script.env("REGISTRY", registry).arg("--rehearse");
        printed(script.arg(self.programs()).output().unwrap());
        self.path().join("target/dist/rehearsal").join(VERSION)
    }

    /// The same, as one that can be signed and published.
    pub fn released(&self, registry: &str) -> PathBuf {
        let rehearsed = self.rehearsed(registry);
        let released = self.path().join("target/dist/release");
        fs::create_dir_all(&released).unwrap();
        let released = released.join(VERSION);
        fs::rename(rehearsed, &released).unwrap();
        released
    }
}

/// The text of a file of a release.
pub fn read(dist: &Path, name: &str) -> String {
    fs::read_to_string(dist.join(name)).unwrap()
}

/// A file of a release in JSON.
pub fn json_of(dist: &Path, name: &str) -> Value {
    serde_json::from_str(&read(dist, name)).unwrap()
}

/// The image that the one file installs, with its digest.
pub fn pinned(dist: &Path) -> String {
    let install = read(dist, "install.yaml");
    let mut images = install
        .lines()
        .filter_map(|line| line.trim().strip_prefix("image: "));
    let image = images.next().unwrap().to_owned();
    assert_eq!(images.next(), None);
    let (_, digest) = image.split_once("@sha256:").expect(&image);
    assert_eq!(digest.len(), 64, "{image}");
    image
}
