//! Slices of endpoints that lead to the port that goes, and network policies that let only the old port through.
//!
//! A policy counts by its rules for egress alone, as Kubernetes has them: policies add up, a named port is one of a pod's and never one of
//! a proxy, and only a block of addresses covers what is outside of the cluster.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::{
    api::{
        discovery::v1::EndpointSlice,
        networking::v1::{NetworkPolicy, NetworkPolicyPort},
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use kube::ResourceExt as _;

use super::{Fate, Move, Touched};
use crate::publish::{
    standing::is_resource,
    wanted::{MANAGER, SLICE_MANAGED_BY},
};

/// The label that names a slice's Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// Whether a label of this name is looked at in a slice.
pub(super) fn is_looked_at(label: &str) -> bool {
    [SERVICE, SLICE_MANAGED_BY].contains(&label)
}

/// A slice that leads to the port that goes.
pub struct Leading {
    /// Its Service.
    pub service: Option<String>,
    /// The slice.
    pub touched: Touched,
}

/// Slices that lead to the port that goes. Those that the operator keeps for a resource follow by themselves; one whose resource was
/// deleted and left it behind does not.
pub fn slices(slices: &[EndpointSlice], moved: &Move) -> Vec<Leading> {
    let Some(address) = &moved.address else {
        return Vec::new();
    };
    let from = moved.from;
    let leading = slices.iter().filter(|slice| leads_to(slice, address, from));
    let leading = leading.map(|slice| {
        let service = slice.labels().get(SERVICE).cloned();
        let of = service
            .as_ref()
            .map_or(String::new(), |name| format!(" of Service {name}"));
        let is_ours = slice
            .labels()
            .get(SLICE_MANAGED_BY)
            .is_some_and(|manager| manager == MANAGER);
        let leads = format!("which leads to {address}:{from}");
        let (how, fate) = if is_ours && slice.owner_references().iter().any(is_resource) {
            (format!("{leads} and follows the port{of}"), Fate::Follows)
        } else if is_ours {
            let how = format!("{leads}{of} and belongs to no TaurusProxyPort any more");
            (how, Fate::Stale)
        } else {
            (format!("{leads}{of}"), Fate::Stale)
        };
        Leading {
            touched: Touched::of("EndpointSlice", slice.name_any(), how, fate),
            service,
        }
    });
    leading.collect()
}

/// Policies that let only the old port through.
pub fn policies(policies: &[NetworkPolicy], moved: &Move) -> Vec<Touched> {
    let (from, to) = (moved.from, moved.to);
    let Some(address) = moved.address.as_ref().and_then(|text| text.parse().ok()) else {
        return Vec::new();
    };
    let policies: Vec<&NetworkPolicy> = policies.iter().filter(|it| is_for_egress(it)).collect();
    // Who may use the new port by another policy is not shut out by this one.
    let is_let_by_another = |policy: &NetworkPolicy| {
        let mut others = policies.iter();
        others.any(|other| selects_as_much(other, policy) && lets(other, address, to))
    };
    let shut = policies
        .iter()
        .filter(|policy| lets(policy, address, from) && !is_let_by_another(policy));
    let shut = shut.map(|policy| {
        let how = format!("which lets {address}:{from} through and not {to}");
        Touched::of("NetworkPolicy", policy.name_any(), how, Fate::Shuts)
    });
    shut.collect()
}

/// Whether an address is within a block.
pub fn is_within(block: &str, address: IpAddr) -> bool {
    let net = block.parse::<IpNet>();
    let one = || block.parse::<IpAddr>().ok().map(IpNet::from);
    net.ok()
        .or_else(one)
        .is_some_and(|net| net.contains(&address))
}

fn leads_to(slice: &EndpointSlice, address: &str, port: u16) -> bool {
    let parsed = |text: &str| text.parse::<IpAddr>().ok();
    let sought = parsed(address);
    let is_it = |known: &String| known == address || sought.is_some() && parsed(known) == sought;
    let mut endpoints = slice.endpoints.iter();
    let there = endpoints.any(|endpoint| endpoint.addresses.iter().any(is_it));
    let mut ports = slice.ports.iter().flatten();
    there
        && ports
            .any(|known| is_tcp(known.protocol.as_deref()) && known.port == Some(i32::from(port)))
}

/// Whether a policy is about what its pods connect to: where that is not said, it is if it has rules for that.
fn is_for_egress(policy: &NetworkPolicy) -> bool {
    let Some(spec) = &policy.spec else {
        return false;
    };
    let has_rules = spec.egress.as_ref().is_some_and(|rules| !rules.is_empty());
    spec.policy_types
        .as_ref()
        .map_or(has_rules, |types| types.iter().any(|kind| kind == "Egress"))
}

/// Whether one policy selects each pod that another one selects, as far as the selectors alone show.
fn selects_as_much(one: &NetworkPolicy, other: &NetworkPolicy) -> bool {
    fn selector(policy: &NetworkPolicy) -> LabelSelector {
        let spec = policy.spec.as_ref();
        let selector = spec.and_then(|spec| spec.pod_selector.clone());
        selector.unwrap_or_default()
    }
    let (one, other) = (selector(one), selector(other));
    let known = other.match_labels.unwrap_or_default();
    let mut labels = one.match_labels.iter().flatten();
    let asked = other.match_expressions.unwrap_or_default();
    let mut expressions = one.match_expressions.iter().flatten();
    labels.all(|(name, value)| known.get(name) == Some(value))
        && expressions.all(|expression| asked.contains(expression))
}

/// Whether some rule for egress lets the address through by a port.
fn lets(policy: &NetworkPolicy, address: IpAddr, port: u16) -> bool {
    let rules = policy.spec.as_ref().and_then(|spec| spec.egress.as_ref());
    rules.into_iter().flatten().any(|rule| {
        // Without peers or without ports, all are meant.
        let peers = rule.to.as_deref().unwrap_or_default();
        let covers = peers.is_empty()
            || peers.iter().any(|peer| {
                let block = peer.ip_block.as_ref();
                block.is_some_and(|block| {
                    let except = block.except.as_deref().unwrap_or_default();
                    is_within(&block.cidr, address)
                        && !except.iter().any(|cidr| is_within(cidr, address))
                })
            });
        let ports = rule.ports.as_deref().unwrap_or_default();
        covers && (ports.is_empty() || ports.iter().any(|known| is_meant(known, port)))
    })
}

/// Where no protocol is said, it is TCP.
fn is_tcp(protocol: Option<&str>) -> bool {
    protocol.is_none_or(|protocol| protocol == "TCP")
}

fn is_meant(known: &NetworkPolicyPort, port: u16) -> bool {
    let port = i32::from(port);
    is_tcp(known.protocol.as_deref())
        && match (&known.port, known.end_port) {
            (Some(IntOrString::Int(first)), Some(last)) => (*first..=last).contains(&port),
            (Some(IntOrString::Int(first)), None) => *first == port,
            // A name is one of a pod's, and a proxy is none.
            (Some(IntOrString::String(_)), _) => false,
            (None, _) => true,
        }
}
