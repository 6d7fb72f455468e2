//! From files, folders and standard input to single manifests. Lists are taken apart.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use super::{Finding, fault::Fault, yaml};
use crate::{failure::Failure, resource::text_at};

/// What stands for standard input.
const STDIN: &str = "-";

/// The endings of files that are looked for in folders.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// A text with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file, or `-`.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// An object in a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The file, or `-`.
    pub file: String,
    /// The object.
    pub value: Value,
    /// The lines of the document that it stands in.
    lines: Arc<BTreeMap<String, usize>>,
    /// The numbers of that document that begin with a zero.
    zeros: Arc<BTreeMap<String, String>>,
    /// Where it stands in the document: nothing, or `items[3]`.
    within: String,
}

impl Manifest {
    /// `namespace/name`, as far as it is known.
    pub fn named(&self) -> String {
        let name = text_at(&self.value, "/metadata/name").unwrap_or_default();
        match text_at(&self.value, "/metadata/namespace") {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name,
        }
    }

    /// The line of a field, or of the nearest part that holds it.
    pub fn line(&self, field: &str) -> usize {
        let mut path = match (self.within.as_str(), field) {
            ("", field) => field.to_owned(),
            (within, "") => within.to_owned(),
            (within, field) => format!("{within}.{field}"),
        };
        loop {
            if let Some(line) = self.lines.get(&path) {
                return *line;
            }
            let shorter = path.rfind(['.', '[']).unwrap_or(0);
            path.truncate(shorter);
        }
    }

    /// Its numbers that begin with a zero: kubectl reads another number than people do, and says nothing.
    pub fn zeros(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let zeros: &BTreeMap<String, String> = &self.zeros;
        for (path, written) in zeros {
            let field = match self.within.as_str() {
                "" => Some(path.as_str()),
                within => path
                    .strip_prefix(within)
                    .and_then(|path| path.strip_prefix('.')),
            };
            let Some(field) = field else {
                continue;
            };
            let pointer = field.replace(['.', '['], "/").replace(']', "");
            let Some(read) = text_at(&self.value, &format!("/{pointer}")) else {
                continue;
            };
            let message = format!(
                "{written} begins with a zero and is read as {read}, as kubectl reads it: write {read}, or the number without the zero"
            );
            faults.push(Fault::of(field, message));
        }
        faults
    }

    /// A fault of it, with its place.
    pub fn finding(&self, fault: Fault) -> Finding {
        Finding {
            file: self.file.clone(),
            line: self.line(&fault.field),
            resource: self.named(),
            field: fault.field,
            message: fault.message,
        }
    }
}

/// Reads what is named: files, folders with all below them, and `-`. What can't be read beside others is told as a fault of its own.
///
/// # Errors
///
/// Standard input, or a file or folder that is named itself, can't be read.
pub fn read(
    names: &[PathBuf],
    input: &mut dyn BufRead,
) -> Result<(Vec<Source>, Vec<Finding>), Failure> {
    let mut sources = Vec::new();
    let mut faults = Vec::new();
    for name in names {
        if name.as_os_str() == STDIN {
            let mut text = String::new();
            let read = input.read_to_string(&mut text);
            read.map_err(|error| Failure::file("standard input can't be read", error))?;
            sources.push(Source {
                name: STDIN.to_owned(),
                text,
            });
            continue;
        }
        let unreadable = |error| Failure::file(format!("{} can't be read", name.display()), error);
        let is_folder = fs::metadata(name).map_err(unreadable)?.is_dir();
        if is_folder {
            collect(name, &mut sources, &mut faults);
        } else {
            match text_of(name) {
                Ok(source) => sources.push(source),
                // Its faults hide none of others.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    faults.push(unread(name, &error));
                }
                Err(error) => return Err(unreadable(error)),
            }
        }
    }
    Ok((sources, faults))
}

/// The refusal where nothing at all was found: it is a mistake, such as a pipe from a command that failed.
pub fn nothing() -> Failure {
    Failure::Usage("no objects: what is named has no YAML or JSON with an object in it".to_owned())
}

/// All below a folder. No link to a folder is followed, and nothing whose name begins with two dots: so a `ConfigMap` that is mounted
/// keeps its files, to which links lead from beside.
fn collect(folder: &Path, sources: &mut Vec<Source>, faults: &mut Vec<Finding>) {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            faults.push(unread(folder, &error));
            return;
        }
    };
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b"..") {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&path, sources, faults);
            continue;
        }
        let ending = path.extension().and_then(|ending| ending.to_str());
        let is_looked_for = ending.is_some_and(|ending| ENDINGS.contains(&ending));
        // Only a link leads to a folder here.
        if !is_looked_for || path.is_dir() {
            continue;
        }
        match text_of(&path) {
            Ok(source) => sources.push(source),
            Err(error) => faults.push(unread(&path, &error)),
        }
    }
}

fn text_of(path: &Path) -> io::Result<Source> {
    let text = fs::read_to_string(path)?;
    Ok(Source {
        name: path.display().to_string(),
        text,
    })
}

fn unread(path: &Path, error: &io::Error) -> Finding {
    Finding {
        file: path.display().to_string(),
        line: 1,
        resource: String::new(),
        field: String::new(),
        message: format!("can't be read: {error}"),
    }
}

/// The objects of a source, and what is wrong with it as YAML.
pub fn manifests(source: &Source) -> (Vec<Manifest>, Vec<Finding>) {
    let finding = |line: usize, field: &str, message: String| Finding {
        file: source.name.clone(),
        line,
        resource: String::new(),
        field: field.to_owned(),
        message,
    };
    let (documents, unreadable) = yaml::readable(&source.text);
    let faults = unreadable.into_iter();
    let faults = faults.map(|fault| finding(fault.line, "", format!("not YAML: {}", fault.why)));
    let (mut found, mut faults) = (Vec::new(), faults.collect::<Vec<_>>());
    for mut document in documents {
        for field in &document.twice {
            let line = document.lines.get(field).copied().unwrap_or(1);
            faults.push(finding(line, field, "the key stands twice".to_owned()));
        }
        let (lines, zeros) = (Arc::new(document.lines), Arc::new(document.zeros));
        let mut add = |value: Value, within: String| {
            found.push(Manifest {
                file: source.name.clone(),
                value,
                lines: Arc::clone(&lines),
                zeros: Arc::clone(&zeros),
                within,
            });
        };
        let is_list = text_at(&document.value, "/kind").is_some_and(|kind| kind.ends_with("List"));
        let items = document.value.get_mut("items");
        let items = items.filter(|items| is_list && items.is_array());
        match items.map(Value::take) {
            Some(Value::Array(items)) => {
                for (place, item) in items.into_iter().enumerate() {
                    add(item, format!("items[{place}]"));
                }
            }
            _ => add(document.value, String::new()),
        }
    }
    (found, faults)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn found(folder: &Path) -> (Vec<String>, Vec<String>) {
        let names = [folder.to_owned()];
        let (sources, faults) = read(&names, &mut &b""[..]).unwrap();
        let short = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let sources = sources.iter().map(|source| short(&source.name));
        let faults = faults.iter().map(|fault| short(&fault.file));
        (sources.collect(), faults.collect())
    }

    #[test]
    fn one_file_that_can_not_be_read_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.yaml"), b"a: \xff\n").unwrap();
        symlink("nowhere.yaml", path("b.yaml")).unwrap();
        symlink("c.yaml", path("c.yaml")).unwrap();
        fs::create_dir(path("d")).unwrap();
        fs::write(path("d/e.yml"), "a: 1\n").unwrap();
        let (sources, faults) = found(folder.path());
        assert_eq!(sources, ["e.yml"]);
        assert_eq!(faults, ["a.yaml", "b.yaml", "c.yaml"]);
        // The same of files that are named themselves, but for one that is not there.
        let names = [path("a.yaml"), path("d/e.yml")];
        let (sources, faults) = read(&names, &mut &b""[..]).unwrap();
        assert_eq!((sources.len(), faults.len()), (1, 1));
        assert!(read(&[path("b.yaml")], &mut &b""[..]).is_err());
    }

    #[test]
    fn a_config_map_that_is_mounted_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("..2026_03_02")).unwrap();
        fs::write(path("..2026_03_02/orders.yaml"), "a: 1\n").unwrap();
        symlink("..2026_03_02", path("..data")).unwrap();
        symlink("..data/orders.yaml", path("orders.yaml")).unwrap();
        // A folder within itself has no end.
        symlink(".", path("again.yaml")).unwrap();
        symlink("..2026_03_02", path("linked")).unwrap();
        let (sources, faults) = found(folder.path());
        assert_eq!((sources.len(), faults.len()), (1, 0), "{sources:?}");
    }
}
