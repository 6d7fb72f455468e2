//! The resources as an API server keeps them, and who watches them.
//!
//! Promises what the real one promises: a version for every write, a generation for every new spec, a refusal of a write
//! from another version, no new version where nothing changes, and the status that the definition has as its default.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use bytes::Bytes;
use k8s_openapi::{api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::Time};
use kube::{ResourceExt as _, runtime::watcher::Event};
use taurus_port_operator::{
    controller::{Guarded, Undecodable},
    crd::{
        APPROVE, ManagementPolicy, PlanRecord, TaurusProxyPort, TaurusProxyPortStatus, UNOBSERVED,
    },
    permits::Trace,
};
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{Duration, Instant},
};

use crate::{NAMESPACE, flaw::Flaw, resource, world::wall};

/// Label of a resource that processes can't decode.
pub const UNDECODABLE: &str = "undecodable";

/// An event of a watch, and when it is delivered.
pub type Delivery = (Instant, Event<Guarded>);

#[derive(Default)]
pub struct Cluster {
    version: u64,
    born: u64,
    objects: BTreeMap<String, Stored>,
    pub lease: Option<Lease>,
    /// The same, as it is answered.
    pub lease_bytes: Bytes,
    /// When a process last began to watch, in milliseconds.
    pub watched_since: u64,
    /// What is broken in how operators see resources.
    pub flaw: Option<Flaw>,
    /// Names of the events that were published.
    pub events: BTreeSet<String>,
    watches: Vec<Watch>,
    /// For how long each machine's watch delivers later than it should.
    pub lag: [Duration; 2],
    /// Until when each machine's watch is down, in milliseconds.
    pub down_until: [u64; 2],
    /// Those for whose proxy there was another one when they were made.
    younger: BTreeSet<String>,
    /// The last plan of each that was used, where it is revived.
    plans: BTreeMap<String, PlanRecord>,
}

struct Stored {
    object: TaurusProxyPort,
    bytes: Bytes,
}

struct Watch {
    machine: usize,
    sender: UnboundedSender<Delivery>,
    /// The watch was down when something happened: it begins with a new list.
    missed: bool,
}

/// Why a write is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Conflict,
    NotFound,
}

impl Cluster {
    /// An empty one, with something broken or nothing.
    pub fn new(flaw: Option<Flaw>) -> Self {
        Self {
            flaw,
            ..Self::default()
        }
    }

    /// Whether this is broken.
    pub fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    pub fn get(&self, name: &str) -> Option<&TaurusProxyPort> {
        self.objects.get(name).map(|stored| &stored.object)
    }

    /// A resource as it is answered.
    pub fn bytes(&self, name: &str) -> Option<Bytes> {
        self.objects.get(name).map(|stored| stored.bytes.clone())
    }

    pub fn all(&self) -> impl Iterator<Item = &TaurusProxyPort> {
        self.objects.values().map(|stored| &stored.object)
    }

    /// A version that nothing else has.
    pub fn next_version(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    /// Creates a resource. A tool for backups writes the status of a restored one right after.
    pub fn create(&mut self, mut object: TaurusProxyPort, now: u64) {
        let restored = object.status.take();
        let restored = restored.filter(|status| !status.is_unobserved());
        self.born += 1;
        let of_proxy = |other: &TaurusProxyPort| other.spec.proxy_id == object.spec.proxy_id;
        if self.all().any(of_proxy) {
            self.younger.insert(object.name_any());
        }
        object.metadata.uid = Some(format!("uid-{}", self.born));
        object.metadata.generation = Some(1);
        object.metadata.creation_timestamp = Some(Time(wall(now / 1000 * 1000)));
        self.store(object.clone(), now);
        if let Some(status) = restored {
            self.store(
                TaurusProxyPort {
                    status: Some(status),
                    ..object
                },
                now,
            );
        }
    }

    pub fn delete(&mut self, name: &str, now: u64) -> Option<TaurusProxyPort> {
        let mut object = self.objects.remove(name)?.object;
        object.metadata.resource_version = Some(self.next_version());
        let seen = self.seen(&object);
        if !self.has(Flaw::OverlooksDeletions) {
            self.deliver(now, || Event::Delete(guarded(&seen)));
        }
        Some(object)
    }

    /// People write a resource; a new spec is a new generation.
    pub fn edit(
        &mut self,
        name: &str,
        now: u64,
        change: impl FnOnce(&mut TaurusProxyPort),
    ) -> bool {
        let Some(before) = self.get(name) else {
            return false;
        };
        let mut after = before.clone();
        change(&mut after);
        if after == *before {
            return false;
        }
        if after.spec != before.spec {
            let generation = before.metadata.generation.unwrap_or_default();
            after.metadata.generation = Some(generation + 1);
        }
        self.store(after, now);
        true
    }

    /// Another definition shows a resource otherwise: nobody has edited it.
    pub fn show_otherwise(
        &mut self,
        name: &str,
        now: u64,
        change: impl FnOnce(&mut TaurusProxyPort),
    ) {
        if let Some(before) = self.get(name) {
            let mut after = before.clone();
            change(&mut after);
            self.store(after, now);
        }
    }

    /// Replaces the status of a resource, if it was computed from the version that stands there.
    pub fn replace_status(
        &mut self,
        name: &str,
        sent: &TaurusProxyPort,
        compares: bool,
        now: u64,
    ) -> Result<(), Refusal> {
        debug_assert_eq!(sent.name_any(), name, "the path names what is sent");
        let before = self.may_replace(sent, compares)?;
        if sent.status != before.status {
            let status = sent.status.clone();
            let after = TaurusProxyPort {
                status,
                ..before.clone()
            };
            self.store(after, now);
        }
        Ok(())
    }

    /// What a write of this would replace, if it was computed from the version that stands there.
    pub fn may_replace(
        &self,
        sent: &TaurusProxyPort,
        compares: bool,
    ) -> Result<&TaurusProxyPort, Refusal> {
        let before = self.get(&sent.name_any()).ok_or(Refusal::NotFound)?;
        let same = sent.metadata.resource_version == before.metadata.resource_version;
        if sent.metadata.uid != before.metadata.uid || (compares && !same) {
            return Err(Refusal::Conflict);
        }
        Ok(before)
    }

    fn store(&mut self, mut object: TaurusProxyPort, now: u64) {
        object.metadata.resource_version = Some(self.next_version());
        object.status.get_or_insert_with(unobserved);
        if self.has(Flaw::RevivesPlans) {
            self.note_used_plan(&object);
        }
        let seen = self.seen(&object);
        let bytes = serde_json::to_vec(&*seen)
            .expect("a resource is JSON")
            .into();
        self.deliver(now, || Event::Apply(guarded(&seen)));
        drop(seen);
        self.objects
            .insert(object.name_any(), Stored { object, bytes });
    }

    /// Remembers the plan of a change that has begun: it stood there right before.
    fn note_used_plan(&mut self, object: &TaurusProxyPort) {
        let change = object
            .status
            .as_ref()
            .and_then(|status| status.change.as_ref());
        let before = self
            .get(&object.name_any())
            .and_then(|before| before.status.as_ref());
        let plan = before.and_then(|status| status.plan.clone());
        if let (Some(change), Some(plan)) = (change, plan)
            && change.plan.as_ref() == Some(&plan.id)
        {
            self.plans.insert(object.name_any(), plan);
        }
    }

    /// Begins a watch of a machine, with a list.
    pub fn watch(&mut self, machine: usize, sender: UnboundedSender<Delivery>) {
        let mut watch = Watch {
            machine,
            sender,
            missed: false,
        };
        self.list(&mut watch);
        self.watches.retain(|watch| !watch.sender.is_closed());
        self.watches.push(watch);
    }

    /// Begins anew what was down for a while.
    pub fn mend_watches(&mut self, now: u64) {
        let mut watches = std::mem::take(&mut self.watches);
        for watch in &mut watches {
            if watch.missed && self.down_until[watch.machine] <= now {
                self.list(watch);
                watch.missed = false;
            }
        }
        self.watches = watches;
    }

    /// A resource as operators see it.
    fn seen<'a>(&self, object: &'a TaurusProxyPort) -> Cow<'a, TaurusProxyPort> {
        let mut seen = Cow::Borrowed(object);
        match self.flaw {
            Some(Flaw::BelievesStrangers) => {
                seen.to_mut().metadata.namespace = Some(NAMESPACE.to_owned());
            }
            Some(Flaw::TakesSpellingsForPlaces) => {
                if let Some(address) = &object.spec.endpoint {
                    let elsewhere = format!("https://elsewhere-{}.example", address.len());
                    seen.to_mut().spec.endpoint = Some(elsewhere);
                }
            }
            Some(Flaw::AgeDecides) if self.younger.contains(&object.name_any()) => {
                seen.to_mut().spec.management_policy = Some(ManagementPolicy::Observe);
            }
            Some(Flaw::ForgetsAges) => {
                let old = resource::times_that(object, |time| time < wall(0));
                if !old.is_empty() {
                    resource::set_times(seen.to_mut(), &old, wall(self.watched_since));
                }
            }
            Some(Flaw::TakesAnyApproval) => {
                let status = object.status.as_ref();
                let plan = status.and_then(|status| status.plan.as_ref());
                let approval = object.annotations().contains_key(APPROVE);
                if let Some(plan) = plan.filter(|_| approval) {
                    let annotations = seen.to_mut().annotations_mut();
                    annotations.insert(APPROVE.to_owned(), plan.id.clone());
                }
            }
            Some(Flaw::RevivesPlans) => {
                let used = self.plans.get(&object.name_any());
                let status = seen.to_mut().status.as_mut();
                if let Some(status) = status.filter(|status| status.change.is_none())
                    && let Some(used) = used
                {
                    status.plan = Some(used.clone());
                }
            }
            _ => {}
        }
        seen
    }

    fn list(&self, watch: &mut Watch) {
        let at = Instant::now() + self.lag[watch.machine];
        let each = self.all().map(|object| self.seen(object));
        let each = each.map(|object| Event::InitApply(guarded(&object)));
        for event in [Event::Init]
            .into_iter()
            .chain(each)
            .chain([Event::InitDone])
        {
            watch.sender.send((at, event)).ok();
        }
    }

    fn deliver(&mut self, now: u64, event: impl Fn() -> Event<Guarded>) {
        for watch in &mut self.watches {
            if self.down_until[watch.machine] > now {
                watch.missed = true;
            } else if !watch.missed {
                let at = Instant::now() + self.lag[watch.machine];
                watch.sender.send((at, event())).ok();
            }
        }
    }
}

/// The default of the definition.
fn unobserved() -> TaurusProxyPortStatus {
    TaurusProxyPortStatus {
        observed_generation: Some(UNOBSERVED),
        ..TaurusProxyPortStatus::default()
    }
}

fn guarded(object: &TaurusProxyPort) -> Guarded {
    if !object.labels().contains_key(UNDECODABLE) {
        return Guarded(Ok(object.clone()));
    }
    Guarded(Err(Box::new(Undecodable {
        metadata: object.metadata.clone(),
        error: "spec.port can't be read".to_owned(),
        trace: Trace::of(object),
    })))
}
