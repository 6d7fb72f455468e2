//! Limits of changes over all resources: how many at once, how many an hour, and the halt after failures.

use std::time::Duration;

use kube::{Api, api::PostParams};
use taurus_port_operator::{
    clock::Shift,
    crd::{CredentialsReference, TaurusProxyPort},
    permits::limits::Limits,
};
use taurus_sim::{Fleet, JobPlan, JobView, Mode, sample};

use crate::world::{
    World, is_ready, job_id, job_of, message, operator::Setup, options, plane, program::Program,
    reason,
};

const HOUR: Duration = Duration::from_hours(1);

/// Longer than a story takes, and short enough for signatures to be believed once that much has passed.
const HALT: Duration = Duration::from_hours(10);

/// A world with so many proxies beside the sample's.
async fn world(proxies: usize) -> World {
    let fleet = Fleet::sample().numbered(proxies);
    World::without_operator(options(Mode::M2).fleet(fleet)).await
}

/// An operator with these limits, whose time can be moved; the neighbour has got its port already.
async fn operated(world: &mut World, limits: Limits, divisor: u32) -> &'static Shift {
    let shift = Shift::forever();
    let setup = Setup {
        limits,
        shift: Some(shift),
        divisor,
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    world.until_neighbour_is_ready().await;
    shift
}

fn name(number: usize) -> String {
    format!("numbered-{number}")
}

/// The jobs of the numbered proxies.
fn jobs(world: &World) -> Vec<JobView> {
    let neighbour = |job: &JobView| job.proxy.as_deref() == Some(sample::OTHER_PROXY);
    let mut jobs = world.sim.jobs();
    jobs.retain(|job| !neighbour(job));
    jobs
}

/// The most jobs that were at work at one time.
fn most_at_once(jobs: &[JobView]) -> usize {
    let at_work = |job: &&JobView, other: &JobView| {
        let ends = job.ends.is_none_or(|ends| ends > other.accepted);
        job.accepted <= other.accepted && ends
    };
    let counts = jobs
        .iter()
        .map(|other| jobs.iter().filter(|job| at_work(job, other)).count());
    counts.max().unwrap_or_default()
}

async fn create(world: &World, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        world.create(&world.numbered(number, 3307)).await;
    }
}

async fn until_all_ready(world: &World, proxies: usize) {
    for number in 0..proxies {
        world
            .until_passing_of(&name(number), "Ready", is_ready)
            .await;
    }
}

/// Waits until so many of the resources say this reason; gives them.
async fn until_say(
    world: &World,
    proxies: usize,
    count: usize,
    expected: &str,
) -> Vec<TaurusProxyPort> {
    let saying = || {
        let latest = (0..proxies).filter_map(|number| {
            let versions = world.recorder.versions_of(&name(number));
            versions
                .last()
                .filter(|last| reason(last) == expected)
                .cloned()
        });
        latest.collect::<Vec<_>>()
    };
    let what = format!("{count} say {expected}");
    world.until_true(&what, || saying().len() >= count).await;
    saying()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twelve_proxies_three_at_a_time_are_changed_and_in_the_end_all() {
    let mut world = world(12).await;
    let limits = Limits {
        concurrent: 3,
        ..Limits::default()
    };
    operated(&mut world, limits, 20).await;
    create(&world, 0..12).await;
    let waiting = until_say(&world, 12, 9, "WaitingForBudget").await;
    for resource in &waiting {
        assert_eq!(
            message(resource),
            "3 changes are under way or about to begin, the most that the operator's --max-concurrent-changes allows; this \
             one begins when its turn has come"
        );
    }
    until_all_ready(&world, 12).await;
    let jobs = jobs(&world);
    assert_eq!((jobs.len(), most_at_once(&jobs)), (12, 3));
    for number in 0..12 {
        let versions = world.recorder.versions_of(&name(number));
        let said = versions
            .iter()
            .filter(|version| reason(version) == "WaitingForBudget")
            .count();
        assert!(
            said <= 1,
            "{} wrote {said} times that it waits",
            name(number)
        );
    }
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_hour_allows_is_begun_and_the_rest_when_it_is_over() {
    let mut world = world(6).await;
    let limits = Limits {
        hourly: 3,
        ..Limits::default()
    };
    // The neighbour was the first of the hour.
    let shift = operated(&mut world, limits, 12).await;
    create(&world, 0..6).await;
    let waiting = until_say(&world, 6, 4, "WaitingForBudget").await;
    let says = message(&waiting[0]);
    let begins = "3 changes began in the last hour or are about to begin, the most that the operator's --max-changes-per-hour allows: \
                  those that wait begin one by one, from ";
    assert!(says.starts_with(begins) && says.ends_with("Z on"), "{says}");
    world
        .until_true("two are begun", || jobs(&world).len() == 2)
        .await;
    world.pass(120);
    shift.pass(HOUR / 12);
    world
        .while_passing(world.until_true("three more", || jobs(&world).len() == 5))
        .await;
    shift.pass(HOUR / 12);
    until_all_ready(&world, 6).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_three_failures_in_a_row_nothing_begins_until_the_halt_is_over() {
    let mut world = world(6).await;
    let limits = Limits {
        concurrent: 1,
        halt_for: HALT,
        ..Limits::default()
    };
    let shift = operated(&mut world, limits, 60).await;
    world.sim.default_job(JobPlan::failing("no such port"));
    create(&world, 0..6).await;
    let halting = until_say(&world, 6, 6, "RolloutHalted");
    let halted = world.while_passing(halting).await;
    let failed: Vec<String> = (0..6)
        .filter(|number| has_failed(&world, *number))
        .map(name)
        .collect();
    assert_eq!(failed.len(), 3);
    for resource in &halted {
        let says = message(resource);
        let begins = "3 changes in a row failed on different proxies (numbered-";
        assert!(says.starts_with(begins), "{says}");
        assert!(
            failed.iter().all(|name| says.contains(name.as_str())),
            "{says}"
        );
        assert!(
            says.contains("--halt-for lets no new change begin until "),
            "{says}"
        );
    }
    world.pass(600);
    assert_eq!(jobs(&world).len(), 3);

    // A process that begins anew knows of it.
    world.kill_operator();
    world.sim.default_job(job_of(60));
    let asked = world.sim.journal().len();
    let setup = Setup {
        limits,
        shift: Some(shift),
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    world
        .until_true("all were looked at", || {
            world.sim.journal().len() > asked + 6
        })
        .await;
    assert_eq!(jobs(&world).len(), 3);
    shift.pass(HALT / 60);
    until_all_ready(&world, 6).await;
    assert_eq!(jobs(&world).len(), 9);
    world.finish().await;
}

fn has_failed(world: &World, number: usize) -> bool {
    let versions = world.recorder.versions_of(&name(number));
    let status = versions.last().and_then(|last| last.status.as_ref());
    status.is_some_and(|status| status.last_change.is_some())
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_value_for_thirty_proxies_takes_down_few_of_them() {
    let mut world = world(30).await;
    let limits = Limits {
        halt_for: Duration::from_hours(24),
        ..Limits::default()
    };
    operated(&mut world, limits, 20).await;
    world.sim.default_job(JobPlan::failing("no such port"));
    create(&world, 0..30).await;
    let halting = until_say(&world, 30, 25, "RolloutHalted");
    world.while_passing(halting).await;
    world.pass(600);
    // Three that failed, and those that were under way beside the third; a few more where a slow machine hears late of a failure.
    let begun = jobs(&world).len();
    assert!((3..=10).contains(&begun), "{begun} were begun");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_killed_is_followed_by_one_that_knows_what_is_under_way_and_was_begun() {
    let world = world(6).await;
    let flags = ["--max-concurrent-changes=2", "--max-changes-per-hour=5"];
    let environment = [("TAURUS_PACE", "6")];
    let program = Program::start_with(&world, &environment, &flags).await;
    world.until_neighbour_is_ready().await;
    create(&world, 0..6).await;
    until_say(&world, 6, 4, "WaitingForBudget").await;
    world
        .until_true("two are begun", || jobs(&world).len() == 2)
        .await;
    drop(program);

    let program = Program::start_with(&world, &environment, &flags).await;
    until_figure(&program, "taurus_changes_begun_last_hour", 3).await;
    until_figure(&program, "taurus_changes_under_way", 2).await;
    assert_eq!(jobs(&world).len(), 2);
    let passing = world.until_true("two more", || jobs(&world).len() == 4);
    world.while_passing(passing).await;
    until_figure(&program, "taurus_changes_begun_last_hour", 5).await;
    let ready = || {
        let latest = (0..6).filter_map(|number| world.recorder.versions_of(&name(number)).pop());
        latest.filter(is_ready).count()
    };
    world
        .while_passing(world.until_true("four are done", || ready() == 4))
        .await;
    let waiting = until_say(&world, 6, 2, "WaitingForBudget").await;
    assert_eq!((waiting.len(), jobs(&world).len()), (2, 4));
    assert_eq!(most_at_once(&jobs(&world)), 2);
    drop(program);
    world.finish().await;
}

async fn until_figure(program: &Program, name: &str, value: usize) {
    let line = format!("\n{name} {value}\n");
    let asking = async {
        while !program.until_answer("/metrics", 200).await.contains(&line) {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(crate::world::PATIENCE, asking).await;
    let now = program.until_answer("/metrics", 200).await;
    assert!(in_time.is_ok(), "{name} does not become {value}: {now}");
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_another_namespace_does_not_wait_for_twenty() {
    let plane = &plane::of_its_own(|_| ()).await;
    let fleet = Fleet::sample().numbered(21);
    let mut world = World::on(plane, options(Mode::M2).fleet(fleet)).await;
    let setup = Setup {
        limits: Limits {
            concurrent: 1,
            ..Limits::default()
        },
        everywhere: true,
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    world.until_neighbour_is_ready().await;
    create(&world, 0..20).await;
    until_say(&world, 20, 19, "WaitingForBudget").await;

    let other = plane::new_namespace(&world.client).await;
    world.secret_in(&other, "keys").await;
    let mut single = world.numbered(20, 3307);
    single.metadata.namespace = Some(other.clone());
    let theirs: Api<TaurusProxyPort> = Api::namespaced(world.client.clone(), &other);
    theirs
        .create(&PostParams::default(), &single)
        .await
        .unwrap();
    let get = async || theirs.get(&name(20)).await.unwrap();
    world
        .until_true_async("it waits", async || {
            reason(&get().await) == "WaitingForBudget"
        })
        .await;
    let before = jobs(&world).len();
    let being_done = world.until_true_async("it is done", async || is_ready(&get().await));
    world.while_passing(being_done).await;
    let proxy = Fleet::numbered_proxy(20);
    let before_it = jobs(&world)
        .iter()
        .position(|job| job.proxy.as_deref() == Some(proxy.as_str()));
    // At most one of the many goes first: the one whose turn it was already.
    let before_it = before_it.expect("it was changed");
    assert!(
        before_it <= before + 1,
        "{before_it} went before it, {before} had begun"
    );
    world.stop_operator().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_nobody_may_follow_keeps_its_instance_and_holds_up_nobody_else() {
    let mut world = world(1).await;
    let limits = Limits {
        concurrent: 1,
        ..Limits::default()
    };
    operated(&mut world, limits, 60).await;
    world.want(3307).await;
    world.until_change(1).await;
    world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    let wrong = [("accessKey", sample::ACCESS_KEY), ("secretKey", "wrong")];
    world.secret("keys", &wrong).await;
    world
        .until("its key is refused", |object| {
            reason(object) == "CredentialsInvalid"
        })
        .await;
    let mut other = world.numbered(0, 3307);
    other.spec.credentials_ref = Some(CredentialsReference {
        name: "user".to_owned(),
    });
    world.create(&other).await;
    until_all_ready(&world, 1).await;
    world.secret_in(&world.namespace, "keys").await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}
