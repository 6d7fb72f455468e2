//! Permits: tables of the decisions, and properties over generated histories.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{
    Asker, Failed, Permits, Trace,
    ledger::Ledger,
    limits::{Limit, Limits, Refusal},
};
use crate::{
    clock::Clock,
    crd::Outcome,
    model::{InstanceId, Moment, ProjectId, ProxyId},
    pace::Pace,
    place::{InstanceKey, ProxyKey},
};

mod failures;
mod properties;
mod shared;
mod turns;

const HEX: &str = "0123456789abcdef0123456789abcdef";

/// A moment so many seconds after the beginning, by both clocks.
fn at(second: u64) -> Moment {
    let wall = Timestamp::from_second(1_800_000_000 + i64::try_from(second).unwrap());
    Moment::new(wall.unwrap(), Duration::from_secs(second))
}

fn instance(number: usize) -> InstanceKey {
    InstanceKey::somewhere(&format!("{number:032x}in07"))
}

/// The resource of this number, in this namespace, wants to change something on the instance of its number.
fn asker(namespace: &str, number: usize) -> Asker {
    Asker {
        uid: number.to_string(),
        namespace: namespace.to_owned(),
        name: format!("proxy-{number}"),
    }
}

/// The proxy of this number, of a resource in this namespace.
fn proxy(namespace: &str, number: usize) -> Failed {
    let subject = crate::place::Subject {
        region: Some("ap-southeast-3".to_owned()),
        endpoint: None,
        iam_endpoint: None,
        project: ProjectId::parse(HEX).unwrap(),
        instance: instance(number),
        proxy: ProxyId::parse(&format!("{number:032x}po01")).unwrap(),
    };
    Failed {
        proxy: ProxyKey::of(&subject),
        namespace: namespace.to_owned(),
        name: format!("proxy-{number}"),
    }
}

fn ledger(concurrent: usize, hourly: usize) -> Ledger {
    let limits = Limits {
        concurrent,
        hourly,
        ..Limits::default()
    };
    Ledger::new(limits, &Pace::real())
}

/// Lets time pass in a world until `end`: it comes to each moment `next` that is asked for until then, and to the end.
fn pass<W>(
    world: &mut W,
    end: u64,
    next: impl Fn(&W) -> Option<u64>,
    come_to: impl Fn(&mut W, u64),
) {
    while let Some(next) = next(world).filter(|next| *next <= end) {
        come_to(world, next);
    }
    come_to(world, end);
}

/// The numbers of those who are called.
fn called(ledger: &mut Ledger, second: u64) -> Vec<String> {
    let called = ledger.call(at(second));
    called.into_iter().map(|asker| asker.uid).collect()
}

impl Ledger {
    fn ask(&mut self, number: usize, second: u64) -> Result<(), Refusal> {
        self.acquire(&asker("shop", number), &instance(number), at(second))
    }

    /// Acquires and begins.
    fn start(&mut self, number: usize, second: u64) {
        self.ask(number, second).unwrap();
        self.begun(&instance(number), at(second));
    }

    fn fails(&mut self, number: usize, second: u64) {
        let now = at(second);
        let change = format!("{number}-{second}");
        let of = proxy("shop", number);
        self.ended(&change, Outcome::Failed, of, now.wall, now);
    }

    fn count_at(&self, second: u64) -> usize {
        self.figures(at(second)).under_way
    }
}

#[test]
fn an_instance_of_the_same_id_in_another_place_is_another_one() {
    let mut ledger = ledger(5, 60);
    let id = InstanceId::clone(&instance(1));
    let project = ProjectId::parse(&"0".repeat(32)).unwrap();
    let copy = InstanceKey::new((None, Some("https://staging.example")), &project, id);
    ledger.acquire(&asker("staging", 2), &copy, at(0)).unwrap();
    ledger.note("3", Some(("c3", Some(&copy))), at(0));
    assert!(ledger.is_free(&instance(1), "1") && !ledger.is_free(&copy, "1"));
    ledger.ask(1, 0).unwrap();
}

#[test]
fn an_instance_has_one_permit_and_gets_it_back() {
    let mut ledger = ledger(5, 60);
    ledger.ask(1, 0).unwrap();
    let other = asker("shop", 2);
    assert_eq!(
        ledger.acquire(&other, &instance(1), at(0)),
        Err(Refusal::Instance)
    );
    ledger.ask(3, 0).unwrap();
    assert!(called(&mut ledger, 1).is_empty());
    ledger.release(&instance(1));
    assert_eq!(called(&mut ledger, 1), ["2"]);
    assert_eq!(ledger.acquire(&other, &instance(1), at(1)), Ok(()));
}

#[test]
fn n01_who_holds_an_instance_gets_no_second_permit_for_it() {
    let mut ledger = ledger(5, 60);
    ledger.start(1, 0);
    // A turn that does not know of it, as of a resource whose deletion was handed on a moment ago.
    assert_eq!(ledger.ask(1, 1), Err(Refusal::Instance));
    assert!(
        called(&mut ledger, 1).is_empty(),
        "it is not called in vain"
    );
    assert!(
        ledger.is_free(&instance(1), "1"),
        "its own is not in its way"
    );
    let other = asker("shop", 2);
    let refused = ledger.acquire(&other, &instance(1), at(2));
    assert_eq!(refused, Err(Refusal::Instance));
    ledger.leave("1");
    ledger.release(&instance(1));
    assert_eq!(called(&mut ledger, 3), ["2"]);
}

#[test]
fn a_change_on_record_of_another_resource_holds_its_instance() {
    let mut ledger = ledger(5, 60);
    ledger.note("9", Some(("c1", Some(&instance(1)))), at(0));
    assert_eq!(ledger.ask(1, 0), Err(Refusal::Instance));
    assert!(ledger.is_free(&instance(1), "9"));
    ledger.note("9", None, at(300));
    assert_eq!(called(&mut ledger, 300), ["1"]);
}

#[test]
fn who_waits_for_an_instance_can_be_told_whose_change_goes_first() {
    let first = |ledger: &Ledger, uid: &str| {
        let first = ledger.first_on(&instance(1), uid)?;
        Some((first.uid, first.is_deleted))
    };
    let mut ledger = ledger(5, 60);
    assert_eq!(first(&ledger, "2"), None);
    ledger.note("9", Some(("c1", Some(&instance(1)))), at(0));
    assert_eq!(first(&ledger, "2"), Some(("9".to_owned(), false)));
    assert_eq!(first(&ledger, "9"), None);
    ledger.note("9", None, at(1));
    ledger.start(1, 1);
    assert_eq!(first(&ledger, "2"), Some(("1".to_owned(), false)));
    ledger.deleted("1");
    assert_eq!(first(&ledger, "2"), Some(("1".to_owned(), true)));
}

#[test]
fn never_more_are_under_way_than_allowed() {
    let mut ledger = ledger(2, 60);
    ledger.start(1, 0);
    ledger.start(2, 0);
    let full = Refusal::Limit(Limit::Concurrent {
        most: 2,
        deleted: 0,
    });
    assert_eq!(ledger.ask(3, 0), Err(full));
    ledger.release(&instance(1));
    assert_eq!(called(&mut ledger, 1), ["3"]);
    ledger.start(3, 1);
    assert_eq!(ledger.count_at(1), 2);
}

#[test]
fn r05_who_waits_learns_how_many_changes_of_deleted_resources_are_in_its_way() {
    let mut ledger = ledger(2, 60);
    ledger.start(1, 0);
    ledger.start(2, 0);
    let full = |deleted| Err(Refusal::Limit(Limit::Concurrent { most: 2, deleted }));
    assert_eq!(ledger.ask(3, 0), full(0));
    ledger.deleted("1");
    assert_eq!(ledger.ask(3, 0), full(1));
    ledger.deleted("2");
    assert_eq!(ledger.ask(3, 0), full(2));
    // The share of a blocked one is given to others; with the other one its count ends.
    ledger.count(&instance(1), false);
    ledger.start(3, 1);
    assert_eq!(ledger.ask(4, 1), full(1));
    ledger.release(&instance(2));
    ledger.start(4, 1);
    assert_eq!(ledger.ask(5, 1), full(0));
}

#[test]
fn who_is_blocked_keeps_its_instance_and_gives_its_share_to_others() {
    let mut ledger = ledger(1, 60);
    ledger.start(1, 0);
    ledger.ask(2, 0).unwrap_err();
    ledger.count(&instance(1), false);
    assert_eq!(called(&mut ledger, 1), ["2"]);
    ledger.start(2, 1);
    let other = ledger.acquire(&asker("shop", 8), &instance(1), at(1));
    assert_eq!(other, Err(Refusal::Instance));
    // It goes on, and counts again, beyond the limit for new ones.
    ledger.count(&instance(1), true);
    assert_eq!(ledger.count_at(2), 2);
    ledger.ask(3, 2).unwrap_err();
    ledger.release(&instance(2));
    assert!(called(&mut ledger, 3).is_empty());
}

#[test]
fn never_more_are_begun_within_an_hour_than_allowed_and_a_refused_one_does_not_count() {
    let mut ledger = ledger(5, 2);
    ledger.start(1, 0);
    ledger.release(&instance(1));
    // Asked for and refused by the cloud.
    ledger.ask(2, 10).unwrap();
    ledger.release(&instance(2));
    ledger.start(3, 20);
    let next = at(3600).wall;
    let full = Refusal::Limit(Limit::Hourly {
        most: 2,
        next: Some(next),
    });
    assert_eq!(ledger.ask(4, 30), Err(full));
    assert_eq!(ledger.next_call(at(30)), Some(at(3600).uptime));
    assert!(called(&mut ledger, 3599).is_empty());
    assert_eq!(called(&mut ledger, 3600), ["4"]);
}

#[test]
fn room_in_the_hour_is_kept_for_who_has_a_permit() {
    let mut ledger = ledger(5, 1);
    ledger.ask(1, 0).unwrap();
    // Nothing was begun: no time is known.
    let full = Refusal::Limit(Limit::Hourly {
        most: 1,
        next: None,
    });
    assert_eq!(ledger.ask(2, 0), Err(full));
}

#[test]
fn what_is_on_record_at_the_start_counts_until_it_is_followed_or_nobody_does_so_for_two_minutes() {
    let mut ledger = ledger(2, 60);
    // One that can't be decoded, and one that is taken up at once.
    ledger.note("8", Some(("c8", None)), at(0));
    ledger.note("9", Some(("c9", Some(&instance(9)))), at(0));
    assert_eq!(ledger.count_at(0), 2);
    assert!(ledger.resume("9", &instance(9)));
    assert_eq!(ledger.count_at(0), 2);
    ledger.ask(1, 1).unwrap_err();
    assert_eq!(ledger.next_call(at(1)), Some(at(120).uptime));
    assert!(called(&mut ledger, 119).is_empty());
    assert_eq!(called(&mut ledger, 120), ["1"]);
    assert_eq!(ledger.count_at(200), 1);
}

#[test]
fn what_was_begun_before_the_start_counts_in_the_hour() {
    let mut ledger = ledger(5, 2);
    for begun in [0, 1800, 5000] {
        ledger.recall_start(at(begun).wall, at(3700));
    }
    assert_eq!(ledger.figures(at(3700)).begun, 2);
    assert!(ledger.ask(1, 3700).is_err());
    assert_eq!(called(&mut ledger, 5400), ["1"]);
}

#[test]
fn r05_a_change_on_record_that_nobody_follows_keeps_its_instance_when_its_resource_is_deleted() {
    let permits = Permits::new(Limits::default(), &Pace::real(), Clock::start(), |_| ());
    let trace = |uid: &str, change: Option<&str>| Trace {
        uid: uid.to_owned(),
        change: change.map(|id| (id.to_owned(), at(0).wall)),
        target: Some((instance(1), proxy("shop", 1))),
        last: None,
    };
    permits.note(&trace("1", Some("c1")));
    let held = permits.forget("1").unwrap();
    assert!(!permits.is_free(&instance(1), "2"));
    drop(held);
    assert!(permits.is_free(&instance(1), "2"));

    // Whoever follows one has its permit already, and where nothing is on record there is none.
    permits.note(&trace("1", Some("c1")));
    let followed = permits.resume("1", &instance(1));
    assert!(permits.forget("1").is_none());
    drop(followed);
    permits.note(&trace("3", None));
    assert!(permits.forget("3").is_none());
}
