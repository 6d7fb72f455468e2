//! Everything at once, for as long as you like: `make soak`.
//!
//! Two processes of the operator as it is shipped, with leader election, look after some hundred resources on a real API
//! server, while people edit, others move ports, both sides fail, and whoever leads is killed. Then all faults end, and
//! everything has to come to rest and stay as it is. A seed decides what happens and when; the processes are real, so their
//! steps fall as they fall.

use std::{sync::Arc, time::Duration};

use crate::stories::churn;

mod book;
mod end;
mod fleet;
mod handover;
mod ledger;
mod logs;
mod memory;
mod people;
mod plan;
mod play;
mod replica;
mod report;
mod rest;
mod secrets;
mod services;
mod settings;
mod stage;
mod trouble;
mod versions;

use plan::Event;
use settings::Settings;
use stage::Stage;

/// By how much the operator's durations are divided: half an hour is 30 hours of the contract.
const DIVISOR: u32 = 60;

/// Ten minutes, divided: how often a settled resource is looked at.
const RESYNC: Duration = Duration::from_secs(600 / DIVISOR as u64);

/// Where the Lease is, as `deploy/base` has it.
const LEASE_NAMESPACE: &str = "taurus-system";

/// With fewer resources a run is to show that the soak itself works.
const LEAST_IN_FULL: usize = 100;

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes as long as it is told to: make soak"]
async fn everything_goes_wrong_for_a_long_time_and_every_promise_holds() {
    let settings = Settings::from_environment();
    let plan = plan::of(settings.seed, settings.length, settings.resources);
    println!(
        "soak: SEED={} MINUTES={} RESOURCES={}, {} events; durations are divided by {DIVISOR}",
        settings.seed,
        settings.length.as_secs() / 60,
        settings.resources,
        plan.len(),
    );
    let stage = Arc::new(Stage::set(settings).await);
    let mut running = stage.start().await;
    stage.play(&plan).await;
    stage.log.say("all faults end");
    trouble::end(&stage.sim);
    let mut restless = stage.come_to_rest("by itself", false).await;
    stage.help().await;
    restless.extend(stage.come_to_rest("with a person's help", true).await);
    let disturbed = stage.keep_quiet().await;
    running.shutdown().await;
    for replica in &stage.replicas {
        replica.stop().await;
    }
    let events: Vec<Event> = plan.into_iter().map(|(_, event)| event).collect();
    let report = report::of(&stage, &events, &restless, &disturbed).await;
    report.conclude(stage.log.path());
}

/// Field case A14 in its full size.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "thousands of resources: make soak"]
async fn as_many_waves_of_new_names_as_in_the_field_leave_nothing_in_memory() {
    let each = Settings::from_environment().resources;
    if each < LEAST_IN_FULL {
        println!("left out: it is a story of `make test` with so few resources as {each}");
        return;
    }
    churn::waves(each).await;
}
