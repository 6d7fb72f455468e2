//! From files, folders and standard input to single manifests. Lists are taken apart.

use std::{
    fs,
    io::BufRead,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Finding, judge::Fault, yaml};
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
    lines: std::sync::Arc<std::collections::BTreeMap<String, usize>>,
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

/// Reads what is named: files, folders with all below them, and `-`.
pub fn read(names: &[PathBuf], input: &mut dyn BufRead) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for name in names {
        if name.as_os_str() == STDIN {
            let mut text = String::new();
            let read = input.read_to_string(&mut text);
            read.map_err(|error| Failure::file("standard input can't be read", error))?;
            sources.push(Source {
                name: STDIN.to_owned(),
                text,
            });
        } else {
            collect(name, true, &mut sources)?;
        }
    }
    Ok(sources)
}

fn collect(path: &Path, is_named: bool, sources: &mut Vec<Source>) -> Result<(), Failure> {
    let shown = path.display().to_string();
    let unreadable = |error| Failure::file(format!("{shown} can't be read"), error);
    if path.is_dir() {
        let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(unreadable)?.collect();
        let mut paths: Vec<PathBuf> = entries
            .map_err(unreadable)?
            .iter()
            .map(fs::DirEntry::path)
            .collect();
        paths.sort();
        return paths
            .iter()
            .try_for_each(|path| collect(path, false, sources));
    }
    let ending = path.extension().and_then(|ending| ending.to_str());
    if is_named || ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
        let text = fs::read_to_string(path).map_err(unreadable)?;
        sources.push(Source { name: shown, text });
    }
    Ok(())
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
        let lines = std::sync::Arc::new(document.lines);
        let mut add = |value: Value, within: String| {
            found.push(Manifest {
                file: source.name.clone(),
                value,
                lines: std::sync::Arc::clone(&lines),
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
