//! All that the simulator knows and remembers, behind one lock that is held for moments only.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Options;
use crate::auth::Gatekeeper;
use crate::behaviour::Behaviour;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::http::Lines;
use crate::ids::Ids;
use crate::journal::Journal;
use crate::state::State;

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) gatekeeper: Gatekeeper,
    pub(crate) behaviour: Behaviour,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) ids: Ids,
}

/// What server, controls and admin API share.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) clock: Clock,
    /// Changes whenever the journal does.
    pub(crate) journal_changes: watch::Sender<u64>,
    pub(crate) lines: Lines,
    pub(crate) shutdown: CancellationToken,
    /// What goes on even if its caller is gone.
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    pub(crate) fn new(options: &Options) -> Arc<Self> {
        let clock = Clock::start(options.time);
        let now = clock.now();
        let world = World {
            state: State::new(&options.fleet, options.job.clone(), now),
            gatekeeper: Gatekeeper::new(&options.accounts, now),
            behaviour: options.behaviour.clone(),
            faults: Faults::default(),
            journal: Journal::new(options.journal_limit),
            ids: Ids::new(options.seed),
        };
        Arc::new(Self {
            world: Mutex::new(world),
            clock,
            journal_changes: watch::Sender::new(0),
            lines: Lines::default(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// The world, locked. A panic elsewhere leaves it as usable as it was.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait for the journal that it changed.
    pub(crate) fn journal_changed(&self) {
        self.journal_changes.send_modify(|count| *count += 1);
    }
}
