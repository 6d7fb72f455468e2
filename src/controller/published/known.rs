//! What a watch has shown of what is published, so that a list which is read anew tells what has happened in between.
//!
//! Pure. Promises that what a later list shows otherwise, or no longer, is news, and that the news of the first list are known as such: what
//! it holds is published again by the first looks anyway, but for those that have had theirs; that who has had an object hears of each edit of it, also of one that takes the owners away; and that
//! an object costs no more than its owners and two marks.

use std::collections::{HashMap, HashSet};

use kube::runtime::watcher::Event;

use crate::model::{Mark, ResourceName};

/// The name of an owner, and the mark of its UID.
pub(super) type Owner = (ResourceName, Mark);

/// An object, as a watch shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// The mark of its UID.
    pub(super) uid: Mark,
    /// The mark of its `resourceVersion`.
    pub(super) version: Mark,
    /// Its owners.
    pub(super) owners: Vec<Owner>,
    /// Its namespace and the proxy of its label, where it has no owners.
    pub(super) proxy: Option<(String, String)>,
}

/// An object that was edited or deleted, by whomever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    /// What tells an own write: the version that was stored, or the UID of what was deleted.
    pub(super) marks: Vec<Mark>,
    /// Its owners, and those that it had before.
    pub(super) owners: Vec<Owner>,
    /// Its namespace and the proxy of its label, where it has had no owners: who publishes for that proxy may be concerned.
    pub(super) proxy: Option<(String, String)>,
    /// The first list has shown it: it may be as it was before this process.
    pub(super) is_first: bool,
}

/// What is kept of an object.
#[derive(Debug)]
struct Kept {
    version: Mark,
    /// Its owners; where it has none any more, the last ones.
    owners: Box<[Owner]>,
}

/// The objects of one kind.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By the marks of their UIDs.
    of: HashMap<Mark, Kept>,
    /// Those that a list which is being read has shown so far.
    listed: HashSet<Mark>,
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
                let uid = object.uid;
                let before = self.of.get(&uid);
                let is_other = before.is_none_or(|before| before.version != object.version);
                let news = News {
                    is_first: !self.is_whole,
                    ..self.keep(object)
                };
                if self.of.contains_key(&uid) {
                    self.listed.insert(uid);
                }
                is_other.then_some(news).into_iter().collect()
            }
            Event::InitDone => {
                self.is_whole = true;
                let listed = std::mem::take(&mut self.listed);
                let gone = self.of.extract_if(|uid, _| !listed.contains(uid));
                // Its last version may be an own write; that it is gone is none.
                let gone = gone.map(|(uid, object)| News {
                    marks: vec![uid],
                    owners: object.owners.into_vec(),
                    proxy: None,
                    is_first: false,
                });
                let mut gone: Vec<News> = gone.collect();
                // Who is called first must not depend on the order of a hash table, nor on the seed of its marks.
                gone.sort_unstable_by(|one, other| one.names().cmp(other.names()));
                gone
            }
            Event::Apply(object) => vec![self.keep(object)],
            Event::Delete(object) => {
                let before = self.of.remove(&object.uid);
                vec![News::of(object, before.as_ref())]
            }
        }
    }

    /// One that nobody has owned need not be known: it is news whenever it is shown.
    fn keep(&mut self, object: Shown) -> News {
        let before = self.of.remove(&object.uid);
        let (uid, version) = (object.uid, object.version);
        let now: Box<[Owner]> = object.owners.as_slice().into();
        let news = News::of(object, before.as_ref());
        let owners = match before {
            Some(before) if now.is_empty() => before.owners,
            _ => now,
        };
        if !owners.is_empty() {
            self.of.insert(uid, Kept { version, owners });
        }
        news
    }
}

impl News {
    /// Those who had the object hear of it as well: an edit may have taken it from them.
    fn of(object: Shown, before: Option<&Kept>) -> Self {
        let mut owners = object.owners;
        for owner in before.into_iter().flat_map(|before| before.owners.iter()) {
            if !owners.contains(owner) {
                owners.push(owner.clone());
            }
        }
        Self {
            marks: vec![object.version, object.uid],
            proxy: object.proxy.filter(|_| owners.is_empty()),
            owners,
            is_first: false,
        }
    }

    fn names(&self) -> impl Iterator<Item = &ResourceName> {
        self.owners.iter().map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(uid: &str, version: &str) -> Shown {
        let owner = (
            ResourceName::new("shop", uid),
            Mark::of(&format!("uid-of-{uid}")),
        );
        Shown {
            uid: Mark::of(uid),
            version: Mark::of(version),
            owners: vec![owner],
            proxy: None,
        }
    }

    /// The same without owners.
    fn stripped(uid: &str, version: &str) -> Shown {
        Shown {
            owners: Vec::new(),
            proxy: Some(("shop".to_owned(), "po01".to_owned())),
            ..shown(uid, version)
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

    /// Whose objects were edited or deleted, by an event; without the news of the first list.
    fn told(known: &mut Known, event: Event<Shown>) -> Vec<String> {
        let news = known.take(event).into_iter();
        let owners = news
            .filter(|news| !news.is_first)
            .flat_map(|news| news.owners);
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
        let marks: Vec<Mark> = news.into_iter().flat_map(|news| news.marks).collect();
        assert_eq!(
            marks,
            [Mark::of("a")],
            "its last version may be an own write"
        );
    }

    #[test]
    fn who_had_an_object_hears_of_an_edit_that_takes_its_owners_away_and_of_those_that_follow() {
        let mut known = Known::default();
        list(&mut known, &[("a", "1"), ("b", "2")]);
        assert_eq!(told(&mut known, Event::Apply(stripped("a", "3"))), ["a"]);
        assert_eq!(told(&mut known, Event::Apply(stripped("a", "4"))), ["a"]);
        // Somebody else has it now.
        let taken = Shown {
            uid: Mark::of("b"),
            ..shown("c", "5")
        };
        assert_eq!(told(&mut known, Event::Apply(taken)), ["c", "b"]);
        assert_eq!(told(&mut known, Event::Delete(stripped("b", "6"))), ["c"]);
        // The same in a list that is read anew.
        assert!(known.take(Event::Init).is_empty());
        assert_eq!(
            told(&mut known, Event::InitApply(stripped("a", "7"))),
            ["a"]
        );
        assert!(known.take(Event::InitDone).is_empty());
        assert!(list(&mut known, &[("a", "7")]).is_empty());
        known.take(Event::Init);
        assert_eq!(told(&mut known, Event::InitDone), ["a"]);
    }

    #[test]
    fn what_nobody_has_owned_calls_by_its_proxy_and_is_not_kept() {
        let mut known = Known::default();
        let proxies = |news: Vec<News>| -> Vec<String> {
            let proxies = news.into_iter().filter_map(|news| news.proxy);
            proxies.map(|(_, proxy)| proxy).collect()
        };
        assert_eq!(
            proxies(known.take(Event::Apply(stripped("a", "1")))),
            ["po01"]
        );
        known.take(Event::Apply(shown("b", "2")));
        let edited = known.take(Event::Apply(stripped("b", "3")));
        assert!(proxies(edited).is_empty(), "its last owners are called");
        known.take(Event::Delete(shown("b", "4")));
        assert!(known.of.is_empty(), "{known:?}");
    }

    #[test]
    fn news_of_the_first_list_are_known_as_such() {
        let mut known = Known::default();
        let are_first = |news: Vec<News>| news.iter().map(|news| news.is_first).collect::<Vec<_>>();
        known.take(Event::Init);
        let shown_first = Event::InitApply(shown("a", "1"));
        assert_eq!(are_first(known.take(shown_first)), [true]);
        known.take(Event::InitDone);
        known.take(Event::Init);
        let edited = Event::InitApply(shown("a", "2"));
        assert_eq!(are_first(known.take(edited)), [false]);
    }
}
