//! Manifests as files of a folder, with a kustomization.
//!
//! Promises that a file that differs is never written over: it may have been edited since.

use std::{collections::BTreeSet, fmt::Write as _, fs, io, path::Path};

use serde::Serialize;

use super::Manifest;
use crate::failure::Failure;

/// The kustomization.
const KUSTOMIZATION: &str = "kustomization.yaml";

/// The first line of one that was written here.
const HEAD: &str =
    "# Written by `kubectl taurus-port import --split`; without this line it is left as it is.\n";

/// What became of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Files that are new.
    pub new: usize,
    /// Files that are as they would be written.
    pub same: usize,
    /// Files that differ and were kept.
    pub kept: Vec<String>,
    /// Whether the kustomization is somebody else's, and was left alone.
    pub kustomization_kept: bool,
}

impl Written {
    /// For people.
    pub fn shown(&self) -> String {
        let mut text = format!("{} files are new, {} are as before", self.new, self.same);
        if !self.kept.is_empty() {
            let _ = write!(text, "; kept, though they differ: {}", self.kept.join(", "));
        }
        if self.kustomization_kept {
            text.push_str("; the kustomization was not written here before, and is kept: list new files there");
        }
        text
    }
}

/// Writes a file for each manifest, and a kustomization of all.
pub fn write(folder: &Path, manifests: &[Manifest]) -> Result<Written, Failure> {
    let unwritable = |path: &Path, error: io::Error| {
        Failure::file(format!("{} can't be written", path.display()), error)
    };
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
    let mut written = Written::default();
    let mut files = BTreeSet::new();
    for manifest in manifests {
        let file = format!("{}.yaml", manifest.name);
        let path = folder.join(&file);
        match fs::read_to_string(&path) {
            Ok(text) if text == manifest.text => written.same += 1,
            Ok(_) => written.kept.push(file.clone()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::write(&path, &manifest.text).map_err(|error| unwritable(&path, error))?;
                written.new += 1;
            }
            Err(error) => return Err(unwritable(&path, error)),
        }
        files.insert(file);
    }
    let path = folder.join(KUSTOMIZATION);
    let before = match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unwritable(&path, error)),
    };
    if before.as_ref().is_some_and(|text| !text.starts_with(HEAD)) {
        written.kustomization_kept = true;
        return Ok(written);
    }
    // Those of earlier runs stay listed: their proxies are managed by now, and have no manifest of this run.
    let listed = before.iter().flat_map(|text| text.lines());
    let listed = listed.filter_map(|line| line.strip_prefix("  - "));
    files.extend(
        listed
            .filter(|file| folder.join(file).exists())
            .map(str::to_owned),
    );
    let lines: Vec<String> = files.iter().map(|file| format!("  - {file}\n")).collect();
    let text = format!(
        "{HEAD}apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:{}{}",
        if lines.is_empty() { " []\n" } else { "\n" },
        lines.concat()
    );
    fs::write(&path, text).map_err(|error| unwritable(&path, error))?;
    Ok(written)
}
