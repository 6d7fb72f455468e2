//! Every flag has its environment name, and the docs have a row for each.

use std::collections::BTreeSet;

use clap::{Arg, CommandFactory as _};
use serde_json::Value;

use super::*;
use crate::config::Config;

const DOCUMENT: &str = include_str!("../../docs/configuration.md");
const DEPLOYMENT: &str = include_str!("../../deploy/base/deployment.yaml");

fn flags() -> Vec<Arg> {
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    let flags = run.get_arguments().filter(|flag| flag.get_id() != "help");
    flags.cloned().collect()
}

fn environment(flag: &Arg) -> String {
    flag.get_env().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_flag_has_the_environment_name_that_one_expects() {
    assert!(!flags().is_empty());
    for flag in flags() {
        let long = flag.get_long().unwrap();
        let name = long.replace('-', "_").to_uppercase();
        // Some names are everybody's.
        let prefix = if name.starts_with("OTEL_") {
            ""
        } else {
            "TAURUS_"
        };
        let expected = format!("{prefix}{name}");
        assert_eq!(environment(&flag), expected);
    }
}

#[test]
fn the_documented_flags_are_those_that_there_are() {
    let documented: BTreeSet<[String; 3]> = DOCUMENT
        .lines()
        .filter(|line| line.starts_with("| `--"))
        .map(|line| {
            let mut cells = line.split('|').skip(1);
            [(); 3].map(|()| cells.next().unwrap().trim().to_owned())
        })
        .collect();
    let shown = flags();
    let shown = shown.iter().filter(|flag| !flag.is_hide_set());
    let real = shown.map(|flag| {
        let default = flag.get_default_values().first();
        let default = default.map_or_else(
            || "–".to_owned(),
            |default| format!("`{}`", default.to_str().unwrap()),
        );
        let long = format!("`--{}`", flag.get_long().unwrap());
        [long, format!("`{}`", environment(flag)), default]
    });
    assert_eq!(documented, real.collect());
}

#[test]
fn the_deployment_runs_what_is_here() {
    let deployment: Value = serde_saphyr::from_str(DEPLOYMENT).unwrap();
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let arguments = container["args"].as_array().unwrap();
    let variables = container["env"].as_array().unwrap();
    // As flags: a test can't set the environment of a process that other tests run in.
    let variables = variables.iter().map(|variable| {
        let name = variable["name"].as_str().unwrap();
        let flag = flags().into_iter().find(|flag| environment(flag) == name);
        let flag = flag.unwrap_or_else(|| panic!("no flag reads {name}"));
        format!(
            "--{}={}",
            flag.get_long().unwrap(),
            variable["value"].as_str().unwrap()
        )
    });
    let arguments = arguments
        .iter()
        .map(|text| text.as_str().unwrap().to_owned());
    let line = ["operator".to_owned()]
        .into_iter()
        .chain(arguments)
        .chain(variables);
    let Command::Run(arguments) = Cli::try_parse_from(line).unwrap().command else {
        panic!("it must run the operator");
    };
    let config = Config::new(&arguments).unwrap();
    let port = &container["ports"][0];
    assert_eq!(port["containerPort"], config.admin_address.port());
    assert!(
        config.admin_address.ip().is_unspecified(),
        "the kubelet must reach it"
    );
    for (probe, path) in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        let get = &container[probe]["httpGet"];
        assert_eq!(get["path"], path);
        assert_eq!(get["port"], port["name"]);
    }
    assert_eq!(pod["terminationGracePeriodSeconds"], 60);
}

/// The row of a flag in the docs.
fn row(flag: &str) -> &'static str {
    let begin = format!("| `{flag}` |");
    let row = DOCUMENT.lines().find(|line| line.starts_with(&begin));
    row.unwrap_or_else(|| panic!("no row of {flag}"))
}

#[test]
fn rows_of_flags_that_belong_together_name_each_other_and_none_counts_on_its_place() {
    let (directory, identity) = (
        "--default-credentials-dir",
        "--default-credentials-identity",
    );
    for (flag, other) in [(directory, identity), (identity, directory)] {
        for named in [
            other,
            "--default-credentials-namespaces",
            "--default-credentials-projects",
        ] {
            assert!(row(flag).contains(&format!("`{named}`")), "{flag}: {named}");
        }
    }
    assert!(row("--metrics-tls-cert").contains("`--metrics-tls-key`"));
    for line in DOCUMENT.lines().filter(|line| line.starts_with("| `--")) {
        assert!(!line.contains("next"), "rows move: {line}");
    }
}
