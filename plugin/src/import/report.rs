//! What was found, sorted out: what becomes a manifest, and what does not, and why.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde::Serialize;
use taurus_port_operator::place::endpoints;

use super::{
    existing::{Existing, Looked},
    found::{DEFAULT_PORT, Found},
    manifest::{Manifest, Settings, manifest_of, name_of, whole_name_of},
    progress::Earlier,
    split::Written,
};
use crate::{
    failure::Failure,
    format,
    lint::{judge::Judge, yaml},
};

/// So many of a kind are named.
const NAMED: usize = 20;

/// What a run found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// All proxies.
    pub found: usize,
    /// Of these, on how many instances.
    pub instances: usize,
    /// Those that a resource of the cluster names.
    pub managed: Vec<String>,
    /// Those that none of the resources names that were looked at: the manifests are of these.
    pub unmanaged: Vec<String>,
    /// All that have the port that nobody moved.
    pub on_default_port: Vec<String>,
    /// All in a state that a person has to look after.
    pub unhealthy: Vec<String>,
    /// Those that no manifest can be made for, with the reason.
    pub skipped: Vec<String>,
    /// Instances that could not be read, with the reason.
    pub unread: Vec<String>,
    /// What of all this an earlier run has read, which broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    /// Whether the cluster's resources were read, all of them: else more may be managed.
    pub cluster_was_read: bool,
    /// The namespace whose resources alone were read, since all may not be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_namespace: Option<String>,
    /// What became of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
}

/// The manifests of those that are not managed yet, sorted by name, and the report.
pub fn sorted_out(
    found: Vec<Found>,
    existing: &Existing,
    settings: &Settings,
) -> Result<(Vec<Manifest>, Report), Failure> {
    let judge = Judge::new()?;
    let found: BTreeMap<String, Found> = found
        .into_iter()
        .map(|proxy| (key_of(&proxy), proxy))
        .collect();
    let mut report = Report::of(found.values(), &existing.looked);
    // Who is managed has the name as well.
    let mut shared: BTreeMap<String, usize> = BTreeMap::new();
    for proxy in found.values() {
        *shared.entry(name_of(proxy)).or_default() += 1;
    }
    let mut manifests = Vec::new();
    for (key, proxy) in &found {
        if existing.is_managed(key) {
            report.managed.push(proxy.named());
            continue;
        }
        report.unmanaged.push(proxy.named());
        if let Some(why) = &proxy.contradiction {
            report.skipped.push(format!("{}: {why}", proxy.named()));
            continue;
        }
        let Some(port) = proxy.port else {
            report
                .skipped
                .push(format!("{}: its port is not told", proxy.named()));
            continue;
        };
        let kept = existing.kept(key);
        let name = kept.map_or_else(
            || {
                let name = name_of(proxy);
                let is_shared = shared.get(&name).is_some_and(|proxies| *proxies > 1);
                if is_shared || existing.is_of_another(&name, key) {
                    whole_name_of(proxy)
                } else {
                    name
                }
            },
            |kept| kept.name.clone(),
        );
        let manifest = manifest_of(proxy, port, name, settings)?;
        match fault_of(&judge, &manifest) {
            Some(why) => report.skipped.push(format!("{}: {why}", proxy.named())),
            None => manifests.push(Manifest {
                file: kept.map(|kept| kept.file.clone()),
                ..manifest
            }),
        }
    }
    manifests.sort_by(|one, other| one.name.cmp(&other.name));
    for list in [
        &mut report.managed,
        &mut report.unmanaged,
        &mut report.on_default_port,
        &mut report.unhealthy,
        &mut report.skipped,
    ] {
        list.sort();
    }
    Ok((manifests, report))
}

/// Why a manifest would not be taken as it is meant: read as kubectl reads it, and judged as the API server does.
fn fault_of(judge: &Judge, manifest: &Manifest) -> Option<String> {
    let read = yaml::documents(&manifest.text).ok();
    let read = read.and_then(|mut read| read.pop());
    let Some(read) = read.filter(|read| read.value == manifest.object) else {
        return Some("it can't be written as YAML".to_owned());
    };
    let faults = judge.faults(&read.value, None);
    let fault = faults.first()?;
    Some(format!("{}: {}", fault.field, fault.message))
}

/// As `lint` tells proxies apart.
fn key_of(proxy: &Found) -> String {
    let host = endpoints::place(
        proxy.place.region.as_deref(),
        proxy.place.endpoint.as_deref(),
    );
    let ids = [&proxy.project, &proxy.instance, &proxy.proxy].map(String::as_str);
    format!("{host} {}", ids.join(" ").to_ascii_lowercase())
}

impl Report {
    /// What can be said of proxies by themselves.
    fn of<'f>(found: impl Iterator<Item = &'f Found>, looked: &Looked) -> Self {
        let mut report = Self {
            cluster_was_read: *looked == Looked::Everywhere,
            only_namespace: match looked {
                Looked::In(namespace) => Some(namespace.clone()),
                Looked::Nowhere | Looked::Everywhere => None,
            },
            ..Self::default()
        };
        let mut instances = BTreeSet::new();
        for proxy in found {
            report.found += 1;
            instances.insert(&proxy.instance);
            if proxy.port == Some(DEFAULT_PORT) {
                report.on_default_port.push(proxy.named());
            }
            if proxy.unhealthy {
                report
                    .unhealthy
                    .push(format!("{}: {}", proxy.named(), proxy.status));
            }
        }
        report.instances = instances.len();
        report
    }

    /// Whether all that was asked for was read, and each proxy is managed or has a manifest.
    pub fn is_whole(&self) -> bool {
        self.unread.is_empty() && self.skipped.is_empty()
    }

    /// For people.
    pub fn shown(&self) -> String {
        let mut text = String::new();
        let count = |list: &[String]| format::grouped(list.len());
        let (managed, unmanaged) = (count(&self.managed), count(&self.unmanaged));
        let managed = match &self.only_namespace {
            Some(namespace) => format!(
                "{managed} managed by resources of namespace {namespace}; {unmanaged} not there, and not known whether managed \
                 elsewhere, since resources of all namespaces can't be listed"
            ),
            None if self.cluster_was_read => format!("{managed} managed, {unmanaged} not"),
            None => "the cluster was not asked which are managed".to_owned(),
        };
        let _ = writeln!(
            text,
            "{} proxies on {} instances: {managed}; {} on port {DEFAULT_PORT}, {} unhealthy",
            format::grouped(self.found),
            format::grouped(self.instances),
            count(&self.on_default_port),
            count(&self.unhealthy),
        );
        if let Some(earlier) = &self.earlier {
            let _ = writeln!(text, "{}", earlier.shown());
        }
        for (title, list) in [
            ("unhealthy", &self.unhealthy),
            ("without a manifest", &self.skipped),
            ("not read", &self.unread),
        ] {
            for line in list.iter().take(NAMED) {
                let _ = writeln!(text, "  {title}: {}", format::tame(line));
            }
            if list.len() > NAMED {
                let _ = writeln!(
                    text,
                    "  {title}: {} more",
                    format::grouped(list.len() - NAMED)
                );
            }
        }
        if let Some(written) = &self.written {
            let _ = writeln!(text, "{}", written.shown());
        }
        text
    }
}

#[cfg(test)]
mod tests;
