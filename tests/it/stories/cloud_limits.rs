//! Limits, silence and outages of the cloud: what one resource or account meets costs the others nothing.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::{self, FutureExt as _};
use taurus_port_operator::cloud::names::Names;
use taurus_sim::{Answer, Effect, Fault, Filter, Fleet, Mode, Operation, sample};

use super::cloud_answers::{assert_never_stalled, paced};
use crate::world::{World, front::Front, is_ready, message, operator::Setup, options, reason};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
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
        world.create(&world.numbered(number, 3307)).await;
    }
    for number in 0..GOOD {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "Ready", is_ready).await;
    }
    // An hour of the contract, from the first call on.
    let first = world.until_more_than(Operation::List, 0).await;
    let since = first.after;
    let is_within = |at: Duration| at.saturating_sub(since) <= paced(3600);
    world
        .until_true("an hour", || {
            let journal = world.sim.journal();
            journal.last().is_some_and(|last| !is_within(last.after))
        })
        .await;
    let calls = |instance: &str| world.sim.entries(&Filter::all().instance(instance));
    // Each of the others is looked at again with every resync.
    let again = || (0..GOOD).all(|number| calls(&Fleet::numbered_instance(number)).len() >= 5);
    world.until_true("looks at the others", again).await;
    let of_bad = calls(sample::INSTANCE).into_iter();
    let of_bad = of_bad.filter(|call| is_within(call.after)).count();
    assert!((2..=20).contains(&of_bad), "{of_bad} calls in an hour");
    assert!(world.asked_for().is_empty());
    let shown = world.get().await;
    assert!(
        message(&shown).contains("DBS.987654"),
        "{}",
        message(&shown)
    );
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
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
        world.create(&world.numbered(number, 3307)).await;
    }
    let refused = || {
        let entries = world.sim.journal();
        let refused = entries
            .into_iter()
            .filter(|entry| entry.status() == Some(429));
        refused.map(|entry| entry.after).collect::<Vec<_>>()
    };
    world.until_true("too many", || !refused().is_empty()).await;

    let mut other = world.numbered(MANY, 3308);
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

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e29_an_account_that_gets_no_answers_holds_up_nobody_else() {
    const SILENT: usize = 20;
    const SERVED: usize = 5;
    const OTHER_KEY: (&str, &str) = ("ANOTHERACCOUNTSKEY01", "another-secret-of-no-worth");
    // Longer than anything here takes, and shorter than a story's patience.
    let call_timeout = Duration::from_mins(5);
    let fleet = Fleet::sample().numbered(SILENT + SERVED);
    let mut world = World::without_operator(options(Mode::M2).fleet(fleet)).await;
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
        world.create(&world.numbered(number, sample::PORT)).await;
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
        let mut resource = world.numbered(number, 3307);
        resource.spec.credentials_ref.as_mut().unwrap().name = "elsewhere".to_owned();
        world.create(&resource).await;
    }
    for number in SILENT..SILENT + SERVED {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "Ready", is_ready).await;
    }
    let took = began.elapsed();
    assert!(
        took < call_timeout,
        "before a call that hangs has ended: {took:?}"
    );
    for number in 0..SILENT {
        assert_never_stalled(&world, &format!("numbered-{number}"));
    }
    let began = Instant::now();
    world.stop_operator().await;
    let took = began.elapsed();
    assert!(
        took < call_timeout,
        "no call that hangs is waited for: {took:?}"
    );
    world.sim.clear_faults();
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
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
    let most = paced(300) + Duration::from_secs(3) + world.slack().await;
    assert!(took <= most, "{took:?} of {most:?}");
    world.until_ready(3307).await;
    assert_never_stalled(&world, "orders");
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}
