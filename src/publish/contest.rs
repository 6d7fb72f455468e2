//! Edits of what is published that are put right: how soon the next one is, and what is told of them. The decision, without any call.
//!
//! Relies on the monotonic clock. Promises that the first edits are put right within seconds, that whoever edits without end is answered
//! at ever longer intervals, which is told, and that this ends by itself once nothing had to be put right for a while; that an edit which
//! waits is told; and that edits of the `ConfigMap` never delay the Service, nor the other way round.

use std::{collections::VecDeque, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::ObjectMeta, jiff::Timestamp};

use super::{order::Published, said::Said, wanted::MANAGER};
use crate::{
    model::Moment,
    pace::{self, Pace},
};

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

/// What is published for a resource has two sides: each has a condition, and is put right by itself, so that who edits one delays nothing of
/// the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sides {
    /// The Service, with its slice.
    pub service: bool,
    /// The `ConfigMap`.
    pub config_map: bool,
}

/// The edits of what is published for one resource, and how they were put right.
#[derive(Debug, Default)]
pub struct Contest {
    service: Side,
    config_map: Side,
}

/// Those of one side.
#[derive(Debug, Default)]
struct Side {
    /// Something was edited or deleted, and was not put right yet.
    is_edited: bool,
    /// Uptime at which edits were seen to last, whether there was anything to put right or not.
    seen_to: Option<Duration>,
    /// Uptimes of the last restores, the oldest first.
    restores: VecDeque<Duration>,
    /// How many there were since they are too many; zero while they are not.
    damped: u32,
    /// When an edit is put right again, for people.
    until: Option<Timestamp>,
    /// What was put right last.
    last: Option<Mend>,
    /// How often something was put right, while restores count.
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

impl Sides {
    /// The side that an object of this kind is on.
    pub fn of(kind: &str) -> Self {
        let config_map = kind == "ConfigMap";
        Self {
            service: !config_map,
            config_map,
        }
    }

    /// Whether there is one.
    pub fn is_any(self) -> bool {
        self.service || self.config_map
    }

    /// Takes in others.
    pub fn take_in(&mut self, others: Self) {
        self.service |= others.service;
        self.config_map |= others.config_map;
    }
}

impl Contest {
    /// Something of these sides was edited or deleted.
    pub fn edited(&mut self, sides: Sides) {
        self.service.is_edited |= sides.service;
        self.config_map.is_edited |= sides.config_map;
    }

    /// The sides with edits whose time has come.
    pub fn due(&self, uptime: Duration, terms: Terms) -> Sides {
        Sides {
            service: self.service.is_due(uptime, terms),
            config_map: self.config_map.is_due(uptime, terms),
        }
    }

    /// All of it is published anew: no edit waits any longer.
    pub fn all_published(&mut self) {
        self.service.is_edited = false;
        self.config_map.is_edited = false;
    }

    /// Edits of the sides that were `due` were seen to, and this had to be written, on whatever side. Where that has not settled it, it
    /// counts as well: a look follows.
    pub fn seen_to(
        &mut self,
        due: Sides,
        mends: &[Mend],
        is_settled: bool,
        now: Moment,
        terms: Terms,
    ) {
        self.all_published();
        for (side, is_due, is_map) in [
            (&mut self.service, due.service, false),
            (&mut self.config_map, due.config_map, true),
        ] {
            let is_of_it = |mend: &&Mend| Sides::of(mend.kind).config_map == is_map;
            let last = mends.iter().rfind(is_of_it);
            let counts = last.is_some() || is_due && !is_settled;
            if is_due || counts {
                side.seen_to(last, counts, now, terms);
            }
        }
    }

    /// Uptimes after this one at which there is something to do: an edit is to be put right, or restores are no longer too many. What has
    /// become due since a turn began is seen to a little later.
    pub fn turns(&self, uptime: Duration, terms: Terms) -> impl Iterator<Item = Duration> + use<> {
        let of = |side: &Side| {
            let restored = side.not_before(terms).filter(|_| side.is_edited);
            [restored, side.over_at(terms)]
        };
        let all = [of(&self.service), of(&self.config_map)];
        let soon = uptime.saturating_add(terms.gap);
        let times = all.into_iter().flatten().flatten();
        times.map(move |at| if at > uptime { at } else { soon })
    }

    /// Ends on each side where nothing had to be put right for long enough.
    pub fn end(&mut self, uptime: Duration, terms: Terms) {
        self.service.end(uptime, terms);
        self.config_map.end(uptime, terms);
    }

    /// Whether nothing is left of it to be kept.
    pub fn is_over(&self, uptime: Duration, terms: Terms) -> bool {
        self.service.is_over(uptime, terms) && self.config_map.is_over(uptime, terms)
    }

    /// What came of a publication, where what was published may have been edited since.
    pub fn tell(&self, published: &mut Published) {
        let sides = [
            (&mut published.service, &self.service),
            (&mut published.config_map, &self.config_map),
        ];
        for (said, side) in sides {
            if let Some(said) = said
                && matches!(
                    said,
                    Said::Published | Said::PublishedBeside(..) | Said::Ahead(..)
                )
                && let Some(told) = side.told()
            {
                *said = told;
            }
        }
    }
}

impl Side {
    /// Edits were seen to, and this was written last, if that had to be; whether that `counts` as a restore.
    fn seen_to(&mut self, last: Option<&Mend>, counts: bool, now: Moment, terms: Terms) {
        self.seen_to = Some(now.uptime);
        if counts {
            self.restores.retain(|at| now.elapsed(*at) < terms.window);
            if self.restores.is_empty() {
                (self.last, self.count) = (None, 0);
            }
            if let Some(last) = last {
                self.last = Some(last.clone());
                self.count = self.count.saturating_add(1);
            }
            if self.restores.len() >= MOST {
                self.restores.pop_front();
            }
            self.restores.push_back(now.uptime);
            if self.damped > 0 || self.restores.len() >= MOST {
                self.damped = self.damped.saturating_add(1);
            }
        }
        let next = self.not_before(terms);
        self.until = next.map(|next| now.after(next.saturating_sub(now.uptime)));
    }

    fn is_due(&self, uptime: Duration, terms: Terms) -> bool {
        let not_before = self.not_before(terms);
        self.is_edited && not_before.is_none_or(|at| at <= uptime)
    }

    /// Uptime before which no edit is put right.
    fn not_before(&self, terms: Terms) -> Option<Duration> {
        let soon = self.seen_to?.saturating_add(terms.gap);
        let Some(last) = self.last_damped() else {
            return Some(soon);
        };
        let wait = pace::doubling(terms.waits, self.damped);
        Some(last.saturating_add(wait).max(soon))
    }

    /// Uptime at which restores are no longer too many, if nothing has to be put right until then.
    fn over_at(&self, terms: Terms) -> Option<Duration> {
        let last = self.last_damped()?;
        Some(last.saturating_add(terms.window))
    }

    fn end(&mut self, uptime: Duration, terms: Terms) {
        if self.over_at(terms).is_some_and(|over| over <= uptime) {
            *self = Self {
                is_edited: self.is_edited,
                seen_to: self.seen_to,
                ..Self::default()
            };
        }
    }

    /// Whether what was noted would change nothing of what follows.
    fn is_over(&self, uptime: Duration, terms: Terms) -> bool {
        let is_past = |at: Option<Duration>, lasts: Duration| {
            at.is_none_or(|at| at.saturating_add(lasts) <= uptime)
        };
        let is_at_rest = is_past(self.seen_to, terms.gap)
            && is_past(self.restores.back().copied(), terms.window);
        is_at_rest && !self.is_edited
    }

    /// Uptime of the last restore, where they are too many.
    fn last_damped(&self) -> Option<Duration> {
        let last = self.restores.back().copied();
        last.filter(|_| self.damped > 0)
    }

    /// What there is to say in place of that it is published.
    fn told(&self) -> Option<Said> {
        let until = self.until?;
        let last = self.last.as_ref();
        match last.filter(|_| self.damped > 0 && self.count >= AGAIN) {
            Some(last) => Some(Said::Contested(Box::new(last.clone()), until)),
            None => self.is_edited.then_some(Said::Edited(until)),
        }
    }
}

impl Mend {
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

    /// Something of this kind is edited; says whether it is put right now, which it is then.
    fn edit(contest: &mut Contest, kind: &'static str, now: Moment) -> bool {
        contest.end(now.uptime, terms());
        contest.edited(Sides::of(kind));
        let due = contest.due(now.uptime, terms());
        if due.is_any() {
            contest.seen_to(due, &[mend(kind)], true, now, terms());
        }
        due.is_any()
    }

    /// Somebody edits a slice each second; gives the seconds at which that is put right, and what is kept then.
    fn war(seconds: u64) -> (Vec<u64>, Contest) {
        let mut contest = Contest::default();
        let restores = (0..seconds).filter(|second| edit(&mut contest, SLICE, at(*second)));
        (restores.collect(), contest)
    }

    const SLICE: &str = "EndpointSlice";
    const MAP: &str = "ConfigMap";

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
            contest.turns(Duration::ZERO, short).min(),
            Some(last + Duration::from_secs(40))
        );
    }

    #[test]
    fn a8_edits_of_the_config_map_delay_nothing_of_the_service_nor_the_other_way_round() {
        for (one, other) in [(MAP, SLICE), (SLICE, MAP), (MAP, "Service")] {
            let mut contest = Contest::default();
            let restores = (0..300).filter(|second| edit(&mut contest, one, at(*second)));
            assert_eq!(
                restores.collect::<Vec<u64>>(),
                [0, 5, 10, 15, 20, 50, 110, 230]
            );
            assert!(
                edit(&mut contest, other, at(300)),
                "{other} waits for {one}"
            );
            // And the other one is as contested as before.
            assert!(!edit(&mut contest, one, at(301)), "{one}");
        }
    }

    #[test]
    fn a8_an_edit_that_waits_is_told_until_it_is_put_right() {
        let mut contest = Contest::default();
        assert!(edit(&mut contest, SLICE, at(0)));
        assert_eq!(said(&contest).service, Some(Said::Published));
        assert!(!edit(&mut contest, SLICE, at(1)));
        let told = said(&contest);
        let waits = Said::Edited(at(5).wall);
        assert_eq!(waits.status(), "Unknown");
        assert_eq!(told.service, Some(waits));
        assert_eq!(told.config_map, Some(Said::Published));
        let next = Duration::from_secs(5);
        assert_eq!(
            contest.turns(Duration::ZERO, terms()).min(),
            Some(next),
            "nobody calls then"
        );
        let due = contest.due(next, terms());
        contest.seen_to(due, &[mend(SLICE)], true, at(5), terms());
        assert_eq!(said(&contest).service, Some(Said::Published));
        // A look that publishes puts it right as well.
        assert!(!edit(&mut contest, SLICE, at(6)));
        contest.all_published();
        assert_eq!(said(&contest).service, Some(Said::Published));
    }

    #[test]
    fn a8_nothing_is_kept_once_edits_are_long_past() {
        let mut contest = Contest::default();
        assert!(contest.is_over(Duration::ZERO, terms()));
        contest.edited(Sides::of(MAP));
        assert!(!contest.is_over(Duration::from_hours(1), terms()));
        edit(&mut contest, MAP, at(0));
        assert!(!contest.is_over(Duration::from_secs(599), terms()));
        assert!(contest.is_over(Duration::from_mins(10), terms()));
    }

    #[test]
    fn a8_an_edit_war_is_told_with_the_object_the_manager_and_the_time() {
        let (_, contest) = war(16);
        assert_eq!(said(&contest).service, Some(Said::Published), "four times");
        let (_, contest) = war(21);
        let told = said(&contest);
        let until = at(50).wall;
        let expected = Said::Contested(Box::new(mend(SLICE)), until);
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
        assert!(contest.turns(Duration::ZERO, terms()).any(|at| at == over));
        // A look at something that needed no write is no restore.
        contest.seen_to(Sides::of(SLICE), &[], true, at(200), terms());
        contest.end(at(649).uptime, terms());
        assert!(matches!(said(&contest).service, Some(Said::Contested(..))));
        contest.end(over, terms());
        assert_eq!(said(&contest).service, Some(Said::Published));
        assert_eq!(contest.turns(Duration::ZERO, terms()).count(), 0);
        assert!(edit(&mut contest, SLICE, at(650)), "at once again");
    }

    #[test]
    fn an_edit_that_becomes_due_while_a_turn_goes_on_is_not_forgotten() {
        let mut contest = Contest::default();
        let slice = Sides::of("EndpointSlice");
        contest.seen_to(slice, &[], true, at(100), terms());
        contest.edited(slice);
        let times = |second| {
            contest
                .turns(at(second).uptime, terms())
                .collect::<Vec<_>>()
        };
        assert_eq!(times(101), [at(105).uptime], "in its time");
        assert_eq!(times(106), [at(111).uptime], "the turn took six seconds");
    }

    #[test]
    fn a8_edits_that_are_minutes_apart_are_put_right_at_once_for_ever() {
        let mut contest = Contest::default();
        for minute in (0..600).step_by(3) {
            assert!(edit(&mut contest, MAP, at(minute * 60)), "{minute}");
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
