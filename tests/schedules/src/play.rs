//! Plays a schedule from its beginning to the rest after its end, and says what was broken.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rand::{SeedableRng as _, rngs::SmallRng};
use taurus_port_operator::clock::Shift;
use tokio::time::Duration;

use crate::{
    flaw::Flaw,
    life::Life,
    machine::{Machine, RESYNC},
    publishing, rules,
    schedule::{PORTS, Schedule},
    script::{Script, Wishes},
    sky::Sky,
    world::{Shared, World},
};

/// Everything rests after this at the latest: corrections of drift are counted for a day.
const LONGEST_REST: Duration = Duration::from_hours(27);
/// Who leads is settled by then, once all faults have ended.
const HAND_OVER: Duration = Duration::from_mins(2);
/// Each resource is looked at within this: the sweeps of an instance have places of their own in a resync, and none comes earlier than
/// half of one after a look.
const SWEPT: Duration = RESYNC.saturating_add(RESYNC.checked_div(2).unwrap());
/// How often it is looked whether everything rests.
const GLANCE: Duration = Duration::from_mins(1);
/// No text of a status may show these.
const SECRETS: [&str; 2] = ["AK", "SK"];

/// What became of a schedule.
#[derive(Debug)]
pub struct Verdict {
    /// What was broken; nothing if all is well.
    pub breaches: Vec<String>,
    /// What happened, line by line, where that was asked for.
    pub trace: Vec<String>,
    /// How many changes were asked for, in all.
    pub requests: usize,
    /// How many versions of resources there were.
    pub versions: usize,
    /// How often something was published or withdrawn.
    pub publications: usize,
    /// Virtual time that passed.
    pub took: Duration,
}

thread_local! {
    /// Clocks keep what shifts them for ever; so each thread has two, one for each machine.
    static SHIFTS: [&'static Shift; 2] = [Shift::forever(), Shift::forever()];
}

/// Plays the schedule of a seed.
pub fn play(seed: u64) -> Verdict {
    play_with(seed, None, false)
}

/// Plays it and says what happens.
pub fn told(seed: u64) -> Verdict {
    play_with(seed, None, true)
}

/// Plays it with something broken on purpose.
pub fn play_with(seed: u64, flaw: Option<Flaw>, traced: bool) -> Verdict {
    play_out(&Schedule::of(seed), seed, flaw, traced)
}

/// Plays the schedule of a seed in which people also say when changes may start, and approve them.
pub fn play_gated(seed: u64, flaw: Option<Flaw>, traced: bool) -> Verdict {
    play_out(&Schedule::gated(seed), seed, flaw, traced)
}

/// Plays the schedule of a seed in which resources also publish where their proxies are.
pub fn play_publishing(seed: u64, flaw: Option<Flaw>, traced: bool) -> Verdict {
    play_out(&Schedule::publishing(seed), seed, flaw, traced)
}

fn play_out(schedule: &Schedule, seed: u64, flaw: Option<Flaw>, traced: bool) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(whole(schedule, seed, flaw, traced))
}

async fn whole(schedule: &Schedule, seed: u64, flaw: Option<Flaw>, traced: bool) -> Verdict {
    let random = SmallRng::seed_from_u64(!seed);
    let sky = Sky::new(schedule.mode, PORTS[0]);
    let both_lead = flaw == Some(Flaw::BothLead);
    let election = schedule.election || both_lead;
    let mut world = World::new(random, flaw, sky, election, traced);
    world.slow_leases = schedule.slow_leases;
    world.call_limit = schedule.call_limit;
    world.publishing = schedule.publishes();
    let shared = Shared::new(world);
    if schedule.publishes() {
        tokio::spawn(publishing::collect(shared.clone()));
    }
    let shifts = SHIFTS.with(|shifts| *shifts);
    for shift in shifts {
        shift.set_wall(0);
    }
    let resources = schedule.resources.clone();
    let mut script = Script {
        shared: shared.clone(),
        shifts,
        resources,
        wishes: Wishes::default(),
    };
    let operators = if both_lead { 2 } else { schedule.operators };
    for (number, shift) in shifts.into_iter().enumerate().take(operators) {
        let machine = Machine {
            number,
            shared: shared.clone(),
            resync: RESYNC,
            shift,
        };
        let head_start = if number == 0 { schedule.head_start } else { 0 };
        tokio::spawn(machine.run(Duration::from_millis(head_start)));
    }
    script.begin();
    for (pause, event) in &schedule.events {
        tokio::time::sleep(Duration::from_millis(*pause)).await;
        script.happen(event);
    }
    script.heal();
    tokio::time::sleep(HAND_OVER).await;
    if operators == 2 && !both_lead {
        shared.lock().retire_standby();
    }
    come_to_rest(&shared).await;
    judge(&shared, &script)
}

/// Lets time run until everything rests, and looks that it then stays as it is.
async fn come_to_rest(shared: &Shared) {
    let (mut waited, mut calm) = (Duration::ZERO, Duration::ZERO);
    loop {
        tokio::time::sleep(GLANCE).await;
        waited += GLANCE;
        let mut world = shared.lock();
        world.approve_all();
        world.check_who_waits_in_vain();
        let mut restless = world.restless();
        restless.extend(world.unpublished());
        let rests = restless.is_empty()
            && world.sky.open().next().is_none()
            && !world.is_something_untold();
        calm = if rests { calm + GLANCE } else { Duration::ZERO };
        // Each resource was looked at once more since: what people read has followed.
        if calm > SWEPT + GLANCE {
            break;
        }
        if !world.breaches.is_empty() {
            return;
        }
        if waited > LONGEST_REST {
            world.broken(format!("no rest: {restless:#?}"));
            return;
        }
    }
    let before = {
        let world = shared.lock();
        if !world.all_ready() {
            return;
        }
        (world.book.writes, world.requests(), world.publications())
    };
    tokio::time::sleep(SWEPT + GLANCE).await;
    let disturbed = {
        let mut world = shared.lock();
        if (world.book.writes, world.requests(), world.publications()) != before {
            world.broken("S1: a settled resource is written or changed".to_owned());
        }
        world.disturb()
    };
    if disturbed > 0 {
        tokio::time::sleep(GLANCE).await;
        let mut world = shared.lock();
        let wrong = world.unpublished();
        if !wrong.is_empty() {
            world.broken(format!(
                "what somebody has edited was not put right: {wrong:#?}"
            ));
        }
    }
}

fn judge(shared: &Shared, script: &Script) -> Verdict {
    let mut world = shared.lock();
    let lost = world.lost_jobs();
    if !lost.is_empty() {
        world.broken(format!("job ids are lost: {lost:?}"));
    }
    world.check_told();
    let collisions = std::mem::take(&mut world.sky.collisions);
    for collision in collisions {
        world.broken(collision);
    }
    for (proxy, wishes) in script.wishes.iter().enumerate() {
        let tally = world.sky.tally[proxy];
        let most = wishes + tally.drifts + tally.fruitless;
        if tally.requests > most {
            world.broken(format!("{} requests for {most} reasons", tally.requests));
        }
    }
    let mut stretches = std::mem::take(&mut world.book.stretches);
    stretches.push(std::mem::take(&mut world.book.versions));
    for versions in stretches.iter().filter(|stretch| !stretch.is_empty()) {
        let checked = catch_unwind(AssertUnwindSafe(|| rules::of_versions(versions, &SECRETS)));
        if let Err(panic) = checked {
            let text = panic
                .downcast::<String>()
                .map_or_else(|_| "a rule of status".to_owned(), |text| *text);
            world.broken(text);
        }
    }
    Verdict {
        breaches: std::mem::take(&mut world.breaches),
        trace: world.trace.take().unwrap_or_default(),
        requests: world.requests(),
        versions: stretches.iter().map(Vec::len).sum(),
        publications: world.publications(),
        took: Duration::from_millis(world.now()),
    }
}

impl World {
    /// Ends the operator that only waits, and would for hours ask for the lease and do nothing else.
    fn retire_standby(&mut self) {
        let waits = |life: &Arc<Life>| self.cluster.holder() != Some(&life.identity);
        let standby = self.lives.iter().flatten().find(|life| waits(life));
        if let Some(life) = standby.cloned() {
            self.retired = Some(life.machine);
            life.end();
        }
    }

    fn requests(&self) -> usize {
        self.sky.tally.iter().map(|tally| tally.requests).sum()
    }
}
