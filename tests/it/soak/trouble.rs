//! What goes wrong at the cloud and on the way to the API server, for as long as it is to.

use std::time::Duration;

use taurus_sim::{
    Chaos, Control, Effect, ErrorShape, Fault, JobPlan, Loss, Maintenance, Operation, RetryAfter,
};
use tokio::sync::Mutex;

use super::{
    fleet::Place,
    plan::{ApiTrouble, CloudTrouble},
    replica::Replica,
};
use crate::world::relay::{Call, Effect as RelayEffect, Fault as RelayFault, Stage};

/// Lists and jobs come this late at most; two such troubles at once would be more than is promised.
static LAGGING: Mutex<()> = Mutex::const_new(());

/// Makes this go wrong at the cloud.
pub async fn of_cloud(cloud: &Control, places: &[Place], trouble: CloudTrouble, long: Duration) {
    let maintain = |of: usize, maintenance: fn(&str) -> Maintenance| {
        let maintenance = maintenance(&places[of].proxy).lasting(long);
        cloud.maintain(maintenance).unwrap();
    };
    let lost = |effect| Fault::on(Operation::Change, effect);
    let fault = match trouble {
        CloudTrouble::Chaos(seed, share) => {
            cloud.set_chaos(Some(chaos(seed, share))).unwrap();
            tokio::time::sleep(long).await;
            cloud.set_chaos(None).unwrap();
            return;
        }
        CloudTrouble::Gone(of) => return maintain(of, Maintenance::absent),
        CloudTrouble::Unhealthy(of) => {
            return maintain(of, |of| Maintenance::showing(of, "ABNORMAL"));
        }
        CloudTrouble::Throttled => {
            Fault::everywhere(Effect::throttle(Some(RetryAfter::Seconds(1))))
        }
        CloudTrouble::Down => Fault::everywhere(Effect::error(503, "APIGW.0613", ErrorShape::Html)),
        CloudTrouble::Silent => Fault::everywhere(Effect::black_hole()),
        CloudTrouble::AnswersLost => lost(Effect::lose_answer(Loss::Reset)),
        CloudTrouble::RequestsLost => lost(Effect::lose_request(Loss::Reset)),
        CloudTrouble::Lag(by) => Fault::everywhere(Effect::Lag(Duration::from_millis(by))),
    };
    let lagging = matches!(trouble, CloudTrouble::Lag(_)).then(|| LAGGING.try_lock());
    if matches!(lagging, Some(Err(_))) {
        return;
    }
    let fault = cloud.inject(fault);
    tokio::time::sleep(long).await;
    cloud.remove_fault(fault).unwrap();
}

fn chaos(seed: u64, share: f64) -> Chaos {
    let whole = Chaos::seeded(seed);
    Chaos {
        resets_before_work: whole.resets_before_work * share,
        resets_after_work: whole.resets_after_work * share,
        errors_before_work: whole.errors_before_work * share,
        errors_after_work: whole.errors_after_work * share,
        cut_bodies: whole.cut_bodies * share,
        slow_bodies: whole.slow_bodies * share,
        throttles: whole.throttles * share,
        ..whole
    }
}

/// Nothing goes wrong any more at the cloud.
pub fn end(cloud: &Control) {
    cloud.clear_faults();
    cloud.set_chaos(None).unwrap();
    cloud.end_maintenance();
    cloud.default_job(
        JobPlan::lasting(Duration::from_secs(2)).visible_after(Duration::from_millis(500)),
    );
    let (domain, user) = (taurus_sim::sample::DOMAIN, taurus_sim::sample::USER);
    cloud.lock_user(domain, user, Duration::ZERO).unwrap();
}

/// Makes this go wrong between a replica and the API server; false if something else does there.
pub async fn of_api_server(
    replica: &Replica,
    places: &[Place],
    trouble: ApiTrouble,
    long: Duration,
) -> bool {
    let Ok(mut relay) = replica.relay.try_lock() else {
        return false;
    };
    replica.excuse(long);
    let statuses: Vec<Call> = places
        .iter()
        .map(|place| Call::Status(place.name.clone()))
        .collect();
    let watch = |effect| RelayFault::on(&[Call::Watch], effect);
    let (fault, cuts) = match trouble {
        ApiTrouble::Cut => {
            relay.cut_connections().await;
            return true;
        }
        ApiTrouble::Away => {
            relay.stop_listening().await;
            tokio::time::sleep(long).await;
            relay.listen().await;
            return true;
        }
        ApiTrouble::Refused(status, times) => (
            RelayFault::on_all(RelayEffect::refuse(status)).first(times),
            false,
        ),
        ApiTrouble::Conflicts(times) => (
            RelayFault::on(&statuses, RelayEffect::refuse(409)).first(times),
            false,
        ),
        ApiTrouble::AnswersLost(times) => (
            RelayFault::on(&statuses, RelayEffect::Cut(Stage::After)).first(times),
            false,
        ),
        ApiTrouble::SilentWatch => (watch(RelayEffect::Silence(Stage::Before)), true),
        ApiTrouble::SlowWatch => (
            watch(RelayEffect::DelayEvents(Duration::from_secs(2))),
            true,
        ),
        ApiTrouble::Expired => (watch(RelayEffect::Expire).first(2), true),
        ApiTrouble::SlowWrites(by) => {
            let late = RelayEffect::DelayEvents(Duration::from_millis(by));
            (RelayFault::on(&statuses, late), false)
        }
    };
    let fault = relay.inject(fault);
    if cuts {
        relay.cut_connections().await;
    }
    tokio::time::sleep(long).await;
    relay.remove(fault);
    if cuts {
        relay.cut_connections().await;
    }
    true
}
