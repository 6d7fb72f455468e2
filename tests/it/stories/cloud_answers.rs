//! What the cloud says in the field when it doesn't do what it was asked for: waited out, named, and never made worse.

use std::time::Duration;

use serde_json::{Value, json};
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Answer, Effect, Fault, JobOutcome, JobPlan, Mode, Operation, sample};

use crate::world::{
    DIVISOR, World, condition, in_all_modes, is_ready, job_id, message, options, reason,
};

in_all_modes! {
    b15_a_conflict_that_lasts_is_waited_out_and_is_no_failure: lasting_conflict;
    e05_conflicts_of_unknown_codes_are_waited_out_and_shown: unknown_conflicts;
    e18_jobs_that_end_in_other_ways_than_well_are_no_successes: bad_ends;
    e23_a_port_that_cannot_be_read_is_no_reason_for_a_change: unreadable_ports;
    e31_a_proxy_that_is_at_work_is_waited_for: other_statuses;
}

/// A duration of the contract, at the pace of the stories.
pub fn paced(seconds: u64) -> Duration {
    Duration::from_secs(seconds) / DIVISOR
}

/// No version of this resource asks for a person.
pub fn assert_never_stalled(world: &World, name: &str) {
    for object in world.recorder.versions_of(name) {
        assert_ne!(condition(&object, "Stalled"), "True", "{object:#?}");
    }
}

async fn lasting_conflict(mode: Mode) {
    let world = World::start(options(mode)).await;
    let busy = Fault::on(Operation::Change, Effect::busy("DBS.200019"));
    let fault = world.sim.inject(busy.proxy(sample::PROXY));
    world.want(3307).await;
    let told = world
        .until("told that it is busy", |object| {
            reason(object) == "ProxyBusy"
        })
        .await;
    assert!(message(&told).contains("DBS.200019"), "{}", message(&told));
    // Five minutes of the contract.
    let lasted = || world.gaps_between_changes().iter().sum::<Duration>();
    world
        .until_true("five minutes", || lasted() >= paced(300))
        .await;
    world.sim.remove_fault(fault).unwrap();
    world.until_ready(3307).await;
    assert_never_stalled(&world, "orders");
    for gap in world.gaps_between_changes() {
        assert!(gap >= paced(20), "{gap:?}");
    }
    assert_eq!(world.accepted(), [3307]);
    world.finish().await;
}

async fn unknown_conflicts(mode: Mode) {
    let world = World::start(options(mode)).await;
    let codes = ["DBS.280036", "DBS.200452", "DBS.999999"];
    let without = [
        Answer::json(409, &json!({"error_msg": "not now"})),
        Answer::new(409, ""),
    ];
    let with_code = codes.map(|code| Answer::error(409, code, "not now"));
    for answer in with_code.into_iter().chain(without) {
        let fault = Fault::on(Operation::Change, Effect::respond(answer));
        world.sim.inject(fault.proxy(sample::PROXY).once());
    }
    world.want(3307).await;
    world.until_ready(3307).await;
    assert_never_stalled(&world, "orders");
    let versions = world.recorder.versions_of("orders");
    for code in codes {
        let shown = |object: &TaurusProxyPort| {
            reason(object) == "ProxyBusy" && message(object).contains(code)
        };
        assert!(versions.iter().any(shown), "{code} was not shown");
    }
    // Twenty seconds, doubling up to two minutes.
    let gaps = world.gaps_between_changes();
    assert_eq!(gaps.len(), 5);
    for (gap, least) in gaps.iter().zip([20, 40, 80, 120, 120]) {
        assert!(*gap >= paced(least), "{gaps:?}");
    }
    assert_eq!(world.accepted(), [3307]);
    world.finish().await;
}

async fn bad_ends(mode: Mode) {
    const WHY: &str = "there was no room";
    let failed = |reason: Option<&str>| JobOutcome::Failed {
        reason: reason.map(str::to_owned),
    };
    futures::join!(
        bad_end(mode, failed(Some(WHY)), WHY),
        bad_end(mode, failed(None), "Failed"),
        bad_end(mode, JobOutcome::Canceled, "Canceled"),
        unauthorized(mode),
    );
}

async fn bad_end(mode: Mode, outcome: JobOutcome, said: &str) {
    let job = JobPlan {
        duration: Duration::from_secs(5),
        ..JobPlan::ending(outcome)
    };
    let job = job.visible_after(Duration::ZERO);
    let world = World::start(options(mode)).await;
    for _ in 0..4 {
        world.sim.next_job_of(sample::PROXY, job.clone());
    }
    world.want(3307).await;
    let failed = world
        .until_passing("failed", |object| reason(object) == "BackingOff")
        .await;
    assert!(message(&failed).contains(said), "{}", message(&failed));
    assert_eq!(condition(&failed, "Ready"), "False");
    assert_eq!(condition(&failed, "JobSucceeded"), "False");
    let stalled = world
        .until_passing("given up", |object| reason(object) == "JobFailed")
        .await;
    assert!(message(&stalled).contains(said), "{}", message(&stalled));
    for object in world.recorder.versions_of("orders") {
        assert!(!is_ready(&object), "{object:#?}");
    }
    assert_eq!(world.asked_for(), [3307; 4], "{said}");
    // One, five and fifteen minutes apart; the time of a failure is on record in whole seconds.
    let gaps = world.gaps_between_changes();
    for (gap, least) in gaps.iter().zip([60, 300, 900]) {
        assert!(*gap + Duration::from_secs(1) >= paced(least), "{gaps:?}");
    }
    world.finish().await;
}

async fn unauthorized(mode: Mode) {
    let job = JobPlan::ending(JobOutcome::Unauthorized).visible_after(Duration::ZERO);
    let world = World::start(options(mode)).await;
    world.sim.next_job_of(sample::PROXY, job);
    world.want(3307).await;
    let waiting = world
        .until_passing("waiting for somebody", |object| {
            reason(object) == "JobUnauthorized"
        })
        .await;
    assert_eq!(condition(&waiting, "Stalled"), "True");
    let job = job_id(&waiting).unwrap().to_owned();
    world.until_more(Operation::Job, 4).await;
    world.sim.end_job(&job, JobOutcome::Completed).unwrap();
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

async fn unreadable_ports(mode: Mode) {
    let world = World::start(options(mode)).await;
    let row = |port: Value| {
        let mut row = json!({"pool_id": sample::PROXY, "name": "orders", "status": "ACTIVE", "address": "10.0.0.1",
            "proxy_id": 7, "renamed": {"port": 3307}});
        if port != json!("missing") {
            row["port"] = port;
        }
        Answer::json(200, &json!({"proxy_list": [{"proxy": row}]}))
    };
    let show = |port: Value| {
        let fault = Fault::on(Operation::List, Effect::respond(row(port)));
        world.sim.inject(fault.instance(sample::INSTANCE))
    };
    let first = show(Value::Null);
    world.want(3307).await;
    let mut last = first;
    for port in [
        json!("missing"),
        json!(0),
        json!(""),
        json!("tcp"),
        json!(70_000),
        json!(-1),
        json!([3307]),
        json!(true),
        json!({"value": 3307}),
    ] {
        world.until_more(Operation::List, 2).await;
        let object = world.get().await;
        assert!(!is_ready(&object), "{object:#?}");
        assert_eq!(object.status.and_then(|status| status.port), None);
        world.sim.remove_fault(last).unwrap();
        last = show(port);
        world.ask(&format!("{last:?}")).await;
    }
    world.until_more(Operation::List, 2).await;
    assert!(world.asked_for().is_empty());
    assert_never_stalled(&world, "orders");

    // Digits in text are a number.
    world.sim.remove_fault(last).unwrap();
    let last = show(json!("3306"));
    world.ask("now it can be read").await;
    world.until_change(1).await;
    world.sim.remove_fault(last).unwrap();
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

async fn other_statuses(mode: Mode) {
    let world = World::start(options(mode)).await;
    world
        .sim
        .set_status(sample::PROXY, "CHANGING WEIGHTS")
        .unwrap();
    world.want(3307).await;
    let mut port = 3307;
    for word in [
        "CHANGING WEIGHTS",
        "ADDING PROXY NODE",
        "ENABLING PROXY",
        "POLISHING",
    ] {
        world.sim.set_status(sample::PROXY, word).unwrap();
        world.want_now(port).await;
        let waiting = world
            .until_passing("waiting", |object| {
                object.spec.port == i32::from(port) && message(object).contains(word)
            })
            .await;
        assert_eq!(reason(&waiting), "ProxyBusy", "{word}");
        let changes = world.asked_for().len();
        world.until_more(Operation::List, 3).await;
        assert_eq!(world.asked_for().len(), changes, "{word}");
        world.sim.set_status(sample::PROXY, "ACTIVE").unwrap();
        world.until_ready(port).await;
        assert_eq!(world.asked_for().len(), changes + 1, "{word}");
        port += 1;
    }
    assert_never_stalled(&world, "orders");
    assert_eq!(world.asked_for(), (3307..port).collect::<Vec<_>>());
    world.finish().await;
}
