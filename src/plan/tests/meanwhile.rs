//! What is said before a look is over.

use std::time::Duration;

use super::{
    cloud::{Mode, wall},
    world::World,
};
use crate::{
    controller::read::read,
    crd::ManagementPolicy,
    fleet::claims::{Rival, Standing},
    model::Moment,
    pace::Pace,
    plan::{
        self,
        facts::{Facts, Observed},
        record::Record,
        session::Session,
        step::{Cause, Step},
    },
};

/// What is said of a resource that was settled, when it was edited so, and whether it stays on record as one that may be the owner.
fn said(policy: ManagementPolicy, port: u16, standing: Standing) -> (Step, bool) {
    let mut object = World::settled(Mode::Hidden, 3306).cluster.object;
    object.spec.management_policy = Some(policy);
    object.spec.port = port.into();
    let uptime = Duration::from_hours(1);
    let decision = plan::meanwhile(
        &Facts {
            desired: &read(&object).unwrap(),
            record: &Record::of(&object),
            observed: &Observed {
                standing,
                ..Observed::default()
            },
            session: &Session::default(),
            now: Moment::new(wall(3600), uptime),
            leading_for: uptime,
            pace: &Pace::real(),
            resync: Duration::from_mins(10),
        },
        Cause::Looking,
    );
    (decision.step, decision.record.vetted)
}

#[test]
fn an_edit_is_acknowledged() {
    let enforce = |port| said(ManagementPolicy::Enforce, port, Standing::Owner);
    assert_eq!(enforce(3306), (Step::Keep(Duration::ZERO), true));
    let looks = Step::Hold(Cause::Looking, Duration::ZERO);
    assert_eq!(enforce(3307), (looks, true));
}

#[test]
fn h15_who_waits_or_observes_is_not_on_record_as_owner_before_its_look_is_over() {
    let rival = Standing::Claimed(Rival::default());
    for port in [3306, 3307] {
        let (step, may_own) = said(ManagementPolicy::Enforce, port, rival.clone());
        assert!(matches!(step, Step::Hold(Cause::ProxyClaimed(_), _)));
        assert!(!may_own);
        let (_, may_own) = said(ManagementPolicy::Observe, port, Standing::Owner);
        assert!(!may_own);
    }
}
