//! What must hold of the changes, whenever the process was killed.

use k8s_openapi::api::{
    core::v1::{ConfigMap, Service},
    discovery::v1::EndpointSlice,
};
use kube::{Api, ResourceExt as _};
use taurus_port_operator::{pace::Pace, publish::wanted};
use taurus_sim::{Entry, Filter, Operation, Outcome, sample};

use super::{
    case::{Moment, Point, Side},
    play::Kill,
    story::Story,
};
use crate::{
    stories::publication::SERVICE,
    world::{DIVISOR, WANTED, World, is_ready_with, recorder::Lists, relay::Relay, slices::Slices},
};

/// How many changes the cloud accepted beyond those that the story takes.
pub fn repeated(world: &World, story: Story) -> usize {
    world.accepted().len().saturating_sub(story.changes().len())
}

/// Checks all but the number of changes, which is [`repeated`].
pub fn of_kills(world: &World, relay: &Relay, story: Story, kills: &[Kill]) {
    let entries = world
        .sim
        .entries(&Filter::on(Operation::Change).proxy(sample::PROXY));
    let told = lines(world, relay, kills);
    let (accepted, others): (Vec<_>, Vec<_>) =
        entries.iter().partition(|entry| entry.job_id.is_some());
    let ports: Vec<_> = accepted.iter().filter_map(|entry| entry.port()).collect();
    if ports.len() == story.changes().len() {
        assert_eq!(
            ports,
            story.changes(),
            "each is made once, in order: {told}"
        );
    }
    // A request is made again only if the one before never reached the cloud.
    for entry in &others {
        let lost = matches!(entry.outcome, Outcome::Silent | Outcome::Incomplete);
        assert!(lost && !entry.work_done, "a needless request: {told}");
    }
    let before = |kill: &&Kill| {
        let Point { side, moment, .. } = kill.point;
        side == Side::Cloud && moment == Moment::Before
    };
    let lost = kills.iter().filter(before).count();
    assert!(others.len() <= lost, "each of them ended a process: {told}");
    never_two_at_once(world, &told);
    // A record goes with its resource.
    for entry in accepted.iter().filter(|_| story != Story::Recreate) {
        on_record(world, entry, kills, &told);
    }
}

/// Records the slices of a world.
pub async fn slices(world: &World) -> Slices {
    let api = Api::namespaced(world.client.clone(), &world.namespace);
    let mut lists = Lists::new(world.sim.control().clone());
    let is_shown = move |proxy: &str, port: u16| {
        let shown = lists.of(proxy);
        shown.iter().any(|(_, known)| *known == port)
    };
    Slices::start(api, is_shown).await
}

/// Applications were led to ports that the cloud had shown, and to the wanted one before the resource was Ready with it; only where the
/// resource wishes for that.
pub async fn of_slices(world: &World, slices: &Slices, story: Story) {
    let none: [String; 0] = [];
    assert_eq!(slices.wrong(), none);
    if story != Story::Publish {
        assert_eq!(slices.own().len(), 0, "nobody has wished for one");
        return;
    }
    let slice: Api<EndpointSlice> = Api::namespaced(world.client.clone(), &world.namespace);
    let slice = slice.get(&format!("{SERVICE}-ipv4")).await.unwrap();
    let place = wanted::place_of(&slice).unwrap();
    assert_eq!(place.port, WANTED);
    let version = |version: Option<String>| version.unwrap().parse::<u64>().unwrap();
    let objects = world.recorder.objects();
    let ready = objects.iter().find(|object| is_ready_with(object, WANTED));
    let ready = version(ready.unwrap().resource_version());
    assert!(
        version(slice.resource_version()) < ready,
        "the slice comes first"
    );
    let services: Api<Service> = Api::namespaced(world.client.clone(), &world.namespace);
    services.get(SERVICE).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.namespace);
    let map = maps.get(SERVICE).await.unwrap();
    assert_eq!(wanted::place_in(&map), Some(place));
}

/// A change that is at work is waited for, also where the cloud would take a second one.
fn never_two_at_once(world: &World, told: &str) {
    let jobs = world.sim.jobs();
    for pair in jobs.windows(2) {
        let ends = pair[0].ends.expect("jobs end");
        assert!(
            ends <= pair[1].accepted,
            "two changes at once: {jobs:#?}\n{told}"
        );
    }
}

/// A job that a process was told is on record, unless the process died of the very next thing that it did. On a busy machine
/// an answer may come too late to be heard: then nothing is asked for as long as a call may take.
fn on_record(world: &World, change: &Entry, kills: &[Kill], told: &str) {
    let id = change.job_id.as_ref();
    let versions = world.recorder.objects();
    let mut statuses = versions
        .iter()
        .filter_map(|version| version.status.as_ref());
    let recorded = statuses.any(|status| {
        let running = status.change.as_ref();
        let running = running.and_then(|change| change.job_id.as_ref());
        let last = status.last_change.as_ref();
        running == id || last.and_then(|last| last.job_id.as_ref()) == id
    });
    let died_of_it = kills.iter().any(|kill| kill.requests == change.number);
    let journal = world.sim.journal();
    let next = journal.iter().find(|entry| entry.number > change.number);
    let call = Pace::divided_by(DIVISOR).call_timeout;
    let unheard = next.is_some_and(|next| next.after >= change.after + call);
    assert!(
        recorded || died_of_it || unheard,
        "a job that is not on record: {told}"
    );
}

/// All that was asked of either side, and what killed processes said.
fn lines(world: &World, relay: &Relay, kills: &[Kill]) -> String {
    let mut lines: Vec<_> = world
        .sim
        .journal()
        .iter()
        .map(|entry| format!("{:?} {entry}", entry.after))
        .collect();
    for seen in relay.seen() {
        lines.push(format!("{} {:?}", seen.line, seen.answer));
    }
    for kill in kills {
        lines.push(format!(
            "killed at {:?} after {} requests:",
            kill.point, kill.requests
        ));
        lines.push(kill.log.clone());
    }
    lines.join("\n")
}
