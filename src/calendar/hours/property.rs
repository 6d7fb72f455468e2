//! Ten years in twenty zones, against a calculation that shares neither code nor zone data with the one that is tested.
//!
//! The other one knows a zone as chrono-tz tells it: how far it is off UTC at an instant, and nothing else. From these it finds each
//! change of the clocks to the second, and reads every day's window off the clocks: it begins at the first instant at which they show
//! its start or more. The years lie in the past, where two releases of the data agree.

use std::{fmt::Debug, ops::Range};

use chrono::{DateTime, Offset as _, TimeZone as _};
use chrono_tz::Tz;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng, seq::IndexedRandom as _};

use super::{super::window::WindowParts, *};

const ZONES: [&str; 20] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Moscow",
    "Europe/Istanbul",
    "Africa/Casablanca",
    "Africa/Cairo",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Caracas",
    "America/Santiago",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Asia/Singapore",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Antarctica/Troll",
];

/// From the beginning of 2008 to that of 2018: Samoa skips a day, Caracas and Pyongyang move by half an hour, as Lord Howe does twice a
/// year, Morocco stops its summer for Ramadan, and Moscow, Istanbul and Cairo change their rules.
const FIRST: i64 = 1_199_145_600;
const LAST: i64 = 1_514_764_800;
const DAY: i64 = 86_400;
/// These years with some days around them, by how many there were since 1970 began.
const DAYS: Range<i64> = FIRST / DAY - 5..LAST / DAY + 400;
const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// From which second on a zone is off UTC by how many.
struct Clocks(Vec<(i64, i64)>);

impl Clocks {
    fn of(zone: &str) -> Self {
        let zone: Tz = zone.parse().unwrap();
        let off = |second: i64| {
            let utc = DateTime::from_timestamp(second, 0).unwrap().naive_utc();
            let offset = zone.offset_from_utc_datetime(&utc).fix();
            i64::from(offset.local_minus_utc())
        };
        let begin = FIRST - 40 * DAY;
        let mut changes = vec![(i64::MIN, off(begin))];
        for before in (begin..LAST + 440 * DAY).step_by(6 * 3600) {
            let (mut before, mut after) = (before, before + 6 * 3600);
            let was = off(before);
            if off(after) == was {
                continue;
            }
            while after - before > 1 {
                let middle = before.midpoint(after);
                if off(middle) == was {
                    before = middle;
                } else {
                    after = middle;
                }
            }
            changes.push((after, off(after)));
        }
        Self(changes)
    }

    /// The first second at which they show so many seconds since 1970, or more.
    fn first_showing(&self, shown: i64) -> i64 {
        let ends = self.0.iter().skip(1).map(|(from, _)| *from);
        let mut pieces = self.0.iter().zip(ends.chain([i64::MAX]));
        let first = pieces.find_map(|((from, off), end)| {
            let second = (shown - off).max(*from);
            (second < end).then_some(second)
        });
        first.unwrap()
    }

    /// Each change of these years: its second, and how far they are off UTC before and after it.
    fn changes(&self) -> impl Iterator<Item = (i64, i64, i64)> {
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        let changes = pairs.map(|((_, before), (at, after))| (*at, *before, *after));
        changes.filter(|(at, ..)| (FIRST..LAST).contains(at))
    }
}

/// The day of the month, by how many days there were since 1970 began.
fn day_of_month(days: i64) -> i64 {
    let of_era = (days + 719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    of_year - (153 * month + 2) / 5 + 1
}

#[derive(Debug)]
struct Chosen {
    days: Vec<usize>,
    weeks: Vec<i32>,
    start: i64,
    minutes: i64,
}

impl Chosen {
    fn any(chance: &mut SmallRng) -> Self {
        let some = |from: usize, chance: &mut SmallRng| {
            let all = (0..from).filter(|_| chance.random_bool(0.3));
            all.collect::<Vec<_>>()
        };
        let (days, weeks) = (some(7, chance), some(5, chance));
        Self {
            days: if days.is_empty() { vec![6] } else { days },
            weeks: weeks
                .iter()
                .map(|week| i32::try_from(*week).unwrap() + 1)
                .collect(),
            // Where clocks leap, mostly.
            start: *[
                0,
                90,
                120,
                135,
                150,
                180,
                1380,
                chance.random_range(0..1440),
            ]
            .choose(chance)
            .unwrap(),
            minutes: *[30, 45, 60, 180, 1440].choose(chance).unwrap(),
        }
    }

    fn window(&self, zone: &str) -> Window {
        let days: Vec<&str> = self.days.iter().map(|day| NAMES[*day]).collect();
        Window::new(&WindowParts {
            days: Some(&days),
            weeks_of_month: (!self.weeks.is_empty()).then_some(&self.weeks),
            start: &format!("{:02}:{:02}", self.start / 60, self.start % 60),
            duration: &format!("{}m", self.minutes),
            time_zone: Some(zone),
        })
        .unwrap()
    }

    fn spans(&self, clocks: &Clocks, days: Range<i64>) -> Vec<(i64, i64)> {
        let meant = days.filter(|day| {
            let week = i32::try_from((day_of_month(*day) - 1) / 7 + 1).unwrap();
            let name = usize::try_from((day + 3).rem_euclid(7)).unwrap();
            self.days.contains(&name) && (self.weeks.is_empty() || self.weeks.contains(&week))
        });
        let spans = meant.map(|day| {
            let start = clocks.first_showing(day * DAY + self.start * 60);
            (start, start + self.minutes * 60)
        });
        spans.collect()
    }
}

/// The times in which a change may be at work: what is open, without what is frozen, in pieces that are as long as they can be.
fn pieces(mut open: Vec<(i64, i64)>, frozen: &[(i64, i64)]) -> Vec<(i64, i64)> {
    open.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (start, end) in open {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    for (from, until) in frozen {
        joined = joined
            .into_iter()
            .flat_map(|(start, end)| [(start, end.min(*from)), (start.max(*until), end)])
            .filter(|(start, end)| start < end)
            .collect();
    }
    joined
}

fn expected(pieces: &[(i64, i64)], at: i64, takes: i64) -> i64 {
    let from = pieces.partition_point(|(_, end)| *end <= at);
    let mut later = pieces[from..].iter();
    let fits = later.find(|(start, end)| end - at.max(*start) >= takes);
    fits.unwrap().0.max(at)
}

/// The last second, at most so long after this one, up to which a change may start in each; none where it may not start in this one.
fn expected_last(pieces: &[(i64, i64)], at: i64, takes: i64, ahead: i64) -> Option<i64> {
    let index = pieces.partition_point(|(_, end)| *end <= at);
    let (start, end) = *pieces.get(index)?;
    let latest = end - takes;
    let may = (start..=latest).contains(&at);
    may.then_some(latest.min(at + ahead))
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(count.unsigned_abs())
}

/// The one that is tested, beside what the other calculation has found.
struct Both<'a> {
    hours: &'a Hours,
    pieces: &'a [(i64, i64)],
    takes: i64,
}

impl Both<'_> {
    fn agree_on_next(&self, at: i64, of: &impl Debug) {
        let takes = self.takes;
        assert_eq!(
            self.hours.next(second(at), seconds(takes)),
            Some(second(expected(self.pieces, at, takes))),
            "{of:?} {takes} at {}",
            second(at)
        );
    }

    fn agree_on_last_start(&self, at: i64, ahead: i64, of: &impl Debug) {
        let takes = self.takes;
        assert_eq!(
            self.hours
                .last_start(second(at), seconds(takes), seconds(ahead)),
            expected_last(self.pieces, at, takes, ahead).map(second),
            "{of:?} {takes} at {}, {ahead} ahead",
            second(at)
        );
    }

    /// Around a piece, to the second.
    fn agree_around(&self, (start, end): (i64, i64), of: &impl Debug) {
        let latest = end - self.takes;
        for at in [start - 1, start, latest, latest + 1, end] {
            self.agree_on_next(at, of);
        }
    }
}

/// A window that begins in what each change of the clocks skips or shows twice: how many of either there were.
fn agree_where_clocks_leap(zone: &str, clocks: &Clocks) -> (u32, u32) {
    let (mut gaps, mut folds) = (0, 0);
    for (at, before, after) in clocks.changes() {
        let is_gap = before < after;
        if is_gap {
            gaps += 1;
        } else {
            folds += 1;
        }
        let first = at + before.min(after);
        let last = at + before.max(after) - 60;
        for shown in [first, first.midpoint(last) / 60 * 60, last] {
            let start = clocks.first_showing(shown);
            assert_eq!(start, if is_gap { at } else { shown - before }, "{zone}");
            let chosen = Chosen {
                days: (0..7).collect(),
                weeks: Vec::new(),
                start: shown % DAY / 60,
                minutes: 45,
            };
            let day = shown / DAY;
            let pieces = pieces(chosen.spans(clocks, day - 4..day + 5), &[]);
            let hours = Hours {
                windows: vec![chosen.window(zone)],
                ..Hours::default()
            };
            let both = Both {
                hours: &hours,
                pieces: &pieces,
                takes: 900,
            };
            let mut around = pieces.iter().filter(|(_, end)| *end > start);
            both.agree_around(*around.next().unwrap(), &(zone, &chosen));
            both.agree_on_last_start(start, 3600, &(zone, &chosen));
        }
    }
    (gaps, folds)
}

#[test]
fn in_ten_years_and_twenty_zones_nothing_starts_outside_and_each_window_opens_to_the_second() {
    let mut chance = SmallRng::seed_from_u64(18);
    let mut asked = 0_u32;
    for (number, zone) in ZONES.into_iter().enumerate() {
        // Of two windows one is in another zone.
        let zones = [zone, ZONES[(number + 7) % ZONES.len()]];
        let clocks = zones.map(Clocks::of);
        let (gaps, folds) = agree_where_clocks_leap(zone, &clocks[0]);
        let leaps = match zone {
            "UTC" | "Asia/Kolkata" | "Asia/Kathmandu" | "Asia/Singapore" => (false, false),
            "America/Caracas" => (true, false),
            "Asia/Pyongyang" => (false, true),
            _ => (true, true),
        };
        assert_eq!((gaps > 0, folds > 0), leaps, "{zone}: {gaps} and {folds}");
        for _ in 0..2 {
            let chosen = [(); 2].map(|()| Chosen::any(&mut chance));
            let mut frozen = [(); 6].map(|()| {
                let from = chance.random_range(FIRST..LAST);
                (from, from + chance.random_range(1..20 * DAY))
            });
            frozen.sort_unstable();
            let takes = *[600, 900, 1800].choose(&mut chance).unwrap();
            let open = chosen.iter().zip(&clocks);
            let open = open.flat_map(|(chosen, clocks)| chosen.spans(clocks, DAYS));
            let pieces = pieces(open.collect(), &frozen);
            let hours = Hours {
                windows: {
                    let chosen = chosen.iter().zip(zones);
                    chosen.map(|(chosen, zone)| chosen.window(zone)).collect()
                },
                freezes: frozen
                    .map(|(from, until)| Freeze {
                        from: second(from),
                        until: second(until),
                        reason: String::new(),
                        namespaces: Vec::new(),
                    })
                    .to_vec(),
                ..Hours::default()
            };
            let both = Both {
                hours: &hours,
                pieces: &pieces,
                takes,
            };
            let of = (zones, &chosen);
            let within = pieces
                .iter()
                .filter(|(start, _)| (FIRST..LAST).contains(start));
            for (index, (start, end)) in within.enumerate() {
                both.agree_around((*start, *end), &of);
                asked += 5;
                // One of these at every other piece: each costs as much as two of the others.
                let latest = end - takes;
                let lasts = [
                    (start - 1, 60),
                    (*start, 3600),
                    (latest - 30, 60),
                    (latest, 0),
                    (latest + 1, 60),
                ];
                if let Some((at, ahead)) = lasts.get(index % 10) {
                    both.agree_on_last_start(*at, *ahead, &of);
                }
            }
        }
    }
    assert!(asked > 40_000, "{asked}");
}
