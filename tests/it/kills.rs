//! The real program, killed (SIGKILL) at each request that it makes, and started again.
//!
//! A request is lost in one of two ways: before it has its effect, or after it had its effect and before the answer is
//! heard. The process never gets another word, so nothing that it knows survives. Whatever the request was, everything must
//! come right: the port is in place, each change was made once, and every version of the resource kept the rules.
//!
//! What counts as a request: all that the simulator is asked, and all that the API server is asked but watches. A watch
//! does nothing, and there are as many as connections break. There is no Lease: who takes over, and when, is told in
//! `stories/leadership.rs`. Requests that repeat themselves end, because a run ends once the port is in place.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "progress, for whoever waits for it"
)]

mod case;
mod judge;
mod play;
mod story;
mod totals;
mod walk;

use std::{env, str::FromStr};

use taurus_sim::Mode;

use case::Case;
use story::Story;

/// How many worlds there are at once, where `KILLS_AT_ONCE` says nothing else: they mostly wait.
const AT_ONCE: usize = 16;

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_survives_a_kill_after_each_request() {
    let plans = [(Story::Edit, Mode::M1)];
    walk::every_request(&plans, false, AT_ONCE).await.hold();
}

/// `make kills`: every request of every story in every mode; or so many runs by chance, of one or two kills each; or one.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: make kills"]
async fn every_story_survives_kills() {
    let at_once = setting("KILLS_AT_ONCE").unwrap_or(AT_ONCE);
    let all = Story::ALL.map(|story| Mode::ALL.map(|mode| (story, mode)));
    let all = all.as_flattened();
    let totals = if let Some(case) = setting::<Case>("KILL") {
        walk::one(case).await
    } else if let Some(count) = setting("KILLS") {
        let seed = setting("SEED").unwrap_or(1);
        walk::by_chance(all, count, seed, at_once).await
    } else {
        walk::every_request(all, true, at_once).await
    };
    totals.hold();
}

/// A setting of the environment, if it is there and not empty.
fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok().filter(|text| !text.is_empty())?;
    let value = text.parse().ok();
    Some(value.unwrap_or_else(|| panic!("{name}={text} can't be read")))
}
