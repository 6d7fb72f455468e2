//! What kstatus sees, the library that Flux and others wait with: every generation is judged soon, and failure is told from
//! what takes its time. Every story's end has it judge every version too.

use std::time::{Duration, Instant};

use serde_json::json;
use taurus_port_operator::crd::{TaurusProxyPort, TaurusProxyPortStatus, UNOBSERVED};
use taurus_sim::{Answer, Effect, Fault, Filter, Mode, Operation, sample};

use super::{cloud_answers::paced, health::verdicts_of};
use crate::world::{
    World, condition,
    operator::Setup,
    options,
    verdicts::{Health, Kstatus, Verdict},
};

/// At the pace of the contract: seconds here are its seconds.
async fn at_real_pace() -> World {
    let setup = Setup {
        divisor: 1,
        ..Setup::default()
    };
    World::start_with(options(Mode::M2), setup).await
}

/// Waits until the newest generation is judged. That takes at most ten seconds, and here thrice as long: still far less than the
/// cloud's troubles last.
async fn until_observed(world: &World, what: &str, generation: i64) {
    let began = Instant::now();
    let seen = world.until(what, |object| {
        object.metadata.generation == Some(generation)
            && object
                .status
                .as_ref()
                .and_then(|status| status.observed_generation)
                == Some(generation)
    });
    seen.await;
    let took = began.elapsed();
    let most = Duration::from_secs(30) + world.slack().await;
    assert!(took <= most, "{what}: {took:?} of {most:?}");
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c01_every_generation_is_judged_soon_whatever_the_cloud_does() {
    let world = at_real_pace().await;
    world.want(3307).await;
    until_observed(&world, "created", 1).await;
    world.until_ready(3307).await;

    world.patch(json!({"spec": {"changeTimeout": "45m"}})).await;
    until_observed(&world, "nothing to do", 2).await;
    let lists = |effect| Fault::on(Operation::List, effect).instance(sample::INSTANCE);
    world
        .sim
        .inject(lists(Effect::respond(Answer::new(503, ""))));
    world.want_now(3308).await;
    until_observed(&world, "with an error that passes by", 3).await;
    world.sim.clear_faults();
    world.ask("it is over").await;
    world.until_ready(3308).await;

    world.sim.inject(lists(Effect::black_hole()));
    world.want_now(3309).await;
    until_observed(&world, "with a cloud that does not answer", 4).await;
    world.sim.clear_faults();
    let refused = Answer::error(400, "DBS.200461", "the port can't be used");
    let refuse = Fault::on(Operation::Change, Effect::respond(refused)).proxy(sample::PROXY);
    world.sim.inject(refuse);
    // The last job is over for long enough to be believed in.
    world.pass(180);
    world.ask("look again").await;
    let stalled = |object: &TaurusProxyPort| condition(object, "Stalled") == "True";
    world.until_passing("refused", stalled).await;
    world.want_now(3310).await;
    until_observed(&world, "with an error for good", 5).await;
    world.until_passing("refused", stalled).await;
    let last = verdicts_of(&world).await.pop().unwrap();
    assert_eq!(last.kstatus.status, Kstatus::Failed);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c01_a_resource_that_nobody_has_looked_at_is_never_current() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    world.want(3307).await;
    let shown = world.get().await.status.unwrap();
    let default = TaurusProxyPortStatus {
        observed_generation: Some(UNOBSERVED),
        ..TaurusProxyPortStatus::default()
    };
    assert_eq!(shown, default, "by the API server");
    world.patch(json!({"spec": {"changeTimeout": "45m"}})).await;
    world.start_operator().await;
    world.until_ready(3307).await;
    let verdicts = verdicts_of(&world).await;
    let is_ready = |verdict: &&Verdict| verdict.kstatus.status == Kstatus::Current;
    let (last, before) = verdicts.split_last().unwrap();
    assert!(is_ready(&last) && before.len() >= 2, "{verdicts:?}");
    // Of the versions before, none has the wanted port in place.
    let ended = before.iter().rev().skip_while(is_ready);
    for verdict in ended {
        assert_eq!(verdict.kstatus.status, Kstatus::InProgress, "{verdict:?}");
        assert_eq!(verdict.health(), Health::Progressing, "{verdict:?}");
    }
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c06_an_error_for_good_fails_within_thirty_seconds() {
    let world = at_real_pace().await;
    let refused = Answer::error(400, "DBS.200461", "the port can't be used");
    world
        .sim
        .inject(Fault::on(Operation::Change, Effect::respond(refused)).proxy(sample::PROXY));
    let began = Instant::now();
    world.want(3307).await;
    world
        .until("refused", |object| condition(object, "Stalled") == "True")
        .await;
    let took = began.elapsed();
    let most = Duration::from_secs(30) + world.slack().await;
    assert!(took <= most, "{took:?} of {most:?}");
    let last = verdicts_of(&world).await.pop().unwrap();
    assert_eq!(last.kstatus.status, Kstatus::Failed);
    assert_eq!(last.health(), Health::Degraded);
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c06_ten_minutes_of_an_unavailable_cloud_are_progress_and_never_failure() {
    let world = World::start(options(Mode::M2)).await;
    let down = Fault::on(Operation::List, Effect::respond(Answer::new(503, "")));
    world.sim.inject(down.instance(sample::INSTANCE));
    world.want(3307).await;
    let lists = Filter::on(Operation::List).instance(sample::INSTANCE);
    let lasted = || {
        let entries = world.sim.entries(&lists);
        let times = entries.first().zip(entries.last());
        times.map_or(Duration::ZERO, |(first, last)| {
            last.after.saturating_sub(first.after)
        })
    };
    world
        .until_true("ten minutes", || lasted() >= paced(600))
        .await;
    let verdicts = verdicts_of(&world).await;
    for verdict in &verdicts {
        assert_eq!(verdict.kstatus.status, Kstatus::InProgress, "{verdict:?}");
    }
    assert!(verdicts.len() > 1);
    world.sim.clear_faults();
    world.until_ready(3307).await;
    let last = verdicts_of(&world).await.pop().unwrap();
    assert_eq!(last.kstatus.status, Kstatus::Current);
    world.finish().await;
}
