//! Who manages each proxy, and that nobody else moves it: also while it is being made anew.
//!
//! Counted is only what everybody can see: who moved a proxy last, or is Ready where nobody else wants it. Of what a process could
//! not see, because it did not run or its watch was down, nothing is concluded.

use kube::ResourceExt as _;
use taurus_port_operator::{
    crd::{ManagementPolicy, TaurusProxyPort},
    model::{Class, Reason},
};

use crate::{
    life::Life,
    rest::ready,
    sky::PROXIES,
    world::{World, wall},
};

/// Who managed a proxy is waited for this long when it is gone, in milliseconds.
const TAKE_OVER: u64 = 120_000;

/// Everybody has heard of what happened after this long, if its watch works.
const HEARD: u64 = 60_000;

/// Who manages each proxy, if that is known.
#[derive(Default)]
pub struct Reigns {
    of: [Option<Reign>; PROXIES.len()],
    /// When a resource for the proxy was deleted last.
    deleted: [Option<u64>; PROXIES.len()],
}

struct Reign {
    name: String,
    /// Since when it is gone.
    gone: Option<u64>,
    /// Since when it is there.
    back: u64,
    /// The processes that ran when it began, or was deleted last.
    witnesses: Vec<String>,
}

fn proxy_of(object: &TaurusProxyPort) -> Option<usize> {
    PROXIES
        .iter()
        .position(|(id, _)| *id == object.spec.proxy_id)
}

fn contends(object: &TaurusProxyPort) -> bool {
    object.spec.management_policy != Some(ManagementPolicy::Observe)
}

/// Whether a process that begins now could know that a resource has managed its proxy. Of one that was made anew and could not see its
/// proxy since nothing tells it.
fn shows_right(object: &TaurusProxyPort) -> bool {
    let status = object.status.as_ref();
    let subject = status.and_then(|status| status.subject_uid.as_ref());
    let is_vetted = subject.is_some() && subject == object.metadata.uid.as_ref();
    let reason = ready(object).and_then(|ready| ready.reason.parse::<Reason>().ok());
    is_vetted || reason.is_some_and(|reason| reason.class() != Class::Stalled)
}

impl World {
    /// A version of a resource stands there.
    pub fn reign_of_version(&mut self, object: &TaurusProxyPort) {
        let (Some(proxy), now) = (proxy_of(object), self.now()) else {
            return;
        };
        let name = object.name_any();
        if let Some(reign) = &mut self.book.reigns.of[proxy] {
            if reign.name == name {
                match reign.gone.take() {
                    Some(gone) if now - gone < TAKE_OVER => reign.back = now,
                    // Somebody else may have it by now.
                    Some(_) => self.book.reigns.of[proxy] = None,
                    // Who lets go by itself is nobody's business here.
                    None if !contends(object) => self.book.reigns.of[proxy] = None,
                    None => {}
                }
            }
            return;
        }
        let is_settled = ready(object).is_some_and(|ready| ready.reason == Reason::Settled.name());
        let alone = !self
            .cluster
            .all()
            .any(|other| other.spec.proxy_id == object.spec.proxy_id && other.name_any() != name);
        let long_alone =
            self.book.reigns.deleted[proxy].is_none_or(|then| now - then > TAKE_OVER + HEARD);
        if is_settled && contends(object) && alone && long_alone {
            self.begin_reign(proxy, name);
        }
    }

    /// A resource was deleted.
    pub fn reign_of_deleted(&mut self, object: &TaurusProxyPort) {
        let (Some(proxy), now) = (proxy_of(object), self.now()) else {
            return;
        };
        let witnesses = self.witnesses();
        self.book.reigns.deleted[proxy] = Some(now);
        if let Some(reign) = &mut self.book.reigns.of[proxy]
            && reign.name == object.name_any()
        {
            reign.gone = Some(now);
            if shows_right(object) {
                reign.witnesses = witnesses;
            }
        }
    }

    /// A process sends a change on behalf of a resource.
    pub fn reign_of_mover(&mut self, name: &str, life: &Life) {
        let Some(mover) = self.cluster.get(name).cloned() else {
            return;
        };
        let Some(proxy) = proxy_of(&mover) else {
            return;
        };
        if let Some(what) = self.usurped(proxy, &mover, life) {
            self.broken(what);
        }
        if let Some(what) = self.overlooked(proxy, &mover) {
            self.broken(what);
        }
        self.begin_reign(proxy, name.to_owned());
    }

    fn usurped(&self, proxy: usize, mover: &TaurusProxyPort, life: &Life) -> Option<String> {
        let reign = self.book.reigns.of[proxy].as_ref()?;
        let mover_name = mover.name_any();
        if reign.name == mover_name || !reign.witnesses.contains(&life.identity) {
            return None;
        }
        let now = self.now();
        let watches = self.cluster.down_until[life.machine] + HEARD < now;
        if let Some(gone) = reign.gone {
            return (watches && now - gone < TAKE_OVER).then(|| {
                format!(
                    "{mover_name} moves the proxy of {}, which is gone for {} ms",
                    reign.name,
                    now - gone
                )
            });
        }
        let owner = self.cluster.get(&reign.name)?;
        let status = owner.status.as_ref()?;
        let sees = status.port.is_some()
            && (status.subject_uid.is_none() || status.subject_uid == owner.metadata.uid);
        let heard = now - reign.back > HEARD && watches;
        let differs = owner.spec.port != mover.spec.port;
        (sees && heard && differs)
            .then(|| format!("{mover_name} moves the proxy of {}", reign.name))
    }

    /// Another one that has been there for as long wants the port that has always been in place, and nobody has managed the proxy.
    fn overlooked(&self, proxy: usize, mover: &TaurusProxyPort) -> Option<String> {
        let reigns = &self.book.reigns;
        if reigns.of[proxy].is_some() || reigns.deleted[proxy].is_some() {
            return None;
        }
        let first = |object: &TaurusProxyPort| {
            let created = object.creation_timestamp().map(|created| created.0);
            object.metadata.generation == Some(1) && created == Some(wall(0))
        };
        let in_place = self.sky.port_of_always(proxy)?;
        let mut others = self.cluster.all().filter(|other| {
            other.spec.proxy_id == mover.spec.proxy_id && other.name_any() != mover.name_any()
        });
        let rightful = others.find(|other| {
            // Who can't see the proxy, or could not when it looked last, claims nothing.
            let is_stalled = ready(other)
                .and_then(|ready| ready.reason.parse::<Reason>().ok())
                .is_none_or(|reason| reason.class() == Class::Stalled);
            let status = other.status.as_ref();
            let sees = !is_stalled && status.is_some_and(|status| status.port.is_some());
            first(other) && sees && other.spec.port == i32::from(in_place)
        })?;
        let wants_it = mover.spec.port == i32::from(in_place);
        (first(mover) && !wants_it).then(|| {
            format!(
                "H15: {} moves the proxy that {} wants as it is",
                mover.name_any(),
                rightful.name_any()
            )
        })
    }

    fn begin_reign(&mut self, proxy: usize, name: String) {
        let (back, witnesses) = (self.now(), self.witnesses());
        self.book.reigns.of[proxy] = Some(Reign {
            name,
            gone: None,
            back,
            witnesses,
        });
    }

    fn witnesses(&self) -> Vec<String> {
        let lives = self.lives.iter().flatten();
        lives.map(|life| life.identity.clone()).collect()
    }
}
