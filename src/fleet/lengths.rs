//! How long the last changes of each instance took: as this process has seen it, or as the records of earlier ones tell.
//!
//! Promises little memory, five changes for an instance, and to learn nothing from a change whose end nobody has seen: that may have been
//! found long after it. A record without the length that was measured does not tell for how long the operator was away meanwhile: it says at
//! most what is assumed where nothing is known. One that ended in the future, by the clock of another machine, is the first to make room for others: nothing tells when it did.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use crate::{
    calendar::WITHOUT_EXPERIENCE,
    clock::Clock,
    crd::{HistoryEntry, LastChange, Outcome},
    place::InstanceKey,
};

/// How many changes of an instance count.
const MOST: usize = 5;

/// Of each instance its last changes.
#[derive(Debug)]
pub struct Lengths {
    of: Mutex<HashMap<InstanceKey, Vec<Length>>>,
    clock: Clock,
}

/// How long a change took.
#[derive(Debug)]
struct Length {
    change: String,
    ended: Timestamp,
    took: Duration,
}

impl Lengths {
    /// Nothing is known yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            of: Mutex::default(),
            clock,
        }
    }

    /// Takes in the changes that a resource has on record, as they were measured. The same ones may be told of again and again.
    pub fn recorded(&self, instance: &InstanceKey, history: &[HistoryEntry]) {
        for (entry, took) in succeeded(history) {
            let ended = (entry.id.as_str(), entry.finished_at.0);
            self.enter(instance, ended, |known| known.unwrap_or(took));
        }
    }

    /// Takes in how a change ended. The same one may be told of again and again.
    pub fn note(&self, instance: &InstanceKey, last: &LastChange) {
        if let Some(took) = told(last) {
            let ended = (last.id.as_str(), last.finished_at.0);
            self.enter(instance, ended, |known| known.unwrap_or(took));
        }
    }

    /// A change has succeeded, and its job took so long.
    pub fn seen(&self, instance: &InstanceKey, last: &LastChange, took: Duration) {
        let ended = (last.id.as_str(), last.finished_at.0);
        self.enter(instance, ended, |_| took);
    }

    /// Enters a change; `took` is given what was known of it.
    fn enter(
        &self,
        instance: &InstanceKey,
        (change, ended): (&str, Timestamp),
        took: impl FnOnce(Option<Duration>) -> Duration,
    ) {
        let now = self.clock.now().wall;
        let mut of = self.lock();
        let known = of.entry(instance.clone()).or_default();
        let before = known.iter().position(|length| length.change == change);
        let before = before.map(|at| known.swap_remove(at).took);
        known.push(Length {
            change: change.to_owned(),
            ended,
            took: took(before),
        });
        // The latest first.
        known.sort_by_key(|length| Reverse((length.ended <= now, length.ended)));
        known.truncate(MOST);
    }

    /// The longest of the last changes of an instance.
    pub fn longest(&self, instance: &InstanceKey) -> Option<Duration> {
        let of = self.lock();
        of.get(instance)?.iter().map(|length| length.took).max()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceKey, Vec<Length>>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest of the last changes of one resource alone, as its record tells them.
pub fn on_record(history: &[HistoryEntry], last: Option<&LastChange>) -> Option<Duration> {
    let is_entered = |last: &LastChange| history.iter().any(|entry| entry.id == last.id);
    let last = last.filter(|last| !is_entered(last)).and_then(told);
    let lengths = succeeded(history).map(|(_, took)| took);
    lengths.chain(last).max()
}

/// The last changes that succeeded, however many failed since, each with how long it took: as it was measured, else what is assumed where
/// nothing is known.
fn succeeded(history: &[HistoryEntry]) -> impl Iterator<Item = (&HistoryEntry, Duration)> {
    let succeeded = |entry: &&HistoryEntry| entry.outcome == Outcome::Succeeded;
    let length = |entry: &HistoryEntry| match entry.took_seconds {
        Some(seconds) => seconds.try_into().ok().map(Duration::from_secs),
        // Nobody may have seen its end: neither does it say that changes are quick.
        None => Some(WITHOUT_EXPERIENCE),
    };
    let entries = history.iter().filter(succeeded);
    let lengths = entries.filter_map(move |entry| Some((entry, length(entry)?)));
    lengths.take(MOST)
}

/// At most what is assumed where nothing is known; nothing if the clock went back meanwhile.
fn between(started: &Time, finished: &Time) -> Option<Duration> {
    let took = Duration::try_from(finished.0.duration_since(started.0)).ok()?;
    Some(took.min(WITHOUT_EXPERIENCE))
}

/// How long a change took as its record tells it; nothing where that tells nothing of the next one.
pub fn told(last: &LastChange) -> Option<Duration> {
    let was_seen = match last.outcome {
        Outcome::Succeeded => last.message.is_none(),
        // It may have failed within seconds, which says nothing of one that works.
        Outcome::Failed | Outcome::Void => false,
    };
    if was_seen {
        between(&last.started_at, &last.finished_at)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::Trigger;

    fn change(ended: i64, took: i64, outcome: Outcome) -> LastChange {
        let at = |second| Time(Timestamp::from_second(second).unwrap());
        LastChange {
            id: ended.to_string(),
            from_port: 3306,
            to_port: 3307,
            job_id: Some("job-1".to_owned()),
            outcome,
            started_at: at(ended - took),
            finished_at: at(ended),
            message: None,
        }
    }

    #[test]
    fn the_longest_of_the_last_five_changes_counts() {
        let instance = |digit: &str| InstanceKey::somewhere(&format!("{}in07", digit.repeat(32)));
        let (one, other) = (instance("1"), instance("2"));
        let lengths = Lengths::new(Clock::start());
        assert_eq!(lengths.longest(&one), None);
        for (ended, took) in [(1000, 90), (2000, 50), (3000, 40), (4000, 30)] {
            lengths.note(&one, &change(ended, took, Outcome::Succeeded));
        }
        lengths.note(&one, &change(500, 499, Outcome::Failed));
        for again in [4000, 4000, 4000] {
            lengths.note(&one, &change(again, 30, Outcome::Succeeded));
        }
        assert_eq!(lengths.longest(&one), Some(Duration::from_secs(90)));
        lengths.note(&one, &change(5000, 20, Outcome::Succeeded));
        lengths.note(&one, &change(7000, 2, Outcome::Failed));
        lengths.note(&one, &change(6000, 20, Outcome::Succeeded));
        assert_eq!(lengths.longest(&one), Some(Duration::from_secs(50)));
        assert_eq!(lengths.longest(&other), None);
    }

    #[test]
    fn a_change_that_ended_in_the_future_makes_room_for_those_that_did_not() {
        let instance = InstanceKey::somewhere(&format!("{}in07", "1".repeat(32)));
        let lengths = Lengths::new(Clock::start());
        let now = Clock::start().now().wall.as_second();
        let long = change(now + 100_000, 500, Outcome::Succeeded);
        lengths.note(&instance, &long);
        let longest = || lengths.longest(&instance).unwrap().as_secs();
        assert_eq!(longest(), 500, "nothing else is known");
        for ended in 1..=5 {
            assert_eq!(longest(), 500);
            lengths.note(
                &instance,
                &change(now - 1000 + ended, 30, Outcome::Succeeded),
            );
        }
        assert_eq!(longest(), 30);
        // The watch tells of it again.
        lengths.note(&instance, &long);
        assert_eq!(longest(), 30);
    }

    #[test]
    fn an_operator_that_was_away_makes_no_change_long() {
        let instance = InstanceKey::somewhere(&format!("{}in07", "1".repeat(32)));
        let second = Duration::from_secs;
        let lengths = Lengths::new(Clock::start());
        let found_late = change(20_000, 18_000, Outcome::Succeeded);
        lengths.note(&instance, &found_late);
        assert_eq!(lengths.longest(&instance), Some(WITHOUT_EXPERIENCE));
        // The cloud tells when the job ended; the watch tells of the record again and again.
        lengths.seen(&instance, &found_late, second(40));
        lengths.note(&instance, &found_late);
        assert_eq!(lengths.longest(&instance), Some(second(40)));
        let found_soon = change(30_000, 1_500, Outcome::Succeeded);
        lengths.note(&instance, &found_soon);
        assert_eq!(lengths.longest(&instance), Some(WITHOUT_EXPERIENCE));
        lengths.seen(&instance, &found_soon, second(50));
        assert_eq!(lengths.longest(&instance), Some(second(50)));
        // One that is known to take long does.
        lengths.seen(
            &instance,
            &change(50_000, 9_000, Outcome::Succeeded),
            second(8_000),
        );
        assert_eq!(lengths.longest(&instance), Some(second(8_000)));
    }

    fn entry(ended: i64, took: Option<i64>, outcome: Outcome) -> HistoryEntry {
        HistoryEntry {
            id: ended.to_string(),
            plan: None,
            from_port: 3306,
            to_port: 3307,
            outcome,
            trigger: Trigger::Edit,
            job_id: None,
            started_at: Time(Timestamp::from_second(ended - 20_000).unwrap()),
            finished_at: Time(Timestamp::from_second(ended).unwrap()),
            took_seconds: took,
        }
    }

    #[test]
    fn changes_that_failed_since_do_not_hide_how_long_the_last_one_that_succeeded_took() {
        let instance = InstanceKey::somewhere(&format!("{}in07", "1".repeat(32)));
        let failed = (0..7).map(|later| entry(60_000 - later, None, Outcome::Failed));
        let long = entry(40_000, Some(1500), Outcome::Succeeded);
        let history: Vec<_> = failed.chain([long]).collect();
        let minutes = Some(Duration::from_mins(25));
        assert_eq!(on_record(&history, None), minutes);
        let lengths = Lengths::new(Clock::start());
        lengths.recorded(&instance, &history);
        assert_eq!(lengths.longest(&instance), minutes);
    }

    #[test]
    fn one_that_was_not_measured_counts_for_the_usual_length_at_most_also_after_a_restart() {
        let instance = InstanceKey::somewhere(&format!("{}in07", "1".repeat(32)));
        let measured = entry(50_000, Some(30), Outcome::Succeeded);
        let found_late = entry(40_000, None, Outcome::Succeeded);
        let history = [measured, found_late];
        assert_eq!(on_record(&history, None), Some(WITHOUT_EXPERIENCE));
        let lengths = Lengths::new(Clock::start());
        lengths.recorded(&instance, &history);
        assert_eq!(lengths.longest(&instance), Some(WITHOUT_EXPERIENCE));
    }

    #[test]
    fn one_record_tells_the_measured_lengths_and_at_most_the_usual_one_of_what_was_not_measured() {
        let last = change(50_000, 18_000, Outcome::Succeeded);
        let minutes = |minutes| Some(Duration::from_mins(minutes));
        assert_eq!(on_record(&[], None), None);
        assert_eq!(on_record(&[], Some(&last)), minutes(10));
        let measured = entry(50_000, Some(120), Outcome::Succeeded);
        assert_eq!(
            on_record(std::slice::from_ref(&measured), Some(&last)),
            minutes(2)
        );
        let long = entry(40_000, Some(1500), Outcome::Succeeded);
        let failed = entry(30_000, Some(9000), Outcome::Failed);
        assert_eq!(
            on_record(&[measured, long, failed], Some(&last)),
            minutes(25)
        );
    }

    #[test]
    fn a_change_whose_end_nobody_saw_teaches_nothing() {
        let instance = InstanceKey::somewhere(&format!("{}in07", "1".repeat(32)));
        let lengths = Lengths::new(Clock::start());
        let unseen = LastChange {
            message: Some("its end was not seen".to_owned()),
            ..change(90_000, 80_000, Outcome::Succeeded)
        };
        let without_job = LastChange {
            job_id: None,
            ..change(90_000, 80_000, Outcome::Failed)
        };
        let backwards = change(1000, -10, Outcome::Succeeded);
        for last in [
            unseen,
            without_job,
            backwards,
            change(900, 800, Outcome::Void),
        ] {
            lengths.note(&instance, &last);
        }
        assert_eq!(lengths.longest(&instance), None);
    }
}
