//! The model of the change protocol.
mod act;
mod clock;
mod memory;
mod mutations;
mod paper;
mod planner;
mod protocol;
mod rest;
mod rules;
mod sky;
mod state;
mod turn;

use std::time::Instant;
use stateright::{Checker as _, HasDiscoveries, Model as _};

use crate::{protocol::{Bounds, Protocol}, planner::Real, sky::Mode};

#[test]
fn explore() {
    let get = |name: &str, default: u8| std::env::var(name).map_or(default, |v| v.parse().unwrap());
    let all = vec![Mode::Changing, Mode::Hidden, Mode::Doubling, Mode::Hasty];
    let modes = match std::env::var("MODE") { Ok(v) => vec![all[v.parse::<usize>().unwrap()]], Err(_) => all };
    let bounds = Bounds { modes, edits: get("EDITS", 0), faults: get("FAULTS", 0), nonsense: None };
    println!("{bounds:?}");
    let begun = Instant::now();
    let checker = Protocol::new(Real, bounds).checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{} states, {} unique, depth {}, {:?}", checker.state_count(), checker.unique_state_count(), checker.max_depth(), begun.elapsed());
    for (name, path) in checker.discoveries() {
        println!("BROKEN: {name}");
        let mut last = None;
        for (state, event) in path.into_vec() { 
            println!("  {:?}\n      paper {:?}\n      sky {:?}\n      crew {:?}", last, state.object, state.sky, state.crew);
            last = event; 
        }
    }
}
