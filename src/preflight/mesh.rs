//! What meshes and Cilium know of the port that goes: in objects of their kinds, and by what they take for TCP.
//!
//! Pure. Promises the same findings in the same order for the same objects, and none for an object that it can't read.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::Value;

use super::{
    Fate, Move, Touched, cilium,
    injection::Marks,
    network::is_within,
    values::has_service,
    workloads::{Sought, Workload},
};

/// The objects of meshes, by their kind.
#[derive(Debug, Default)]
pub struct Meshes(pub BTreeMap<&'static str, Vec<DynamicObject>>);

impl Meshes {
    fn of(&self, kind: &str) -> impl Iterator<Item = &DynamicObject> {
        self.0.get(kind).into_iter().flatten()
    }

    /// Whether Istio is told that the port is one for plain TCP.
    fn declares(&self, port: u16) -> bool {
        self.of("ServiceEntry").any(|entry| {
            list(&entry.data, "/spec/ports").any(|known| {
                let protocol = text(known, "/protocol").unwrap_or_default();
                let protocol = protocol.to_ascii_uppercase();
                numbers(known).contains(&port) && matches!(protocol.as_str(), "TCP" | "MYSQL")
            })
        })
    }

    /// What of it is about the port that goes.
    pub fn touched(&self, moved: &Move, services: &BTreeSet<String>) -> Vec<Touched> {
        let (from, to) = (moved.from, moved.to);
        let mut found = Vec::new();
        let mut hosts: BTreeSet<String> = BTreeSet::new();
        for entry in self.of("ServiceEntry") {
            let ports: BTreeSet<u16> = list(&entry.data, "/spec/ports").flat_map(numbers).collect();
            let ends = list(&entry.data, "/spec/endpoints");
            let of_ends = ends.filter_map(|end| end.get("ports").and_then(Value::as_object));
            let of_ends = of_ends.flat_map(|ports| ports.values()).filter_map(number);
            let ports: BTreeSet<u16> = of_ends.chain(ports).collect();
            if names(&entry.data, moved) && ports.contains(&from) && !ports.contains(&to) {
                let how = format!("which has port {from} of the proxy and not {to}");
                found.push(Touched::of(
                    "ServiceEntry",
                    entry.name_any(),
                    how,
                    Fate::Unknown,
                ));
                let named = list(&entry.data, "/spec/hosts").filter_map(Value::as_str);
                hosts.extend(named.map(str::to_owned));
            }
        }
        for rule in self.of("DestinationRule") {
            let host = text(&rule.data, "/spec/host").unwrap_or_default();
            let is_ours = hosts.contains(host)
                || services
                    .iter()
                    .any(|service| has_service(host, service, &moved.namespace));
            let settings = list(&rule.data, "/spec/trafficPolicy/portLevelSettings");
            let ports = settings.filter_map(|setting| number(setting.pointer("/port/number")?));
            let ports: BTreeSet<u16> = ports.collect();
            if is_ours && ports.contains(&from) && !ports.contains(&to) {
                let how = format!("which has settings for port {from} of {host} and none for {to}");
                found.push(Touched::of(
                    "DestinationRule",
                    rule.name_any(),
                    how,
                    Fate::Unknown,
                ));
            }
        }
        let Some(address) = moved.address.as_ref().and_then(|text| text.parse().ok()) else {
            return found;
        };
        for kind in ["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"] {
            let shut = self.of(kind).filter(|policy| {
                let lets = |port: u16| cilium::lets(&policy.data, address, port);
                lets(from) && !lets(to)
            });
            let how = format!("which lets {address}:{from} through and not {to}");
            found.extend(
                shut.map(|policy| Touched::of(kind, policy.name_any(), how.clone(), Fate::Shuts)),
            );
        }
        found
    }
}

/// The items of a list; none where it is missing.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten()
}

/// A text, where there is one.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// A port, also one that is written as a text.
pub(super) fn number(value: &Value) -> Option<u16> {
    let number = value
        .as_u64()
        .or_else(|| value.as_str()?.parse::<u64>().ok())?;
    u16::try_from(number).ok()
}

/// The ports of an entry of a `ServiceEntry`.
fn numbers(port: &Value) -> Vec<u16> {
    let fields = ["number", "targetPort"].iter();
    fields
        .filter_map(|field| number(port.get(field)?))
        .collect()
}

/// Whether a `ServiceEntry` is about the proxy.
fn names(entry: &Value, moved: &Move) -> bool {
    let Some(address) = &moved.address else {
        return false;
    };
    let parsed = address.parse::<IpAddr>().ok();
    let is_it =
        |text: &str| text == address || parsed.is_some_and(|address| is_within(text, address));
    let texts = list(entry, "/spec/hosts").chain(list(entry, "/spec/addresses"));
    let ends = list(entry, "/spec/endpoints").filter_map(|end| end.get("address"));
    texts.chain(ends).filter_map(Value::as_str).any(is_it)
}

/// Workloads in a mesh that reach the proxy by its address, where the mesh takes the old port for TCP and not the new one.
pub fn workloads(
    namespace: &ObjectMeta,
    workloads: &[Workload],
    sought: &Sought<'_>,
    meshes: &Meshes,
) -> Vec<Touched> {
    let mut found = Vec::new();
    for workload in workloads {
        if !workload.uses(sought).by_address {
            continue;
        }
        let pod = workload.template.metadata.clone().unwrap_or_default();
        for mesh in losing(namespace, &pod, sought.moved, meshes) {
            let how = format!("whose mesh {}", lost_in(mesh, sought.moved));
            found.push(Touched::of(
                workload.kind,
                &workload.name,
                how,
                Fate::Unknown,
            ));
        }
    }
    found
}

/// The namespace, where its pods are in a mesh that takes the old port for TCP and not the new one. Which of them use the proxy is not
/// known: where the resource has a Service, they are taken to use that. Where there are no pods, the namespace says what those that
/// come will be.
pub fn pods(
    namespace: &ObjectMeta,
    pods: &[ObjectMeta],
    moved: &Move,
    meshes: &Meshes,
) -> Vec<Touched> {
    if moved.service.is_some() || moved.address.is_none() {
        return Vec::new();
    }
    let none = [ObjectMeta::default()];
    let pods = if pods.is_empty() { &none } else { pods };
    let lost: BTreeSet<&'static str> = pods
        .iter()
        .flat_map(|pod| losing(namespace, pod, moved, meshes))
        .collect();
    let lost = lost.into_iter().map(|mesh| {
        let how = format!("whose mesh {}", lost_in(mesh, moved));
        Touched::of("Namespace", &moved.namespace, how, Fate::Unknown)
    });
    lost.collect()
}

fn losing(
    namespace: &ObjectMeta,
    pod: &ObjectMeta,
    moved: &Move,
    meshes: &Meshes,
) -> Vec<&'static str> {
    let address = moved.address.as_ref().and_then(|text| text.parse().ok());
    let marks = Marks { namespace, pod };
    marks.losing(address, (moved.from, moved.to), |port| {
        meshes.declares(port)
    })
}

fn lost_in(mesh: &str, moved: &Move) -> String {
    let (from, to) = (moved.from, moved.to);
    format!(
        "{mesh} takes port {from} for TCP and not {to}: each connection would wait for the mesh"
    )
}
