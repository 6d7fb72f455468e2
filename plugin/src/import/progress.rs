//! How far a run came, so that the next one can go on there.
//!
//! Promises that what was read for another place or other projects is never taken for this one's.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Found, Place};
use crate::failure::Failure;

/// What is known so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    place: Place,
    projects: Vec<String>,
    instances: BTreeMap<String, Vec<Found>>,
}

/// A run's progress, kept in a file where one is named.
#[derive(Debug)]
pub struct Progress {
    file: Option<PathBuf>,
    known: Known,
}

impl Progress {
    /// What the file knows of these projects at this place.
    pub fn open(file: Option<&Path>, place: &Place, projects: &[String]) -> Result<Self, Failure> {
        let mut projects = projects.to_vec();
        projects.sort();
        let fresh = Known {
            place: place.clone(),
            projects,
            instances: BTreeMap::new(),
        };
        let mut known = fresh.clone();
        if let Some(file) = file {
            let unusable = |why: String| {
                Failure::Usage(format!(
                    "{} can't be gone on with: {why}; delete it to begin anew",
                    file.display()
                ))
            };
            match fs::read_to_string(file) {
                Ok(text) => {
                    let read = serde_json::from_str(&text);
                    known = read.map_err(|error| unusable(error.to_string()))?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unusable(error.to_string())),
            }
            if (&known.place, &known.projects) != (&fresh.place, &fresh.projects) {
                return Err(unusable(
                    "it is of another place or of other projects".to_owned(),
                ));
            }
        }
        Ok(Self {
            file: file.map(Path::to_owned),
            known,
        })
    }

    /// Whether an instance was read.
    pub fn has(&self, instance: &str) -> bool {
        self.known.instances.contains_key(instance)
    }

    /// Takes what an instance has.
    pub fn take(&mut self, instance: &str, found: Vec<Found>) -> Result<(), Failure> {
        self.known.instances.insert(instance.to_owned(), found);
        let Some(file) = &self.file else {
            return Ok(());
        };
        let unwritable =
            |error: io::Error| Failure::file(format!("{} can't be written", file.display()), error);
        let text = serde_json::to_string(&self.known)
            .map_err(|error| Failure::Output(error.to_string()))?;
        // A file that is cut in the middle would be of no use.
        let beside = file.with_extension("new");
        fs::write(&beside, text).map_err(unwritable)?;
        fs::rename(&beside, file).map_err(unwritable)
    }

    /// All that was found; the file is of no more use where all was read.
    pub fn end(self, is_whole: bool) -> Vec<Found> {
        if let Some(file) = self.file.filter(|_| is_whole) {
            // Who can't delete it is told at the next run.
            let _ = fs::remove_file(file);
        }
        self.known.instances.into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(proxy: &str) -> Found {
        Found {
            place: Place::default(),
            project: "p".to_owned(),
            instance: "i".to_owned(),
            instance_name: String::new(),
            tags: BTreeMap::new(),
            proxy: proxy.to_owned(),
            name: String::new(),
            status: String::new(),
            unhealthy: false,
            port: Some(3306),
        }
    }

    #[test]
    fn a_run_goes_on_where_the_last_one_ended_and_leaves_nothing_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("progress.json");
        let open = || Progress::open(Some(&file), &Place::default(), &["p".to_owned()]).unwrap();
        let mut first = open();
        first.take("i", vec![found("a")]).unwrap();
        assert_eq!(first.end(false).len(), 1);
        let mut second = open();
        assert!(second.has("i") && !second.has("j"));
        second.take("j", vec![found("b")]).unwrap();
        assert_eq!(second.end(true).len(), 2);
        assert!(!file.exists());
    }

    #[test]
    fn what_is_of_another_place_or_no_progress_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("progress.json");
        let open =
            |project: &str| Progress::open(Some(&file), &Place::default(), &[project.to_owned()]);
        open("p").unwrap().take("i", Vec::new()).unwrap();
        assert!(
            open("q")
                .unwrap_err()
                .to_string()
                .contains("other projects")
        );
        fs::write(&file, "{").unwrap();
        assert!(open("p").is_err());
    }
}
