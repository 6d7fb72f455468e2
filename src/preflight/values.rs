//! Texts in which an address, a port or a Service stands: environment variables, arguments, values of `ConfigMaps`.
//!
//! Promises to look at whole words: `db` is not in `dbadmin`, nor 10.0.0.7 in 10.0.0.70.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;

use super::{Fate, Move, Touched};

/// Whether the word stands in the text by itself.
pub fn has_word(text: &str, word: &str) -> bool {
    let is_part =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let mut places = text.match_indices(word);
    !word.is_empty()
        && places.any(|(at, _)| {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            let after = text
                .get(at + word.len()..)
                .and_then(|text| text.chars().next());
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
}

/// Whether a text names a Service of a namespace as a host: alone, after `@`, `//`, `(` or `=`; not as the name of a database.
pub fn has_service(text: &str, service: &str, namespace: &str) -> bool {
    let whole = format!("{service}.{namespace}");
    let names = [
        format!("{whole}.svc.cluster.local"),
        format!("{whole}.svc"),
        whole,
    ];
    names.iter().any(|name| has_word(text, name)) || is_host(text, service)
}

fn is_host(text: &str, name: &str) -> bool {
    let mut places = text.match_indices(name);
    places.any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + name.len()..).unwrap_or_default();
        let begins = before.is_empty()
            || before.ends_with("//")
            || before.ends_with(['@', '(', '=', ',', ' ', '"', '\'', '\n', '\t']);
        let ends = after.is_empty()
            || after.starts_with([':', '/', ')', ',', '?', ';', ' ', '"', '\'', '\n', '\r']);
        begins && ends
    })
}

fn texts(map: &ConfigMap) -> impl Iterator<Item = &String> {
    map.data.iter().flat_map(|data| data.values())
}

/// `ConfigMaps` that have the address with the port that goes, but for the one that follows it by itself.
pub fn config_maps(maps: &[ConfigMap], moved: &Move) -> Vec<Touched> {
    let Some(address) = &moved.address else {
        return Vec::new();
    };
    let port = moved.from.to_string();
    let has = |map: &ConfigMap, word: &str| texts(map).any(|text| has_word(text, word));
    let stale = maps.iter().filter(|map| {
        let own = moved.config_map.as_deref() == Some(map.name_any().as_str());
        !own && has(map, address) && has(map, &port)
    });
    let stale = stale.map(|map| {
        let how = format!("which has the address {address} and port {port}");
        Touched::of("ConfigMap", map.name_any(), how, Fate::Stale)
    });
    stale.collect()
}

/// `ConfigMaps` that name one of these Services.
pub fn naming(maps: &[ConfigMap], moved: &Move, services: &BTreeSet<String>) -> Vec<String> {
    let names = |map: &&ConfigMap| {
        texts(map).any(|text| {
            let mut services = services.iter();
            services.any(|service| has_service(text, service, &moved.namespace))
        })
    };
    maps.iter()
        .filter(names)
        .map(ResourceExt::name_any)
        .collect()
}
