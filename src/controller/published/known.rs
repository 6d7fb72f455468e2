//! What a watch has shown of what is published, so that a list which is read anew tells what has happened in between.
//!
//! Pure. Promises that what a later list shows otherwise, or no longer, is news, and that the first list is none: what it holds is published
//! again by the first looks anyway.

use std::collections::{HashMap, HashSet};

use kube::runtime::watcher::Event;

use crate::model::ResourceName;

/// An object, as a watch shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its UID.
    pub(super) uid: String,
    /// Its `resourceVersion`.
    pub(super) version: String,
    /// The names and UIDs of its owners.
    pub(super) owners: Vec<(ResourceName, String)>,
}

/// An object that was edited or deleted, by whomever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    /// What tells an own write: the version that was stored, or the UID of what was deleted.
    pub(super) marks: Vec<String>,
    /// The names and UIDs of its owners.
    pub(super) owners: Vec<(ResourceName, String)>,
}

/// The objects of one kind.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By their UIDs.
    of: HashMap<String, Shown>,
    /// Those that a list which is being read has shown so far.
    listed: HashSet<String>,
    /// Whether a list was read to its end.
    is_whole: bool,
}

impl Known {
    /// Takes in an event, and says what was edited or deleted.
    pub(super) fn take(&mut self, event: Event<Shown>) -> Vec<News> {
        match event {
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                if !object.owners.is_empty() {
                    self.listed.insert(object.uid.clone());
                }
                let before = self.of.get(&object.uid);
                let is_other = before.is_none_or(|before| before.version != object.version);
                let is_news = self.is_whole && is_other;
                let news = self.keep(object);
                is_news.then_some(news).into_iter().collect()
            }
            Event::InitDone => {
                self.is_whole = true;
                let listed = std::mem::take(&mut self.listed);
                let gone = self.of.extract_if(|uid, _| !listed.contains(uid));
                // Its last version may be an own write; that it is gone is none.
                let gone = gone.map(|(uid, object)| News {
                    marks: vec![uid],
                    owners: object.owners,
                });
                let mut gone: Vec<News> = gone.collect();
                // What follows from that must not depend on the order of a hash table.
                gone.sort_unstable_by(|one, other| one.marks.cmp(&other.marks));
                gone
            }
            Event::Apply(object) => vec![self.keep(object)],
            Event::Delete(object) => {
                self.of.remove(&object.uid);
                vec![News::of(&object)]
            }
        }
    }

    /// One that nobody owns calls nobody: it need not be known.
    fn keep(&mut self, object: Shown) -> News {
        let news = News::of(&object);
        if object.owners.is_empty() {
            self.of.remove(&object.uid);
        } else {
            self.of.insert(object.uid.clone(), object);
        }
        news
    }
}

impl News {
    fn of(object: &Shown) -> Self {
        Self {
            marks: vec![object.version.clone(), object.uid.clone()],
            owners: object.owners.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(uid: &str, version: &str) -> Shown {
        let owner = (ResourceName::new("shop", uid), format!("uid-of-{uid}"));
        Shown {
            uid: uid.to_owned(),
            version: version.to_owned(),
            owners: vec![owner],
        }
    }

    fn list(known: &mut Known, objects: &[(&str, &str)]) -> Vec<String> {
        let mut events = vec![Event::Init];
        let objects = objects.iter();
        events.extend(objects.map(|(uid, version)| Event::InitApply(shown(uid, version))));
        events.push(Event::InitDone);
        events
            .into_iter()
            .flat_map(|event| told(known, event))
            .collect()
    }

    /// Whose objects were edited or deleted, by an event.
    fn told(known: &mut Known, event: Event<Shown>) -> Vec<String> {
        let news = known.take(event);
        let owners = news.into_iter().flat_map(|news| news.owners);
        owners.map(|(name, _)| name.name().to_owned()).collect()
    }

    #[test]
    fn a9_a_list_that_is_read_anew_tells_what_was_edited_and_deleted_in_between() {
        let mut known = Known::default();
        let first = [("a", "7"), ("b", "8"), ("c", "9")];
        assert!(list(&mut known, &first).is_empty(), "the first list");
        assert!(list(&mut known, &first).is_empty(), "nothing has happened");
        assert_eq!(told(&mut known, Event::Apply(shown("a", "10"))), ["a"]);
        // Etcd was restored from a backup: versions are older ones, and what was made since is gone.
        let restored = [("a", "7"), ("b", "8")];
        assert_eq!(list(&mut known, &restored), ["a", "c"]);
        assert!(list(&mut known, &restored).is_empty());
        assert_eq!(
            list(&mut known, &[("a", "7"), ("b", "8"), ("d", "1")]),
            ["d"]
        );
        assert_eq!(told(&mut known, Event::Delete(shown("d", "2"))), ["d"]);
        assert!(list(&mut known, &restored).is_empty(), "it was told of");
    }

    #[test]
    fn a9_a_list_that_was_given_up_takes_nothing_for_gone() {
        let mut known = Known::default();
        list(&mut known, &[("a", "1"), ("b", "2")]);
        assert!(known.take(Event::Init).is_empty());
        assert!(told(&mut known, Event::InitApply(shown("a", "1"))).is_empty());
        assert!(list(&mut known, &[("b", "2"), ("a", "1")]).is_empty());
    }

    #[test]
    fn a9_what_is_gone_from_a_list_is_known_as_an_own_deletion_by_its_uid_alone() {
        let mut known = Known::default();
        list(&mut known, &[("a", "1")]);
        known.take(Event::Init);
        let news = known.take(Event::InitDone);
        let marks: Vec<String> = news.into_iter().flat_map(|news| news.marks).collect();
        assert_eq!(marks, ["a"], "its last version may be an own write");
    }
}
