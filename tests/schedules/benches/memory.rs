//! How much memory a process takes for up to 100,000 settled resources, as the allocator counts it.
//!
//! The API server in memory and the simulator of the cloud are in this process as well, but are there before: what is counted is
//! what the operator adds to them. Time is virtual.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;

use peak_alloc::PeakAlloc;
use taurus_port_operator::cloud::budget::CallLimit;
use taurus_schedules::{Fleet, Terms};
use tokio::{
    runtime::Builder,
    time::{Duration, sleep},
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const MEBIBYTE: usize = 1024 * 1024;

/// So many resources are compared with and without a Service each.
const PUBLISHING: usize = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "| settled resources | memory that a process takes, MiB | bytes for each | later, MiB |"
    );
    println!("|---|---|---|---|");
    for (resources, hours) in [(1_000, 24), (10_000, 6), (100_000, 0)] {
        let (taken, later) = measured(resources, false, hours)?;
        let later = if hours == 0 {
            "–".to_owned()
        } else {
            format!("{} after {hours} virtual hours", mebibytes(later))
        };
        let each = taken / resources;
        println!("| {resources} | {} | {each} | {later} |", mebibytes(taken));
    }
    let (without, _) = measured(PUBLISHING, false, 0)?;
    let (with, _) = measured(PUBLISHING, true, 0)?;
    let each = with.saturating_sub(without) / PUBLISHING;
    println!("\nA Service with its slice: {each} bytes more, of {PUBLISHING} resources.");
    Ok(())
}

/// A fleet in a runtime of its own, so that nothing is left of the one before.
fn measured(
    resources: usize,
    publishes: bool,
    hours: usize,
) -> Result<(usize, usize), std::io::Error> {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build()?;
    Ok(runtime.block_on(taken_by_a_process(resources, publishes, hours)))
}

/// What a process takes once it has looked at all of so many settled resources, and so many hours later.
async fn taken_by_a_process(resources: usize, publishes: bool, hours: usize) -> (usize, usize) {
    let terms = Terms {
        calls: CallLimit::unfelt(),
        head_start: HOUR,
        ..Terms::shipped(0)
    };
    let mut fleet = Fleet::new(resources, 1, 3306).await;
    if publishes {
        for number in 0..resources {
            fleet.want_service(number);
        }
    }
    fleet.start(terms);
    while fleet.ready() < resources {
        sleep(MINUTE).await;
    }
    if publishes {
        assert_eq!(fleet.published(), 2 * resources);
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
    let taken = since(before, &fleet);
    for _ in 0..hours {
        sleep(HOUR).await;
        fleet.forget_calls();
    }
    (taken, since(before, &fleet))
}

/// By how much the memory in use has grown, the journal of the cloud left out.
fn since(before: usize, fleet: &Fleet) -> usize {
    fleet.forget_calls();
    MEMORY.current_usage().saturating_sub(before)
}

fn mebibytes(bytes: usize) -> String {
    let tenths = bytes * 10 / MEBIBYTE;
    format!("{}.{}", tenths / 10, tenths % 10)
}
