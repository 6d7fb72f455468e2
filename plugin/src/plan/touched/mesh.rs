//! What meshes and Cilium know of the port that goes: where their kinds are installed, and in annotations.
//!
//! Linkerd and Istio take some ports for TCP without being told, and wait on others for the client to speak first, as clients of this
//! database never do.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use serde_json::Value;

use super::{
    Move, Touched,
    network::is_within,
    values::has_service,
    why,
    workloads::{Sought, Workload},
};
use crate::{cluster::Cluster, resource::text_at};

/// The ports that Linkerd takes for opaque TCP by itself.
const LINKERD: [u16; 8] = [25, 587, 3306, 4444, 5432, 6379, 9300, 11211];

/// The ports that Istio takes for TCP by itself.
const ISTIO: [u16; 4] = [25, 53, 3306, 27017];

/// The kinds that are looked at: group, kind, plural, and whether they are of a namespace.
const KINDS: [(&str, &str, &str, bool); 4] = [
    (
        "networking.istio.io",
        "ServiceEntry",
        "serviceentries",
        true,
    ),
    (
        "networking.istio.io",
        "DestinationRule",
        "destinationrules",
        true,
    ),
    (
        "cilium.io",
        "CiliumNetworkPolicy",
        "ciliumnetworkpolicies",
        true,
    ),
    (
        "cilium.io",
        "CiliumClusterwideNetworkPolicy",
        "ciliumclusterwidenetworkpolicies",
        false,
    ),
];

/// The objects of meshes, by their kind.
#[derive(Debug, Default)]
pub struct Meshes(pub BTreeMap<&'static str, Vec<DynamicObject>>);

impl Meshes {
    /// Reads those kinds whose group is there. Also what could not be read.
    pub async fn look(cluster: &Cluster, namespace: &str) -> (Self, Vec<String>) {
        let mut meshes = Self::default();
        let mut unseen = Vec::new();
        let client = cluster.client();
        let groups = match client.list_api_groups().await {
            Ok(groups) => groups.groups,
            Err(error) => return (meshes, vec![format!("the API groups: {}", why(&error))]),
        };
        for (group, kind, plural, is_namespaced) in KINDS {
            let Some(found) = groups.iter().find(|found| found.name == group) else {
                continue;
            };
            let version = found.preferred_version.as_ref().or(found.versions.first());
            let version = version.map_or("v1", |version| version.version.as_str());
            let kind_of = GroupVersionKind::gvk(group, version, kind);
            let resource = ApiResource::from_gvk_with_plural(&kind_of, plural);
            let api: Api<DynamicObject> = if is_namespaced {
                Api::namespaced_with(client.clone(), namespace, &resource)
            } else {
                Api::all_with(client.clone(), &resource)
            };
            match api.list(&ListParams::default()).await {
                Ok(list) => drop(meshes.0.insert(kind, list.items)),
                // The group is there without this kind.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => unseen.push(format!("{kind} of {namespace}: {}", why(&error))),
            }
        }
        (meshes, unseen)
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = &DynamicObject> {
        self.0.get(kind).into_iter().flatten()
    }

    /// Whether Istio is told that the port is one for plain TCP.
    fn declares(&self, port: u16) -> bool {
        self.of("ServiceEntry").any(|entry| {
            list(&entry.data, "/spec/ports").any(|known| {
                let protocol = text_at(known, "/protocol").unwrap_or_default();
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
                found.push(Touched::of("ServiceEntry", entry.name_any(), how));
                let named = list(&entry.data, "/spec/hosts").filter_map(Value::as_str);
                hosts.extend(named.map(str::to_owned));
            }
        }
        for rule in self.of("DestinationRule") {
            let host = text_at(&rule.data, "/spec/host").unwrap_or_default();
            let is_ours = hosts.contains(&host)
                || services
                    .iter()
                    .any(|service| has_service(&host, service, &moved.namespace));
            let settings = list(&rule.data, "/spec/trafficPolicy/portLevelSettings");
            let ports = settings.filter_map(|setting| number(setting.pointer("/port/number")?));
            let ports: BTreeSet<u16> = ports.collect();
            if is_ours && ports.contains(&from) && !ports.contains(&to) {
                let how = format!("which has settings for port {from} of {host} and none for {to}");
                found.push(Touched::of("DestinationRule", rule.name_any(), how));
            }
        }
        let Some(address) = moved.address.as_ref().and_then(|text| text.parse().ok()) else {
            return found;
        };
        for kind in ["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"] {
            let shut = self.of(kind).filter(|policy| {
                let lets = |port: u16| cilium_lets(&policy.data, address, port);
                lets(from) && !lets(to)
            });
            let how = format!("which lets {address}:{from} through and not {to}");
            found.extend(shut.map(|policy| Touched::of(kind, policy.name_any(), how.clone())));
        }
        found
    }
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn number(value: &Value) -> Option<u16> {
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

/// Whether some rule of a Cilium policy for egress lets the address through by a port.
fn cilium_lets(policy: &Value, address: IpAddr, port: u16) -> bool {
    let one = policy.pointer("/spec").into_iter();
    let specs = one.chain(list(policy, "/specs"));
    specs.flat_map(|spec| list(spec, "/egress")).any(|rule| {
        let selects = |name: &&String| name.starts_with("to") && *name != "toPorts";
        let fields = rule.as_object().into_iter().flat_map(|rule| rule.keys());
        let everyone = fields.filter(selects).count() == 0;
        let in_block = list(rule, "/toCIDR").filter_map(Value::as_str);
        let mut in_block = in_block.filter(|block| is_within(block, address));
        let mut in_set = list(rule, "/toCIDRSet").filter(|set| {
            let within = |block: &Value| block.as_str().is_some_and(|it| is_within(it, address));
            let inside = set.get("cidr").is_some_and(within);
            inside && !list(set, "/except").any(within)
        });
        let entities = list(rule, "/toEntities").filter_map(Value::as_str);
        let mut entities = entities.filter(|entity| matches!(*entity, "all" | "world"));
        let covers = everyone
            || in_block.next().is_some()
            || in_set.next().is_some()
            || entities.next().is_some();
        let mut ports = list(rule, "/toPorts")
            .flat_map(|ports| list(ports, "/ports"))
            .peekable();
        covers && (ports.peek().is_none() || ports.any(|known| cilium_means(known, port)))
    })
}

fn cilium_means(known: &Value, port: u16) -> bool {
    let protocol = text_at(known, "/protocol");
    let is_tcp = protocol.is_none_or(|protocol| matches!(protocol.as_str(), "TCP" | "ANY"));
    let first = known.get("port").and_then(number);
    let last = known.get("endPort").and_then(number).or(first);
    is_tcp
        && first
            .zip(last)
            .is_some_and(|(first, last)| (first..=last).contains(&port) || first == 0)
}

/// Workloads in a mesh that reach the proxy by its address, where the mesh takes the old port for TCP and not the new one.
pub fn workloads(
    namespace: &Namespace,
    workloads: &[Workload],
    sought: &Sought<'_>,
    meshes: &Meshes,
) -> Vec<Touched> {
    let moved = sought.moved;
    let (from, to) = (moved.from, moved.to);
    let mut found = Vec::new();
    for workload in workloads {
        if !workload.uses(sought).by_address {
            continue;
        }
        let pod = workload.template.metadata.clone().unwrap_or_default();
        let annotation = |name: &str| {
            let of_pod = pod.annotations.as_ref().and_then(|all| all.get(name));
            of_pod.or_else(|| namespace.annotations().get(name))
        };
        let label = |name: &str| pod.labels.as_ref().and_then(|all| all.get(name));
        let own = namespace.labels();
        let opaque = annotation("config.linkerd.io/opaque-ports");
        let opaque = |port: u16| match opaque {
            Some(ports) => has_port(ports, port),
            None => LINKERD.contains(&port),
        };
        let linkerd = annotation("linkerd.io/inject");
        let in_linkerd = linkerd.is_some_and(|it| matches!(it.as_str(), "enabled" | "ingress"));
        let switch =
            label("sidecar.istio.io/inject").or_else(|| annotation("sidecar.istio.io/inject"));
        let in_istio = switch.map_or_else(
            || {
                let injected = own.get("istio-injection").is_some_and(|it| it == "enabled");
                injected || own.contains_key("istio.io/rev") || label("istio.io/rev").is_some()
            },
            |it| it == "true",
        );
        let known = |port: u16| ISTIO.contains(&port) || meshes.declares(port);
        let lost = [
            ("Linkerd", in_linkerd && opaque(from) && !opaque(to)),
            ("Istio", in_istio && known(from) && !known(to)),
        ];
        for (mesh, _) in lost.iter().filter(|(_, is_lost)| *is_lost) {
            let how = format!(
                "whose mesh {mesh} takes port {from} for TCP and not {to}: each connection would wait for the mesh"
            );
            found.push(Touched::of(workload.kind, &workload.name, how));
        }
    }
    found
}

/// Whether a port is in a list like `25,3306-3310`.
fn has_port(list: &str, port: u16) -> bool {
    list.split(',').any(|range| {
        let range = range.trim();
        let (from, until) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.trim().parse::<u16>().ok();
        let ends = number(from).zip(number(until));
        ends.is_some_and(|(from, until)| (from..=until).contains(&port))
    })
}
