//! The operator in this process, to see what it makes of imported resources.

use std::{sync::Arc, time::Duration};

use taurus_port_operator::{
    chance::Chance,
    clock::Clock,
    cloud::{
        authorities::Authorities,
        budget::CallLimit,
        connector::{Connector, Policy},
        egress::Egress,
        names::Names,
    },
    controller::{self, Scope, context::Settings},
    leader::Leadership,
    pace::Pace,
    permits::limits::Limits,
    place::endpoints::AllowList,
    probe::tcp::Tcp,
    publish::networks::Networks,
};

use crate::plane::Place;

/// Runs the operator for a namespace until `done` is, in a hurry.
pub async fn operated<T>(place: &Place, cloud: &str, done: impl Future<Output = T>) -> T {
    let clock = Clock::with_head_start(Duration::from_hours(1));
    let hurried = (Pace::divided_by(60), CallLimit::unfelt());
    operated_at(hurried, clock, place, cloud, done).await
}

/// The same at the shipped pace, with so many calls a minute, from its very start.
pub async fn operated_as_shipped<T>(
    place: &Place,
    cloud: &str,
    calls: u32,
    done: impl Future<Output = T>,
) -> T {
    let limit = CallLimit {
        calls,
        per: Duration::from_mins(1),
        is_even: false,
    };
    operated_at((Pace::real(), limit), Clock::start(), place, cloud, done).await
}

async fn operated_at<T>(
    (durations, call_limit): (Pace, CallLimit),
    clock: Clock,
    place: &Place,
    cloud: &str,
    done: impl Future<Output = T>,
) -> T {
    let host = cloud.trim_start_matches("http://").to_owned();
    let policy = Policy {
        allow: AllowList::new([host], true),
        call_timeout: durations.call_timeout,
        lock_out: durations.lock_out(),
        throttle_pause: durations.throttled,
        extra_authorities: Authorities::none(),
        egress: Egress::direct(),
        names: Names::of_the_system(),
        call_limit,
        calls_at_once: 8,
        clock,
        observer: Arc::new(()),
    };
    let settings = Settings {
        clock,
        chance: Chance::default(),
        // As by default: what a story wants to be seen sooner, it asks for.
        resync: Duration::from_mins(10),
        pace: durations,
        limits: Limits::default(),
        connect: Arc::new(Connector::new(policy).unwrap()),
        probe: Arc::new(Tcp::default()),
        networks: Networks::any(),
        defaults: None,
        calendar: Arc::default(),
        meter: Arc::new(()),
        leadership: Arc::new(Leadership::alone()),
        work: Arc::default(),
    };
    let scope = Scope {
        namespace: Some(place.namespace.clone()),
        concurrency: 16,
        heartbeat: Arc::default(),
    };
    let running = controller::run(
        place.client.clone(),
        scope,
        settings,
        || (),
        std::future::pending(),
    );
    tokio::select! {
        _ = running => panic!("the operator ended"),
        value = done => value,
    }
}
