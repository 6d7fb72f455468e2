//! How far a run came, so that the next one can go on there.
//!
//! Promises that what was read for another place, for other projects, or of other instances than are asked for is never taken for this
//! run's, and that what an earlier run has read is told with its time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Found, Place};
use crate::{cli::ImportArguments, failure::Failure, format};

/// What a run asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    place: Place,
    projects: BTreeSet<String>,
    /// The instances that are named; without any, all.
    only: BTreeSet<String>,
    /// The tags that an instance must have.
    tags: BTreeSet<(String, String)>,
}

impl Asked {
    /// What the command line asks for at a place.
    pub fn of(place: &Place, arguments: &ImportArguments) -> Self {
        let ids = |ids: &[String]| -> BTreeSet<String> {
            ids.iter().map(|id| id.to_ascii_lowercase()).collect()
        };
        Self {
            place: place.clone(),
            projects: ids(&arguments.projects),
            only: ids(&arguments.instances),
            tags: arguments.tags.iter().cloned().collect(),
        }
    }
}

/// What is known so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    asked: Asked,
    instances: BTreeMap<String, Vec<Found>>,
    /// When the first and the last of them was read; a file of an older release does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read: Option<(Timestamp, Timestamp)>,
}

/// What an earlier run has read: the cloud may have others by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Earlier {
    /// Of so many instances.
    pub instances: usize,
    /// When the first of them was read, where the file says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// When the last of them was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Earlier {
    /// For people.
    pub fn shown(&self) -> String {
        let when = match (self.from, self.until) {
            (Some(from), Some(until)) if from == until => format!(" at {from:.0}"),
            (Some(from), Some(until)) => format!(" from {from:.0} to {until:.0}"),
            _ => String::new(),
        };
        let count = format::grouped(self.instances);
        format!(
            "{count} instances were read{when}, before the break: ports that were moved since are not seen"
        )
    }
}

/// A run's progress, kept in a file where one is named.
#[derive(Debug)]
pub struct Progress {
    file: Option<PathBuf>,
    known: Known,
    earlier: Option<Earlier>,
}

impl Progress {
    /// What the file knows of what is asked for.
    pub fn open(file: Option<&Path>, asked: Asked) -> Result<Self, Failure> {
        let mut known = Known {
            asked,
            ..Known::default()
        };
        if let Some(file) = file {
            let unusable = |why: &str| {
                Failure::Usage(format!(
                    "{} can't be gone on with: {why}; delete it to begin anew",
                    file.display()
                ))
            };
            match fs::read_to_string(file) {
                Ok(text) => {
                    let read: Known = serde_json::from_str(&text)
                        .map_err(|error| unusable(&error.to_string()))?;
                    if let Some(why) = difference(&read.asked, &known.asked) {
                        return Err(unusable(why));
                    }
                    known = read;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unusable(&error.to_string())),
            }
        }
        let instances = known.instances.len();
        let earlier = (instances > 0).then(|| Earlier {
            instances,
            from: known.read.map(|(from, _)| from),
            until: known.read.map(|(_, until)| until),
        });
        Ok(Self {
            file: file.map(Path::to_owned),
            known,
            earlier,
        })
    }

    /// What an earlier run has read.
    pub fn earlier(&self) -> Option<&Earlier> {
        self.earlier.as_ref()
    }

    /// Whether an instance was read.
    pub fn has(&self, instance: &str) -> bool {
        self.known.instances.contains_key(instance)
    }

    /// Whether no instance was read.
    pub fn is_empty(&self) -> bool {
        self.known.instances.is_empty()
    }

    /// Takes what an instance has now.
    pub fn take(
        &mut self,
        instance: &str,
        found: Vec<Found>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        self.known.instances.insert(instance.to_owned(), found);
        let from = match self.known.read {
            Some((from, _)) => Some(from),
            // Nobody knows when the first ones were read.
            None if self.earlier.is_some() => None,
            None => Some(now),
        };
        self.known.read = from.map(|from| (from, now));
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

/// What another run asked for that this one does not, or the other way round.
fn difference(one: &Asked, other: &Asked) -> Option<&'static str> {
    if one.place != other.place {
        Some("it is of another --region or --endpoint")
    } else if one.projects != other.projects {
        Some("it is of other projects")
    } else if one.only != other.only {
        Some("it is of other instances than --instance names now")
    } else if one.tags != other.tags {
        Some("it is of other tags than --tag names now")
    } else {
        None
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
            contradiction: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_an_earlier_run_has_read_is_told_with_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("progress.json");
        let open = || Progress::open(Some(&file), asked(&arguments("p"))).unwrap();
        let told = |progress: &Progress| progress.earlier().map(Earlier::shown);
        let mut first = open();
        assert_eq!(told(&first), None);
        first.take("i", vec![found("a")], at(1)).unwrap();
        assert_eq!(told(&first), None, "that was read by this run");
        let mut second = open();
        let said = "1 instances were read at 1970-01-01T00:00:01Z, before the break: ports that were moved since are not seen";
        assert_eq!(told(&second).as_deref(), Some(said));
        second.take("j", Vec::new(), at(3)).unwrap();
        let said = told(&open()).unwrap();
        assert!(
            said.starts_with(
                "2 instances were read from 1970-01-01T00:00:01Z to 1970-01-01T00:00:03Z, "
            ),
            "{said}"
        );
        // A file of a release that kept no times.
        let mut text: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        text.as_object_mut().unwrap().remove("read");
        fs::write(&file, text.to_string()).unwrap();
        let mut third = open();
        assert!(told(&third).unwrap().starts_with("2 instances were read, "));
        third.take("k", Vec::new(), at(5)).unwrap();
        assert!(
            told(&open())
                .unwrap()
                .starts_with("3 instances were read, ")
        );
    }

    #[test]
    fn a_run_goes_on_where_the_last_one_ended_and_leaves_nothing_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("progress.json");
        let open = || Progress::open(Some(&file), asked(&arguments("p"))).unwrap();
        let mut first = open();
        first.take("i", vec![found("a")], at(1)).unwrap();
        assert_eq!(first.end(false).len(), 1);
        let mut second = open();
        assert!(second.has("i") && !second.has("j"));
        second.take("j", vec![found("b")], at(3)).unwrap();
        assert_eq!(second.end(true).len(), 2);
        assert!(!file.exists());
    }

    fn arguments(project: &str) -> ImportArguments {
        ImportArguments {
            projects: vec![project.to_owned()],
            ..ImportArguments::default()
        }
    }

    fn asked(arguments: &ImportArguments) -> Asked {
        Asked::of(&Place::default(), arguments)
    }

    #[test]
    fn what_is_of_another_place_or_no_progress_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("progress.json");
        let refused = |asked: Asked| {
            let error = Progress::open(Some(&file), asked).unwrap_err();
            error.to_string()
        };
        let one = || asked(&arguments("p"));
        let mut first = Progress::open(Some(&file), one()).unwrap();
        first.take("i", Vec::new(), at(1)).unwrap();
        let place = Place {
            region: Some("elsewhere".to_owned()),
            ..Place::default()
        };
        assert!(refused(Asked::of(&place, &arguments("p"))).contains("--region"));
        assert!(refused(asked(&arguments("q"))).contains("other projects"));
        fs::write(&file, "{").unwrap();
        assert!(Progress::open(Some(&file), one()).is_err());
    }

    #[test]
    fn what_was_read_without_a_filter_is_not_taken_for_what_it_lets_through() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("progress.json");
        let all = arguments("p");
        let tagged = ImportArguments {
            tags: vec![("team".to_owned(), "shop".to_owned())],
            ..arguments("p")
        };
        let one = ImportArguments {
            instances: vec!["I".to_owned()],
            ..arguments("p")
        };
        for (first, second, why) in [
            (&all, &tagged, "--tag"),
            (&tagged, &all, "--tag"),
            (&all, &one, "--instance"),
            (&one, &all, "--instance"),
        ] {
            let mut progress = Progress::open(Some(&file), asked(first)).unwrap();
            progress.take("i", vec![found("a")], at(1)).unwrap();
            let error = Progress::open(Some(&file), asked(second)).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(Progress::open(Some(&file), asked(first)).unwrap().has("i"));
            fs::remove_file(&file).unwrap();
        }
    }
}
