//! What is said before a look is over.

use std::time::Duration;

use super::{
    cloud::{Mode, wall},
    world::World,
};
use crate::{
    calendar::Calendar,
    crd::{ManagementPolicy, TaurusProxyPort},
    desired::read,
    fleet::claims::{Rival, Standing},
    model::Moment,
    pace::Pace,
    permits::limits::Limit,
    plan::{
        self, Decision,
        facts::{Facts, Observed, Seen},
        record::Record,
        session::Session,
        step::{Cause, Step},
        timing,
    },
};

/// What is decided before a look is over, after an hour.
fn meanwhile(object: &TaurusProxyPort, observed: &Observed) -> Decision {
    let uptime = Duration::from_hours(1);
    let facts = Facts {
        desired: &read(object).unwrap(),
        record: &Record::of(object),
        observed,
        session: &Session::default(),
        now: Moment::new(wall(3600), uptime),
        leading_for: uptime,
        pace: &Pace::real(),
        resync: Duration::from_mins(10),
    };
    plan::meanwhile(&facts, Cause::Looking)
}

/// What is said of a resource that was settled, when it was edited so, and whether it stays on record as one that may be the owner.
fn said(policy: ManagementPolicy, port: u16, standing: Standing) -> (Step, bool) {
    let mut object = World::settled(Mode::Hidden, 3306).cluster.object;
    object.spec.management_policy = Some(policy);
    object.spec.port = port.into();
    let observed = Observed {
        standing,
        ..Observed::default()
    };
    let decision = meanwhile(&object, &observed);
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

#[test]
fn a_plan_of_the_old_spec_is_not_shown_for_the_new_one() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.edit(|spec| spec["approval"] = "Manual".into());
    world.want(3307);
    world.run(1);
    let plan_for = |port: u16| {
        let mut object = world.cluster.object.clone();
        object.spec.port = port.into();
        let desired = read(&object).unwrap();
        let observed = Observed {
            terms: timing::terms(&object, &desired, &Calendar::default(), None, || None, 1),
            ..Observed::default()
        };
        let decision = meanwhile(&object, &observed);
        decision.record.plan.map(|plan| plan.to_port)
    };
    assert_eq!(plan_for(3307), Some(3307));
    assert_eq!(plan_for(3308), None);
}

#[test]
fn a_change_that_waits_for_anything_but_its_moment_is_known_by_its_ports() {
    let world = World::settled(Mode::Hidden, 3306);
    let proxy = world.sky.state().proxies().unwrap().remove(0);
    let awaited = |port: u16, policy: ManagementPolicy, cause: Cause| {
        let mut object = world.cluster.object.clone();
        object.spec.port = port.into();
        object.spec.management_policy = Some(policy);
        let uptime = Duration::from_hours(1);
        let observed = Observed {
            proxy: Seen::Known(Some(proxy.clone())),
            ..Observed::default()
        };
        let facts = Facts {
            desired: &read(&object).unwrap(),
            record: &Record::of(&object),
            observed: &observed,
            session: &Session::default(),
            now: Moment::new(wall(3600), uptime),
            leading_for: uptime,
            pace: &Pace::real(),
            resync: Duration::from_mins(10),
        };
        timing::awaited(&facts, &Step::Hold(cause, Duration::ZERO))
    };
    let enforced = |cause: Cause| awaited(3307, ManagementPolicy::Enforce, cause);
    let limit = || {
        Cause::WaitingForLimit(Limit::Hourly {
            most: 60,
            next: None,
        })
    };
    let moved = Some((3306, 3307));
    assert_eq!(enforced(limit()), moved);
    assert_eq!(enforced(Cause::WaitingForInstance(None)), moved);
    assert_eq!(enforced(Cause::ProxyBusy("job job-2".to_owned())), moved);
    let at = wall(4500);
    assert_eq!(enforced(Cause::Damped { port: 3306, at }), moved);
    for cause in [Cause::Suspended, Cause::FailedLately, Cause::Looking] {
        assert_eq!(enforced(cause.clone()), None, "{cause:?}");
    }
    assert_eq!(awaited(3306, ManagementPolicy::Enforce, limit()), None);
    assert_eq!(awaited(3307, ManagementPolicy::Observe, limit()), None);
}
