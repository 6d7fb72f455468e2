//! Tenants that share an access key, rightly or with a guess: nobody of them gets it locked.

use std::time::Duration;

use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Entry, Filter, Fleet, Mode, Operation, sample};

use super::cloud_credentials::with_secret;
use crate::world::{DIVISOR, World, is_ready, options, reason};

/// How many guess.
const MANY: usize = 12;

/// Five minutes of the contract, at the pace of the stories.
const WINDOW: Duration = Duration::from_secs(5 * 60 / DIVISOR as u64);

/// Signed requests that were refused, of the sample's key.
fn refused(world: &World) -> Vec<Entry> {
    let entries = world.sim.journal().into_iter();
    entries
        .filter(|entry| entry.status() == Some(401))
        .collect()
}

/// The most refusals within any five minutes, as they were answered.
fn most_within_the_window(refused: &[Entry]) -> usize {
    let within = |from: &Entry| {
        let later = refused.iter().filter(|entry| entry.after >= from.after);
        later
            .filter(|entry| entry.after.saturating_sub(from.after) < WINDOW.mul_f64(0.98))
            .count()
    };
    refused.iter().map(within).max().unwrap_or_default()
}

fn is_told(object: &TaurusProxyPort) -> bool {
    ["CredentialsInvalid", "CredentialsLocked"].contains(&reason(object))
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_the_secret_of_another_tenant_s_key_cannot_lock_it() {
    let fleet = Fleet::sample().numbered(MANY);
    let world = World::start(options(Mode::M2).fleet(fleet)).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    for number in 0..MANY {
        let guess = format!("guess-{number}");
        let pairs = [("accessKey", sample::ACCESS_KEY), ("secretKey", &guess)];
        world.secret(&guess, &pairs).await;
        let resource = with_secret(world.numbered(number, 3307), &guess);
        world.create(&resource).await;
    }
    for number in 0..MANY {
        let name = format!("numbered-{number}");
        world.recorder.until(&name, "told", is_told).await;
    }
    // The victim goes on working all the while, over two windows and more.
    let began = refused(&world)[0].after;
    let lasted = || {
        world
            .sim
            .journal()
            .last()
            .map(|entry| entry.after.saturating_sub(began))
    };
    for port in 3308..3320 {
        world.want_now(port).await;
        world.until_ready(port).await;
        assert_eq!(world.sim.blocked_until(sample::ACCESS_KEY), None);
        if lasted() > Some(WINDOW * 3) {
            break;
        }
    }
    world
        .until_true("three windows", || lasted() > Some(WINDOW * 3))
        .await;
    let refused = refused(&world);
    let most = most_within_the_window(&refused);
    assert!((3..=4).contains(&most), "{most} of {}", refused.len());
    // The guesses were spread: nobody but the guessers was ever refused.
    let victims = Filter::all().instance(sample::INSTANCE);
    let statuses = world.sim.entries(&victims);
    assert!(statuses.iter().all(|entry| entry.status() != Some(401)));
    assert_eq!(world.sim.blocked_until(sample::ACCESS_KEY), None);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_pair_in_many_secrets_is_tried_as_if_it_were_in_one() {
    let fleet = Fleet::sample().numbered(MANY);
    let world = World::start(options(Mode::M2).fleet(fleet)).await;
    world.until_neighbour_is_ready().await;
    let wrong = [("accessKey", sample::ACCESS_KEY), ("secretKey", "mistyped")];
    let right = [
        ("accessKey", sample::ACCESS_KEY),
        ("secretKey", sample::SECRET_KEY),
    ];
    for number in 0..MANY {
        let secret = format!("tenant-{number}");
        world.secret(&secret, &wrong).await;
        let resource = with_secret(world.numbered(number, sample::PORT), &secret);
        world.create(&resource).await;
    }
    for number in 0..MANY {
        let name = format!("numbered-{number}");
        world.recorder.until(&name, "told", is_told).await;
    }
    world
        .until_true("tried once more", || refused(&world).len() > 1)
        .await;

    // One of them mends its Secret, and has not to wait for it; the others follow.
    world.secret("tenant-0", &right).await;
    world
        .until_passing_of("numbered-0", "mended", is_ready)
        .await;
    for number in 1..MANY {
        world.secret(&format!("tenant-{number}"), &right).await;
    }
    for number in 1..MANY {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "mended", is_ready).await;
    }
    // However long it took: one try at a time, as of one resource.
    let refused: Vec<_> = refused(&world).iter().map(|entry| entry.after).collect();
    for two in refused.windows(2) {
        let apart = two[1].saturating_sub(two[0]);
        assert!(apart >= WINDOW.mul_f64(0.98), "{refused:?}");
    }
    let lists = world.sim.count(&Filter::on(Operation::List));
    assert!(lists >= MANY, "{lists}");
    world.finish().await;
}
