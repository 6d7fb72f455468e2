//! Edits of what is published that are put right: how soon the next one is, and what is told of them. The decision, without any call.
//!
//! Relies on the monotonic clock. Promises that the first edits are put right within seconds, that whoever edits without end is answered
//! at ever longer intervals, which is told, and that this ends by itself once nothing had to be put right for a while.

use std::{collections::VecDeque, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::ObjectMeta, jiff::Timestamp};

use super::{order::Published, said::Said, wanted::MANAGER};
use crate::{model::Moment, pace::Pace, plan::backoff};

/// So many restores within the window are too many.
const MOST: usize = 5;

/// An object is edited again and again from so many restores on.
const AGAIN: u32 = 2;

/// An object that had to be written, since it was missing or another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What it was before.
    pub was: Was,
}

/// What an object was before it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Was {
    /// Not there.
    Missing,
    /// Another one; the field manager that has written it last, if that is told.
    Other(Option<String>),
}

/// How soon edits are put right.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// From one time to the next.
    gap: Duration,
    /// Restores count for so long.
    window: Duration,
    /// The first and the longest wait where they are too many.
    waits: (Duration, Duration),
}

/// The restores of what is published for one resource.
#[derive(Debug, Default)]
pub struct Contest {
    /// Uptime at which edits were seen to last, whether there was anything to put right or not.
    seen_to: Option<Duration>,
    /// Uptimes of the last restores, the oldest first.
    restores: VecDeque<Duration>,
    /// How many there were since they are too many; zero while they are not.
    damped: u32,
    /// When an edit is put right again, for people.
    until: Option<Timestamp>,
    service: Side,
    config_map: Side,
}

/// What was put right of one condition.
#[derive(Debug, Default)]
struct Side {
    last: Option<Mend>,
    count: u32,
}

impl Terms {
    /// The terms where a settled resource is looked at each `resync`: a look puts right what it finds, too.
    pub fn of(pace: &Pace, resync: Duration) -> Self {
        let (first, longest) = pace.edit_waits;
        Self {
            gap: pace.edit_gap,
            window: pace.edit_window,
            waits: (first, longest.min(resync)),
        }
    }
}

impl Contest {
    /// Edits were seen to; whether that was a `restore`, and what had to be written.
    pub fn seen_to(&mut self, mends: &[Mend], restore: bool, now: Moment, terms: Terms) {
        self.seen_to = Some(now.uptime);
        if !restore {
            return;
        }
        self.restores.retain(|at| now.elapsed(*at) < terms.window);
        if self.restores.is_empty() {
            (self.service, self.config_map) = (Side::default(), Side::default());
        }
        self.service
            .note(mends.iter().filter(|mend| !mend.is_map()));
        self.config_map
            .note(mends.iter().filter(|mend| mend.is_map()));
        if self.restores.len() >= MOST {
            self.restores.pop_front();
        }
        self.restores.push_back(now.uptime);
        if self.damped > 0 || self.restores.len() >= MOST {
            self.damped = self.damped.saturating_add(1);
        }
        let next = self.not_before(terms);
        self.until = next.map(|next| now.after(next.saturating_sub(now.uptime)));
    }

    /// Uptime before which no edit is put right.
    pub fn not_before(&self, terms: Terms) -> Option<Duration> {
        let soon = self.seen_to?.saturating_add(terms.gap);
        let Some(last) = self.last_damped() else {
            return Some(soon);
        };
        let wait = backoff::doubling(terms.waits, self.damped);
        Some(last.saturating_add(wait).max(soon))
    }

    /// Uptime at which restores are no longer too many, if nothing has to be put right until then.
    pub fn over_at(&self, terms: Terms) -> Option<Duration> {
        let last = self.last_damped()?;
        Some(last.saturating_add(terms.window))
    }

    /// Ends where nothing had to be put right for long enough.
    pub fn end(&mut self, uptime: Duration, terms: Terms) {
        if self.over_at(terms).is_some_and(|over| over <= uptime) {
            *self = Self {
                seen_to: self.seen_to,
                ..Self::default()
            };
        }
    }

    /// What came of a publication, where what was published may have been edited since.
    pub fn tell(&self, published: &mut Published) {
        let Some(until) = self.until.filter(|_| self.damped > 0) else {
            return;
        };
        let sides = [
            (&mut published.service, &self.service),
            (&mut published.config_map, &self.config_map),
        ];
        for (said, side) in sides {
            let Some(last) = side.last.as_ref().filter(|_| side.count >= AGAIN) else {
                continue;
            };
            if let Some(said) = said
                && matches!(
                    said,
                    Said::Published | Said::PublishedBeside(..) | Said::Ahead(..)
                )
            {
                *said = Said::Contested(Box::new(last.clone()), until);
            }
        }
    }

    /// Uptime of the last restore, where they are too many.
    fn last_damped(&self) -> Option<Duration> {
        let last = self.restores.back().copied();
        last.filter(|_| self.damped > 0)
    }
}

impl Side {
    fn note<'a>(&mut self, mends: impl Iterator<Item = &'a Mend>) {
        if let Some(last) = mends.last() {
            self.last = Some(last.clone());
            self.count = self.count.saturating_add(1);
        }
    }
}

impl Mend {
    fn is_map(&self) -> bool {
        self.kind == "ConfigMap"
    }

    /// What is said of it, with the time at which an edit is put right again.
    pub fn contested(&self, until: Timestamp) -> String {
        let (kind, name) = (self.kind, &self.name);
        let by = match &self.was {
            Was::Missing => ", the last time deleted".to_owned(),
            Was::Other(Some(manager)) => format!(", the last time by field manager {manager:?}"),
            Was::Other(None) => String::new(),
        };
        let until = until.strftime("%Y-%m-%dT%H:%M:%SZ");
        format!(
            "{kind} {name} is edited or deleted again and again{by}, and may lead applications elsewhere meanwhile: find out who does so, \
             and end it, or choose another name in spec; the operator puts it right at ever longer intervals, the next time not before \
             {until}, and at once again when nobody has edited it for ten minutes"
        )
    }
}

/// The field manager that has written an object last, if it is another one than the operator.
pub fn last_writer(live: &ObjectMeta) -> Option<String> {
    let managers = live.managed_fields.iter().flatten();
    let mut dated: Vec<(Timestamp, &str)> = managers
        .filter_map(|entry| Some((entry.time.as_ref()?.0, entry.manager.as_deref()?)))
        .collect();
    dated.sort_unstable_by_key(|(time, _)| *time);
    let newest = dated.last()?.0;
    // Times are whole seconds: of two writes in one, the one that is undone is that of the other side.
    let mut last = dated.iter().rev().take_while(|(time, _)| *time == newest);
    let other = last.find(|(_, manager)| *manager != MANAGER);
    other.map(|(_, manager)| (*manager).to_owned())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, Time};

    use super::*;

    const RESYNC: Duration = Duration::from_mins(10);

    fn terms() -> Terms {
        Terms::of(&Pace::real(), RESYNC)
    }

    fn at(second: u64) -> Moment {
        let wall = i64::try_from(second).unwrap() + 1_800_000_000;
        let wall = Timestamp::from_second(wall).unwrap();
        Moment::new(wall, Duration::from_secs(second))
    }

    fn mend(kind: &'static str) -> Mend {
        Mend {
            kind,
            name: "orders-db".to_owned(),
            was: Was::Other(Some("argocd".to_owned())),
        }
    }

    /// Somebody edits a slice each second; gives the seconds at which that is put right, and what is kept then.
    fn war(seconds: u64) -> (Vec<u64>, Contest) {
        let mut contest = Contest::default();
        let mut restores = Vec::new();
        for second in 0..seconds {
            let now = at(second);
            contest.end(now.uptime, terms());
            let not_before = contest.not_before(terms());
            if not_before.is_none_or(|then| then <= now.uptime) {
                contest.seen_to(&[mend("EndpointSlice")], true, now, terms());
                restores.push(second);
            }
        }
        (restores, contest)
    }

    fn said(contest: &Contest) -> Published {
        let mut published = Published {
            service: Some(Said::Published),
            config_map: Some(Said::Published),
            ..Published::default()
        };
        contest.tell(&mut published);
        published
    }

    #[test]
    fn a8_the_first_edits_are_put_right_within_seconds_and_later_ones_ever_more_rarely() {
        let (restores, _) = war(1_300);
        assert_eq!(restores, [0, 5, 10, 15, 20, 50, 110, 230, 470, 770, 1070]);
        let short = Terms::of(&Pace::real(), Duration::from_secs(40));
        let (_, contest) = war(1_300);
        let last = Duration::from_secs(1070);
        assert_eq!(
            contest.not_before(short),
            Some(last + Duration::from_secs(40))
        );
    }

    #[test]
    fn a8_an_edit_war_is_told_with_the_object_the_manager_and_the_time() {
        let (_, contest) = war(20);
        assert_eq!(said(&contest).service, Some(Said::Published), "four times");
        let (_, contest) = war(21);
        let told = said(&contest);
        let until = at(50).wall;
        let expected = Said::Contested(Box::new(mend("EndpointSlice")), until);
        assert_eq!(told.service, Some(expected));
        assert_eq!(told.config_map, Some(Said::Published), "nobody edits that");
        let (text, _) = told.service.unwrap().text();
        for part in [
            "EndpointSlice orders-db",
            "\"argocd\"",
            "2027-01-15T08:00:50Z",
        ] {
            assert!(text.contains(part), "{text}");
        }
        // What else is wrong is told first.
        let mut failed = Published {
            service: Some(Said::Failed("no".to_owned())),
            ..Published::default()
        };
        contest.tell(&mut failed);
        assert_eq!(failed.service, Some(Said::Failed("no".to_owned())));
    }

    #[test]
    fn a8_an_edit_war_is_over_ten_minutes_after_the_last_restore() {
        let (restores, mut contest) = war(60);
        assert_eq!(restores.last(), Some(&50));
        let over = Duration::from_secs(650);
        assert_eq!(contest.over_at(terms()), Some(over));
        // A look at something that needed no write is no restore.
        contest.seen_to(&[], false, at(200), terms());
        contest.end(at(649).uptime, terms());
        assert!(matches!(said(&contest).service, Some(Said::Contested(..))));
        contest.end(over, terms());
        assert_eq!(said(&contest).service, Some(Said::Published));
        assert_eq!(contest.over_at(terms()), None);
        assert!(
            contest.not_before(terms()).unwrap() <= over,
            "at once again"
        );
    }

    #[test]
    fn a8_edits_that_are_minutes_apart_are_put_right_at_once_for_ever() {
        let mut contest = Contest::default();
        for minute in (0..600).step_by(3) {
            let now = at(minute * 60);
            contest.end(now.uptime, terms());
            let not_before = contest.not_before(terms());
            assert!(not_before.is_none_or(|then| then <= now.uptime));
            contest.seen_to(&[mend("ConfigMap")], true, now, terms());
            assert_eq!(said(&contest).config_map, Some(Said::Published));
        }
    }

    #[test]
    fn a8_who_has_written_last_is_told_by_the_managed_fields() {
        let entry = |manager: &str, second| ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            time: Some(Time(at(second).wall)),
            ..ManagedFieldsEntry::default()
        };
        let writer = |entries: Vec<ManagedFieldsEntry>| {
            last_writer(&ObjectMeta {
                managed_fields: Some(entries),
                ..ObjectMeta::default()
            })
        };
        let edited = vec![entry("argocd", 7), entry(MANAGER, 5), entry("old", 1)];
        assert_eq!(writer(edited).as_deref(), Some("argocd"));
        let same = vec![entry("argocd", 7), entry(MANAGER, 7)];
        assert_eq!(writer(same).as_deref(), Some("argocd"));
        assert_eq!(writer(vec![entry(MANAGER, 7), entry("old", 1)]), None);
        assert_eq!(last_writer(&ObjectMeta::default()), None);
    }
}
