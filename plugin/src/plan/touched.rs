//! What in the cluster leads to the port that goes: slices of endpoints, and network policies that let only the old port through.
//!
//! Promises that a right that is missing is told, and nothing else is missing for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use k8s_openapi::{
    api::{
        discovery::v1::EndpointSlice,
        networking::v1::{NetworkPolicy, NetworkPolicyPort},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{Api, ResourceExt as _, api::ListParams};

use crate::cluster::Cluster;

/// The label that names a slice's Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// What was read, by namespace.
#[derive(Debug, Default)]
pub struct Surrounding {
    namespaces: BTreeMap<String, Read>,
    unseen: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Read {
    slices: Vec<EndpointSlice>,
    policies: Vec<NetworkPolicy>,
}

impl Surrounding {
    /// Reads a namespace, once.
    pub async fn look(&mut self, cluster: &Cluster, namespace: &str) {
        if self.namespaces.contains_key(namespace) {
            return;
        }
        let slices: Api<EndpointSlice> = Api::namespaced(cluster.client(), namespace);
        let policies: Api<NetworkPolicy> = Api::namespaced(cluster.client(), namespace);
        let everything = ListParams::default();
        let (slices, policies) =
            futures::join!(slices.list(&everything), policies.list(&everything));
        let mut unseen = |what: &str, error: &kube::Error| {
            self.unseen
                .insert(format!("{what} of {namespace}: {error}"));
        };
        let slices = slices.map_or_else(
            |error| {
                unseen("EndpointSlices", &error);
                Vec::new()
            },
            |list| list.items,
        );
        let policies = policies.map_or_else(
            |error| {
                unseen("NetworkPolicies", &error);
                Vec::new()
            },
            |list| list.items,
        );
        self.namespaces
            .insert(namespace.to_owned(), Read { slices, policies });
    }

    /// What could not be read.
    pub fn unseen(&self) -> Vec<String> {
        self.unseen.iter().cloned().collect()
    }

    /// What a change of the port at this address touches.
    pub fn touched(
        &self,
        namespace: &str,
        address: Option<&str>,
        from: u16,
        to: u16,
    ) -> Vec<String> {
        let (Some(read), Some(address)) = (self.namespaces.get(namespace), address) else {
            return Vec::new();
        };
        let slices = read
            .slices
            .iter()
            .filter(|slice| leads_to(slice, address, from))
            .map(|slice| {
                let service = slice.labels().get(SERVICE);
                let service = service.map_or(String::new(), |name| format!(" of Service {name}"));
                format!(
                    "EndpointSlice {}{service}, which leads to {address}:{from}",
                    slice.name_any()
                )
            });
        let policies = read
            .policies
            .iter()
            .filter(|policy| shuts_out(policy, address, from, to));
        let policies = policies.map(|policy| {
            format!(
                "NetworkPolicy {}, which lets {address}:{from} through and not {to}",
                policy.name_any()
            )
        });
        slices.chain(policies).collect()
    }
}

fn leads_to(slice: &EndpointSlice, address: &str, port: u16) -> bool {
    let mut endpoints = slice.endpoints.iter();
    let there = endpoints.any(|endpoint| endpoint.addresses.iter().any(|known| known == address));
    let mut ports = slice.ports.iter().flatten();
    there && ports.any(|known| known.port == Some(i32::from(port)))
}

/// Whether some rule for egress lets the address through by the old port, and none by the new one.
fn shuts_out(policy: &NetworkPolicy, address: &str, from: u16, to: u16) -> bool {
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let rules = policy.spec.as_ref().and_then(|spec| spec.egress.as_ref());
    let lets = |port: u16| {
        rules.into_iter().flatten().any(|rule| {
            // Without peers or without ports, all are meant.
            let peers = rule.to.as_deref().unwrap_or_default();
            let covers = peers.is_empty()
                || peers.iter().any(|peer| {
                    let block = peer.ip_block.as_ref();
                    block.is_some_and(|block| {
                        let within = |cidr: &str| {
                            cidr.parse::<IpNet>()
                                .is_ok_and(|net| net.contains(&address))
                        };
                        let except = block.except.as_deref().unwrap_or_default();
                        within(&block.cidr) && !except.iter().any(|cidr| within(cidr))
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn touched(slices: &[Value], policies: &[Value]) -> Vec<String> {
        let read = Read {
            slices: slices
                .iter()
                .map(|slice| serde_json::from_value(slice.clone()).unwrap())
                .collect(),
            policies: policies
                .iter()
                .map(|policy| serde_json::from_value(policy.clone()).unwrap())
                .collect(),
        };
        let surrounding = Surrounding {
            namespaces: BTreeMap::from([("shop".to_owned(), read)]),
            unseen: BTreeSet::new(),
        };
        surrounding.touched("shop", Some("10.0.0.7"), 3306, 3307)
    }

    fn policy(egress: &Value) -> Value {
        json!({"metadata": {"name": "egress"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress}})
    }

    #[test]
    fn slices_that_lead_to_the_old_port_are_named_with_their_service() {
        let slice = |address: &str, port: u16| {
            json!({
                "metadata": {"name": "db-1", "labels": {"kubernetes.io/service-name": "db"}},
                "addressType": "IPv4", "endpoints": [{"addresses": [address]}], "ports": [{"port": port}],
            })
        };
        let found = touched(&[slice("10.0.0.7", 3306)], &[]);
        assert_eq!(
            found,
            ["EndpointSlice db-1 of Service db, which leads to 10.0.0.7:3306"]
        );
        assert!(touched(&[slice("10.0.0.8", 3306), slice("10.0.0.7", 3307)], &[]).is_empty());
    }

    #[test]
    fn policies_that_let_only_the_old_port_through_are_named() {
        let to = json!([{"ipBlock": {"cidr": "10.0.0.0/24"}}]);
        for (egress, shuts) in [
            (json!([{"to": to, "ports": [{"port": 3306}]}]), true),
            (
                json!([{"ports": [{"protocol": "TCP", "port": 3306}]}]),
                true,
            ),
            (
                json!([{"to": to, "ports": [{"port": 3306, "endPort": 3310}]}]),
                false,
            ),
            (
                json!([{"to": to, "ports": [{"port": 3306}]}, {"to": to, "ports": [{"port": 3307}]}]),
                false,
            ),
            (json!([{"to": to}]), false),
            (
                json!([{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"port": 3306}]}]),
                false,
            ),
            (
                json!([{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/24"]}}], "ports": [{"port": 3306}]}]),
                false,
            ),
            (
                json!([{"ports": [{"protocol": "UDP", "port": 3306}]}]),
                false,
            ),
        ] {
            assert_eq!(
                !touched(&[], &[policy(&egress)]).is_empty(),
                shuts,
                "{egress}"
            );
        }
    }
}
