//! The controls of a running simulator: what tests call, and what the admin API offers.
//!
//! Promises that a control has taken full effect when it returns, unless it says otherwise.

mod credentials;
mod faults;
mod fleet;
mod groups;
mod jobs;
mod journal;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::behaviour::{Behaviour, Mode};
use crate::clock::{NotStepped, Time};
use crate::state::StateView;
use crate::world::Shared;

pub use credentials::CredentialError;
pub use fleet::ProxyChange;
pub use journal::Waited;

/// What a control was asked to act on isn't there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// No such instance.
    #[error("no instance {0:?}")]
    NoInstance(String),
    /// Neither an instance nor a proxy has this id.
    #[error("no instance and no proxy {0:?}")]
    Nothing(String),
    /// No such proxy.
    #[error("no proxy {0:?}")]
    NoProxy(String),
    /// No such job.
    #[error("no job {0:?}")]
    NoJob(String),
    /// The job has ended.
    #[error("job {0:?} has ended")]
    JobEnded(String),
    /// No such rule of a security group.
    #[error("no rule {0:?} of a security group")]
    NoGroupRule(String),
    /// No such rule.
    #[error("no fault {0}")]
    NoFault(u64),
}

/// The controls. Cheap to clone; they work on after the simulator has stopped, but nobody calls it any more.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) shared: Arc<Shared>,
}

impl Control {
    /// The simulator's time.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Who moves time.
    pub fn time(&self) -> Time {
        self.shared.clock.time()
    }

    /// Moves stepped time; returns the new time.
    pub fn advance(&self, by: Duration) -> Result<Timestamp, NotStepped> {
        self.shared.clock.advance(by)
    }

    /// The switches as they stand.
    pub fn behaviour(&self) -> Behaviour {
        self.shared.world().behaviour.clone()
    }

    /// Changes switches.
    pub fn configure(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.world().behaviour);
    }

    /// Sets the mode of all proxies that have none of their own. Jobs that were accepted keep theirs.
    pub fn set_mode(&self, mode: Mode) {
        self.configure(|behaviour| behaviour.mode = mode);
    }

    /// Everything that the service knows, the hidden truth included.
    pub fn state(&self) -> StateView {
        let now = self.now();
        let world = self.shared.world();
        world.state.view(&world.behaviour, now)
    }

    /// Closes the connections on which no request is at work, as a server does that tires of them; returns how many.
    /// Their peers learn of it a moment later.
    pub fn close_idle_connections(&self) -> usize {
        self.shared.lines.close_idle()
    }
}
