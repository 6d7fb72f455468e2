//! Manifests as files of a folder, with a kustomization.
//!
//! Promises that a file that differs is never written over: it may have been edited since. A kustomization that was written here gets
//! entries for new files, and keeps all else.

use std::{collections::BTreeSet, fmt::Write as _, fs, io, path::Path};

use serde::Serialize;

use super::{Manifest, kustomization};
use crate::failure::Failure;

/// So many files are named.
const NAMED: usize = 20;

/// What became of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// Files that are new.
    pub new: usize,
    /// Files that are as they would be written.
    pub same: usize,
    /// Files that differ and were kept.
    pub kept: Vec<String>,
    /// Files that the kustomization does not list, and that could not be added to it.
    pub unlisted: Vec<String>,
}

impl Written {
    /// For people.
    pub fn shown(&self) -> String {
        let mut text = format!("{} files are new, {} are as before", self.new, self.same);
        for (title, files) in [
            ("kept, though they differ", &self.kept),
            (
                "the kustomization is left as it is: add to its resources",
                &self.unlisted,
            ),
        ] {
            if files.is_empty() {
                continue;
            }
            let named: Vec<&str> = files.iter().take(NAMED).map(String::as_str).collect();
            let _ = write!(text, "; {title}: {}", named.join(", "));
            if files.len() > NAMED {
                let _ = write!(text, " and {} more", files.len() - NAMED);
            }
        }
        text
    }
}

/// Writes a file for each manifest, and a kustomization of all.
pub fn write(folder: &Path, manifests: &[Manifest]) -> Result<Written, Failure> {
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
    let mut written = Written::default();
    let mut files = BTreeSet::new();
    for manifest in manifests {
        let file = format!("{}.yaml", manifest.name);
        let own = folder.join(&file);
        let path = manifest.file.clone().unwrap_or_else(|| own.clone());
        match existing(&path)? {
            Some(text) if text == manifest.text => written.same += 1,
            Some(_) => {
                let within = path.strip_prefix(folder).unwrap_or(&path);
                written.kept.push(within.display().to_string());
            }
            None => {
                fs::write(&path, &manifest.text).map_err(|error| unwritable(&path, error))?;
                written.new += 1;
            }
        }
        // A file of another name is somebody's own, who has listed it.
        if path == own {
            files.insert(file);
        }
    }
    written.unlisted = listed(folder, &files)?;
    Ok(written)
}

/// Lists files in the kustomization, where it was written here or there is none; gives those that it lacks then.
fn listed(folder: &Path, files: &BTreeSet<String>) -> Result<Vec<String>, Failure> {
    for name in kustomization::NAMES {
        let path = folder.join(name);
        let Some(text) = existing(&path)? else {
            continue;
        };
        // Those of earlier runs stay: their proxies may be managed by now, and have no manifest of this run.
        let lacking = kustomization::unlisted(&text, files);
        if lacking.is_empty() || !kustomization::is_ours(&text) {
            return Ok(lacking);
        }
        let Some(text) = kustomization::with(&text, &lacking) else {
            return Ok(lacking);
        };
        fs::write(&path, text).map_err(|error| unwritable(&path, error))?;
        return Ok(Vec::new());
    }
    let [name, ..] = kustomization::NAMES;
    let path = folder.join(name);
    fs::write(&path, kustomization::fresh(files)).map_err(|error| unwritable(&path, error))?;
    Ok(Vec::new())
}

/// The text of a file, if there is one.
fn existing(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file(
            format!("{} can't be read", path.display()),
            error,
        )),
    }
}

fn unwritable(path: &Path, error: io::Error) -> Failure {
    Failure::file(format!("{} can't be written", path.display()), error)
}
