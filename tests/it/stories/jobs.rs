//! Following a job to its end, and telling the truth about it meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{JobOutcome, JobPlan, MissingJob, Mode, Operation, PortShows};

use crate::world::{
    World, condition, has_change, in_all_modes, is_ready, job_id, job_of, message, operator::Setup,
    options, reason,
};

in_all_modes! {
    b05_ready_is_told_only_once_the_job_has_ended_and_the_port_is_seen: ready_comes_last;
    b07_the_text_of_a_failure_is_gone_once_another_change_runs: failures_are_forgotten;
    b12_a_list_that_lags_behind_a_finished_job_leads_to_no_second_change: lagging_list;
    e15_a_job_that_cannot_be_queried_yet_is_no_failure: not_visible_yet;
    e19_a_completed_job_without_the_port_is_not_believed: completed_without_port;
    a_job_that_never_ends_is_overdue_and_holds_back_every_other_change: never_ending;
}

async fn ready_comes_last(mode: Mode) {
    let world = World::start(options(mode)).await;
    world.want(3307).await;
    world.until_change(1).await;
    let running = world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    world.until_more(Operation::Job, 5).await;
    for object in world.recorder.versions_of("orders") {
        assert!(!is_ready(&object), "{object:#?}");
    }
    assert_eq!(reason(&running), "JobRunning");

    world.pass(60);
    let ready = world.until_ready(3307).await;
    assert!(!has_change(&ready));
    assert_eq!(condition(&ready, "PortInSync"), "True");
    assert_eq!(condition(&ready, "JobSucceeded"), "True");
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn b29_what_the_list_shows_while_a_job_runs_is_told_with_its_time_and_the_port_stands_still()
{
    let world = World::start(options(Mode::M4)).await;
    let proxy = taurus_sim::sample::PROXY;
    world.sim.next_job_of(proxy, job_of(3600));
    world.want(3307).await;
    let in_sync = |object: &TaurusProxyPort| -> String {
        let conditions = object.status.iter().flat_map(|status| &status.conditions);
        let mut own = conditions.filter(|condition| condition.type_ == "PortInSync");
        own.next()
            .map_or_else(String::new, |own| own.message.clone())
    };
    let running = world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    let before = in_sync(&running);
    assert!(
        before.contains("showed port 3306 before the change began at 20"),
        "{before}"
    );
    let shown = world
        .until("telling what the list shows", |object| {
            in_sync(object)
                .starts_with("the cloud shows port 3307 while the change goes on: first seen at 20")
        })
        .await;
    assert_eq!(condition(&shown, "PortInSync"), "True");
    assert_eq!(shown.status.as_ref().unwrap().port, Some(3306));
    assert_eq!(reason(&shown), "JobRunning");

    world.pass(3600);
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

async fn failures_are_forgotten(mode: Mode) {
    const WHY: &str = "no room for the first one";
    let world = World::start(options(mode)).await;
    world
        .sim
        .next_job_of(taurus_sim::sample::PROXY, JobPlan::failing(WHY));
    world.want(3307).await;
    world.until_change(1).await;
    let failed = world
        .until_passing("failed", |object| reason(object) == "BackingOff")
        .await;
    assert!(message(&failed).contains(WHY), "{}", message(&failed));
    assert_eq!(condition(&failed, "JobSucceeded"), "False");

    world.want_now(3308).await;
    let second = world
        .until("following the second job", |object| {
            object.spec.port == 3308 && job_id(object).is_some()
        })
        .await;
    assert_eq!(reason(&second), "JobRunning");
    assert!(!message(&second).contains(WHY), "{}", message(&second));
    let ready = world.until_ready(3308).await;
    for condition in ready.status.unwrap().conditions {
        assert!(!condition.message.contains(WHY), "{condition:?}");
        assert_ne!(condition.status, "False", "{condition:?}");
    }
    // The first port is tried once or, if the wish for another came late, once more.
    let asked = world.asked_for();
    assert_eq!(asked.last(), Some(&3308), "{asked:?}");
    assert!(
        asked.iter().filter(|port| **port == 3308).count() == 1,
        "{asked:?}"
    );
    world.finish().await;
}

async fn lagging_list(mode: Mode) {
    let lag = PortShows::After(Duration::from_secs(90));
    let world = unhurried(mode).await;
    let job = job_of(60).port_shows(lag);
    world.sim.next_job_of(taurus_sim::sample::PROXY, job);
    world.want(3307).await;
    world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    world.pass(60);
    let verifying = world
        .until("verifying", |object| reason(object) == "Verifying")
        .await;
    assert!(!is_ready(&verifying));
    world.until_more(Operation::List, 3).await;
    world.pass(90);
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

async fn not_visible_yet(mode: Mode) {
    for missing in [MissingJob::Code, MissingJob::NotFound, MissingJob::NullJob] {
        let world = unhurried(mode).await;
        world
            .sim
            .configure(|behaviour| behaviour.missing_job = missing);
        let job = job_of(60).visible_after(Duration::from_secs(15));
        world.sim.next_job_of(taurus_sim::sample::PROXY, job);
        world.want(3307).await;
        world.until_change(1).await;
        world.until_more(Operation::Job, 4).await;
        for object in world.recorder.versions_of("orders") {
            assert_ne!(
                condition(&object, "Stalled"),
                "True",
                "{missing:?}: {object:#?}"
            );
            assert_ne!(
                condition(&object, "JobSucceeded"),
                "False",
                "{missing:?}: {object:#?}"
            );
        }
        world.pass(15);
        world.until_more(Operation::Job, 2).await;
        world.pass(45);
        world.until_ready(3307).await;
        assert_eq!(world.asked_for(), [3307], "{missing:?}");
        world.finish().await;
    }
}

async fn completed_without_port(mode: Mode) {
    let job = job_of(5).port_shows(PortShows::Never);
    let world = World::start(options(mode)).await;
    for _ in 0..4 {
        world
            .sim
            .next_job_of(taurus_sim::sample::PROXY, job.clone());
    }
    world.want(3307).await;
    for attempt in 1..=4 {
        let submitted = |object: &TaurusProxyPort| {
            let status = object.status.as_ref();
            let change = status.and_then(|status| status.change.as_ref());
            change.is_some_and(|change| change.attempt == attempt && change.job_id.is_some())
        };
        world.until("following its job", submitted).await;
        // The job ends, and so short a while ago that its port may still be expected.
        world.pass(8);
    }
    let stalled = world
        .until("stalled", |object| condition(object, "Stalled") == "True")
        .await;
    assert_eq!(reason(&stalled), "VerificationFailed");
    for object in world.recorder.versions_of("orders") {
        assert!(!is_ready(&object), "{object:#?}");
    }
    // One, five and fifteen minutes apart, here seconds.
    let gaps = world.gaps_between_changes();
    assert_eq!(world.asked_for(), [3307; 4]);
    for (gap, least) in gaps.iter().zip([1, 5, 15]) {
        assert!(*gap >= Duration::from_secs(least), "{gaps:?}");
    }
    world.want_now(3308).await;
    world.until_ready(3308).await;
    assert_eq!(world.asked_for(), [3307, 3307, 3307, 3307, 3308]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e17_the_spelling_of_an_end_does_not_matter() {
    for word in ["COMPLETED", "completed", "Completed", "Completed "] {
        let job = job_of(5).end_word(word);
        let world = World::start(options(Mode::M2).job(job)).await;
        world.want(3307).await;
        world.until_ready(3307).await;
        assert_eq!(world.asked_for(), [3307], "{word}");
        world.finish().await;
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e17_an_unknown_word_is_a_job_that_still_runs_and_is_shown() {
    for (word, shown) in [
        (json!("SUCCESS"), "SUCCESS"),
        (json!("Rollbacking"), "Rollbacking"),
        (Value::Null, "no status"),
    ] {
        let job = job_of(60).running_word(word);
        let world = World::start(options(Mode::M2).job(job)).await;
        world.want(3307).await;
        let running = world
            .until("following its job", |object| {
                message(object).contains(shown)
            })
            .await;
        assert_eq!(reason(&running), "JobRunning");
        world.until_more(Operation::Job, 5).await;
        assert!(!is_ready(&world.get().await), "{shown}");
        world.pass(60);
        world.until_ready(3307).await;
        assert_eq!(world.asked_for(), [3307], "{shown}");
        world.finish().await;
    }
}

/// A world whose operator leaves a loaded machine the time to move the simulator's clock within its windows.
async fn unhurried(mode: Mode) -> World {
    World::start_with(
        options(mode),
        Setup {
            divisor: 6,
            ..Setup::default()
        },
    )
    .await
}

/// A minute of the resource's own is a second here.
async fn never_ending(mode: Mode) {
    let world = World::start(options(mode)).await;
    world.until_neighbour_is_ready().await;
    let (days, proxy) = (10 * 24 * 3600, taurus_sim::sample::PROXY);
    world.sim.next_job_of(proxy, job_of(days));
    let mut resource = world.resource(3307);
    resource.spec.change_timeout = Some("1m".to_owned());
    world.create(&resource).await;
    world.until_change(1).await;
    let overdue = world
        .until("overdue", |object| reason(object) == "JobOverdue")
        .await;
    let job = job_id(&overdue).unwrap().to_owned();
    for word in [&*job, " since 20", "(1 min)"] {
        assert!(message(&overdue).contains(word), "{}", message(&overdue));
    }

    // Still so after an hour of it, and with another port wanted.
    world.pass(3600);
    world.until_more(Operation::Job, 2).await;
    world.want_now(3308).await;
    world.pass(3600);
    world.until_more(Operation::Job, 2).await;
    let shown = world.get().await;
    assert_eq!(reason(&shown), "JobOverdue", "{shown:#?}");
    assert_eq!(job_id(&shown), Some(job.as_str()));
    assert_eq!(world.asked_for(), [3307]);

    // What nobody hoped for any more.
    world.sim.end_job(&job, JobOutcome::Completed).unwrap();
    world.until_ready(3308).await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    world.finish().await;
}
