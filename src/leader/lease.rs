//! What a Lease says, whoever wrote it, and what is written into it. No I/O, no clock.
//!
//! Times in a lease are of other machines' clocks: they are compared with each other, never with ours.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};

use crate::model::Moment;

/// For how long a lease that is not renewed is still its holder's.
pub const TERM: Duration = Duration::from_secs(15);

/// A lease that asks for more is not believed: whoever wrote it is none of ours, and would keep everybody waiting.
pub const LONGEST_TERM: Duration = Duration::from_mins(1);

/// The annotation of a lease that was given back with nothing in flight.
const IDLE: &str = "taurusdb.huaweicloud.com/given-back-with-nothing-in-flight";

/// The annotation of a lease that was given back, with how many calls of the cloud its holder has left.
const CALLS: &str = "taurusdb.huaweicloud.com/given-back-with-calls-left";

/// For how long these count: a successor comes within seconds.
const FRESH_FOR: Duration = Duration::from_mins(10);

/// Whose a lease is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// This process wrote it last.
    Ours,
    /// Nobody holds it, or its holder has not renewed it in time.
    Free,
    /// Somebody else holds it, and it runs out after this unless it is renewed.
    Held { by: String, left: Duration },
}

/// What was seen of a lease that others hold.
#[derive(Debug, Default)]
pub(super) struct Observation {
    /// Since when it has stood unchanged, by uptime.
    held: Option<(LeaseSpec, Duration)>,
    /// Since when it is absent, by uptime.
    absent_since: Option<Duration>,
}

impl Observation {
    /// Takes in a lease that was read, and judges it at this uptime. One that is seen for the first time may have been
    /// written just now.
    pub(super) fn judge(&mut self, lease: &Lease, identity: &str, uptime: Duration) -> Standing {
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder == identity {
            return Standing::Ours;
        }
        self.absent_since = None;
        if holder.is_empty() {
            self.held = None;
            return Standing::Free;
        }
        let term = term_of(&spec);
        let since = match &self.held {
            Some((seen, since)) if *seen == spec => *since,
            _ => uptime,
        };
        self.held = Some((spec, since));
        held_for(holder, since.saturating_add(term), uptime)
    }

    /// There is no lease at this uptime. If another process held it before, that process may have renewed it right before somebody
    /// deleted it, and notices this with its next renewal only.
    pub(super) fn judge_absent(&mut self, uptime: Duration) -> Standing {
        let Some((spec, _)) = &self.held else {
            return Standing::Free;
        };
        let since = *self.absent_since.get_or_insert(uptime);
        let holder = spec.holder_identity.clone().unwrap_or_default();
        held_for(holder, since.saturating_add(term_of(spec)), uptime)
    }
}

fn held_for(by: String, until: Duration, uptime: Duration) -> Standing {
    match until.checked_sub(uptime) {
        Some(left) if !left.is_zero() => Standing::Held { by, left },
        _ => Standing::Free,
    }
}

/// Absent, null, zero and negative durations stand for the usual one.
fn term_of(spec: &LeaseSpec) -> Duration {
    spec.lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0)
        .map_or(TERM, Duration::from_secs)
        .min(LONGEST_TERM)
}

/// The lease as `identity` holds it from now on, or still does; `current` is what stands there.
///
/// Its time differs from that of every other renewal: an unchanged lease counts as one that was not renewed.
pub(super) fn held(current: Lease, identity: &str, now: Moment) -> Lease {
    let before = current.spec.unwrap_or_default();
    let fraction = Duration::from_micros(now.uptime.subsec_micros().into());
    let time = MicroTime(now.wall.saturating_add(fraction).unwrap_or(now.wall));
    let goes_on = before.holder_identity.as_deref() == Some(identity);
    let transitions = before.lease_transitions.unwrap_or_default().max(0);
    let spec = LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: i32::try_from(TERM.as_secs()).ok(),
        acquire_time: before
            .acquire_time
            .filter(|_| goes_on)
            .or_else(|| Some(time.clone())),
        renew_time: Some(time),
        lease_transitions: Some(transitions.saturating_add(i32::from(!goes_on))),
        ..LeaseSpec::default()
    };
    let mut metadata = current.metadata;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(IDLE);
        annotations.remove(CALLS);
    }
    Lease {
        metadata,
        spec: Some(spec),
    }
}

/// The lease as nobody holds it; how often it changed hands is kept. `idle` is whether its holder had nothing in flight, which
/// [`was_idle`] tells its successor, as [`calls_left`] does how many calls it leaves.
pub(super) fn given_back(current: Lease, idle: bool, calls: u32, now: Moment) -> Lease {
    let before = current.spec.unwrap_or_default();
    let mut lease = Lease {
        metadata: current.metadata,
        spec: Some(LeaseSpec {
            lease_transitions: before.lease_transitions,
            ..LeaseSpec::default()
        }),
    };
    let mark = mark(&lease, now.wall);
    let annotations = lease.metadata.annotations.get_or_insert_default();
    annotations.remove(IDLE);
    annotations.remove(CALLS);
    if let Some(mark) = mark {
        // Two annotations: older operators know the first one alone, by its whole text.
        annotations.insert(CALLS.to_owned(), format!("{mark} {calls}"));
        if idle {
            annotations.insert(IDLE.to_owned(), mark);
        }
    }
    lease
}

/// Whether the last holder of a free lease gave it back with nothing in flight, and nobody has held it since.
pub(super) fn was_idle(lease: &Lease, now: Moment) -> bool {
    annotation(lease, IDLE).is_some_and(|marked| is_of_last_holder(marked, lease, now))
}

/// How many calls the last holder of a free lease had left when it gave it back, if nobody has held it since; none where that is not known.
///
/// An old mark promises too little, never too much: calls only come with time. It counts for as long as the other one, since a lease from
/// a backup says nothing of those who have held it since.
pub(super) fn calls_left(lease: &Lease, now: Moment) -> u32 {
    let words = annotation(lease, CALLS).and_then(|words| words.rsplit_once(' '));
    let Some((marked, number)) = words else {
        return 0;
    };
    let calls = number.parse::<u32>().ok();
    calls
        .filter(|calls| calls.to_string() == number && is_of_last_holder(marked, lease, now))
        .unwrap_or_default()
}

fn annotation<'a>(lease: &'a Lease, name: &str) -> Option<&'a str> {
    let annotations = lease.metadata.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}

/// Whether a mark is that of the last holder of a free lease.
///
/// It names the lease's UID, how often it changed hands, and the time: another lease of that name, a later holder that
/// knows nothing of the mark, and a backup of more than [`FRESH_FOR`] ago don't fulfil it.
fn is_of_last_holder(marked: &str, lease: &Lease, now: Moment) -> bool {
    let is_held = lease
        .spec
        .as_ref()
        .and_then(|spec| spec.holder_identity.as_ref())
        .is_some_and(|holder| !holder.is_empty());
    let time = marked
        .rsplit_once(' ')
        .and_then(|(_, time)| time.parse::<Timestamp>().ok());
    let Some(time) = time.filter(|_| !is_held) else {
        return false;
    };
    let age = now.wall.duration_since(time).abs();
    let is_fresh = Duration::try_from(age).is_ok_and(|age| age <= FRESH_FOR);
    is_fresh && mark(lease, time).as_deref() == Some(marked)
}

/// What [`is_of_last_holder`] compares; nothing of a lease that is on no API server yet.
fn mark(lease: &Lease, time: Timestamp) -> Option<String> {
    let uid = lease.metadata.uid.as_ref()?;
    let transitions = lease.spec.as_ref()?.lease_transitions?;
    Some(format!("{uid} {transitions} {time}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn lease(spec: &Value) -> Lease {
        serde_json::from_value(json!({"metadata": {"name": "operator"}, "spec": spec})).unwrap()
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_lease_of_another_is_free_once_it_was_seen_unchanged_for_its_term() {
        let written = lease(
            &json!({"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}),
        );
        let mut seen = Observation::default();
        let held = |left| Standing::Held {
            by: "a".to_owned(),
            left: seconds(left),
        };
        assert_eq!(seen.judge(&written, "b", seconds(1000)), held(15));
        assert_eq!(seen.judge(&written, "b", seconds(1014)), held(1));
        assert_eq!(seen.judge(&written, "b", seconds(1015)), Standing::Free);
        let renewed = lease(
            &json!({"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2020-01-01T00:00:00.000000Z"}),
        );
        let wait = seen.judge(&renewed, "b", seconds(1016));
        assert_eq!(wait, held(15), "by a clock that is years behind");
        assert_eq!(seen.judge(&written, "a", seconds(1016)), Standing::Ours);
    }

    #[test]
    fn a_lease_that_was_deleted_is_its_holders_for_another_term() {
        let mut seen = Observation::default();
        assert_eq!(
            seen.judge_absent(seconds(0)),
            Standing::Free,
            "a first start"
        );
        let written = lease(&json!({"holderIdentity": "a", "leaseDurationSeconds": 15}));
        seen.judge(&written, "b", seconds(100));
        let held = |left| Standing::Held {
            by: "a".to_owned(),
            left: seconds(left),
        };
        assert_eq!(seen.judge_absent(seconds(110)), held(15));
        assert_eq!(seen.judge_absent(seconds(124)), held(1));
        assert_eq!(seen.judge_absent(seconds(125)), Standing::Free);
        let given_back = lease(&json!({"holderIdentity": ""}));
        assert_eq!(seen.judge(&given_back, "b", seconds(126)), Standing::Free);
        assert_eq!(
            seen.judge_absent(seconds(127)),
            Standing::Free,
            "nobody held it"
        );
    }

    #[test]
    fn what_others_touch_beside_the_term_prolongs_nothing() {
        let mut written = lease(&json!({"holderIdentity": "a", "leaseDurationSeconds": 15}));
        let mut seen = Observation::default();
        seen.judge(&written, "b", seconds(0));
        written.metadata.resource_version = Some("7".to_owned());
        let labels = [("touched".to_owned(), "yes".to_owned())];
        written.metadata.labels = Some(labels.into());
        assert_eq!(seen.judge(&written, "b", seconds(15)), Standing::Free);
    }

    #[test]
    fn odd_contents_keep_nobody_waiting_for_long() {
        let free = [
            json!({}),
            Value::Null,
            json!({"holderIdentity": null, "renewTime": "2099-01-01T00:00:00.000000Z"}),
            json!({"holderIdentity": ""}),
        ];
        for spec in free {
            let mut seen = Observation::default();
            let lease = lease(&spec);
            assert_eq!(seen.judge(&lease, "b", seconds(0)), Standing::Free);
        }
        let terms = [
            (json!(null), 15),
            (json!(0), 15),
            (json!(-3), 15),
            (json!(1), 1),
            (json!(2_000_000_000), 60),
        ];
        for (term, wait) in terms {
            let lease = lease(
                &json!({"holderIdentity": "a", "leaseDurationSeconds": term, "leaseTransitions": -1}),
            );
            let mut seen = Observation::default();
            seen.judge(&lease, "b", seconds(0));
            let before = seen.judge(&lease, "b", seconds(wait - 1));
            assert!(matches!(before, Standing::Held { .. }), "{term}");
            let then = seen.judge(&lease, "b", seconds(wait));
            assert_eq!(then, Standing::Free, "{term}");
        }
    }

    #[test]
    fn a_term_that_goes_on_keeps_its_beginning_and_a_new_one_is_counted() {
        let wall = |second| Timestamp::from_second(second).unwrap();
        let at = |second| Moment::new(wall(second), Duration::from_millis(250));
        let shown = |second| MicroTime(wall(second) + Duration::from_millis(250));
        let first = held(lease(&json!({"leaseTransitions": 4})), "a", at(100));
        let spec = first.spec.clone().unwrap();
        assert_eq!(
            (spec.lease_transitions, spec.lease_duration_seconds),
            (Some(5), Some(15))
        );
        let again = held(first, "a", at(105)).spec.unwrap();
        assert_eq!(again.acquire_time, Some(shown(100)));
        assert_eq!(again.renew_time, Some(shown(105)));
        assert_eq!(again.lease_transitions, Some(5));
        let free = given_back(
            lease(&json!({"holderIdentity": "a", "leaseTransitions": 5})),
            true,
            0,
            at(106),
        );
        let mut seen = Observation::default();
        assert_eq!(seen.judge(&free, "b", seconds(0)), Standing::Free);
        assert_eq!(free.spec.unwrap().lease_transitions, Some(5));
    }

    fn on_server(uid: &str, spec: &Value) -> Lease {
        let mut lease = lease(spec);
        lease.metadata.uid = Some(uid.to_owned());
        lease
    }

    fn at_second(second: i64) -> Moment {
        Moment::new(Timestamp::from_second(second).unwrap(), Duration::ZERO)
    }

    #[test]
    fn a_lease_that_was_given_back_idle_says_so_until_somebody_holds_it() {
        let before = json!({"holderIdentity": "a", "leaseTransitions": 5});
        let idle = given_back(on_server("u", &before), true, 8, at_second(1000));
        assert!(was_idle(&idle, at_second(1000)));
        assert!(was_idle(&idle, at_second(1600)));
        assert!(was_idle(&idle, at_second(500)), "the clocks differ");
        assert!(!was_idle(&idle, at_second(1601)), "a backup, perhaps");
        let next = held(idle.clone(), "b", at_second(1001));
        assert!(!was_idle(&next, at_second(1001)), "it is held");
        let later = given_back(next, false, 8, at_second(1002));
        assert!(!was_idle(&later, at_second(1002)), "something is in flight");
    }

    #[test]
    fn the_word_of_a_holder_counts_for_its_own_lease_and_its_own_term_alone() {
        let before = json!({"holderIdentity": "a", "leaseTransitions": 5});
        let idle = given_back(on_server("u", &before), true, 8, at_second(1000));
        let mut other = idle.clone();
        other.metadata.uid = Some("v".to_owned());
        assert!(
            !was_idle(&other, at_second(1000)),
            "another lease of that name"
        );
        let mut later = idle.clone();
        later.spec.as_mut().unwrap().lease_transitions = Some(6);
        assert!(
            !was_idle(&later, at_second(1000)),
            "somebody who knows no mark has held it"
        );
        let mut taken = idle;
        taken.spec.as_mut().unwrap().holder_identity = Some("b".to_owned());
        assert!(!was_idle(&taken, at_second(1000)));
        for odd in [
            "",
            "u",
            "u 5",
            "u 5 now",
            "u 5 1970-01-01T00:16:40Z and more",
        ] {
            let mut odd_one = on_server("u", &json!({"leaseTransitions": 5}));
            let marks = [(IDLE.to_owned(), odd.to_owned())];
            odd_one.metadata.annotations = Some(marks.into());
            assert!(!was_idle(&odd_one, at_second(1000)), "{odd}");
        }
        let unmarked = on_server("u", &json!({"leaseTransitions": 5}));
        assert!(!was_idle(&unmarked, at_second(1000)));
        let nowhere = given_back(lease(&before), true, 8, at_second(1000));
        assert!(!was_idle(&nowhere, at_second(1000)), "it has no UID yet");
    }

    #[test]
    fn n04_a_lease_that_was_given_back_says_how_many_calls_are_left_until_somebody_holds_it() {
        let before = json!({"holderIdentity": "a", "leaseTransitions": 5});
        for idle in [true, false] {
            let free = given_back(on_server("u", &before), idle, 8, at_second(1000));
            assert_eq!(was_idle(&free, at_second(1000)), idle);
            assert_eq!(calls_left(&free, at_second(1000)), 8);
            assert_eq!(calls_left(&free, at_second(1600)), 8);
            assert_eq!(calls_left(&free, at_second(500)), 8, "the clocks differ");
            assert_eq!(calls_left(&free, at_second(1601)), 0, "a backup, perhaps");
            let next = held(free, "b", at_second(1001));
            assert_eq!(calls_left(&next, at_second(1001)), 0, "it is held");
            let later = given_back(next, idle, 0, at_second(1002));
            assert_eq!(calls_left(&later, at_second(1002)), 0);
        }
        let nowhere = given_back(lease(&before), true, 8, at_second(1000));
        assert_eq!(calls_left(&nowhere, at_second(1000)), 0, "it has no UID");
    }

    #[test]
    fn n04_the_mark_that_older_operators_know_stays_as_it_was_and_they_end_the_word_about_calls() {
        let before = json!({"holderIdentity": "a", "leaseTransitions": 5});
        let free = given_back(on_server("u", &before), true, 8, at_second(1000));
        assert_eq!(annotation(&free, IDLE), Some("u 5 1970-01-01T00:16:40Z"));
        assert_eq!(annotation(&free, CALLS), Some("u 5 1970-01-01T00:16:40Z 8"));
        // An older operator leaves the other annotation alone, and counts itself as a holder.
        let mut later = given_back(
            held(free.clone(), "b", at_second(1001)),
            true,
            8,
            at_second(1002),
        );
        let marks = later.metadata.annotations.as_mut().unwrap();
        let old = free.metadata.annotations.as_ref().unwrap().get(CALLS);
        marks.insert(CALLS.to_owned(), old.unwrap().clone());
        assert!(was_idle(&later, at_second(1002)));
        assert_eq!(calls_left(&later, at_second(1002)), 0);
    }

    #[test]
    fn n04_odd_words_about_calls_and_those_about_another_lease_promise_none() {
        let mark = "u 5 1970-01-01T00:16:40Z";
        let marked = |uid: &str, spec: &Value, words: String| {
            let mut lease = on_server(uid, spec);
            lease.metadata.annotations = Some([(CALLS.to_owned(), words)].into());
            calls_left(&lease, at_second(1000))
        };
        let spec = json!({"leaseTransitions": 5});
        assert_eq!(marked("u", &spec, format!("{mark} 8")), 8);
        for odd in [
            "",
            "+8",
            "08",
            "-8",
            "8.5",
            "8 8",
            "8 of 10",
            "4294967296",
            "all",
        ] {
            assert_eq!(marked("u", &spec, format!("{mark} {odd}")), 0, "{odd}");
        }
        for odd in ["", "8", " 8", "u 8", "u 5 8", "u 5 now 8", mark] {
            assert_eq!(marked("u", &spec, odd.to_owned()), 0, "{odd}");
        }
        assert_eq!(marked("v", &spec, format!("{mark} 8")), 0, "another lease");
        let later = json!({"leaseTransitions": 6});
        assert_eq!(
            marked("u", &later, format!("{mark} 8")),
            0,
            "a later holder"
        );
        let taken = json!({"leaseTransitions": 5, "holderIdentity": "b"});
        assert_eq!(marked("u", &taken, format!("{mark} 8")), 0);
        let unmarked = on_server("u", &spec);
        assert_eq!(calls_left(&unmarked, at_second(1000)), 0);
    }
}
