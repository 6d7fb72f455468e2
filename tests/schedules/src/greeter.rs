//! The proxies as a client that connects to them meets them. All have one address; so a place stands for each proxy with that port, or for one proxy.

use std::time::Duration;

use futures::{FutureExt as _, future::BoxFuture};
use taurus_port_operator::{
    probe::{Outcome, Probe},
    publish::wanted::Place,
};

use crate::{
    sky::{PROXIES, Sky},
    world::{Shared, World},
};

/// What a connection and a greeting take.
const TAKES: Duration = Duration::from_millis(30);

/// Connects to the proxies of a world.
pub struct Greeter(pub Shared);

/// How proxies answer to who connects; times in milliseconds.
#[derive(Debug, Default)]
pub struct Listening {
    /// Each listens at its new port for so long before its job ends, and at its old one no longer.
    pub early: u64,
    /// Each whose job is at work listens at its new port between these times, and at its old one no longer, whatever comes of the job.
    pub ahead: Option<(u64, u64)>,
    /// The one proxy that is met at the address; any of them where none is named.
    pub only: Option<usize>,
    /// Ports at which somebody else greets.
    pub strangers: Vec<u16>,
    /// None listens before then.
    pub deaf_until: u64,
    /// When somebody has connected, and to which port.
    pub probes: Vec<(u64, u16)>,
}

impl Probe for Greeter {
    fn probe(&self, place: Place) -> BoxFuture<'static, Outcome> {
        let shared = self.0.clone();
        async move {
            let port = place.socket().port();
            let now = {
                let mut world = shared.lock();
                let now = world.now();
                world.sky.listening.probes.push((now, port));
                now
            };
            tokio::time::sleep(TAKES).await;
            let mut world = shared.lock();
            world.say(|| format!("somebody connects to port {port}, since {now}"));
            world.greets(port)
        }
        .boxed()
    }
}

impl World {
    fn greets(&mut self, port: u16) -> Outcome {
        let now = self.now();
        if now < self.sky.listening.deaf_until {
            return Outcome::Refused;
        }
        let early = self.sky.early(now);
        for (proxy, _) in early.iter().filter(|(_, to)| *to == port) {
            self.stock.ledger.greeted.push((*proxy, port, now));
        }
        let is_early = early.iter().any(|(_, to)| *to == port);
        let has_moved = |proxy: &usize| early.iter().any(|(of, _)| of == proxy);
        let only = self.sky.listening.only;
        let is_met = |proxy: &usize| only.is_none_or(|only| only == *proxy);
        let mut others = (0..PROXIES.len()).filter(|proxy| is_met(proxy) && !has_moved(proxy));
        let is_strange = self.sky.listening.strangers.contains(&port);
        if is_strange || is_early || others.any(|proxy| self.sky.port(proxy) == port) {
            Outcome::Greeted
        } else {
            Outcome::Refused
        }
    }
}

impl Sky {
    /// The proxies that listen at the new port before their job has ended, and the port.
    fn early(&self, now: u64) -> Vec<(usize, u16)> {
        let early = self.listening.early;
        let ahead = self.listening.ahead;
        let is_ahead = ahead.is_some_and(|(from, until)| (from..until).contains(&now));
        let listens = self
            .open()
            .filter(|work| is_ahead || work.listens_early(early, now));
        listens.map(|work| (work.proxy, work.to())).collect()
    }
}
