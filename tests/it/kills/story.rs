//! The stories, as people and the cloud tell them: none knows whether the process lives, and none waits for it to.

use std::time::Duration;

use taurus_port_operator::crd::{Outcome, TaurusProxyPort};
use taurus_sim::{JobPlan, sample};

use crate::{
    stories::publication,
    world::{WANTED, World, is_ready_with},
};

/// How long jobs take, by the cloud's clock.
const JOB: Duration = Duration::from_secs(10);

/// A second wish.
const OTHER: u16 = WANTED + 1;

/// A port that nobody wants.
const FOREIGN: u16 = 4000;

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Story {
    /// It is made, and wants another port than the proxy has.
    Create,
    /// A settled one wants another port.
    Edit,
    /// The same, and while the job is at work yet another one.
    EditAgain,
    /// Somebody else sets the port of a settled one.
    Drift,
    /// A settled one wants another port, and the first job fails.
    Retry,
    /// It is deleted while its job is at work, and made anew.
    Recreate,
    /// A settled one that leads applications by a Service and a ConfigMap wants another port.
    Publish,
}

impl Story {
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::Edit,
        Self::EditAgain,
        Self::Drift,
        Self::Retry,
        Self::Recreate,
        Self::Publish,
    ];

    /// Whether the resource is settled when the story begins.
    pub fn begins_settled(self) -> bool {
        self != Self::Create
    }

    /// The ports of the changes that it takes, in their order: each is made once, whatever happens to the process.
    pub fn changes(self) -> &'static [u16] {
        match self {
            Self::Create | Self::Edit | Self::Recreate | Self::Publish => &[WANTED],
            Self::EditAgain => &[WANTED, OTHER],
            Self::Drift => &[sample::PORT],
            Self::Retry => &[WANTED, WANTED],
        }
    }

    /// The resource with which a story begins that begins settled.
    pub fn settled(self, world: &World) -> TaurusProxyPort {
        if self == Self::Publish {
            publication::published(world, sample::PORT)
        } else {
            world.resource(sample::PORT)
        }
    }

    /// Tells it, until the port is in place.
    pub async fn tell(self, world: &World) {
        match self {
            Self::Create => drop(world.want(WANTED).await),
            Self::Edit | Self::Publish => drop(world.want_now(WANTED).await),
            Self::EditAgain => {
                world.want_now(WANTED).await;
                until_accepted(world).await;
                world.want_now(OTHER).await;
            }
            Self::Drift => world.sim.set_port(sample::PROXY, FOREIGN).unwrap(),
            Self::Retry => {
                let failing = JobPlan {
                    duration: JOB,
                    ..JobPlan::failing("a node did not answer").visible_after(Duration::ZERO)
                };
                world.sim.next_job_of(sample::PROXY, failing);
                world.want_now(WANTED).await;
            }
            Self::Recreate => {
                world.want_now(WANTED).await;
                until_accepted(world).await;
                world.delete().await;
                world.want(WANTED).await;
            }
        }
        self.until_told(world).await;
    }

    /// Waits until the last port of the story is in place, and it is known that it is.
    pub async fn until_told(self, world: &World) {
        let port = *self.changes().last().unwrap();
        let what = format!("Ready with port {port} after a change to it");
        let told = |object: &TaurusProxyPort| {
            is_ready_with(object, port) && (self == Self::Recreate || has_moved_to(object, port))
        };
        world.until_passing(&what, told).await;
    }
}

/// A job that can be queried at once: its time passes only while the end of a story is waited for.
pub fn job() -> JobPlan {
    JobPlan::lasting(JOB).visible_after(Duration::ZERO)
}

async fn until_accepted(world: &World) {
    let accepted = || !world.accepted().is_empty();
    world.until_true("a change is accepted", accepted).await;
}

/// What was made anew knows nothing of the change that its predecessor asked for; all others do.
fn has_moved_to(object: &TaurusProxyPort, port: u16) -> bool {
    let status = object.status.as_ref();
    let last = status.and_then(|status| status.last_change.as_ref());
    last.is_some_and(|last| last.outcome == Outcome::Succeeded && last.to_port == i32::from(port))
}
