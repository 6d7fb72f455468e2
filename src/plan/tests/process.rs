//! A process that reconciles, in the order of the real one: acknowledge, look, decide, intend, ask, record, report.
//!
//! Relies on the real stages wherever they are pure or only read. Promises to lose its session when it crashes, and to
//! crash where it is told to.

use super::{cloud::Sky, world::Cluster};
use crate::{
    crd::{PlanRecord, TaurusProxyPort},
    desired::Desired,
    plan::{
        facts::{Observed, Trouble},
        record::Change,
        session::Session,
        step::Step,
    },
};

mod turn;

use turn::Turn;

/// How often a settled resource is looked at, in seconds.
pub(super) const RESYNC: u64 = 600;

/// Where a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CrashPoint {
    AfterFirstWord,
    BeforeIntent,
    AfterIntent,
    AfterRequest,
    AfterJob,
}

/// Why a turn ended early.
#[derive(Debug)]
pub(super) enum Halt {
    /// The view was stale.
    Stale,
    /// The process is no more.
    Crash,
}

/// A request whose answer is awaited.
#[derive(Debug)]
struct Waiting {
    until: u64,
    desired: Desired,
    change: Change,
    observed: Observed,
    plan: Option<PlanRecord>,
}

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    started: u64,
    head_start: u64,
    due: u64,
    session: Session,
    waiting: Option<Waiting>,
    /// Ends at this point of its next change.
    pub(super) crash: Option<CrashPoint>,
    /// Ends then, without a word.
    pub(super) retires_at: Option<u64>,
    /// Works on what it saw last, as with a watch that lags.
    pub(super) blind: bool,
    /// By how many seconds its wall clock is ahead.
    pub(super) ahead: u64,
    /// Can't call the cloud for this reason.
    pub(super) trouble: Option<Trouble>,
    view: Option<(u64, TaurusProxyPort)>,
    /// The last step.
    pub(super) step: Option<Step>,
}

impl Process {
    pub(super) fn new(started: u64, head_start: u64) -> Self {
        Self {
            started,
            head_start,
            due: started,
            session: Session::default(),
            waiting: None,
            crash: None,
            retires_at: None,
            blind: false,
            ahead: 0,
            trouble: None,
            view: None,
            step: None,
        }
    }

    pub(super) fn due(&self) -> u64 {
        self.waiting
            .as_ref()
            .map_or(self.due, |waiting| waiting.until)
    }

    pub(super) fn wake(&mut self, now: u64) {
        if !self.blind {
            self.due = now.max(self.started);
        }
    }

    pub(super) fn watches_a_change(&self) -> bool {
        self.session.watch.is_some()
    }

    /// The object is another one now.
    pub(super) fn forget(&mut self) {
        self.session = Session::default();
        self.waiting = None;
        self.view = None;
    }

    /// Does what is due.
    pub(super) fn turn(&mut self, cluster: &mut Cluster, sky: &Sky) -> Result<(), Halt> {
        let (version, object) = match self
            .view
            .take()
            .filter(|_| self.blind || self.waiting.is_some())
        {
            Some(view) => view,
            None => (cluster.version, cluster.object.clone()),
        };
        let waiting = self.waiting.take();
        let mut turn = Turn {
            process: self,
            cluster,
            sky,
            version,
            object,
        };
        let result = match waiting {
            Some(waiting) => turn.answered(&waiting),
            None => turn.run(),
        };
        let (version, object) = (turn.version, turn.object);
        let delay = match result {
            Ok(delay) => delay,
            Err(Halt::Stale) => {
                self.due = sky.state().now + 1;
                self.blind = false;
                return Err(Halt::Stale);
            }
            Err(halt) => return Err(halt),
        };
        self.view = Some((version, object));
        let whole = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        self.due = sky.state().now + whole.max(1);
        Ok(())
    }
}
