//! Schedules of crashes and faults for a resource that has windows and needs approvals: each request leaves inside a window, for a plan
//! that a person has approved and that no other request has left for, but for those that the cloud has refused.
//!
//! Promises that the check sees faults of the gate: three are built in, one by one.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Value, json};

use super::{
    cloud::DAWN,
    schedule::{Schedule, schedules},
    world::{Flaw, World},
};
use crate::{
    calendar::{Hours, WITHOUT_EXPERIENCE},
    crd::APPROVE,
    desired::read,
    model::{Class, Reason},
};

const HOUR: u64 = 3600;

fn windows() -> Value {
    json!([
        {"start": "08:00", "duration": "45m"},
        {"start": "09:30", "duration": "1h"},
        {"start": "13:00", "duration": "90m", "timeZone": "Africa/Abidjan"},
        {"days": ["Sat", "Sun"], "start": "02:00", "duration": "6h", "timeZone": "Asia/Singapore"},
    ])
}

/// A person who approves most plans, and now and then an old one.
#[derive(Default)]
struct Person {
    approved: Vec<String>,
    acted: usize,
}

impl Person {
    fn act(&mut self, world: &mut World) {
        self.acted += 1;
        let plan = world.status().and_then(|status| status.plan.as_ref());
        let id = match plan.map(|plan| plan.id.clone()) {
            Some(id) if !self.acted.is_multiple_of(4) => id,
            _ => match self.approved.first() {
                Some(id) => id.clone(),
                None => return,
            },
        };
        if !self.approved.contains(&id) {
            self.approved.push(id.clone());
        }
        if self.acted.is_multiple_of(3) {
            world.edit(|spec| spec["approvedPlan"] = id.into());
        } else {
            world.annotate(APPROVE, &id);
        }
    }
}

/// Plays a schedule to its end and a few days on; what is wrong in it.
fn wrong(schedule: &Schedule, flaw: Option<Flaw>) -> Vec<String> {
    let mut person = Person::default();
    let prepare = |world: &mut World| {
        world.cluster.flaw = flaw;
        world.edit(|spec| {
            spec["maintenanceWindows"] = windows();
            spec["approval"] = "Manual".into();
        });
    };
    let (mut world, _) = schedule.play_with(prepare, |world| person.act(world));
    for _ in 0..5 * 24 {
        world.run(HOUR);
        person.act(&mut world);
    }
    let timing = read(&world.cluster.object).unwrap().timing.unwrap();
    let hours = Hours {
        windows: timing.windows.clone(),
        ..Hours::default()
    };
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for start in &world.cluster.starts {
        let second = DAWN + i64::try_from(start.at).unwrap();
        let at = Timestamp::from_second(second).unwrap();
        if hours.next(at, WITHOUT_EXPERIENCE) != Some(at) {
            wrong.push(format!("a request leaves at {at}"));
        }
        match &start.plan {
            None => wrong.push(format!("a request without a plan leaves at {at}")),
            Some(id) if !person.approved.contains(id) => {
                wrong.push(format!("{id} was not approved"));
            }
            // What the cloud refuses has used nothing.
            Some(_) if start.changed_nothing => {}
            Some(id) if !used.insert(id) => wrong.push(format!("{id} was used twice")),
            Some(_) => {}
        }
    }
    let reason: Option<Reason> = world.reason().parse().ok();
    let rests = world.is_ready() || reason.is_some_and(|reason| reason.class() == Class::Stalled);
    if !rests {
        wrong.push(format!(
            "it does not come to rest: {}",
            world.message("Ready")
        ));
    }
    wrong
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_each_request_leaves_inside_a_window_for_a_plan_that_was_approved_for_it_alone(
        schedule in schedules()
    ) {
        let wrong = wrong(&schedule, None);
        prop_assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn faults_of_the_gate_are_seen() {
    for (flaw, told) in [
        (Flaw::IgnoresTime, "a request leaves at"),
        (Flaw::KeepsUsedPlans, "was used twice"),
        (Flaw::BelievesAnyApproval, "without a plan"),
    ] {
        let mut runner = TestRunner::deterministic();
        let seen = (0..200).any(|_| {
            let schedule = schedules().new_tree(&mut runner).unwrap().current();
            let wrong = wrong(&schedule, Some(flaw));
            wrong.iter().any(|text| text.contains(told))
        });
        assert!(seen, "{flaw:?} is overlooked");
    }
}
