//! One operator gives its lease back in good order, and the next one takes it.
//!
//! Promises to tell how long a new resource waits for its change after that.

use std::time::Duration;

use rand::{SeedableRng as _, rngs::SmallRng};
use taurus_port_operator::clock::Shift;

use crate::{
    machine::Machine,
    resource::resource,
    sky::{Mode, PROXIES, Sky},
    world::{Shared, World},
};

/// The next process starts after this at the latest.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(20);

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
}

/// How long the change of a resource takes to be sent that is made when the operator ends.
pub async fn wait_after(left: Left, seed: u64) -> Duration {
    let mut world = World::new(
        SmallRng::seed_from_u64(seed),
        None,
        Sky::new(Mode::Hidden, 3306),
        true,
        false,
    );
    world.slow_leases = false;
    let shared = Shared::new(world);
    let shift = Shift::forever();
    let machine = Machine {
        number: 0,
        shared: shared.clone(),
        shift,
    };
    let running = tokio::spawn(machine.run(Duration::ZERO));
    make(&shared, 0, 3306);
    let minutes = if left == Left::AShortTerm { 1 } else { 5 };
    tokio::time::sleep(Duration::from_mins(minutes)).await;
    if matches!(left, Left::AJob | Left::AFollowedJob) {
        let mut world = shared.lock();
        let now = world.now();
        world
            .cluster
            .edit("tpp-0", now, |object| object.spec.port = 3307);
        world.stored("tpp-0");
        drop(world);
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    if left == Left::AFollowedJob {
        let mut world = shared.lock();
        let now = world.now();
        world.cluster.delete("tpp-0", now);
        drop(world);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    if let Some(life) = shared.lock().lives[0].clone() {
        life.stop();
    }
    make(&shared, 2, 3307);
    let asked = shared.lock().now();
    let longest = asked + 3_600_000;
    let waited = loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let world = shared.lock();
        let requests: usize = world.sky.tally[2].requests;
        if requests > 0 || world.now() > longest {
            break world.now() - asked;
        }
    };
    running.abort();
    Duration::from_millis(waited)
}

fn make(shared: &Shared, number: usize, port: i32) {
    let name = format!("tpp-{number}");
    let (proxy, instance) = PROXIES[number];
    let port = u16::try_from(port).unwrap();
    let mut world = shared.lock();
    let now = world.now();
    world
        .cluster
        .create(resource(&name, instance, proxy, port), now);
    world.stored(&name);
}
