//! The page of log fields: each field that the program's own lines have, in its source and in what it really logs, has a row.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use taurus_sim::{Answer, Effect, Fault, Mode, Operation, sample};

use crate::world::{World, options, program::Program, tools::root};

const PAGE: &str = include_str!("../../../docs/logs.md");

/// Fields of every line, which no call names, and the one that comes with a reconcile.
const OF_ALL: [&str; 5] = ["timestamp", "level", "target", "message", "span"];

fn documented() -> BTreeSet<&'static str> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap()).collect()
}

fn sources(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            // Tests log what they like.
            texts.push(
                text.split("#[cfg(test)]\nmod tests")
                    .next()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
}

/// The arguments of a call, which begins behind its opening bracket, without what stands in quotes.
fn arguments(call: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut arguments = vec![String::new()];
    for letter in call.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            ')' if depth == 0 => break,
            ',' if depth == 0 => arguments.push(String::new()),
            _ => {
                depth += i32::from("([{".contains(letter)) - i32::from(")]}".contains(letter));
                arguments.last_mut().unwrap().push(letter);
            }
        }
    }
    arguments
}

/// The fields that the calls of a source name.
fn fields(source: &str) -> BTreeSet<String> {
    let levels = ["error", "warn", "info", "debug", "trace"];
    let mut fields = BTreeSet::new();
    for level in levels {
        for call in source.split(&format!("tracing::{level}!(")).skip(1) {
            let named = arguments(call)
                .into_iter()
                .filter(|argument| !argument.trim().is_empty());
            fields.extend(named.map(|argument| {
                let name = argument.split('=').next().unwrap().trim();
                name.trim_start_matches(['%', '?']).to_owned()
            }));
        }
    }
    fields
}

#[test]
fn every_field_that_the_source_names_has_a_row_and_no_other() {
    let mut texts = Vec::new();
    sources(&root().join("src"), &mut texts);
    let mut named: BTreeSet<String> = texts.iter().flat_map(|text| fields(text)).collect();
    assert!(named.len() > 20, "{named:?}");
    named.extend(OF_ALL.map(str::to_owned));
    let documented: BTreeSet<String> = documented().into_iter().map(str::to_owned).collect();
    assert_eq!(documented, named);
}

#[test]
fn fields_are_found_in_calls_of_all_shapes() {
    let source = r#"tracing::info!(%error, ?wait, name = object.name(a, b), change = %id, "a, b = c {x}");
        tracing::warn!("only a text (with, brackets)");"#;
    let found: Vec<String> = fields(source).into_iter().collect();
    assert_eq!(found, ["change", "error", "name", "wait"]);
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_the_programs_lines_has_a_row_and_each_decision_its_line() {
    let world = World::without_operator(options(Mode::M2)).await;
    let fault = Fault::on(
        Operation::Change,
        Effect::respond(Answer::error(500, "DBS.108000", "no")),
    );
    world.sim.inject(fault.instance(sample::INSTANCE).once());
    let mut program = Program::start(&world).await;
    world.want(3307).await;
    world.until_change(2).await;
    world.pass(90);
    world.until_ready(3307).await;
    world.until_neighbour_is_ready().await;
    program.signal("TERM").await;
    assert!(program.ended().await.success());
    let ours = |line: &Value| {
        line["target"]
            .as_str()
            .is_some_and(|it| it.starts_with("taurus_port_operator"))
    };
    let log = program.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let documented = documented();
    for line in lines.iter().filter(|line| ours(line)) {
        for field in line.as_object().unwrap().keys() {
            assert!(documented.contains(field.as_str()), "{field}: {line}");
        }
    }
    // The story of the resource, decision by decision.
    let told: Vec<String> = lines
        .iter()
        .filter(|line| ours(line) && line["name"] == "orders" && !line["reason"].is_null())
        .map(|line| line["reason"].as_str().unwrap().to_owned())
        .collect();
    for reason in ["JobRunning", "OutcomeUnknown", "Settled"] {
        assert!(told.iter().any(|it| it == reason), "{reason}: {told:?}");
    }
    // A reason may come again where another was in between that is written without a line.
    for line in lines.iter().filter(|line| ours(line)) {
        let (reason, was) = (&line["reason"], &line["was"]);
        assert!(reason.is_null() || reason != was, "no transition: {line}");
    }
    world.finish().await;
}
