//! How much memory a process takes for up to 100,000 settled resources, as the allocator counts it.
//!
//! The API server in memory and the simulator of the cloud are in this process as well, but are there before: what is counted is
//! what the operator adds to them. Time is virtual.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;

use peak_alloc::PeakAlloc;
use taurus_port_operator::{cloud::budget::CallLimit, fleet::limits::Limits};
use taurus_schedules::{Fleet, Terms};
use tokio::{
    runtime::Builder,
    time::{Duration, sleep},
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MINUTE: Duration = Duration::from_mins(1);
const MEBIBYTE: usize = 1024 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    println!("| settled resources | memory that a process takes, MiB | bytes for each |");
    println!("|---|---|---|");
    for resources in [1_000, 10_000, 100_000] {
        // A runtime each, so that nothing is left of the fleet before.
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build()?;
        let bytes = runtime.block_on(taken_by_a_process(resources));
        let (whole, tenths) = (bytes / MEBIBYTE, bytes % MEBIBYTE * 10 / MEBIBYTE);
        println!("| {resources} | {whole}.{tenths} | {} |", bytes / resources);
    }
    Ok(())
}

/// What a process takes once it has looked at all of so many settled resources.
async fn taken_by_a_process(resources: usize) -> usize {
    let terms = Terms {
        calls: CallLimit::unfelt(),
        changes: Limits::default(),
        head_start: Duration::from_hours(1),
    };
    let mut fleet = Fleet::new(resources, 1, 3306).await;
    fleet.start(terms);
    while fleet.ready() < resources {
        sleep(MINUTE).await;
    }
    fleet.stop();
    sleep(MINUTE).await;
    fleet.forget_calls();
    let before = MEMORY.current_usage();
    fleet.start(terms);
    while fleet.calls().len() < resources {
        sleep(MINUTE).await;
    }
    // By then nothing is left of what is kept for a moment only.
    sleep(MINUTE).await;
    fleet.forget_calls();
    MEMORY.current_usage().saturating_sub(before)
}
