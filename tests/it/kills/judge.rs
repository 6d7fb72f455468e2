//! What must hold of the changes, whenever the process was killed.

use taurus_port_operator::pace::Pace;
use taurus_sim::{Entry, Filter, Operation, Outcome, sample};

use super::{
    case::{Moment, Point, Side},
    play::Kill,
    story::Story,
};
use crate::world::{DIVISOR, World, relay::Relay};

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
