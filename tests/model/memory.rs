//! What a process remembers, as the model keeps it: the real session, with ages in place of uptimes.
//!
//! Left out are counts that only lengthen waits and choose words (polls, failures in a row, how often somebody else was
//! seen at work): a process of the model may look at any time anyway.

use taurus_port_operator::{
    cloud::{CloudError, Meaning},
    plan::session::{Refusal, Session, Sighting, Verified, Watch},
};

use crate::{
    clock,
    paper::{change_id, job_id, job_number, number},
};

/// An own change counts no longer this many ticks after it was verified.
const FORGOTTEN: u8 = 2 * clock::LAG;

/// More sightings than any proof asks for.
const MANY: u8 = 4;

/// What a process remembers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Memory {
    pub watch: Option<Watched>,
    pub doubted: Option<u8>,
    pub refusal: Option<Refused>,
    pub verified: Option<Seen>,
    /// How long ago the last plan was made that was used.
    pub used: Option<i8>,
}

/// The last change that it sent and saw in place, and how long ago that was.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Seen {
    pub id: u8,
    to: u16,
    at: u8,
}

/// Of the change on record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Watched {
    pub id: u8,
    pub since: u8,
    sent: bool,
    known: Option<u8>,
    seen: Option<u8>,
    missing: Option<Sight>,
    target: Option<Sight>,
    untouched: Option<Sight>,
    unchanged: Option<Sight>,
    long_ago: bool,
}

/// Repeated sightings: the age of the first, and from it to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Sight {
    first: u8,
    span: u8,
    count: u8,
}

/// A change that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refused {
    port: u16,
    left: u8,
    count: u8,
    busy: bool,
}

/// What the cloud says when it refuses.
pub fn refusal(busy: bool) -> CloudError {
    let meaning = if busy {
        Meaning::Busy
    } else {
        Meaning::Transient
    };
    CloudError::local(meaning, "refused")
}

impl Memory {
    pub fn of(session: &Session) -> Self {
        Self {
            watch: session.watch.as_deref().map(Watched::of),
            doubted: session
                .doubted
                .as_deref()
                .map(|since| clock::age(*since).min(clock::SETTLE_WINDOW)),
            refusal: session.refusal.as_deref().and_then(Refused::of),
            verified: session.verified.as_deref().and_then(Seen::of),
            used: session
                .plan_used
                .as_deref()
                .copied()
                .map(clock::age_of_used),
        }
    }

    pub fn session(&self) -> Session {
        Session {
            watch: self.watch.as_ref().map(Watched::watch).map(Box::new),
            doubted: self.doubted.map(clock::uptime).map(Box::new),
            refusal: self.refusal.as_ref().map(Refused::refusal).map(Box::new),
            verified: self.verified.as_ref().map(Seen::verified).map(Box::new),
            plan_used: self.used.map(clock::wall).map(Box::new),
            ..Session::default()
        }
    }

    pub fn tick(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.tick();
        }
        if let Some(age) = &mut self.doubted {
            *age = (*age + 1).min(clock::SETTLE_WINDOW);
        }
        if let Some(refusal) = &mut self.refusal {
            refusal.left = refusal.left.saturating_sub(1);
        }
        self.refusal.take_if(|refusal| refusal.left == 0);
        if let Some(verified) = &mut self.verified {
            verified.at += 1;
        }
        self.verified.take_if(|verified| verified.at >= FORGOTTEN);
    }
}

impl Seen {
    fn of(verified: &Verified) -> Option<Self> {
        let at = clock::age(verified.at);
        (at < FORGOTTEN).then(|| Self {
            id: job_number(&verified.job),
            to: verified.to,
            at,
        })
    }

    fn verified(&self) -> Verified {
        Verified {
            job: job_id(self.id),
            to: self.to,
            at: clock::uptime(self.at),
        }
    }
}

impl Watched {
    fn of(watch: &Watch) -> Self {
        Self {
            id: number(watch.id.as_str()),
            since: clock::age(watch.since),
            sent: watch.sent_here,
            known: watch
                .job_known
                .map(|since| clock::age(since).min(clock::LAG)),
            seen: watch.job_seen.map(clock::age),
            missing: watch.job_missing.map(|seen| Sight::of(seen).up_to(2)),
            target: watch.target_seen.map(|seen| Sight::of(seen).since_when()),
            untouched: watch.untouched.map(|seen| Sight::of(seen).up_to(2)),
            unchanged: watch.unchanged.map(|seen| Sight::of(seen).up_to(MANY)),
            long_ago: watch.ended_long_ago,
        }
    }

    fn watch(&self) -> Watch {
        Watch {
            id: change_id(self.id),
            since: clock::uptime(self.since),
            sent_here: self.sent,
            job_known: self.known.map(clock::uptime),
            job_seen: self.seen.map(clock::uptime),
            // Only said, never decided on.
            job_word: None,
            shown: None,
            verifying: None,
            job_missing: self.missing.map(Sight::sighting),
            target_seen: self.target.map(Sight::sighting),
            untouched: self.untouched.map(Sight::sighting),
            unchanged: self.unchanged.map(Sight::sighting),
            ended_long_ago: self.long_ago,
            took: None,
            polls: 0,
        }
    }

    fn tick(&mut self) {
        let older = |age: &mut u8, most| *age = (*age + 1).min(most);
        older(&mut self.since, clock::FAR);
        if let Some(age) = &mut self.known {
            older(age, clock::LAG);
        }
        if let Some(age) = &mut self.seen {
            older(age, clock::FAR);
        }
        if let Some(sight) = &mut self.target {
            older(&mut sight.first, clock::CHANGE_TIMEOUT);
        }
        let proofs = [&mut self.missing, &mut self.untouched, &mut self.unchanged];
        for sight in proofs.into_iter().flatten() {
            older(&mut sight.first, clock::LAG);
        }
    }
}

impl Sight {
    fn of(sighting: Sighting) -> Self {
        let first = clock::age(sighting.first);
        Self {
            first,
            span: first - clock::age(sighting.last).min(first),
            count: u8::try_from(sighting.count.min(MANY.into())).unwrap(),
        }
    }

    /// What a proof by `count` sightings, a tick apart, can tell apart.
    fn up_to(self, count: u8) -> Self {
        let gap = clock::LAG;
        Self {
            first: self.first.min(gap),
            span: self.span.min(gap),
            count: self.count.min(count),
        }
    }

    /// What matters where only the first one counts.
    fn since_when(self) -> Self {
        Self {
            first: self.first.min(clock::CHANGE_TIMEOUT),
            span: 0,
            count: 1,
        }
    }

    fn sighting(self) -> Sighting {
        Sighting {
            first: clock::uptime(self.first),
            last: clock::uptime(self.first - self.span),
            count: self.count.into(),
        }
    }
}

impl Refused {
    fn of(refusal: &Refusal) -> Option<Self> {
        let left = refusal.until.saturating_sub(clock::uptime(0)).as_secs();
        let known = Self {
            port: refusal.port,
            left: u8::try_from(left).unwrap(),
            count: u8::try_from(refusal.count.min(2)).unwrap(),
            busy: refusal.error.meaning == Meaning::Busy,
        };
        (left > 0).then_some(known)
    }

    fn refusal(&self) -> Refusal {
        Refusal {
            error: refusal(self.busy),
            port: self.port,
            until: clock::uptime(0) + std::time::Duration::from_secs(self.left.into()),
            count: self.count.into(),
        }
    }
}
