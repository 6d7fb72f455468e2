//! What no API server sees in a single object: two resources of one name, and two that would move one proxy.

use std::collections::BTreeMap;

use serde_json::Value;
use taurus_port_operator::place::endpoints;

use super::{Finding, Manifest, fault::Fault};
use crate::resource::text_at;

/// The second of each two, with its place.
pub fn found(manifests: &[Manifest]) -> Vec<Finding> {
    let faults = faults(manifests).into_iter();
    let found = faults.filter_map(|(second, fault)| Some(manifests.get(second)?.finding(fault)));
    found.collect()
}

/// The second of each two, by its number, and what is wrong with it.
pub fn faults(manifests: &[Manifest]) -> Vec<(usize, Fault)> {
    let mut findings = Vec::new();
    let mut names: BTreeMap<(String, String), &Manifest> = BTreeMap::new();
    let mut proxies: BTreeMap<String, &Manifest> = BTreeMap::new();
    for (number, manifest) in manifests.iter().enumerate() {
        let text = |pointer: &str| text_at(&manifest.value, pointer);
        let namespace = text("/metadata/namespace").unwrap_or_default();
        if let Some(name) = text("/metadata/name")
            && let Some(first) = names.insert((namespace, name), manifest)
        {
            let message = format!("the same resource stands in {}", place(first));
            findings.push((number, Fault::of("metadata.name", message)));
            continue;
        }
        // Whoever only observes a proxy is in nobody's way.
        if text("/spec/managementPolicy").as_deref() == Some("Observe") {
            continue;
        }
        if let Some(proxy) = proxy_of(&manifest.value)
            && let Some(first) = proxies.insert(proxy, manifest)
        {
            let message = format!(
                "{} in {} names the same proxy, and only one of them may manage it: delete one, or set managementPolicy of one to \
                 Observe",
                first.named(),
                place(first)
            );
            findings.push((number, Fault::of("spec.proxyID", message)));
        }
    }
    findings
}

fn place(manifest: &Manifest) -> String {
    format!("{}:{}", manifest.file, manifest.line(""))
}

/// The proxy, in one spelling for all ways to write it.
pub fn proxy_of(object: &Value) -> Option<String> {
    let text = |name: &str| text_at(object, &format!("/spec/{name}"));
    let (region, endpoint) = (text("region"), text("endpoint"));
    let host = endpoints::place(region.as_deref(), endpoint.as_deref());
    let ids = [text("projectID")?, text("instanceID")?, text("proxyID")?];
    Some(format!("{host} {}", ids.join(" ").to_ascii_lowercase()))
}
