//! Traces: what a change looks like in them, that no secret is in them, and that a collector that is away disturbs nothing.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    time::{Duration, Instant},
};

use taurus_sim::{Answer, Effect, Fault, Mode, Operation, sample};

use crate::world::{
    NAME, PATIENCE, World,
    collector::{Collector, Span},
    condition, options,
    program::Program,
};

/// What must never be sent to a collector; the last one is a signature's beginning.
const SECRETS: [&str; 4] = [
    sample::SECRET_KEY,
    sample::ACCESS_KEY,
    sample::PASSWORD,
    "Signature=",
];

/// Attributes that spans may have: names, ids, and words of closed sets.
const ATTRIBUTES: [&str; 20] = [
    "service.name",
    "service.version",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
    "deployment.environment.name",
    "k8s.namespace.name",
    "taurus.resource.name",
    "taurus.resource.uid",
    "taurus.generation",
    "taurus.change.id",
    "taurus.job.id",
    "taurus.state",
    "taurus.reason",
    "taurus.meaning",
    "taurus.code",
    "taurus.result",
    "http.response.status_code",
    "network.protocol.name",
    "idle_ns",
];

/// Batches are sent each second, so that nobody has to wait for them.
const SOON: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "200");

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn is(span: &Span, attribute: &str, value: &str) -> bool {
    span.attributes.get(attribute).is_some_and(|it| it == value)
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_can_be_followed_in_traces_and_no_secret_is_in_them() {
    let collector = Collector::start().await;
    let world = World::without_operator(options(Mode::M2)).await;
    // A cloud that says back what it was sent: texts of errors must stay outside.
    let echo = format!("no: {} {}", sample::SECRET_KEY, sample::PASSWORD);
    let fault = Fault::on(
        Operation::Change,
        Effect::respond(Answer::error(500, "DBS.108000", &echo)),
    );
    world.sim.inject(fault.instance(sample::INSTANCE).once());
    let program = Program::start_with(
        &world,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address()),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=story",
            ),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop"),
            SOON,
        ],
        &[],
    )
    .await;
    world.want(3307).await;
    let running = world
        .until_passing("its job is on record", |object| {
            crate::world::job_id(object).is_some()
        })
        .await;
    let change = running.status.as_ref().unwrap().change.clone().unwrap();
    let job = change.job_id.clone().unwrap();
    world.pass(90);
    world.until_ready(3307).await;
    let of_change = |span: &&Span| is(span, "taurus.change.id", &change.id);
    let at_its_end =
        |span: &&Span| is(span, "taurus.reason", "Settled") && is(span, "taurus.job.id", &job);
    world
        .until_true("the last reconcile is traced", || {
            collector
                .spans()
                .iter()
                .filter(of_change)
                .any(|span| at_its_end(&span))
        })
        .await;

    let spans = collector.spans();
    the_request_is_below_its_reconcile(&spans, &world.namespace, &change.id, &job);
    only_names_and_ids(&spans);
    no_secret_was_sent(&collector);
    assert!(
        collector
            .header("x-tenant")
            .iter()
            .all(|tenant| tenant == "shop")
    );
    assert!(
        !program.log().contains("traces are not taken"),
        "{}",
        program.log()
    );
    world.finish().await;
}

/// With the job that it was answered with; beside it are the looks before, and the writes of the intent and of the job id.
fn the_request_is_below_its_reconcile(spans: &[Span], namespace: &str, change: &str, job: &str) {
    // The request for the change: below the reconcile that made it, with the job that it was answered with.
    let requests = named(spans, "change_port");
    let request = requests
        .iter()
        .find(|span| is(span, "taurus.job.id", job))
        .expect("the request");
    assert!(
        is(request, "taurus.change.id", change) && is(request, "taurus.meaning", "success"),
        "{request:?}"
    );
    let reconcile = spans
        .iter()
        .find(|span| span.id == request.parent)
        .expect("its reconcile");
    assert_eq!(
        (reconcile.name.as_str(), &reconcile.trace),
        ("reconcile", &request.trace)
    );
    for (attribute, value) in [
        ("k8s.namespace.name", namespace),
        ("taurus.resource.name", NAME),
        ("taurus.change.id", change),
        ("taurus.job.id", job),
        ("taurus.state", "Reconciling"),
        ("taurus.reason", "JobRunning"),
        ("service.name", "taurus-port-operator"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("deployment.environment.name", "story"),
    ] {
        assert!(
            is(reconcile, attribute, value),
            "{attribute}={value}: {reconcile:?}"
        );
    }
    // Beside it: the looks before, and the writes of the intent and of the job id.
    let beside: Vec<&str> = spans
        .iter()
        .filter(|span| span.parent == reconcile.id)
        .map(|span| span.name.as_str())
        .collect();
    for (name, least) in [
        ("list_proxies", 1),
        ("tasks", 3),
        ("write_status", 2),
        ("change_port", 1),
    ] {
        let count = beside.iter().filter(|it| **it == name).count();
        assert!(count >= least, "{name}: {beside:?}");
    }
    assert!(
        spans.iter().any(|span| span.name == "job" && !span.failed),
        "the polls"
    );
    // The answer that was lost: its kind is told, its text is not.
    let lost = named(spans, "change_port")
        .into_iter()
        .find(|span| span.failed)
        .expect("the failure");
    assert!(is(lost, "taurus.code", "DBS.108000"), "{lost:?}");
    assert!(is(lost, "http.response.status_code", "500"), "{lost:?}");
}

fn only_names_and_ids(spans: &[Span]) {
    let known = BTreeSet::from(ATTRIBUTES);
    for span in spans {
        assert!(span.took < PATIENCE, "{span:?}");
        for attribute in span.attributes.keys() {
            assert!(known.contains(attribute.as_str()), "{attribute}: {span:?}");
        }
    }
}

fn no_secret_was_sent(collector: &Collector) {
    let raw = collector.raw();
    for secret in SECRETS {
        let found = raw
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} was sent to the collector");
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_is_sent_at_the_end() {
    let collector = Collector::start().await;
    let world = World::without_operator(options(Mode::M2)).await;
    let never = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    let flag = ["--otlp-endpoint", collector.address()];
    let mut program = Program::start_with(&world, &[never], &flag).await;
    world.until_neighbour_is_ready().await;
    assert_eq!(collector.spans().len(), 0, "an hour has not passed");
    program.signal("TERM").await;
    assert!(program.ended().await.success(), "{}", program.log());
    assert!(!named(&collector.spans(), "reconcile").is_empty());
    assert!(
        named(&collector.spans(), "job")
            .iter()
            .all(|span| !span.parent.is_empty())
    );
}

/// Nobody listens; somebody listens and never answers.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_or_never_answers_disturbs_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = (
        format!("http://{}", silent.local_addr().unwrap()),
        Some(silent),
    );
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let closed = (format!("http://{closed}"), None);
    for (address, _listener) in [closed, silent] {
        let world = World::without_operator(options(Mode::M2)).await;
        let flag = ["--otlp-endpoint", &address];
        let mut program = Program::start_with(&world, &[SOON], &flag).await;
        world.want(3307).await;
        world.until_change(1).await;
        world.pass(90);
        world.until_ready(3307).await;
        world
            .until_true("it is told", || {
                program
                    .log()
                    .contains("traces are not taken by the collector")
            })
            .await;
        let told = program
            .log()
            .matches("traces are not taken by the collector")
            .count();
        assert_eq!(told, 1, "once: {}", program.log());
        assert_eq!(world.asked_for(), [3307]);
        world.until_neighbour_is_ready().await;
        let most = Duration::from_secs(15) + world.slack().await;
        let asked = Instant::now();
        program.signal("TERM").await;
        assert!(program.ended().await.success(), "{}", program.log());
        let took = asked.elapsed();
        assert!(took < most, "{address}: {took:?} of {most:?}");
        assert_eq!(condition(&world.until_ready(3307).await, "Ready"), "True");
        world.finish().await;
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_collector_nothing_is_traced() {
    let world = World::without_operator(options(Mode::M2)).await;
    let program = Program::start(&world).await;
    world.until_neighbour_is_ready().await;
    let threads = std::fs::read_dir(format!("/proc/{}/task", program.id().unwrap())).unwrap();
    let names: Vec<String> = threads
        .map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap())
        .collect();
    let of_traces = names
        .iter()
        .filter(|name| name.contains("OpenTel") || name.contains("reqwest"));
    assert_eq!(of_traces.count(), 0, "{names:?}");
    world.finish().await;
}
