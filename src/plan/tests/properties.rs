//! What holds whatever happens.

use proptest::prelude::*;

use super::{schedule::schedules, world::World};
use crate::model::{Class, Reason};

const HOUR: u64 = 3600;

/// Nothing more is done by itself, or everything is as it is wanted.
fn rests(world: &World) -> bool {
    let reason: Option<Reason> = world.reason().parse().ok();
    world.is_ready() || reason.is_some_and(|reason| reason.class() == Class::Stalled)
}

proptest! {
    /// The rules of status are held over every write on the way.
    #[test]
    fn whatever_happens_no_two_jobs_run_at_once_no_request_is_for_nothing_and_all_comes_to_rest(
        schedule in schedules()
    ) {
        let (mut world, reasons) = schedule.play();
        world.run(27 * HOUR);
        let most = reasons.most(&world);
        prop_assert!(world.puts() <= most, "{} requests for {most} reasons", world.puts());
        prop_assert_eq!(world.sky.state().most_at_once.max(1), 1);
        prop_assert!(rests(&world), "{}", world.reason());
        if world.is_ready() {
            prop_assert_eq!(i32::from(world.port()), world.cluster.object.spec.port);
        } else {
            let given_up = ["JobFailed", "VerificationFailed", "PortRejected"];
            prop_assert!(given_up.contains(&world.reason().as_str()), "{}", world.reason());
        }
        let writes = world.cluster.writes;
        world.run(3 * HOUR);
        prop_assert_eq!(world.cluster.writes, writes, "a settled resource is written");
    }
}
