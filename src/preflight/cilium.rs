//! What policies of Cilium let through.
//!
//! Pure. Promises that a rule counts only where it means an address or everybody: what it says of pods and names never means a proxy.

use std::net::IpAddr;

use serde_json::Value;

use super::{
    mesh::{list, number, text},
    network::is_within,
};

/// Whether some rule of a Cilium policy for egress lets the address through by a port.
pub(super) fn lets(policy: &Value, address: IpAddr, port: u16) -> bool {
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
        covers && (ports.peek().is_none() || ports.any(|known| means(known, port)))
    })
}

fn means(known: &Value, port: u16) -> bool {
    let protocol = text(known, "/protocol");
    let is_tcp = protocol.is_none_or(|protocol| matches!(protocol, "TCP" | "ANY"));
    let first = known.get("port").and_then(number);
    let last = known.get("endPort").and_then(number).or(first);
    is_tcp
        && first
            .zip(last)
            .is_some_and(|(first, last)| (first..=last).contains(&port) || first == 0)
}
