//! When a proxy is probed, and what comes of it for its resource.
//!
//! Pure; `lead` is what greetings mean for applications while a job is at work. Promises that a proxy is probed only while a job of ours
//! sets its port or has just failed to, or after a change of ours has set it: at rest there are no probes, nor after a start of the operator; that two of them
//! begin at least [`Pace::probe_gap`] apart; that only a few follow a change, unless Ready waits for one; and that a server which takes
//! connections and does not greet then meets some thirty a day at most.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use self::lead::{Lead, Side};
use crate::{
    crd::{Outcome as Ended, Phase, ProbeMode},
    model::{ChangeId, Moment, Reason},
    pace::Pace,
    plan::{
        endpoint,
        record::{Change, Record},
        step::{Cause, Step},
    },
    probe::{Outcome, tcp},
    publish::{
        networks::Networks,
        wanted::{AddressError, Place},
    },
};

/// So many probes follow a change in a row.
const MOST: u32 = 5;

/// Once applications are led ahead, probes are so many times as far apart.
const CONFIRMED: u32 = 5;

/// While a job is at work, probes are at most so many times as far apart.
const SELDOM: u32 = 30;

/// Where Ready waits for a greeting and connections are taken without one, probes are at most so many times as far apart, unless looks
/// are: an hour. A server that counts them counts some thirty a day.
const RARELY: u32 = 1800;

/// Of the time for which the job was probed, the gap is at least this part: after two minutes they become fewer.
const PART: u32 = 64;

/// What a probe is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim {
    /// To lead applications to the new port of a change as soon as the proxy listens there, and back where it does no longer.
    AtWork {
        /// The change.
        change: ChangeId,
        /// The port that the proxy had.
        from: u16,
    },
    /// To know whether the proxy answers at the port that this change has set; and what a person has asked for since.
    After(String, Option<String>),
}

/// What is said of probes without a greeting.
pub const UNTOLD: &str = "the operator's log says how far the connections came";

/// Why nothing is connected to, for people.
pub const NO_ADDRESS: &str = "the cloud's list has no address of the proxy";

/// What is probed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Nothing.
    Rest,
    /// This place; during a change it has the new port.
    Probes(Aim, Place),
    /// This port would be, but the cloud has given no address.
    NoAddress(u16),
    /// It would be, but may not be connected to.
    Unusable(String, AddressError),
}

/// What it is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// What the resource wishes for.
    pub mode: ProbeMode,
    /// Whether it has a Service: who has none leads nobody to the port that a job is setting.
    pub serves: bool,
    /// The record as it was decided.
    pub record: &'a Record,
    /// What follows.
    pub step: &'a Step,
    /// Where proxies may lie.
    pub networks: &'a Networks,
    /// The address of the proxy that is on record, as a list gave it.
    pub address: Option<&'a str>,
    /// Where the Service leads, as far as that is on record.
    pub endpoint: Option<&'a str>,
    /// The reason of the condition that is on record.
    pub said: Option<Reason>,
    /// The last request of a person.
    pub request: Option<&'a str>,
    /// Whether that is not on record as handled yet.
    pub is_asked: bool,
    /// Whether lists may lag behind the end of the last change.
    pub is_lately: bool,
}

/// What is probed now.
pub fn stage(ground: &Ground<'_>) -> Stage {
    let record = ground.record;
    let (aim, port) = match &record.change {
        _ if ground.mode == ProbeMode::Never => return Stage::Rest,
        Some(change) => {
            let is_at_work = change.job.is_some() && change.phase == Phase::Submitted;
            // One that is stuck may be so for hours.
            if !(ground.serves && is_at_work && ground.step.goes_on()) {
                return Stage::Rest;
            }
            let aim = Aim::AtWork {
                change: change.id.clone(),
                from: change.from,
            };
            (aim, change.to)
        }
        None => {
            let after = || {
                let (id, port) = set_by(record).filter(|_| is_open(ground))?;
                let aim = Aim::After(id.to_owned(), ground.request.map(str::to_owned));
                Some((aim, port))
            };
            let Some(both) = unproven(ground).or_else(after) else {
                return Stage::Rest;
            };
            both
        }
    };
    let Some(address) = ground.address else {
        return match aim {
            Aim::AtWork { .. } => Stage::Rest,
            Aim::After(..) => Stage::NoAddress(port),
        };
    };
    match ground.networks.address(address) {
        Ok(address) => Stage::Probes(aim, Place { address, port }),
        Err(why) => Stage::Unusable(address.to_owned(), why),
    }
}

/// The probes of a change go on after its end where it has not succeeded, as far as the cloud said, and applications are led ahead of it:
/// while lists may lag, greetings alone tell which port is in place.
fn unproven(ground: &Ground<'_>) -> Option<(Aim, u16)> {
    let record = ground.record;
    let ahead = endpoint::unproven(record, ground.endpoint)?;
    let last = record.last.as_ref()?;
    let aim = Aim::AtWork {
        change: ChangeId::recorded(&last.id),
        from: u16::try_from(last.from_port).ok()?,
    };
    let is_open = ground.serves && ground.is_lately && record.port != Some(ahead.port);
    is_open.then_some((aim, ahead.port))
}

/// What a row begins with, by what is on record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Before {
    /// Applications are led ahead of the change already.
    pub is_ahead: bool,
    /// An earlier process, or an earlier wish, had its row after this change in vain.
    pub in_vain: bool,
}

impl Before {
    /// What is on record.
    pub fn of(ground: &Ground<'_>) -> Self {
        let change = ground.record.change.as_ref();
        let moves = change.filter(|change| change.to != change.from);
        let place = ground.endpoint.and_then(Place::parse);
        let both = moves.zip(place);
        Self {
            is_ahead: both.is_some_and(|(change, place)| place.port == change.to)
                || unproven(ground).is_some(),
            in_vain: change.is_none()
                && ground.said == Some(Reason::NoGreeting)
                && !ground.is_asked,
        }
    }
}

/// The change that has set the port which is in place, and the port.
fn set_by(record: &Record) -> Option<(&str, u16)> {
    let last = record.last.as_ref()?;
    let to = u16::try_from(last.to_port).ok()?;
    let is_in_place = last.outcome == Ended::Succeeded && record.port == Some(to);
    is_in_place.then_some((&*last.id, to))
}

/// Whether a greeting was not read yet that has to be after a change. Whatever else is wished for by then, and whatever that waits for, the
/// port that is in place is probed; not where the proxy may be gone or another's.
fn is_open(ground: &Ground<'_>) -> bool {
    let is_doubtful = matches!(
        ground.step,
        Step::Hold(Cause::ProxyNotFound | Cause::ConfirmingAbsence(_), _)
    );
    let is_open = match ground.said {
        None | Some(Reason::GreetingRead | Reason::NotProbed) => false,
        Some(Reason::NoGreeting) => ground.mode == ProbeMode::Require || ground.is_asked,
        Some(_) => true,
    };
    is_open && !is_doubtful && !endpoint::waits(ground.step)
}

/// Whether Ready waits for a greeting and for nothing else.
pub fn is_awaited(ground: &Ground<'_>) -> bool {
    ground.mode == ProbeMode::Require && matches!(ground.step, Step::Rest | Step::Keep(_))
}

/// The probes of one aim, one after the other.
#[derive(Debug, Default)]
pub struct Row {
    of: Option<(Aim, Place)>,
    made: u32,
    ended: u32,
    /// Uptime at which the first one of this aim began.
    first_at: Option<Duration>,
    /// Uptime at which the last one began, of whatever aim.
    last_at: Option<Duration>,
    /// So many connections in a row were taken without a greeting.
    counted: u32,
    /// So many were for this aim, in a row or not.
    counted_in_all: u32,
    /// What came of the last one of this aim, and when.
    told: Option<(Outcome, Timestamp)>,
    /// What those during a change have told.
    lead: Lead,
    /// When the row after a change ends at the latest, as it was when it began.
    until: Option<Timestamp>,
}

impl Row {
    /// Goes on with the row of this aim, or begins it with what was `before`.
    pub fn turn_to(&mut self, aim: &Aim, there: Place, before: Before, now: Moment, pace: &Pace) {
        let of = Some((aim.clone(), there));
        if self.of == of {
            return;
        }
        *self = Self {
            of,
            last_at: self.last_at,
            lead: Lead::on_record(before.is_ahead),
            until: now.wall.checked_add(longest(pace)).ok(),
            ..Self::default()
        };
        if before.in_vain {
            // A start of the operator is no reason to try sooner.
            (self.made, self.ended) = (MOST, MOST);
            self.last_at = Some(now.uptime);
        }
    }

    /// Whether this is what its probes are for.
    pub fn is_of(&self, aim: &Aim, place: Place) -> bool {
        self.of
            .as_ref()
            .is_some_and(|of| of.0 == *aim && of.1 == place)
    }

    /// What is probed next.
    pub fn target(&self) -> Option<Place> {
        self.at(self.lead.to_probe())
    }

    /// Where greetings lead applications during a change, and which change.
    pub fn leads(&self) -> Option<(&ChangeId, Place)> {
        let (Aim::AtWork { change, .. }, _) = self.of.as_ref()? else {
            return None;
        };
        let place = self.at(self.lead.heard()?)?;
        Some((change, place))
    }

    fn at(&self, side: Side) -> Option<Place> {
        let (aim, place) = self.of.as_ref()?;
        let port = match (aim, side) {
            (Aim::AtWork { from, .. }, Side::Old) => *from,
            _ => place.port,
        };
        Some(Place { port, ..*place })
    }

    /// In how long the next probe is due; nothing where none follows. `resync` is how often Ready looks for what it waits for, where that
    /// is a greeting; where connections are taken without one, it is rarer.
    pub fn due(
        &self,
        is_awaited: bool,
        uptime: Duration,
        pace: &Pace,
        resync: Duration,
    ) -> Option<Duration> {
        let (aim, _) = self.of.as_ref()?;
        let has_greeted = matches!(self.told, Some((Outcome::Greeted, _)));
        let gap = match aim {
            Aim::AtWork { .. } => self.gap_at_work(pace),
            Aim::After(..) if has_greeted => return None,
            Aim::After(..) if self.made < MOST => gap_after(self.made, pace),
            Aim::After(..) if is_awaited => self.gap_awaited(pace, resync),
            Aim::After(..) => return None,
        };
        let due = self
            .last_at
            .map_or(Duration::ZERO, |at| at.saturating_add(gap));
        Some(due.saturating_sub(uptime))
    }

    /// A probe begins.
    pub fn begins(&mut self, uptime: Duration) {
        self.first_at.get_or_insert(uptime);
        self.last_at = Some(uptime);
        self.made = self.made.saturating_add(1);
    }

    /// This came of a probe of `place`.
    pub fn ends(&mut self, place: Place, outcome: Outcome, now: Timestamp) {
        let is_old = self.at(Side::New) != Some(place);
        let side = if is_old { Side::Old } else { Side::New };
        self.lead.ends(side, &outcome);
        self.ended = self.ended.saturating_add(1);
        if outcome.is_counted() {
            self.counted = self.counted.saturating_add(1);
            self.counted_in_all = self.counted_in_all.saturating_add(1);
        } else {
            self.counted = 0;
        }
        self.told = Some((outcome, now));
    }

    /// While a job is at work: longer where the proxy is found to be where applications are led, the longer the job takes, and the more
    /// connections in a row somebody has taken without a greeting.
    fn gap_at_work(&self, pace: &Pace) -> Duration {
        let times = |count| pace.probe_gap.saturating_mul(count);
        let age = self.last_at.zip(self.first_at);
        let age = age.map_or(Duration::ZERO, |(last, first)| last.saturating_sub(first));
        let usual = if self.lead.is_in_doubt() {
            // Applications may be led to a port at which nobody listens.
            pace.probe_gap
        } else if self.lead.is_confirmed() {
            times(CONFIRMED).max(age / PART)
        } else {
            age / PART
        };
        let counted = times(1 << self.counted.min(MOST));
        usual.max(counted).min(times(SELDOM))
    }

    /// Where Ready waits for a greeting: as often as it is looked, and twice as rarely after each connection that was taken without one. What
    /// else comes of a probe in between sets nothing back: it does not for a server that counts, either.
    fn gap_awaited(&self, pace: &Pace, resync: Duration) -> Duration {
        let usual = resync.max(pace.probe_gap);
        let doublings = self.counted_in_all.min(RARELY.ilog2() + 1);
        let longest = pace.probe_gap.saturating_mul(RARELY).max(usual);
        usual.saturating_mul(1 << doublings).min(longest)
    }

    /// What is said of the probes after a change; nothing where what was said of earlier ones stands.
    fn said(&self, place: Place) -> Option<Said> {
        Some(match &self.told {
            Some((outcome, at)) if *outcome == Outcome::Greeted || self.ended >= MOST => {
                Said::Told(place, outcome.clone(), *at)
            }
            None if self.ended >= MOST => return None,
            told => Said::Waiting(place, told.as_ref().map(|(outcome, _)| outcome.clone())),
        })
    }
}

/// Each gap is twice as long as the one before: a proxy may need a while until it listens.
fn gap_after(made: u32, pace: &Pace) -> Duration {
    pace.probe_gap
        .saturating_mul(1 << made.saturating_sub(1).min(MOST))
}

/// How long a row takes at most, if each probe takes as long as it may.
fn longest(pace: &Pace) -> Duration {
    let each = tcp::CONNECTS_WITHIN.saturating_add(tcp::GREETS_WITHIN);
    let gaps = (0..MOST).map(|made| gap_after(made, pace));
    gaps.fold(each.saturating_mul(MOST), Duration::saturating_add)
}

/// What there is to say in the condition `Reachable`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The port that is in place was not probed.
    NotProbed,
    /// A change sets this port; and where a greeting was read meanwhile.
    Moving(u16, Option<Place>),
    /// A greeting is waited for; what came of the last probe.
    Waiting(Place, Option<Outcome>),
    /// What came of the probes, and when the last one was.
    Told(Place, Outcome, Timestamp),
    /// The cloud has given no address; the port.
    NoAddress(u16),
    /// The address may not be connected to.
    Unusable(String, AddressError),
}

/// What there is to say of a change that is put on record before it is sent, and once it was accepted: until then it may be refused, and
/// what was said of the port that is in place stands.
pub fn begun(change: &Change) -> Option<Said> {
    let is_accepted = change.job.is_some();
    is_accepted.then_some(Said::Moving(change.to, None))
}

/// What there is to say; nothing where what is on record stands.
pub fn said(ground: &Ground<'_>, row: &Row, greeted: Option<Place>) -> Option<Said> {
    if let Some(change) = &ground.record.change {
        let ahead = greeted.filter(|place| place.port == change.to);
        return Some(Said::Moving(change.to, ahead));
    }
    match stage(ground) {
        Stage::NoAddress(port) => Some(Said::NoAddress(port)),
        Stage::Unusable(address, why) => Some(Said::Unusable(address, why)),
        // It leads applications, and says nothing of a port that a change has set.
        Stage::Probes(Aim::AtWork { .. }, _) => Some(Said::NotProbed),
        Stage::Probes(aim, place) if row.is_of(&aim, place) => row.said(place),
        Stage::Probes(..) if Before::of(ground).in_vain => None,
        Stage::Probes(_, place) => Some(Said::Waiting(place, None)),
        // What was told of the port that is in place stands.
        Stage::Rest if ground.said.is_some() && set_by(ground.record).is_some() => None,
        Stage::Rest => Some(Said::NotProbed),
    }
}

/// For what Ready waits, where a greeting is required.
pub fn holds(ground: &Ground<'_>, row: &Row) -> Option<Cause> {
    if ground.mode != ProbeMode::Require || *ground.step != Step::Rest {
        return None;
    }
    match stage(ground) {
        Stage::Rest | Stage::Probes(Aim::AtWork { .. }, _) => None,
        Stage::NoAddress(port) => Some(Cause::NotReachable {
            place: format!("port {port}"),
            said: NO_ADDRESS.to_owned(),
        }),
        Stage::Unusable(address, why) => Some(Cause::NotReachable {
            place: address,
            said: why.to_string(),
        }),
        Stage::Probes(aim, place) => match row.said(place) {
            Some(Said::Told(_, Outcome::Greeted, _)) if row.is_of(&aim, place) => None,
            None | Some(Said::Told(..)) if row.is_of(&aim, place) => Some(Cause::NotReachable {
                place: place.to_string(),
                said: UNTOLD.to_owned(),
            }),
            _ => Some(Cause::Probing {
                place: place.to_string(),
                until: row.until,
            }),
        },
    }
}

mod lead;
#[cfg(test)]
mod tests;
