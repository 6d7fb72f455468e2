//! Many cases, many at once: all that there are, or some by chance.

use std::any::Any;

use futures::{StreamExt as _, stream};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng, seq::IndexedRandom as _};
use taurus_sim::Mode;
use tokio::time::Instant;

use super::{
    case::{Case, Moment, Point, Side},
    play::play,
    story::Story,
    totals::{Told, Totals},
};
use crate::world::verdicts;

/// A line of progress after so many runs.
const STRIDE: usize = 50;

/// By chance, a request is drawn among so many; where a story has fewer, its process lives on.
const DRAWN: usize = 30;

/// Stories with their modes.
type Plans<'a> = &'a [(Story, Mode)];

/// Kills at every request of these stories, after its effect and, if `before` and it can have one, before it.
///
/// They are told without a kill first, which counts the requests. Another run may make more: it goes on until a run is not
/// killed any more.
pub async fn every_request(plans: Plans<'_>, before: bool, at_once: usize) -> Totals {
    let calm = plans.iter().map(|plan| case(*plan, Vec::new()));
    let (mut totals, counted) = run(calm.collect(), at_once).await;
    let mut cases = Vec::new();
    for (Case { story, mode, .. }, told) in counted {
        for (side, last) in Side::ALL.into_iter().zip(told.requests) {
            let moment = Moment::After;
            let at = |nth| case((story, mode), vec![Point { side, nth, moment }]);
            cases.extend((1..=last + 1).map(at));
        }
    }
    let (mut killed, mut with_effect) = (cases.clone(), Vec::new());
    while !killed.is_empty() {
        let (more, told) = run(killed, at_once).await;
        totals.join(more);
        let told = told.into_iter().filter(|(_, told)| told.kills > 0);
        let told: Vec<(Case, Told)> = told.collect();
        let effective = told.iter().filter(|(_, told)| !told.only_reads);
        with_effect.extend(effective.map(|(case, _)| case.clone()));
        // Of those that were killed, the ones beyond which nobody has looked yet.
        let further = told.into_iter().map(|(case, _)| one_further(case));
        killed = further.filter(|case| !cases.contains(case)).collect();
        cases.extend(killed.iter().cloned());
    }
    if before {
        let cases = with_effect.into_iter().map(before_its_effect).collect();
        totals.join(run(cases, at_once).await.0);
    }
    totals
}

/// Kills by chance, in so many runs, at one or two requests of each.
pub async fn by_chance(plans: Plans<'_>, count: usize, seed: u64, at_once: usize) -> Totals {
    let mut random = SmallRng::seed_from_u64(seed);
    let cases = (0..count).map(|_| {
        let plan = *plans.choose(&mut random).expect("there are stories");
        let points = random.random_range(1..=2);
        case(plan, (0..points).map(|_| point(&mut random)).collect())
    });
    run(cases.collect(), at_once).await.0
}

/// This one.
pub async fn one(case: Case) -> Totals {
    run(vec![case], 1).await.0
}

fn point(random: &mut SmallRng) -> Point {
    Point {
        side: *Side::ALL.choose(random).expect("there are two"),
        nth: random.random_range(1..=DRAWN),
        moment: *Moment::ALL.choose(random).expect("there are two"),
    }
}

fn case((story, mode): (Story, Mode), points: Vec<Point>) -> Case {
    Case {
        story,
        mode,
        points,
    }
}

fn one_further(mut case: Case) -> Case {
    for point in &mut case.points {
        point.nth += 1;
    }
    case
}

fn before_its_effect(mut case: Case) -> Case {
    for point in &mut case.points {
        point.moment = Moment::Before;
    }
    case
}

/// Runs them, and gives what has come of those that were told to their end.
async fn run(cases: Vec<Case>, at_once: usize) -> (Totals, Vec<(Case, Told)>) {
    verdicts::needed();
    let begun = Instant::now();
    let all = cases.len();
    let mut totals = Totals::default();
    let mut ended = Vec::new();
    let mut playing = stream::iter(cases)
        .map(|case| async {
            let of_it = case.clone();
            let playing = tokio::spawn(async move { play(&of_it).await });
            let told = playing.await.map_err(|error| message(error.into_panic()));
            (case, told)
        })
        .buffer_unordered(at_once);
    while let Some((case, told)) = playing.next().await {
        totals.add(&case, &told);
        totals.took = begun.elapsed();
        if totals.runs().is_multiple_of(STRIDE) || totals.runs() == all {
            println!("{} of {all}: {totals}", totals.runs());
        }
        ended.extend(told.ok().map(|told| (case, told)));
    }
    (totals, ended)
}

/// What a panic says.
fn message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic
            .downcast_ref::<&str>()
            .map_or_else(String::new, ToString::to_string),
    }
}
