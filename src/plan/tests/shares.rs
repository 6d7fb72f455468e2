//! Which changes count among those under way.

use super::{
    cloud::{End, Mode, error},
    world::World,
};
use crate::{cloud::Meaning, plan::facts::Trouble};

const MINUTE: u64 = 60;

/// A world with a job at work that takes two hours.
fn changing() -> World {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.takes(120 * MINUTE, End::Moves);
    world.want(3307);
    world.run(MINUTE);
    assert!(goes_on(&world));
    world
}

fn goes_on(world: &World) -> bool {
    let step = world.crew[0].step.as_ref().unwrap();
    assert!(world.said().change.is_some());
    step.goes_on()
}

#[test]
fn one_that_is_overdue_does_not_count() {
    let mut world = changing();
    world.run(28 * MINUTE);
    assert!(goes_on(&world));
    world.run(2 * MINUTE);
    assert_eq!(world.reason(), "JobOverdue");
    assert!(!goes_on(&world));
}

#[test]
fn one_of_which_nothing_was_heard_for_two_minutes_does_not_count_until_it_is_heard_of_again() {
    for meaning in [Meaning::Transient, Meaning::Unasked] {
        let mut world = changing();
        let silent = world.now() + 10 * MINUTE;
        world.sky.state().reads_fail = Some((silent, meaning));
        world.run(MINUTE);
        assert!(goes_on(&world));
        world.run(4 * MINUTE);
        assert!(!goes_on(&world), "{meaning:?}");
        world.run(10 * MINUTE);
        assert_eq!(world.reason(), "JobRunning");
        assert!(goes_on(&world));
    }
}

#[test]
fn one_that_nobody_may_look_at_does_not_count_until_somebody_may() {
    for trouble in [
        Trouble::CredentialsMissing("no such Secret".to_owned()),
        Trouble::Cloud(error(Meaning::Denied)),
        Trouble::Cloud(error(Meaning::Unauthenticated)),
    ] {
        let mut world = changing();
        world.crew[0].trouble = Some(trouble.clone());
        // A Secret that is missing is waited for, for two minutes.
        world.run(3 * MINUTE);
        assert!(!goes_on(&world), "{trouble:?}");
        world.crew[0].trouble = None;
        world.run(20 * MINUTE);
        assert!(goes_on(&world), "{trouble:?}");
    }
}
