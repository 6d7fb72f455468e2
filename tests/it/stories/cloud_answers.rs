//! What the cloud says in the field when it doesn't do what it was asked for: waited out, named, and never made worse.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::{self, FutureExt as _};
use kube::api::ObjectMeta;
use serde_json::{Value, json};
use taurus_port_operator::{cloud::names::Names, crd::TaurusProxyPort};
use taurus_sim::{
    Answer, Effect, Fault, Filter, Fleet, JobOutcome, JobPlan, Mode, Operation, Options, sample,
};

use crate::world::{
    DIVISOR, World, condition, front::Front, in_all_modes, is_ready, is_ready_with, job_id,
    message, operator::Setup, options, reason,
};

in_all_modes! {
    b15_a_conflict_that_lasts_is_waited_out_and_is_no_failure: lasting_conflict;
    e05_conflicts_of_unknown_codes_are_waited_out_and_shown: unknown_conflicts;
    e18_jobs_that_end_in_other_ways_than_well_are_no_successes: bad_ends;
    e23_a_port_that_cannot_be_read_is_no_reason_for_a_change: unreadable_ports;
    e31_a_proxy_that_is_at_work_is_waited_for: other_statuses;
}

/// A duration of the contract, at the pace of the stories.
fn paced(seconds: u64) -> Duration {
    Duration::from_secs(seconds) / DIVISOR
}

/// A resource for the proxy of this number, which has an instance of its own.
pub fn numbered(world: &World, number: usize, port: u16) -> TaurusProxyPort {
    let mut resource = world.resource(port);
    resource.spec.instance_id = Fleet::numbered_instance(number);
    resource.spec.proxy_id = Fleet::numbered_proxy(number);
    TaurusProxyPort {
        metadata: ObjectMeta {
            name: Some(format!("numbered-{number}")),
            ..resource.metadata
        },
        ..resource
    }
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
        "frozen",
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e06_what_is_not_there_is_told_in_one_way_however_the_cloud_says_it() {
    let gone = [
        Answer::new(404, ""),
        Answer::error(400, "DBS.201028", "no such instance"),
        Answer::error(409, "DBS.200932", "?"),
        Answer::error(403, "DBS.2000044", "no such resource"),
        Answer::error(400, "DBS.05000044", "no such proxy"),
        Answer::json(200, &json!({"proxy_list": []})),
    ];
    let fleet = Fleet::sample().numbered(gone.len());
    let world = World::start(options(Mode::M2).fleet(fleet)).await;
    for (number, answer) in gone.iter().enumerate() {
        let fault = Fault::on(Operation::List, Effect::respond(answer.clone()));
        let instance = Fleet::numbered_instance(number);
        world.sim.inject(fault.instance(&instance));
        world.create(&numbered(&world, number, 3307)).await;
    }
    let lists = |number| {
        let instance = Fleet::numbered_instance(number);
        world
            .sim
            .entries(&Filter::on(Operation::List).instance(&instance))
    };
    for number in 0..gone.len() {
        let name = format!("numbered-{number}");
        let told = world
            .recorder
            .until(&name, "not found", |object| {
                condition(object, "Stalled") == "True"
            })
            .await;
        assert!(
            ["InstanceNotFound", "ProxyNotFound"].contains(&reason(&told)),
            "{told:#?}"
        );
        let seen = lists(number);
        let apart = seen[1].after.saturating_sub(seen[0].after);
        assert!(
            apart >= paced(30),
            "it is believed only when seen twice: {apart:?}"
        );
        assert!(seen.len() <= 3, "and then looked at slowly: {}", seen.len());
    }
    world.sim.clear_faults();
    for number in 0..gone.len() {
        let name = format!("numbered-{number}");
        let ready = |object: &TaurusProxyPort| is_ready_with(object, 3307);
        world.until_passing_of(&name, "back", ready).await;
        let proxy = Fleet::numbered_proxy(number);
        let changes = Filter::on(Operation::Change).proxy(&proxy);
        assert_eq!(world.sim.count(&changes), 1);
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e25_a_missing_permission_is_told_with_its_code_and_asked_for_slowly() {
    let nested = json!({"error": {"error_code": "EPS.0004", "error_msg": "no permission in the enterprise project"}});
    let bare = json!({"message": "action forbidden"});
    let refused = [(nested, "EPS.0004"), (bare, "action forbidden")];
    let fleet = Fleet::sample().numbered(2);
    let world = World::start(options(Mode::M2).fleet(fleet)).await;
    for (number, (body, _)) in refused.iter().enumerate() {
        let answer = Effect::respond(Answer::json(403, body));
        let instance = Fleet::numbered_instance(number);
        world
            .sim
            .inject(Fault::on(Operation::List, answer).instance(&instance));
        world.create(&numbered(&world, number, 3307)).await;
    }
    for (number, (_, said)) in refused.iter().enumerate() {
        let told = world
            .recorder
            .until(&format!("numbered-{number}"), "denied", |object| {
                reason(object) == "PermissionDenied"
            })
            .await;
        assert!(message(&told).contains(said), "{}", message(&told));
        let instance = Fleet::numbered_instance(number);
        let lists = Filter::on(Operation::List).instance(&instance);
        // The second look comes with the next resync.
        world
            .until_true("looked at twice", || world.sim.count(&lists) >= 2)
            .await;
        let lists = world.sim.entries(&lists);
        let apart = lists[1].after.saturating_sub(lists[0].after);
        assert!(apart >= paced(600), "{apart:?}");
    }
    world.sim.clear_faults();
    for number in 0..refused.len() {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "allowed", is_ready).await;
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b35_one_resource_that_is_refused_for_ever_uses_up_nothing_that_others_need() {
    const GOOD: usize = 10;
    let fleet = Fleet::sample().numbered(GOOD);
    let mut world = World::without_operator(options(Mode::M2).fleet(fleet)).await;
    world.start_operator_with(Setup::default()).await;
    let refusal = Answer::error(400, "DBS.987654", "for reasons of its own");
    let fault = Fault::on(Operation::List, Effect::respond(refusal));
    world.sim.inject(fault.instance(sample::INSTANCE));
    world.want(3307).await;
    for number in 0..GOOD {
        world.create(&numbered(&world, number, 3307)).await;
    }
    for number in 0..GOOD {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "Ready", is_ready).await;
    }
    // An hour of the contract, from the first call on.
    let first = world.until_more_than(Operation::List, 0).await;
    let since = first.after;
    world
        .until_true("an hour", || {
            let journal = world.sim.journal();
            let last = journal.last().map_or(since, |entry| entry.after);
            last.saturating_sub(since) >= paced(3600)
        })
        .await;
    let calls = |instance: &str| world.sim.count(&Filter::all().instance(instance));
    let of_bad = calls(sample::INSTANCE);
    assert!((2..=20).contains(&of_bad), "{of_bad} calls in an hour");
    for number in 0..GOOD {
        // Each was looked at again with every resync.
        assert!(calls(&Fleet::numbered_instance(number)) >= 5);
    }
    assert!(world.asked_for().is_empty());
    let shown = world.get().await;
    assert!(
        message(&shown).contains("DBS.987654"),
        "{}",
        message(&shown)
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e13_a_project_with_too_many_calls_falls_to_a_trickle_and_others_notice_nothing() {
    const MANY: usize = 20;
    const ELSEWHERE: &str = "77777777777777777777777777777777";
    const OTHER_KEY: (&str, &str) = ("ANOTHERACCOUNTSKEY01", "another-secret-of-no-worth");
    let instance = format!("{}in07", "8".repeat(32));
    let proxy = format!("{}po01", "9".repeat(32));
    let fleet = Fleet::sample()
        .numbered(MANY)
        .project(ELSEWHERE)
        .instance(&instance)
        .proxy(&proxy, sample::PORT);
    let world = World::start(options(Mode::M2).fleet(fleet)).await;
    world.sim.set_access_key(OTHER_KEY.0, OTHER_KEY.1);
    let keys = [("accessKey", OTHER_KEY.0), ("secretKey", OTHER_KEY.1)];
    world.secret("elsewhere", &keys).await;
    world.until_neighbour_is_ready().await;
    let too_many = Answer::error(429, "APIGW.0308", "limit:60,time:1 minute");
    let user = format!("{}/{}", sample::DOMAIN, sample::USER);
    for credential in [sample::ACCESS_KEY, &user] {
        let fault = Fault::everywhere(Effect::respond(too_many.clone()));
        world.sim.inject(fault.credential(credential));
    }
    for number in 0..MANY {
        world.create(&numbered(&world, number, 3307)).await;
    }
    let refused = || {
        let entries = world.sim.journal();
        let refused = entries
            .into_iter()
            .filter(|entry| entry.status() == Some(429));
        refused.map(|entry| entry.after).collect::<Vec<_>>()
    };
    world.until_true("too many", || !refused().is_empty()).await;

    let mut other = numbered(&world, MANY, 3308);
    other.metadata.name = Some("elsewhere".to_owned());
    other.spec.project_id = ELSEWHERE.to_owned();
    other.spec.instance_id.clone_from(&instance);
    other.spec.proxy_id.clone_from(&proxy);
    other.spec.credentials_ref.as_mut().unwrap().name = "elsewhere".to_owned();
    world.create(&other).await;
    world.until_passing_of("elsewhere", "Ready", is_ready).await;

    // Three minutes of the contract.
    let lasted = |times: &[Duration]| times[times.len() - 1].saturating_sub(times[0]);
    world
        .until_true("three minutes", || lasted(&refused()) >= paced(180))
        .await;
    let calls = refused();
    let within = calls
        .iter()
        .filter(|at| at.saturating_sub(calls[0]) <= paced(180))
        .count();
    assert!(
        within <= MANY / 2,
        "{within} calls of {MANY} resources: {calls:?}"
    );
    for number in 0..MANY {
        assert_never_stalled(&world, &format!("numbered-{number}"));
    }
    world.sim.clear_faults();
    for number in 0..MANY {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "Ready", is_ready).await;
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e29_an_account_that_gets_no_answers_holds_up_nobody_else() {
    const SILENT: usize = 20;
    const SERVED: usize = 5;
    const OTHER_KEY: (&str, &str) = ("ANOTHERACCOUNTSKEY01", "another-secret-of-no-worth");
    let call_timeout = Duration::from_secs(20);
    let fleet = Fleet::sample().numbered(SILENT + SERVED);
    let mut world = World::without_operator(Options::fleet(options(Mode::M2), fleet)).await;
    world.sim.set_access_key(OTHER_KEY.0, OTHER_KEY.1);
    let keys = [("accessKey", OTHER_KEY.0), ("secretKey", OTHER_KEY.1)];
    world.secret("elsewhere", &keys).await;
    let setup = Setup {
        resync: Duration::from_secs(1),
        call_timeout: Some(call_timeout),
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    world.until_neighbour_is_ready().await;
    for number in 0..SILENT {
        world.create(&numbered(&world, number, sample::PORT)).await;
    }
    for number in 0..SILENT {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "Ready", is_ready).await;
    }
    let silence = Fault::everywhere(Effect::black_hole()).credential(sample::ACCESS_KEY);
    world.sim.inject(silence);
    let unanswered = || {
        let entries = world.sim.journal();
        entries
            .iter()
            .filter(|entry| entry.outcome == taurus_sim::Outcome::Silent)
            .count()
    };
    world
        .until_true("several calls hang", || unanswered() >= 4)
        .await;

    let began = Instant::now();
    for number in SILENT..SILENT + SERVED {
        let mut resource = numbered(&world, number, 3307);
        resource.spec.credentials_ref.as_mut().unwrap().name = "elsewhere".to_owned();
        world.create(&resource).await;
    }
    for number in SILENT..SILENT + SERVED {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "Ready", is_ready).await;
    }
    let took = began.elapsed();
    assert!(
        took < call_timeout / 2,
        "{took:?}: half as long as a call may hang"
    );
    for number in 0..SILENT {
        assert_never_stalled(&world, &format!("numbered-{number}"));
    }
    let began = Instant::now();
    world.stop_operator().await;
    let took = began.elapsed();
    assert!(took < call_timeout + Duration::from_secs(10), "{took:?}");
    world.sim.clear_faults();
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b16_trouble_at_the_first_contact_never_becomes_permanent_whatever_it_is() {
    // Ten minutes of the contract for each of three kinds of trouble.
    const EACH: Duration = Duration::from_secs(10);
    const HOST: &str = "cloud.example.test";
    let known = Arc::new(AtomicBool::new(true));
    let missed = Arc::new(AtomicUsize::new(0));
    let names = Names::new({
        let (known, missed) = (Arc::clone(&known), Arc::clone(&missed));
        move |host| {
            let known = host == HOST && known.load(Ordering::SeqCst);
            let found = if known {
                Ok(vec![(Ipv4Addr::LOCALHOST, 0).into()])
            } else {
                missed.fetch_add(1, Ordering::SeqCst);
                Err(std::io::Error::other("no such host is known"))
            };
            future::ready(found).boxed()
        }
    });
    let mut world = World::without_operator(options(Mode::M2)).await;
    let front = Front::plain(None, world.sim.address()).await;
    let port = front.port();
    let setup = Setup {
        names,
        hosts: vec![format!("{HOST}:{port}")],
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    let began = Instant::now();
    let down =
        Fault::everywhere(Effect::respond(Answer::new(503, ""))).credential(sample::ACCESS_KEY);
    world.sim.inject(down);
    let mut resource = world.resource(3307);
    resource.spec.endpoint = Some(format!("http://{HOST}:{port}"));
    resource.spec.iam_endpoint = None;
    world.create(&resource).await;
    let passed = async |parts: u32| {
        let over = || began.elapsed() >= EACH * parts;
        world.until_true("ten minutes", over).await;
    };
    world
        .until("told of the first failure", |object| {
            reason(object) == "CloudUnreachable" && message(object).contains("503")
        })
        .await;
    passed(1).await;

    known.store(false, Ordering::SeqCst);
    world.sim.close_idle_connections();
    passed(2).await;
    assert!(missed.load(Ordering::SeqCst) >= 1);

    drop(front);
    known.store(true, Ordering::SeqCst);
    passed(3).await;

    assert_eq!(reason(&world.get().await), "CloudUnreachable");
    world.sim.clear_faults();
    let _front = Front::plain(Some(port), world.sim.address()).await;
    let healed = Instant::now();
    world.until_change(1).await;
    // The longest gap between looks is five minutes.
    let took = healed.elapsed();
    assert!(took <= paced(300) + Duration::from_secs(3), "{took:?}");
    world.until_ready(3307).await;
    assert_never_stalled(&world, "orders");
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}
