//! What the real program answers at `/metrics`, as promtool reads it.
//!
//! `promtool check metrics` knows only the older text format: for it the lines that say what a counter is are given the name
//! that its samples have. Whether the answer is OpenMetrics is for promtool's importer to say, which reads nothing else; it wants
//! a time with each sample, which scrapers add.

use std::fmt::Write as _;

use serde_json::json;
use taurus_port_operator::telemetry::metrics::catalogue::FIGURES;
use taurus_sim::Mode;

use super::promtool::{promtool, promtool_on};
use crate::world::{
    World, condition, options,
    program::Program,
    tools::{printed, refusal},
};

/// Any moment.
const MOMENT: &str = "1767225600";

/// The same with a time behind each sample.
fn timed(text: &str) -> String {
    let lines = text.lines().map(|line| {
        if line.starts_with('#') {
            line.to_owned()
        } else {
            format!("{line} {MOMENT}")
        }
    });
    lines.fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    })
}

/// The same in the older text format.
fn classic(text: &str) -> String {
    let kinds: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let kind = |name: &str| {
        kinds
            .iter()
            .find(|(it, _)| *it == name)
            .map(|(_, kind)| *kind)
    };
    let mut classic = String::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        let written = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what @ ("HELP" | "TYPE")), Some(name), Some(rest)) => {
                match (kind(name), what) {
                    (Some("counter"), _) => writeln!(classic, "# {what} {name}_total {rest}"),
                    (Some("info"), "HELP") => writeln!(classic, "# HELP {name}_info {rest}"),
                    (Some("info"), _) => writeln!(classic, "# TYPE {name}_info gauge"),
                    _ => writeln!(classic, "{line}"),
                }
            }
            (Some("#"), ..) => Ok(()),
            _ => writeln!(classic, "{line}"),
        };
        written.unwrap();
    }
    classic
}

/// Whether promtool's importer takes a text for OpenMetrics.
fn imported(text: &str) -> std::process::Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("figures"), text).unwrap();
    let import = [
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "figures",
        "blocks",
    ];
    promtool(folder.path(), &import)
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_programs_figures_are_open_metrics_that_promtool_has_nothing_to_say_against() {
    let world = World::without_operator(options(Mode::M2)).await;
    let program = Program::start(&world).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    // One is counted only while something is not published.
    let taken = ["create", "service", "clusterip", "taken", "--tcp=3306"];
    printed(world.kubectl(&taken));
    world
        .patch(json!({"spec": {"service": {"name": "taken"}}}))
        .await;
    world
        .until("a name that is taken", |object| {
            condition(object, "ServicePublished") == "False"
        })
        .await;
    let text = program.until_answer("/metrics", 200).await;
    printed(imported(&timed(&text)));
    let lint = promtool_on(&classic(&text), &["check", "metrics", "--extended"]);
    assert!(lint.stderr.is_empty(), "{lint:?}");
    let cardinality = printed(lint);
    for figure in FIGURES {
        // The table of the extended check has a row for each figure that has been counted.
        assert!(
            cardinality.contains(&figure.name()),
            "{figure:?}: {cardinality}"
        );
    }
    world.finish().await;
}

/// The judges judge: what is wrong is refused.
#[taurus_needs::test]
fn promtool_refuses_what_is_no_open_metrics() {
    let good = "# HELP taurus_x X.\n# TYPE taurus_x counter\ntaurus_x_total 1\n# EOF\n";
    printed(imported(&timed(good)));
    assert!(
        promtool_on(&classic(good), &["check", "metrics"])
            .stderr
            .is_empty()
    );
    let endless = good.replace("# EOF\n", "");
    assert!(refusal(&imported(&timed(&endless))).contains("EOF"));
    let unhelpful = "taurus_x_total 1\n";
    let lint = promtool_on(unhelpful, &["check", "metrics"]);
    assert!(
        String::from_utf8_lossy(&lint.stderr).contains("no help text"),
        "{lint:?}"
    );
}
