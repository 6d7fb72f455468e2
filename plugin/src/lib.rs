//! `kubectl taurus-port`: everyday work with the operator's resources, and the way to them.
//!
//! Relies on the operator's types, messages and decisions, so that both say the same. Promises that objects of older and newer
//! operators are shown as they are: what this release does not know is told, never refused. Each verb asks for no more rights
//! than its own work needs.

pub mod cli;
pub mod cluster;
pub mod completion;
pub mod confirm;
#[cfg(test)]
mod described;
pub mod failure;
pub mod format;
pub mod history;
pub mod import;
pub mod lint;
#[cfg(test)]
mod page;
pub mod pipe;
pub mod plan;
pub mod resource;
pub mod status;
pub mod surroundings;
pub mod table;
pub mod verbs;

use cli::{Cli, Verb};
use failure::Failure;
use surroundings::Surroundings;

/// How a command ended, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All is done, or nothing was to do: 0.
    Done,
    /// What was looked at has faults, which were printed: 1.
    Faults,
    /// Something would change: 2.
    Changes,
}

impl Ending {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Faults => 1,
            Self::Changes => 2,
        }
    }
}

/// Does what the command line asks for.
pub async fn run(cli: Cli, around: &mut Surroundings<'_>) -> Result<Ending, Failure> {
    let Cli { global, verb } = cli;
    match verb {
        Verb::Status(arguments) => status::run(&global, &arguments, around).await,
        Verb::Completion(arguments) => completion::print(&arguments, around).map(|()| Ending::Done),
        Verb::Plan(arguments) => plan::run(&global, &arguments, around).await,
        Verb::History(arguments) => history::run(&global, &arguments, around).await,
        Verb::Approve(arguments) => verbs::approve(&global, &arguments, around).await,
        Verb::ApplyNow(arguments) => verbs::apply_now(&global, &arguments, around).await,
        Verb::Retry(arguments) => verbs::retry(&global, &arguments, around).await,
        Verb::Suspend(arguments) => verbs::suspend(&global, &arguments, around).await,
        Verb::Resume(arguments) => verbs::resume(&global, &arguments, around).await,
        Verb::Import(arguments) => import::run(&global, &arguments, around).await,
        Verb::Lint(arguments) => lint::run(&global, &arguments, around),
        Verb::AbandonJob(arguments) => verbs::abandon_job(&global, &arguments, around).await,
    }
}
