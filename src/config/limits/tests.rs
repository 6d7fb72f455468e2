//! Every limit that can't be used is refused, by flag and environment name.

use clap::Parser as _;

use super::*;
use crate::{
    cli::{Cli, Command},
    config::{Config, ConfigError},
};

fn limits(arguments: &[&str]) -> Result<Limits, ConfigError> {
    let line = ["taurus-port-operator", "run"].iter().chain(arguments);
    let Command::Run(arguments) = Cli::try_parse_from(line).unwrap().command else {
        panic!("not the command that was given");
    };
    Config::new(&arguments).map(|config| config.limits)
}

#[test]
fn without_flags_the_documented_limits_hold() {
    let limits = limits(&[]).unwrap();
    assert_eq!(limits, Limits::default());
    assert_eq!(
        (limits.concurrent, limits.hourly, limits.halt_after),
        (5, 60, 3)
    );
    assert_eq!(limits.halt_for, Duration::from_mins(30));
}

#[test]
fn what_is_given_is_taken() {
    let limits = limits(&[
        "--max-concurrent-changes=1",
        "--max-changes-per-hour=10000",
        "--halt-after-failures= 7 ",
        "--halt-for=1h30m",
    ]);
    let expected = Limits {
        concurrent: 1,
        hourly: 10_000,
        halt_after: 7,
        halt_for: Duration::from_mins(90),
    };
    assert_eq!(limits.unwrap(), expected);
}

#[test]
fn what_would_be_no_limit_or_no_operation_is_refused() {
    for (flag, values) in [
        ("max-concurrent-changes", ["0", "10001", "many", "-1", ""]),
        ("max-changes-per-hour", ["0", "10001", "1.5", "-60", ""]),
        ("halt-after-failures", ["0", "1001", "3x", "-3", ""]),
        ("halt-for", ["0s", "59s", "25h", "30", "half an hour"]),
    ] {
        let name = format!("TAURUS_{}", flag.replace('-', "_").to_uppercase());
        for value in values {
            let error = limits(&[&format!("--{flag}={value}")]).unwrap_err();
            let text = error.to_string();
            let begins = format!("--{flag} ({name}): {value:?} is not a ");
            assert!(text.starts_with(&begins), "{text}");
        }
    }
}
