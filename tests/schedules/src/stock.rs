//! Services, EndpointSlices and ConfigMaps as an API server keeps them, and its garbage collector.
//!
//! Promises what the real one promises, as far as the operator uses it: a version for every write that changes something, a UID for every
//! object, a cluster IP for a Service, a comparison of versions, and that what has owners is deleted when none of them is there. Who has
//! made an object is known here whatever its labels say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{NAMESPACE, publishing::ledger::Ledger, world::wall};

mod serve;
mod watching;

pub use serve::saying;
pub use watching::watched;

/// A kind of object that is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Service,
    Slice,
    Map,
}

/// Who has made an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Maker {
    /// Not the operator.
    Somebody,
    /// The operator, for this proxy.
    Operator(String),
}

/// An object.
#[derive(Debug, Clone)]
pub struct Object {
    pub value: Value,
    pub maker: Maker,
    /// Somebody has taken the owners from it.
    pub is_orphaned: bool,
    /// It was made by a call that nobody waited for any more: whoever sent that may have let go of the name since.
    pub is_late: bool,
}

/// What has happened to an object.
#[derive(Debug, Clone)]
pub struct Line {
    pub at: u64,
    pub version: u64,
    pub kind: Kind,
    pub name: String,
    pub before: Option<Object>,
    pub after: Option<Object>,
}

/// All of them; those of the namespace of all resources.
#[derive(Default)]
pub struct Stock {
    objects: BTreeMap<(Kind, String), Object>,
    version: u64,
    /// What has happened, in its order.
    pub log: Vec<Line>,
    /// Whoever waits for something to happen.
    pub changed: watch::Sender<u64>,
    /// Whether operators may watch what is published.
    pub may_watch: bool,
    /// What was published, as far as it is checked.
    pub ledger: Ledger,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Service, Self::Slice, Self::Map];

    pub fn plural(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::Slice => "endpointslices",
            Self::Map => "configmaps",
        }
    }

    pub fn types(self) -> (&'static str, &'static str) {
        match self {
            Self::Service => ("v1", "Service"),
            Self::Slice => ("discovery.k8s.io/v1", "EndpointSlice"),
            Self::Map => ("v1", "ConfigMap"),
        }
    }

    /// The kind and the name that a path is about.
    pub fn of(path: &str) -> Option<(Self, Option<String>)> {
        let parts: Vec<&str> = path.split('/').collect();
        Self::ALL.into_iter().find_map(|kind| {
            let place = parts.iter().position(|part| *part == kind.plural())?;
            Some((kind, parts.get(place + 1).map(ToString::to_string)))
        })
    }
}

impl Object {
    /// The label of this name.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.value["metadata"]["labels"][name].as_str()
    }

    /// The UIDs of its owners.
    pub fn owners(&self) -> Vec<&str> {
        let owners = self.value["metadata"]["ownerReferences"].as_array();
        let owners = owners.into_iter().flatten();
        owners.filter_map(|owner| owner["uid"].as_str()).collect()
    }

    /// The UID of the owner that has it.
    pub fn controller(&self) -> Option<&str> {
        let owners = self.value["metadata"]["ownerReferences"].as_array()?;
        let mut owners = owners.iter();
        let owner = owners.find(|owner| owner["controller"] == true)?;
        owner["uid"].as_str()
    }

    pub fn version(&self) -> &Value {
        &self.value["metadata"]["resourceVersion"]
    }

    pub fn is_made_here(&self) -> bool {
        self.maker != Maker::Somebody
    }

    /// Where it leads: the port, and whether that is all it says.
    pub fn port(&self, kind: Kind) -> Option<u16> {
        match kind {
            Kind::Service => None,
            Kind::Slice => {
                let port = self.value["ports"][0]["port"].as_u64()?;
                u16::try_from(port).ok()
            }
            Kind::Map => self.value["data"]["proxyPort"].as_str()?.parse().ok(),
        }
    }
}

impl Stock {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.objects.len()
    }

    pub fn get(&self, kind: Kind, name: &str) -> Option<&Object> {
        self.objects.get(&(kind, name.to_owned()))
    }

    pub fn all(&self) -> impl Iterator<Item = (Kind, &str, &Object)> {
        let all = self.objects.iter();
        all.map(|((kind, name), object)| (*kind, name.as_str(), object))
    }

    /// Stores an object, new or not; nothing happens where nothing differs.
    pub fn store(&mut self, kind: Kind, name: &str, mut object: Object, now: u64) {
        let before = self.get(kind, name).cloned();
        normalise(kind, &mut object.value);
        if let Some(before) = &before {
            object.value["metadata"]["resourceVersion"] = before.version().clone();
            if object.value == before.value && object.is_orphaned == before.is_orphaned {
                return;
            }
        }
        self.version += 1;
        let (api_version, kind_name) = kind.types();
        object.value["apiVersion"] = json!(api_version);
        object.value["kind"] = json!(kind_name);
        let meta = &mut object.value["metadata"];
        meta["name"] = json!(name);
        meta["namespace"] = json!(NAMESPACE);
        meta["resourceVersion"] = json!(self.version.to_string());
        if before.is_none() {
            meta["uid"] = json!(format!("uid-of-object-{}", self.version));
            meta["creationTimestamp"] = json!(wall(now / 1000 * 1000).to_string());
        }
        let key = (kind, name.to_owned());
        self.objects.insert(key, object.clone());
        self.happened(kind, name, before, Some(object), now);
    }

    /// Deletes an object.
    pub fn remove(&mut self, kind: Kind, name: &str, now: u64) -> Option<Object> {
        let removed = self.objects.remove(&(kind, name.to_owned()))?;
        self.version += 1;
        self.happened(kind, name, Some(removed.clone()), None, now);
        Some(removed)
    }

    fn happened(
        &mut self,
        kind: Kind,
        name: &str,
        before: Option<Object>,
        after: Option<Object>,
        now: u64,
    ) {
        self.log.push(Line {
            at: now,
            version: self.version,
            kind,
            name: name.to_owned(),
            before,
            after,
        });
        self.changed.send_replace(self.version);
    }

    /// Owners that are gone are taken from what they owned, and what has no other ones is deleted.
    pub fn collect(&mut self, living: &BTreeSet<String>, now: u64) -> Vec<String> {
        let mut said = Vec::new();
        let owned: Vec<(Kind, String)> = self.objects.keys().cloned().collect();
        for (kind, name) in owned {
            let Some(object) = self.get(kind, &name) else {
                continue;
            };
            let (mut left, all) = (object.clone(), object.owners().len());
            let owners = &mut left.value["metadata"]["ownerReferences"];
            if let Some(owners) = owners.as_array_mut() {
                owners.retain(|owner| {
                    owner["uid"]
                        .as_str()
                        .is_some_and(|uid| living.contains(uid))
                });
            }
            let (kept, plural) = (left.owners().len(), kind.plural());
            if all > 0 && kept == 0 {
                self.remove(kind, &name, now);
                said.push(format!("the garbage collector deletes {plural}/{name}"));
            } else if kept < all {
                self.store(kind, &name, left, now);
                said.push(format!(
                    "the garbage collector takes owners from {plural}/{name}"
                ));
            }
        }
        said
    }
}

/// What an API server fills in.
fn normalise(kind: Kind, value: &mut Value) {
    if kind != Kind::Service {
        return;
    }
    let spec = &mut value["spec"];
    if spec["clusterIP"].is_null() {
        spec["clusterIP"] = json!("10.96.0.9");
        spec["clusterIPs"] = json!(["10.96.0.9"]);
    }
    for (field, usual) in [
        ("type", json!("ClusterIP")),
        ("sessionAffinity", json!("None")),
        ("internalTrafficPolicy", json!("Cluster")),
        ("ipFamilies", json!(["IPv4"])),
        ("ipFamilyPolicy", json!("SingleStack")),
    ] {
        if spec[field].is_null() {
            spec[field] = usual;
        }
    }
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        if port["targetPort"].is_null() {
            port["targetPort"] = port["port"].clone();
        }
        if port["protocol"].is_null() {
            port["protocol"] = json!("TCP");
        }
    }
}
