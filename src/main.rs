//! Parses the command line and calls the one function that the command stands for.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::Parser as _;
use taurus_port_operator::{
    calendar,
    cli::{Cli, Command},
    clock::Clock,
    crd, run,
    telemetry::logs,
};

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let result = match command {
        Command::Crd => print_crd(),
        Command::CheckCalendar { file } => check_calendar(&file),
        Command::Run(arguments) => run::run(&arguments).map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logs::say_at_last(format!("taurus-port-operator: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn check_calendar(file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let text = calendar::check::report(file, Clock::start().now().wall)?;
    Ok(io::stdout().write_all(text.as_bytes())?)
}

fn print_crd() -> Result<(), Box<dyn std::error::Error>> {
    let text = crd::printed::yaml(&crd::definition())?;
    Ok(io::stdout().write_all(text.as_bytes())?)
}
