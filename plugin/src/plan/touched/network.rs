//! Slices of endpoints that lead to the port that goes, and network policies that let only the old port through.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::{
    api::{
        discovery::v1::EndpointSlice,
        networking::v1::{NetworkPolicy, NetworkPolicyPort},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt as _;

use super::{Move, Touched};

/// The label that names a slice's Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// A slice that leads to the port that goes.
pub struct Leading {
    /// Its Service.
    pub service: Option<String>,
    /// The slice.
    pub touched: Touched,
}

/// Slices that lead to the port that goes. Those of the resource's own Service follow by themselves.
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
        let how = if service.is_some() && service == moved.service {
            format!("which leads to {address}:{from} and follows the port{of}")
        } else {
            format!("which leads to {address}:{from}{of}")
        };
        Leading {
            touched: Touched::of("EndpointSlice", slice.name_any(), how),
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
    let shut = policies
        .iter()
        .filter(|policy| shuts_out(policy, address, from, to));
    let shut = shut.map(|policy| {
        let how = format!("which lets {address}:{from} through and not {to}");
        Touched::of("NetworkPolicy", policy.name_any(), how)
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
    let mut endpoints = slice.endpoints.iter();
    let there = endpoints.any(|endpoint| endpoint.addresses.iter().any(|known| known == address));
    let mut ports = slice.ports.iter().flatten();
    there && ports.any(|known| known.port == Some(i32::from(port)))
}

/// Whether some rule for egress lets the address through by the old port, and none by the new one.
fn shuts_out(policy: &NetworkPolicy, address: IpAddr, from: u16, to: u16) -> bool {
    let rules = policy.spec.as_ref().and_then(|spec| spec.egress.as_ref());
    let lets = |port: u16| {
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
    };
    lets(from) && !lets(to)
}

fn is_meant(known: &NetworkPolicyPort, port: u16) -> bool {
    let port = i32::from(port);
    let is_tcp = known
        .protocol
        .as_deref()
        .is_none_or(|protocol| protocol == "TCP");
    is_tcp
        && match (&known.port, known.end_port) {
            (Some(IntOrString::Int(first)), Some(last)) => (*first..=last).contains(&port),
            (Some(IntOrString::Int(first)), None) => *first == port,
            // A name is one of a pod's, and a proxy is none.
            (Some(IntOrString::String(_)), _) => false,
            (None, _) => true,
        }
}
