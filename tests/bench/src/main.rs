//! What an operator costs at scale: memory, start, processor time, latency, requests.
//!
//! Relies on the control plane and the simulator, and measures the operator's process from outside, so that any operator for
//! the same resources can be measured beside ours. Times are those of the machine with everything on it; compare the columns.
#![expect(clippy::print_stdout, reason = "a program for people")]

mod cluster;
mod edits;
mod fleet;
mod observer;
mod phases;
mod process;
mod report;
mod round_trips;
mod settings;
mod subject;

use clap::Parser as _;

use crate::{report::Report, settings::Settings, subject::Subject};

/// Whatever goes wrong ends the measurement, with a text for people.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    // An error means that there is a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Settings::parse();
    let subjects = Subject::all(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut report = Report::default();
    for &count in &settings.resources {
        for subject in &subjects {
            println!("{}: {count} resources", subject.name);
            let figures = runtime.block_on(phases::measure(&settings, subject, count))?;
            report.add(count, subject.name, figures);
        }
    }
    print!("\n{report}");
    Ok(())
}
