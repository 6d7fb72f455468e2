//! How long a change is waited for, after another one or after an operator that has ended.
//!
//! Relies on one machine, virtual time and a cloud whose lists don't lag. Promises times to a tenth of a second.

use std::time::Duration;

use rand::{SeedableRng as _, rngs::SmallRng};
use taurus_port_operator::{
    clock::Shift,
    cloud::{Meaning, budget::CallLimit},
    crd::TaurusProxyPort,
};
use tokio::task::AbortHandle;

use crate::{
    flaw::Flaw,
    keys,
    machine::{Machine, RESYNC},
    resource::{credentials, resource},
    sky::{Mode, PROXIES, Sky},
    world::{Shared, World},
};

/// What the operator that gives the lease back leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// A change whose job runs.
    AJob,
    /// The change of a resource that was deleted.
    AFollowedJob,
    /// Nothing that it knows of: it has led for a minute.
    AShortTerm,
    /// A change that was verified right before: lists may fall back to before it.
    AVerifiedChange,
}

/// How long after its owner was deleted a proxy is moved by another resource that has waited for it. In between the cloud is away, so
/// that the status says something else than that it waits, and the operator ends in good order.
pub async fn after_an_owner_and_its_operator_ended(flaw: Option<Flaw>, seed: u64) -> Duration {
    const AWAY: u64 = 30_000;
    let stage = Stage::new(flaw, seed);
    stage.make(0, 3306);
    tokio::time::sleep(Duration::from_mins(5)).await;
    stage.make_as("rival", 0, 3307);
    tokio::time::sleep(Duration::from_mins(1)).await;
    stage.delete(0);
    let deleted = stage.shared.lock().now();
    stage.shared.lock().sky.reads_fail = Some((deleted + AWAY, Meaning::Transient));
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.edit("rival", |object| object.spec.port = 3308);
    tokio::time::sleep(Duration::from_secs(3)).await;
    stage.end(true);
    stage.until_asked(0, 1).await;
    Duration::from_millis(stage.shared.lock().now() - deleted)
}

/// The calls of the cloud that the operator may make as it is shipped.
const SHIPPED: CallLimit = CallLimit {
    calls: 60,
    per: Duration::from_mins(1),
    is_even: false,
};

/// How long the change of a resource that is made when the operator ends waits for its successor, from when that leads. The operators
/// make no more calls than those that are shipped.
pub async fn after_a_hand_over(left: Left, flaw: Option<Flaw>, seed: u64) -> Duration {
    let stage = Stage::with(flaw, seed, SHIPPED);
    stage.make(0, 3306);
    let minutes = if left == Left::AShortTerm { 1 } else { 5 };
    tokio::time::sleep(Duration::from_mins(minutes)).await;
    if matches!(left, Left::AJob | Left::AFollowedJob) {
        stage.want(0, 3307);
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    if left == Left::AVerifiedChange {
        stage.want(0, 3307);
        stage.until_asked(0, 1).await;
        stage.until_ready(0).await;
    }
    if left == Left::AFollowedJob {
        stage.delete(0);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    stage.end(true);
    stage.shared.lock().led_since = None;
    stage.make(2, 3307);
    stage.until_asked(2, 1).await;
    let world = stage.shared.lock();
    Duration::from_millis(world.now() - world.led_since.unwrap())
}

/// Whose change is wanted as soon as another one on the same instance was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// That of the same proxy.
    Same,
    /// That of another one, which names the same Secret.
    Neighbour,
    /// That of another one, which names another Secret.
    Stranger,
}

/// How long a change waits that is wanted as soon as another one on the same instance was verified. `crashes` is whether the process ends
/// in between.
pub async fn after_an_own_change(next: Next, crashes: bool, seed: u64) -> Duration {
    let same = next == Next::Same;
    let stage = Stage::new(None, seed);
    stage.make(0, 3306);
    stage.make(1, 3306);
    if next == Next::Stranger {
        stage.edit(&name(1), |object| {
            object.spec.credentials_ref = Some(credentials(keys::NAMES[1]));
        });
    }
    tokio::time::sleep(Duration::from_mins(5)).await;
    stage.want(0, 3307);
    stage.until_asked(0, 1).await;
    stage.until_ready(0).await;
    if crashes {
        stage.end(false);
    }
    let proxy = usize::from(!same);
    stage.want(proxy, 3308);
    stage.until_asked(proxy, 1 + usize::from(same)).await
}

/// One operator on one machine.
struct Stage {
    shared: Shared,
    running: AbortHandle,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Stage {
    fn new(flaw: Option<Flaw>, seed: u64) -> Self {
        Self::with(flaw, seed, CallLimit::unfelt())
    }

    /// The same where no more calls are made.
    fn with(flaw: Option<Flaw>, seed: u64, calls: CallLimit) -> Self {
        let random = SmallRng::seed_from_u64(seed);
        let sky = Sky::new(Mode::Hidden, 3306);
        let mut world = World::new(random, flaw, sky, true, false);
        world.slow_leases = false;
        world.call_limit = calls;
        let shared = Shared::new(world);
        let machine = Machine {
            number: 0,
            shared: shared.clone(),
            resync: RESYNC,
            shift: Shift::forever(),
        };
        let running = tokio::spawn(machine.run(Duration::ZERO)).abort_handle();
        Self { shared, running }
    }

    fn make(&self, number: usize, port: u16) {
        self.make_as(&name(number), number, port);
    }

    /// A resource of this name for a proxy.
    fn make_as(&self, name: &str, number: usize, port: u16) {
        let (proxy, instance) = PROXIES[number];
        let mut world = self.shared.lock();
        let now = world.now();
        world
            .cluster
            .create(resource(name, instance, proxy, port), now);
        world.stored(name);
    }

    fn want(&self, number: usize, port: i32) {
        self.edit(&name(number), |object| object.spec.port = port);
    }

    fn edit(&self, name: &str, edit: impl FnOnce(&mut TaurusProxyPort)) {
        let mut world = self.shared.lock();
        let now = world.now();
        world.cluster.edit(name, now, edit);
        world.stored(name);
    }

    fn delete(&self, number: usize) {
        let mut world = self.shared.lock();
        let now = world.now();
        world.cluster.delete(&name(number), now);
    }

    /// Ends the process, in good order or not.
    fn end(&self, in_good_order: bool) {
        let life = self.shared.lock().lives[0].clone().unwrap();
        if in_good_order {
            life.stop();
        } else {
            life.end();
        }
    }

    async fn until_ready(&self, number: usize) {
        while !self.is_ready(number) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether a resource of this generation is Ready.
    fn is_ready(&self, number: usize) -> bool {
        let world = self.shared.lock();
        let object = world.cluster.get(&name(number)).unwrap();
        let status = object.status.as_ref().unwrap();
        let mut conditions = status.conditions.iter();
        status.observed_generation == object.metadata.generation
            && conditions.any(|one| one.type_ == "Ready" && one.status == "True")
    }

    /// Waits until so many changes of a proxy were asked for, for at most an hour, and says how long that took.
    async fn until_asked(&self, proxy: usize, requests: usize) -> Duration {
        let begun = self.shared.lock().now();
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let world = self.shared.lock();
            let waited = Duration::from_millis(world.now() - begun);
            if world.sky.tally[proxy].requests >= requests || waited > Duration::from_hours(1) {
                return waited;
            }
        }
    }
}

fn name(number: usize) -> String {
    format!("tpp-{number}")
}
