//! Cilium's policies that shut the new port out, judged for the pods of the namespace.
//!
//! Rules for egress count as Cilium has them: those that select the same pod add up, what one of them denies no other one allows, and
//! those that select nodes say nothing of pods. Promises that a policy which selects no pod of the namespace is not named, and that a label
//! which was not read may be there.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use serde_json::Value;

use super::{
    Clients, Fate, Found, Move, Touched,
    mesh::{list, number, text},
    network::is_within,
};

/// The kind of the policies of a namespace.
pub const NAMESPACED: &str = "CiliumNetworkPolicy";

/// The kind of the policies of all namespaces.
pub const CLUSTERWIDE: &str = "CiliumClusterwideNetworkPolicy";

/// The labels of a pod.
type Labels<'a> = BTreeMap<&'a str, &'a str>;

/// What a policy says of a port of the proxy.
#[derive(Debug, Clone, Copy)]
struct Verdict {
    allows: bool,
    denies: bool,
}

/// A part of a policy that has rules for egress.
#[derive(Debug)]
struct Part<'a> {
    kind: &'static str,
    name: String,
    /// Which pods it is for.
    selector: Option<&'a Value>,
    /// Whether its pods may use nothing but what is allowed.
    isolates: bool,
    from: Verdict,
    to: Verdict,
}

/// Whether a pod is selected; in this order, the least certain of several counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Selected {
    No,
    Maybe,
    Yes,
}

impl From<bool> for Selected {
    fn from(is_selected: bool) -> Self {
        if is_selected { Self::Yes } else { Self::No }
    }
}

/// The value of a label of a pod, as Cilium has it.
enum Known<'a> {
    Is(&'a str),
    Absent,
    Unread,
}

/// A pod; without labels where none was read: pods may come.
struct Subject<'a> {
    namespace: &'a str,
    of_namespace: &'a ObjectMeta,
    labels: Option<&'a Labels<'a>>,
}

/// The policies that shut the new port out for some pod.
pub fn touched(found: &Found, moved: &Move) -> Vec<Touched> {
    let Some(address) = moved.address.as_ref().and_then(|text| text.parse().ok()) else {
        return Vec::new();
    };
    let parts = parts(found, address, moved);
    let pods = pods(&found.clients);
    let known = pods.iter().map(Some);
    let none = pods.is_empty().then_some(None);
    let mut blamed: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for labels in known.chain(none) {
        let subject = Subject {
            namespace: &moved.namespace,
            of_namespace: &found.namespace,
            labels,
        };
        let selected = parts.iter().map(|part| (part, subject.is_selected(part)));
        let selected: Vec<(&Part<'_>, Selected)> = selected.collect();
        let are = |wanted: Selected| {
            let these = selected.iter().filter(move |(_, is)| *is == wanted);
            these.map(|(part, _)| *part)
        };
        let certain: Vec<&Part<'_>> = are(Selected::Yes).collect();
        for part in shutting(&certain) {
            blamed.insert((part.kind, part.name.as_str()), part.to.denies);
        }
        for part in are(Selected::Maybe) {
            let with_it: Vec<&Part<'_>> = certain.iter().copied().chain([part]).collect();
            for part in shutting(&with_it) {
                blamed.insert((part.kind, part.name.as_str()), part.to.denies);
            }
        }
    }
    let (from, to) = (moved.from, moved.to);
    let named = blamed.into_iter().map(|((kind, name), denies)| {
        let how = if denies {
            format!("which denies {address}:{to}")
        } else {
            format!("which lets {address}:{from} through and not {to}")
        };
        Touched::of(kind, name, how, Fate::Shuts)
    });
    named.collect()
}

/// Of parts that select the same pod, those by which it can use the old port and can't use the new one.
fn shutting<'p, 'a>(parts: &[&'p Part<'a>]) -> Vec<&'p Part<'a>> {
    let is_isolated = parts.iter().any(|part| part.isolates);
    let lets = |verdict: fn(&Part<'_>) -> Verdict| {
        let is_allowed = !is_isolated || parts.iter().any(|part| verdict(part).allows);
        is_allowed && !parts.iter().any(|part| verdict(part).denies)
    };
    if !lets(|part| part.from) || lets(|part| part.to) {
        return Vec::new();
    }
    let all = || parts.iter().copied();
    let denying: Vec<&Part<'_>> = all().filter(|part| part.to.denies).collect();
    if denying.is_empty() {
        all().filter(|part| part.from.allows).collect()
    } else {
        denying
    }
}

/// The labels of the pods that are there, each set of them once.
fn pods(clients: &Clients) -> BTreeSet<Labels<'_>> {
    fn labels(pod: Option<&ObjectMeta>) -> Labels<'_> {
        let labels = pod.and_then(|pod| pod.labels.as_ref());
        let labels = labels.into_iter().flatten();
        labels
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
    match clients {
        Clients::Pods(pods) => pods.iter().map(|pod| labels(Some(pod))).collect(),
        Clients::Workloads(workloads) => {
            let templates = workloads.iter().map(|workload| &workload.template);
            templates
                .map(|template| labels(template.metadata.as_ref()))
                .collect()
        }
    }
}

/// What policies say of egress.
fn parts<'a>(found: &'a Found, address: IpAddr, moved: &Move) -> Vec<Part<'a>> {
    let of_namespace = found.meshes.of(NAMESPACED).map(|it| (NAMESPACED, it));
    let of_all = found.clusterwide.iter().map(|it| (CLUSTERWIDE, it));
    let mut parts = Vec::new();
    for (kind, policy) in of_namespace.chain(of_all) {
        let one = policy.data.pointer("/spec").into_iter();
        let specs = one.chain(list(&policy.data, "/specs"));
        // One that selects nodes is for their own connections.
        let specs = specs.filter(|spec| spec.get("nodeSelector").is_none_or(Value::is_null));
        parts.extend(specs.filter_map(|spec| {
            let has = |pointer: &str| list(spec, pointer).next().is_some();
            let verdict = |port: u16| Verdict {
                allows: has_rule_for(spec, "/egress", address, port),
                denies: has_rule_for(spec, "/egressDeny", address, port),
            };
            let is_for_egress = has("/egress") || has("/egressDeny");
            let switch = spec.pointer("/enableDefaultDeny/egress");
            is_for_egress.then(|| Part {
                kind,
                name: policy.name_any(),
                selector: spec.get("endpointSelector"),
                isolates: switch.and_then(Value::as_bool) != Some(false),
                from: verdict(moved.from),
                to: verdict(moved.to),
            })
        }));
    }
    parts
}

/// Whether some rule is about the address and a port.
fn has_rule_for(spec: &Value, rules: &str, address: IpAddr, port: u16) -> bool {
    list(spec, rules).any(|rule| {
        let fields = rule.as_object().into_iter().flat_map(|rule| rule.keys());
        let fields: Vec<&String> = fields.filter(|name| name.starts_with("to")).collect();
        if fields.is_empty() {
            // A rule that names nothing is about nothing.
            return false;
        }
        let is_for_all = fields.iter().all(|name| *name == "toPorts");
        let mut blocks = list(rule, "/toCIDR").filter_map(Value::as_str);
        let mut sets = list(rule, "/toCIDRSet");
        let mut entities = list(rule, "/toEntities").filter_map(Value::as_str);
        let covers = is_for_all
            || blocks.any(|block| is_within(block, address))
            || sets.any(|set| is_in_set(set, address))
            || entities.any(|entity| is_entity(entity, address));
        let mut ports = list(rule, "/toPorts")
            .flat_map(|ports| list(ports, "/ports"))
            .peekable();
        covers && (ports.peek().is_none() || ports.any(|known| means(known, port)))
    })
}

fn is_in_set(set: &Value, address: IpAddr) -> bool {
    let within = |block: &Value| block.as_str().is_some_and(|it| is_within(it, address));
    set.get("cidr").is_some_and(within) && !list(set, "/except").any(within)
}

/// A proxy is outside of the cluster.
fn is_entity(entity: &str, address: IpAddr) -> bool {
    match entity {
        "all" | "world" => true,
        "world-ipv4" => address.is_ipv4(),
        "world-ipv6" => address.is_ipv6(),
        _ => false,
    }
}

fn means(known: &Value, port: u16) -> bool {
    let protocol = text(known, "/protocol");
    let is_tcp = protocol.is_none_or(|protocol| matches!(protocol, "TCP" | "ANY"));
    let first = known.get("port").and_then(number);
    let last = known
        .get("endPort")
        .and_then(number)
        .filter(|last| *last > 0);
    let ends = first.map(|first| (first, last.unwrap_or(first)));
    is_tcp && ends.is_some_and(|(first, last)| (first..=last).contains(&port) || first == 0)
}

impl<'a> Subject<'a> {
    fn is_selected(&self, part: &Part<'_>) -> Selected {
        let Some(selector) = part.selector else {
            return Selected::Yes;
        };
        let labels = selector.get("matchLabels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten().map(|(name, value)| {
            let wanted = value.as_str().unwrap_or_default();
            match self.label(name) {
                Known::Is(value) => Selected::from(value == wanted),
                Known::Absent => Selected::No,
                Known::Unread => Selected::Maybe,
            }
        });
        let expressions = list(selector, "/matchExpressions").map(|it| self.meets(it));
        labels.chain(expressions).min().unwrap_or(Selected::Yes)
    }

    fn meets(&self, expression: &Value) -> Selected {
        let known = self.label(text(expression, "/key").unwrap_or_default());
        let value = match known {
            Known::Unread => return Selected::Maybe,
            Known::Is(value) => Some(value),
            Known::Absent => None,
        };
        let is_listed = || list(expression, "/values").any(|it| it.as_str() == value);
        match text(expression, "/operator") {
            Some("In") => Selected::from(value.is_some() && is_listed()),
            Some("NotIn") => Selected::from(value.is_none() || !is_listed()),
            Some("Exists") => Selected::from(value.is_some()),
            Some("DoesNotExist") => Selected::from(value.is_none()),
            _ => Selected::Maybe,
        }
    }

    /// A label by its name in a selector, which may begin with where the label is from.
    fn label(&self, name: &str) -> Known<'a> {
        let (source, name) = name.split_once(':').unwrap_or(("any", name));
        match source {
            "any" | "k8s" => {}
            // What is reserved is no pod.
            "reserved" => return Known::Absent,
            _ => return Known::Unread,
        }
        let known = |value: Option<&'a str>| value.map_or(Known::Absent, Known::Is);
        if name == "io.kubernetes.pod.namespace" {
            return Known::Is(self.namespace);
        }
        if let Some(name) = name.strip_prefix("io.cilium.k8s.namespace.labels.") {
            if self.of_namespace.name.is_none() {
                return Known::Unread;
            }
            let labels = self.of_namespace.labels.as_ref();
            return known(
                labels
                    .and_then(|labels| labels.get(name))
                    .map(String::as_str),
            );
        }
        if name.starts_with("io.cilium.k8s.policy.") {
            return Known::Unread;
        }
        let labels = self.labels.map(|labels| labels.get(name).copied());
        labels.map_or(Known::Unread, known)
    }
}

#[cfg(test)]
mod tests;
