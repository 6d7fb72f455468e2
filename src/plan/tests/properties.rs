//! What holds whatever happens.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    arbitrary::{change, looks, observed, policy, status},
    checks,
    cloud::{Mode, Sky, wall},
    schedule::schedules,
    world::World,
};
use crate::{
    cloud::ProxyStatus,
    crd::{FailureCause, ManagementPolicy, Phase, TaurusProxyPort, TaurusProxyPortStatus},
    desired::{Desired, read},
    fleet::claims::Standing,
    model::{Class, JobId, Moment, Reason},
    pace::Pace,
    plan::{
        self,
        attempts::Attempts,
        facts::{Facts, Observed, Seen},
        record::{Change, Record},
        session::Session,
        settle,
        step::{Progress, Step},
        summary,
    },
};

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

/// An object that wants 3307, with a status that anybody may have written.
fn object(status: TaurusProxyPortStatus, policy: ManagementPolicy) -> TaurusProxyPort {
    let mut object = World::new(Mode::Hidden, 3306, 3307).cluster.object;
    object.metadata.generation = Some(2);
    object.spec.management_policy = Some(policy);
    object.status = Some(status);
    object
}

/// What may be sent for, as the contract has it.
fn is_allowed(desired: &Desired, record: &Record, observed: &Observed) -> bool {
    let proxy = match &observed.proxy {
        Seen::Known(Some(proxy)) => proxy,
        Seen::Known(None) | Seen::NotRead | Seen::Unknown(_) => return false,
    };
    let free = observed.tasks == Seen::Known(None)
        && !(observed.instance_taken || observed.record_pruned)
        && observed.standing == Standing::Owner
        && observed.limit.is_none();
    let differs = proxy.port.is_some_and(|port| port != desired.port.get());
    let usable = proxy.status == ProxyStatus::Active;
    let left_alone = desired.policy == ManagementPolicy::Observe
        || desired.policy == ManagementPolicy::ApplyOnChange
            && record.applied == Some(desired.port.get());
    free && differs && usable && record.vetted && record.change.is_none() && !left_alone
}

proptest! {
    /// The checker of status panics where a rule is broken.
    #[test]
    fn no_record_however_absurd_breaks_a_rule_or_leads_to_a_request_that_is_not_allowed(
        status in status(),
        looks in looks(),
        policy in policy(),
        leads_for in 0..400_u64,
    ) {
        let mut object = object(status, policy);
        let sky = Sky::new(Mode::Hidden, 3306);
        let pace = Pace::real();
        let mut session = Session::default();
        let mut uptime = Duration::from_secs(leads_for);
        for (pause, observed) in looks {
            uptime += pause;
            let now = Moment::new(wall(uptime.as_secs()), uptime);
            let desired = read(&object).unwrap();
            let record = Record::of(&object);
            session.meet(&record, now);
            if let Seen::Known(Some(proxy)) = &observed.proxy {
                let listed = &mut sky.state().listed;
                *listed = proxy.port.or(*listed);
            }
            let decision = plan::decide(&Facts {
                desired: &desired,
                record: &record,
                observed: &observed,
                session: &session,
                now,
                leading_for: uptime,
                pace: &pace,
                resync: Duration::from_mins(10),
            });
            session = decision.session.clone();
            if matches!(decision.step, Step::Change(_)) {
                prop_assert!(is_allowed(&desired, &decision.record, &observed));
                prop_assert_eq!(&record.change, &None, "one change at a time");
                prop_assert!(record.vetted || uptime >= pace.settle_window());
                break;
            }
            prop_assert!(!matches!(decision.step, Step::Advance(_)));
            let status = summary::status(&object, &desired, &observed, &decision, now);
            checks::written(&object, &status, &sky);
            object.status = Some(status);
        }
    }

    #[test]
    fn b29_what_a_list_shows_beside_a_job_decides_nothing(
        status in status(),
        stored in change(),
        observed in observed(),
        uptime in 0..4_000_u64,
    ) {
        let status = TaurusProxyPortStatus { change: Some(stored), ..status };
        let object = object(status, ManagementPolicy::Enforce);
        let now = Moment::new(wall(uptime), Duration::from_secs(uptime));
        let decide = |observed: &Observed| {
            plan::decide(&Facts {
                desired: &read(&object).unwrap(),
                record: &Record::of(&object),
                observed,
                session: &Session::default(),
                now,
                leading_for: now.uptime,
                pace: &Pace::real(),
                resync: Duration::from_mins(10),
            })
        };
        let unseen = Observed { beside: Seen::NotRead, ..observed.clone() };
        let [mut one, mut other] = [&observed, &unseen].map(decide);
        for decision in [&mut one, &mut other] {
            if let Some(watch) = &mut decision.session.watch {
                watch.shown = None;
            }
        }
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_change_on_record_outlives_any_first_sight_that_does_not_end_its_job(
        stored in change(),
        observed in observed(),
        age in 0..10_000_000_u64,
    ) {
        let status = TaurusProxyPortStatus {
            subject_uid: Some("uid-1".to_owned()),
            observed_generation: Some(2),
            change: Some(stored),
            ..TaurusProxyPortStatus::default()
        };
        let object = object(status, ManagementPolicy::Enforce);
        let record = Record::of(&object);
        let Some(before) = &record.change else {
            return Ok(());
        };
        // Whatever the wall clock makes of the recorded times.
        let now = Moment::new(wall(age), Duration::from_secs(5));
        let decision = plan::decide(&Facts {
            desired: &read(&object).unwrap(),
            record: &record,
            observed: &observed,
            session: &Session::default(),
            now,
            leading_for: now.uptime,
            pace: &Pace::real(),
            resync: Duration::from_mins(10),
        });
        let finished = matches!(&observed.job, Seen::Known(job) if job.state.is_finished());
        if before.phase != Phase::Verifying && !(finished && before.job.is_some()) {
            prop_assert_eq!(decision.record.change.as_ref(), Some(before));
        }
        prop_assert!(!matches!(decision.step, Step::Change(_)));
        prop_assert!(decision.step != Step::Rest || decision.record.change.is_none());
    }

    #[test]
    fn a_job_that_becomes_known_late_stays_and_lowers_no_phase(stored in change(), age: u32) {
        let now = Moment::new(wall(age.into()), Duration::ZERO);
        if let Some(before) = Change::of(&stored) {
            let job = JobId::parse("job-9").unwrap();
            let after = settle::submitted(before.clone(), job.clone(), now.wall);
            prop_assert!(after.phase >= before.phase && after.phase >= Phase::Submitted);
            prop_assert_eq!(after.job, Some(job));
        }
    }

    #[test]
    fn settling_ends_a_change_with_a_trace_and_counts_it_once(
        status in status(),
        stored in change(),
        kind in 0..4_u8,
        age: u32,
    ) {
        let now = Moment::new(wall(age.into()), Duration::ZERO);
        let object = object(status, ManagementPolicy::Enforce);
        let Some(change) = Change::of(&stored) else {
            return Ok(());
        };
        let record = Record { change: Some(change.clone()), ..Record::of(&object) };
        let before = Attempts::at(change.to, &record.failures);
        let counted = |attempts: Option<Attempts>| {
            attempts.map_or(0, |attempts| attempts.failed.saturating_add(attempts.void))
        };
        let progress = match kind {
            0 => Progress::Succeeded(change.to),
            1 => Progress::Failed(FailureCause::JobFailed, "why".to_owned()),
            2 => Progress::Failed(FailureCause::VerificationFailed, "why".to_owned()),
            _ => Progress::Void("why".to_owned()),
        };
        let after = settle::advance(record, progress, now);
        prop_assert_eq!(&after.change, &None);
        prop_assert_eq!(&after.last.unwrap().id, change.id.as_str());
        prop_assert!(after.failures.len() <= 8 && after.corrections.len() <= 3);
        let attempts = counted(Attempts::at(change.to, &after.failures));
        if kind == 0 {
            prop_assert_eq!((attempts, after.applied), (0, Some(change.to)));
        } else {
            prop_assert!(attempts > counted(before) || attempts >= i32::MAX.unsigned_abs());
        }
    }
}
