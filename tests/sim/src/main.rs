//! `taurus-sim`: the simulator as a program.

mod cli;
mod greeting;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use taurus_sim::{Simulator, sample};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even this can't be written there is nobody to tell.
            let _ = writeln!(io::stderr(), "taurus-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until SIGINT or SIGTERM.
async fn run(cli: &Cli) -> Result<(), Box<dyn std::error::Error>> {
    // Before the greeting, so that whoever has read it can end us in good order.
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let options = cli.options()?;
    let given = cli.has_credentials() || !options.accounts.has_access_key(sample::ACCESS_KEY);
    let simulator = Simulator::start(options).await?;
    io::stdout().write_all(greeting::text(&simulator, given).as_bytes())?;
    io::stdout().flush()?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    simulator.stop().await;
    Ok(())
}
