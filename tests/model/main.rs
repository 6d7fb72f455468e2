//! A model of the change protocol, explored to the end by a model checker.
//!
//! The operator's own `look`, `decide`, `settle`, `summary` and session are called in every step; the API server, the cloud,
//! processes, time and everything that goes wrong are the model's. `docs/reliability.md` says what is in it and what is
//! not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::allow_attributes,
    reason = "helpers of tests"
)]

use std::time::Instant;

use stateright::{Checker, Model as _, report::WriteReporter};

use crate::{
    event::Nonsense,
    planner::Real,
    protocol::{Bounds, Protocol},
    sky::Mode,
};

mod act;
mod choices;
mod clock;
mod event;
mod happen;
mod memory;
mod mutations;
mod paper;
mod planner;
mod properties;
mod protocol;
mod rest;
mod rules;
mod sky;
mod state;
mod turn;

/// Most of what a step does is to make small values and to drop them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Explores all of it, tells how much that was, and holds every property.
fn explore(bounds: Bounds) -> String {
    let begun = Instant::now();
    let jumps = if bounds.jumps {
        ", clocks that jump at every step"
    } else {
        ""
    };
    let gate = if bounds.gate { ", a gate" } else { "" };
    let text = format!(
        "{} edits, {} faults{jumps}{gate}",
        bounds.edits, bounds.faults
    );
    let checker = Protocol::new(Real, bounds)
        .checker()
        .threads(2)
        .spawn_bfs()
        .join_and_report(&mut WriteReporter::new(&mut std::io::stderr()));
    let states = grouped(checker.unique_state_count());
    let told = format!("{text}: {states} states");
    println!(
        "{told}, at most {} steps away, {} s",
        checker.max_depth(),
        begun.elapsed().as_secs()
    );
    for (name, path) in checker.discoveries() {
        if !name.starts_with("a ") {
            println!("broken: {name}");
            for (state, event) in path.into_vec() {
                println!("{state:?}\n--- {event:?}");
            }
        }
    }
    checker.assert_properties();
    told
}

/// A number as people read it.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    let groups = groups.into_iter().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(" ")
}

fn bounds(edits: u8, faults: u8) -> Bounds {
    Bounds {
        modes: vec![Mode::Changing, Mode::Hidden, Mode::Doubling, Mode::Hasty],
        edits,
        faults,
        jumps: false,
        gate: false,
        nonsense: None,
    }
}

/// How many there are to be: 1, where nobody says anything else.
fn number(name: &str) -> u8 {
    let said = std::env::var(name).ok();
    said.map_or(1, |text| text.parse().unwrap())
}

/// What the documentation says of the model's size.
fn is_documented(told: &str) {
    let docs = include_str!("../../docs/reliability.md");
    assert!(docs.contains(told), "docs/reliability.md lacks \"{told}\"");
}

/// Where nothing is optimised, in the mode that shows the most.
#[test]
fn without_faults_no_rule_is_broken_and_it_comes_to_rest() {
    if cfg!(debug_assertions) {
        explore(Bounds {
            modes: vec![Mode::Hasty],
            ..bounds(1, 0)
        });
    } else {
        is_documented(&explore(bounds(1, 0)));
    }
}

#[test]
#[ignore = "wants optimised code: `make model`"]
fn a_wall_clock_that_jumps_at_every_step_breaks_no_rule() {
    is_documented(&explore(Bounds {
        jumps: true,
        ..bounds(1, 0)
    }));
}

#[test]
#[ignore = "takes minutes, and wants optimised code: `make model`"]
fn whatever_happens_no_rule_is_broken_and_it_comes_to_rest() {
    let (edits, faults) = (number("MODEL_EDITS"), number("MODEL_FAULTS"));
    let told = explore(bounds(edits, faults));
    if matches!((edits, faults), (1, 1) | (2, 0)) {
        is_documented(&told);
    }
}

/// Hours begin and end at any moment, and a person approves any plan that waits, at any moment.
#[test]
#[ignore = "wants optimised code: `make model`"]
fn no_change_begins_outside_its_hours_or_for_an_approval_that_was_used_and_what_may_begin_does() {
    is_documented(&explore(Bounds {
        gate: true,
        ..bounds(1, 0)
    }));
    if number("MODEL_FAULTS") > 0 {
        is_documented(&explore(Bounds {
            gate: true,
            ..bounds(0, 1)
        }));
    }
}

#[test]
fn requests_are_bounded_when_the_cloud_answers_nonsense_for_ever() {
    for nonsense in [
        Nonsense::Fails,
        Nonsense::Lies,
        Nonsense::Lost,
        Nonsense::Busy,
    ] {
        println!("{nonsense:?}");
        explore(Bounds {
            modes: vec![Mode::Doubling],
            nonsense: Some(nonsense),
            ..bounds(0, 0)
        });
    }
}
