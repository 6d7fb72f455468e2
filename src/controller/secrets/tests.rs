//! What is kept of Secrets, and who is woken when.

use super::*;

const GOOD_FOR: GoodFor = GoodFor {
    watched: Duration::from_mins(10),
    unwatched: Duration::from_mins(1),
};

fn source(name: &str) -> Source {
    Source::Secret {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
    }
}

fn resource(name: &str) -> ResourceName {
    ResourceName::new("shop", name)
}

fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

fn shown(name: &str, version: &str) -> (Source, Option<String>) {
    (source(name), Some(version.to_owned()))
}

fn holds(version: &str, data: &str) -> Dated {
    Dated {
        version: Some(version.to_owned()),
        reading: Reading::Holds(Fingerprint::of([data.as_bytes()])),
        remark: None,
    }
}

fn absent() -> Dated {
    Dated {
        version: None,
        reading: Reading::Absent("gone".to_owned()),
        remark: None,
    }
}

/// A book in which `resources` use Secrets, each as uid and name of the Secret.
fn book(users: &[(&str, &str)]) -> Book {
    let book = Book::default();
    for (uid, secret) in users {
        book.note(&Uid::from(*uid), &resource(uid), Some(source(secret)));
    }
    book
}

/// A reading by nobody in particular; the names of those who are woken.
fn read(book: &Book, name: &str, dated: Dated, second: u64) -> Vec<String> {
    let begun = book.begin(&source(name));
    let woken = book.end(&source(name), begun, dated, at(second), None);
    let mut woken: Vec<String> = woken
        .into_iter()
        .map(|resource| resource.name().to_owned())
        .collect();
    woken.sort();
    woken
}

fn list(book: &Book, secrets: &[(&str, &str)]) -> Vec<Source> {
    let mut due = book.take(Event::Init);
    for (name, version) in secrets {
        due.extend(book.take(Event::InitApply(shown(name, version))));
    }
    due.extend(book.take(Event::InitDone));
    due
}

fn is_current(book: &Book, name: &str, second: u64) -> bool {
    book.current(&source(name), at(second), GOOD_FOR).is_some()
}

#[test]
fn exactly_the_users_of_a_changed_secret_are_woken() {
    let book = book(&[("a", "keys"), ("b", "keys"), ("c", "other")]);
    assert!(
        read(&book, "keys", holds("1", "x"), 0).is_empty(),
        "the first one"
    );
    assert!(
        read(&book, "keys", holds("2", "x"), 1).is_empty(),
        "touched"
    );
    assert_eq!(read(&book, "keys", holds("3", "y"), 2), ["a", "b"]);
    assert_eq!(read(&book, "keys", absent(), 3), ["a", "b"]);
    assert_eq!(read(&book, "keys", holds("4", "y"), 4), ["a", "b"]);
    // Who finds out itself goes on and needs no call.
    let begun = book.begin(&source("keys"));
    let woken = book.end(&source("keys"), begun, holds("5", "z"), at(5), Some("a"));
    assert_eq!(woken, [resource("b")]);
    book.forget("b");
    book.note(&"a".into(), &resource("a"), Some(source("other")));
    assert!(read(&book, "keys", holds("6", "x"), 6).is_empty());
    assert_eq!(book.due(at(0), at(0), GOOD_FOR), [source("other")]);
}

#[test]
fn a_reading_is_good_for_a_minute_and_under_a_watch_until_something_is_heard() {
    let book = book(&[("a", "keys")]);
    assert!(!is_current(&book, "keys", 0), "never read");
    read(&book, "keys", holds("1", "x"), 0);
    assert!(is_current(&book, "keys", 59) && !is_current(&book, "keys", 60));
    assert!(list(&book, &[("keys", "1")]).is_empty());
    assert!(is_current(&book, "keys", 599) && !is_current(&book, "keys", 600));
    let event = Event::Apply(shown("keys", "2"));
    assert_eq!(book.take(event), [source("keys")]);
    assert!(!is_current(&book, "keys", 1), "it changed");
    read(&book, "keys", holds("2", "x"), 1);
    assert!(is_current(&book, "keys", 2));
    book.unwatched();
    assert!(!is_current(&book, "keys", 61));
}

#[test]
fn what_was_changed_while_nobody_watched_is_read_anew_after_the_next_list() {
    let book = book(&[
        ("a", "same"),
        ("b", "changed"),
        ("c", "gone"),
        ("d", "missing"),
    ]);
    for name in ["same", "changed", "gone"] {
        read(&book, name, holds("1", "x"), 0);
    }
    read(&book, "missing", absent(), 0);
    let mut due = list(&book, &[("same", "1"), ("changed", "2"), ("foreign", "9")]);
    due.sort_by_key(|source| format!("{source:?}"));
    assert_eq!(due, [source("changed"), source("gone")]);
    let event = Event::Apply(shown("missing", "3"));
    assert_eq!(book.take(event), [source("missing")], "it has come");
}

#[test]
fn what_is_heard_during_a_reading_is_not_lost() {
    let book = book(&[("a", "keys")]);
    list(&book, &[]);
    let begun = book.begin(&source("keys"));
    book.take(Event::Apply(shown("keys", "2")));
    book.end(&source("keys"), begun, holds("1", "x"), at(0), None);
    assert!(
        !is_current(&book, "keys", 0),
        "the answer may be from before"
    );
    assert_eq!(book.due(at(0), at(0), GOOD_FOR), [source("keys")]);
    read(&book, "keys", holds("2", "y"), 1);
    assert!(is_current(&book, "keys", 1));
}

#[test]
fn readings_are_due_before_they_are_out_of_date() {
    let book = book(&[("a", "keys"), ("b", "keys")]);
    assert_eq!(
        book.due(at(0), at(15), GOOD_FOR),
        [source("keys")],
        "once for both"
    );
    read(&book, "keys", holds("1", "x"), 0);
    assert!(book.due(at(44), at(15), GOOD_FOR).is_empty());
    assert_eq!(book.due(at(45), at(15), GOOD_FOR), [source("keys")]);
}

#[test]
fn default_credentials_are_read_each_minute_whatever_is_watched() {
    let book = Book::default();
    book.note(&"a".into(), &resource("a"), Some(Source::Default));
    let begun = book.begin(&Source::Default);
    book.end(&Source::Default, begun, holds("", "x"), at(0), None);
    assert!(list(&book, &[]).is_empty(), "they are in no list");
    assert!(book.current(&Source::Default, at(59), GOOD_FOR).is_some());
    assert!(book.current(&Source::Default, at(60), GOOD_FOR).is_none());
}

#[test]
fn thirty_thousand_secrets_that_nobody_names_leave_no_trace() {
    let book = book(&[("a", "keys")]);
    let all: Vec<String> = (0..30_000)
        .map(|number| format!("foreign-{number}"))
        .collect();
    let mut listed: Vec<(&str, &str)> = all.iter().map(|name| (name.as_str(), "1")).collect();
    listed.push(("keys", "1"));
    list(&book, &listed);
    for name in &all {
        assert!(book.take(Event::Apply(shown(name, "2"))).is_empty());
        assert!(book.take(Event::Delete(shown(name, "3"))).is_empty());
    }
    let inner = book.lock();
    assert_eq!((inner.sources.len(), inner.users.len()), (1, 1));
    assert!(inner.sources.capacity() < 10 && inner.listed.is_none());
}

#[test]
fn a_remark_is_of_its_own_source_and_of_its_last_reading() {
    let book = book(&[("a", "keys"), ("b", "copy")]);
    let remarked = |version, remark: Option<&str>| Dated {
        remark: remark.map(Arc::from),
        ..holds(version, "the same token")
    };
    read(&book, "keys", remarked("1", Some("holds note")), 0);
    read(&book, "copy", remarked("2", None), 0);
    assert_eq!(book.remark(&source("keys")).as_deref(), Some("holds note"));
    assert_eq!(book.remark(&source("copy")), None);
    let woken = read(&book, "keys", remarked("3", None), 1);
    assert!(woken.is_empty(), "the credential is the same");
    assert_eq!(book.remark(&source("keys")), None, "it is no longer true");
}

#[test]
fn n05_a_reading_that_was_begun_earlier_and_ends_later_does_not_count() {
    let book = book(&[("a", "keys")]);
    list(&book, &[("keys", "1")]);
    // It is read by a resource, slowly; meanwhile it is changed, and read for all.
    let early = book.begin(&source("keys"));
    book.take(Event::Apply(shown("keys", "2")));
    read(&book, "keys", holds("2", "y"), 1);
    let woken = book.end(&source("keys"), early, holds("1", "x"), at(2), Some("a"));
    assert_eq!(woken, []);
    let Reading::Holds(fingerprint) = holds("2", "y").reading else {
        panic!()
    };
    assert!(is_current(&book, "keys", 3) && book.reads(&source("keys"), fingerprint));
    assert_eq!(book.take(Event::Apply(shown("keys", "2"))), []);
}

#[test]
fn n05_a_reading_from_before_a_source_was_in_use_does_not_count() {
    let book = book(&[("a", "keys")]);
    list(&book, &[("keys", "1")]);
    let early = book.begin(&source("keys"));
    book.forget("a");
    // Nobody hears of it: it is not in use.
    assert_eq!(book.take(Event::Apply(shown("keys", "2"))), []);
    book.note(&"b".into(), &resource("b"), Some(source("keys")));
    book.end(&source("keys"), early, holds("1", "x"), at(1), None);
    assert!(!is_current(&book, "keys", 1));
    read(&book, "keys", holds("2", "y"), 2);
    assert!(is_current(&book, "keys", 3));
}
