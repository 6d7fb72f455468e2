//! A fleet whose operator starts again and again.

use std::{collections::BTreeMap, time::Duration};

use kube::{ResourceExt as _, api::ListParams};
use taurus_sim::{Behaviour, Filter, Fleet, Mode, Operation, ThrottledBy, Throttling, sample};

use crate::world::{NEIGHBOUR, World, is_ready, is_ready_with, operator::Setup, options};

/// Resources in each of three projects.
const EACH: usize = 20;

/// A minute of the simulator is a second here: so many calls a second are let through, of each credential.
const CALLS: u32 = 5;

/// Three minutes, at the pace of this story.
const RESYNC: Duration = Duration::from_secs(30);

/// Projects with a key of their own each, and the name of the Secret that holds it.
const PROJECTS: [(&str, &str, &str); 3] = [
    (sample::PROJECT, "KEYOFTHEFIRSTPROJECT", "first"),
    (
        "77777777777777777777777777777777",
        "KEYOFTHESECONDPROJECT",
        "second",
    ),
    (
        "66666666666666666666666666666666",
        "KEYOFTHETHIRDPROJECT",
        "third",
    ),
];

/// Waits for something while a minute passes in the simulator with every second.
async fn at_sixty_times<T>(world: &World, waiting: impl Future<Output = T>) -> T {
    let passing = async {
        loop {
            world.pass(6);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        result = waiting => result,
        () = passing => unreachable!("time does not end"),
    }
}

/// Three restarts, each with a full round of reads, at a sixth of all durations. How long a round takes is shown in virtual time, for a
/// thousand resources.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn b18_a_settled_fleet_survives_restarts_under_a_tight_limit_without_a_write() {
    let mut fleet = Fleet::sample();
    for (nth, (project, ..)) in PROJECTS.iter().enumerate() {
        if nth > 0 {
            fleet = fleet.project(project);
        }
        for number in nth * EACH..(nth + 1) * EACH {
            fleet = fleet
                .instance_in(project, &Fleet::numbered_instance(number))
                .proxy(&Fleet::numbered_proxy(number), sample::PORT);
        }
    }
    let setup = || Setup {
        divisor: 6,
        resync: RESYNC,
        ..Setup::default()
    };
    let mut world = World::without_operator(options(Mode::M2).fleet(fleet)).await;
    for (_, key, secret) in PROJECTS {
        world.sim.set_access_key(key, "of-no-worth");
        let pairs = [("accessKey", key), ("secretKey", "of-no-worth")];
        world.secret(secret, &pairs).await;
    }
    for number in 0..PROJECTS.len() * EACH {
        let (project, _, secret) = PROJECTS[number / EACH];
        let mut resource = world.numbered(number, sample::PORT);
        project.clone_into(&mut resource.spec.project_id);
        let reference = resource.spec.credentials_ref.as_mut().unwrap();
        secret.clone_into(&mut reference.name);
        world.create(&resource).await;
    }
    world.start_operator_with(setup()).await;
    world.until_neighbour_is_ready().await;
    for number in 0..PROJECTS.len() * EACH {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "Ready", is_ready).await;
    }
    let settled = versions(&world).await;
    let changes = world.sim.count(&Filter::on(Operation::Change));
    world.sim.configure(|behaviour: &mut Behaviour| {
        behaviour.throttling = Some(Throttling {
            calls_per_minute: CALLS,
            by: ThrottledBy::Credential,
            retry_after: false,
        });
    });

    let mut limited = 0;
    for _ in 0..3 {
        world.stop_operator().await;
        let before = world.sim.journal().len();
        world.start_operator_with(setup()).await;
        let all_read = || {
            let journal = world.sim.journal();
            let answered = journal[before..].iter().filter(|entry| {
                let answer = entry.answer.as_ref();
                entry.operation == Operation::List && answer.is_some_and(|it| it.status == 200)
            });
            let mut read: Vec<_> = answered
                .filter_map(|entry| entry.instance.clone())
                .collect();
            read.sort();
            read.dedup();
            read.len() > PROJECTS.len() * EACH
        };
        at_sixty_times(&world, world.until_true("all were read", all_read)).await;
        // Spread: of what a project may read at once, no multiple is asked for.
        let journal = world.sim.journal();
        let asked = journal[before..].len();
        let refused = journal[before..].iter().filter(|entry| {
            let answer = entry.answer.as_ref();
            answer.is_some_and(|answer| answer.status == 429)
        });
        let refused = refused.count();
        limited += refused;
        assert!(refused < asked / 2, "{refused} of {asked} were refused");
    }
    assert!(limited > 0, "the limit was met");
    assert_nothing_was_written(&world, &settled).await;
    let changes_now = world.sim.count(&Filter::on(Operation::Change));
    assert_eq!(changes_now, changes, "nothing but the neighbour's change");
    world
        .sim
        .configure(|behaviour: &mut Behaviour| behaviour.throttling = None);
    let neighbour = world.api().get(NEIGHBOUR).await.unwrap();
    assert!(is_ready_with(&neighbour, crate::world::NEIGHBOUR_PORT));
    world.finish().await;
}

/// Panics with the status of each resource that was written since.
async fn assert_nothing_was_written(world: &World, before: &BTreeMap<String, Option<String>>) {
    let now = versions(world).await;
    assert_eq!(now.len(), before.len());
    let written = now
        .iter()
        .filter(|(name, version)| before[*name] != **version);
    let written: Vec<_> = written
        .map(|(name, _)| world.recorder.versions_of(name).split_off(1))
        .collect();
    assert!(written.is_empty(), "was written: {written:#?}");
}

/// The versions of all resources.
async fn versions(world: &World) -> BTreeMap<String, Option<String>> {
    let all = world.api().list(&ListParams::default()).await.unwrap();
    let versions = all.into_iter();
    versions
        .map(|object| (object.name_any(), object.resource_version()))
        .collect()
}
