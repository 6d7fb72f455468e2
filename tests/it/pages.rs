//! The pages for people: they lead to each other, name what there is, and their commands work.

mod audit;
mod baseline;
mod coexistence;
mod commands;
mod hurry;
mod iam;
mod kuberc;
mod links;
mod network;
mod operations;
mod run;
mod samples;
mod secrets;
mod support;
mod uninstall;
mod watched;
mod windows;

use std::path::{Path, PathBuf};

use crate::world::tools::root;

/// A page of the repository.
pub struct Page {
    /// From the root.
    pub path: PathBuf,
    pub text: String,
}

impl Page {
    pub fn read(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        Self { path, text }
    }

    /// All pages that people read: those at the root and those of `docs`.
    pub fn all() -> Vec<Self> {
        let mut pages = Vec::new();
        for folder in ["", "docs", "docs/adr"] {
            for entry in root().join(folder).read_dir().unwrap() {
                let name = entry.unwrap().file_name();
                if Path::new(&name).extension().is_some_and(|it| it == "md") {
                    pages.push(Self::read(Path::new(folder).join(name)));
                }
            }
        }
        pages
    }

    /// The lines that are not code.
    pub fn prose(&self) -> impl Iterator<Item = &str> {
        let mut code = false;
        self.text.lines().filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            code ^= fence;
            !code && !fence
        })
    }

    /// The texts of the headings of this level, and of all levels where it is 0.
    pub fn headings(&self, level: usize) -> Vec<&str> {
        let of_line = |line: &'_ str| line.bytes().take_while(|it| *it == b'#').count();
        let wanted = |line: &&str| {
            let found = of_line(line);
            found > 0 && (level == 0 || found == level)
        };
        let texts = self.prose().filter(wanted);
        texts
            .map(|line| line.trim_start_matches('#').trim())
            .collect()
    }

    /// What follows a heading of this level, up to the next of the same or of a higher one.
    pub fn section(&self, level: usize, heading: &str) -> &str {
        let begin = format!("\n{} {heading}\n", "#".repeat(level));
        let (_, rest) = self.text.split_once(&begin).expect(heading);
        let ends = (1..=level).map(|level| format!("\n{} ", "#".repeat(level)));
        let end = ends.filter_map(|end| rest.find(&end)).min();
        rest.get(..end.unwrap_or(rest.len())).unwrap()
    }
}
