//! The operator's calendar, as far as the caller may see it: the freezes in force and ahead, and whether a window is open.
//!
//! Relies on the Deployment for the file's place: an argument or a variable, a mount, and a `ConfigMap`. Promises that what can't be seen is told.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Container, PodSpec},
};
use kube::Api;
use serde::Serialize;
use taurus_port_operator::calendar::{Calendar, Hours, file};

use crate::{cluster::Cluster, failure::Failure, format::tame};

/// The flag that names the file, and the variable that does where there is no flag.
const FLAG: &str = "--calendar";
const VARIABLE: &str = "TAURUS_CALENDAR";

/// So many freezes ahead are told.
const AHEAD: usize = 2;

/// What is known of the calendar.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Seen {
    /// The operator has none.
    #[default]
    None,
    /// It has one that can't be seen; why.
    Unseen(String),
    /// It is this one.
    Is(Told),
}

/// A calendar, for people and programs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// How many windows there are for resources that state none.
    pub windows: usize,
    /// Whether one of them is open.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// When the next one opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<Timestamp>,
    /// The freezes that are not over.
    pub freezes: Vec<Freeze>,
}

/// A freeze.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Freeze {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// For whom; for all where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Whether it is in force.
    pub in_force: bool,
}

/// Where a calendar's text is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    config_map: String,
    key: String,
}

impl Seen {
    /// Looks, where the Deployment says that there is one.
    pub async fn look(
        cluster: &Cluster,
        namespace: &str,
        deployment: &Deployment,
        now: Timestamp,
    ) -> Self {
        let template = deployment.spec.as_ref().map(|spec| &spec.template);
        let Some(pods) = template.and_then(|template| template.spec.as_ref()) else {
            return Self::None;
        };
        let Some(path) = path_of(pods) else {
            return Self::None;
        };
        let Some(source) = source_of(pods, &path) else {
            return Self::Unseen(format!("{path} is from no ConfigMap"));
        };
        let maps: Api<ConfigMap> = Api::namespaced(cluster.client(), namespace);
        let name = &source.config_map;
        let unseen = |why: String| Self::Unseen(format!("ConfigMap {name} of {namespace}: {why}"));
        let text = match maps.get_opt(name).await {
            Ok(Some(map)) => map.data.unwrap_or_default().remove(&source.key),
            Ok(None) => return unseen("not found".to_owned()),
            Err(kube::Error::Api(status)) if status.code == 403 => {
                return unseen("no right to read it".to_owned());
            }
            Err(error) => {
                return unseen(Failure::kubernetes("it can't be read", &error).to_string());
            }
        };
        match text.as_deref().map(file::parse) {
            Some(Ok(calendar)) => Self::Is(Told::of(&calendar, now)),
            Some(Err(fault)) => unseen(format!(
                "it is broken, so the operator keeps the last good calendar, if it has read one: {fault}"
            )),
            None => unseen(format!("it has no {}", source.key)),
        }
    }

    /// For people, a line for each thing that matters now.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::Unseen(why) => vec![format!("calendar: not known here ({})", tame(why))],
            Self::Is(told) => told.lines(),
        }
    }
}

impl Told {
    fn of(calendar: &Calendar, now: Timestamp) -> Self {
        let hours = Hours {
            windows: calendar.windows.clone(),
            ..Hours::default()
        };
        let is_stated = !calendar.windows.is_empty();
        let open = is_stated && hours.is_open_at(now);
        let ahead = calendar.freezes.iter().filter(|freeze| freeze.until > now);
        let freezes = ahead.map(|freeze| Freeze {
            from: freeze.from,
            until: freeze.until,
            reason: freeze.reason.clone(),
            namespaces: freeze.namespaces.clone(),
            in_force: freeze.covers(now),
        });
        Self {
            windows: calendar.windows.len(),
            open,
            opens: hours
                .next(now, Duration::ZERO)
                .filter(|_| is_stated && !open),
            freezes: freezes.collect(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let (now, ahead): (Vec<&Freeze>, Vec<&Freeze>) =
            self.freezes.iter().partition(|freeze| freeze.in_force);
        let mut lines = Vec::new();
        for freeze in now {
            lines.push(format!(
                "freeze in force until {}: {}",
                freeze.until,
                freeze.shown()
            ));
        }
        for freeze in ahead.iter().take(AHEAD) {
            lines.push(format!(
                "freeze from {} until {}: {}",
                freeze.from,
                freeze.until,
                freeze.shown()
            ));
        }
        if ahead.len() > AHEAD {
            lines.push(format!("and {} more freezes ahead", ahead.len() - AHEAD));
        }
        if self.windows > 0 {
            let when = match (self.open, self.opens) {
                (true, _) => "one is open now".to_owned(),
                (false, Some(opens)) => format!("the next opens at {opens}"),
                (false, None) => "none opens within a year".to_owned(),
            };
            lines.push(format!("windows of the calendar: {}, {when}", self.windows));
        }
        if lines.is_empty() {
            lines.push("calendar: no windows, no freezes".to_owned());
        }
        lines
    }
}

impl Freeze {
    fn shown(&self) -> String {
        let reason = tame(&self.reason);
        match self.namespaces.as_slice() {
            [] => reason,
            names => format!("{reason} ({})", tame(&names.join(", "))),
        }
    }
}

/// The container that the operator runs in.
pub fn operator(pods: &PodSpec) -> Option<&Container> {
    let mut containers = pods.containers.iter();
    containers.find(|container| container.name == "operator")
}

/// The file that the operator was given.
fn path_of(pods: &PodSpec) -> Option<String> {
    setting(pods, FLAG, VARIABLE)
}

/// What the operator was given by a flag, or else by its variable.
pub fn setting(pods: &PodSpec, flag: &str, variable: &str) -> Option<String> {
    let container = operator(pods)?;
    let mut words = container.command.iter().chain(&container.args).flatten();
    while let Some(word) = words.next() {
        if word == flag {
            return words.next().cloned();
        }
        let value = word
            .strip_prefix(flag)
            .and_then(|rest| rest.strip_prefix('='));
        if let Some(value) = value {
            return Some(value.to_owned());
        }
    }
    let mut variables = container.env.iter().flatten();
    let variable = variables.find(|known| known.name == variable)?;
    variable
        .value
        .clone()
        .filter(|value| !value.trim().is_empty())
}

/// The `ConfigMap` that is mounted there.
fn source_of(pods: &PodSpec, path: &str) -> Option<Source> {
    let (folder, file) = path.rsplit_once('/')?;
    let container = operator(pods)?;
    let mounts = container.volume_mounts.iter().flatten();
    let mount = mounts
        .filter(|mount| mount.mount_path.trim_end_matches('/') == folder)
        .find(|mount| mount.sub_path.is_none())?;
    let mut volumes = pods.volumes.iter().flatten();
    let volume = volumes.find(|volume| volume.name == mount.name)?;
    let map = volume.config_map.as_ref()?;
    let items = map.items.iter().flatten();
    let key = items
        .filter(|item| item.path == file)
        .map(|item| item.key.clone())
        .next();
    Some(Source {
        config_map: map.name.clone(),
        key: key.unwrap_or_else(|| file.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pods(args: Value, volume: Value) -> PodSpec {
        let mut pods = json!({
            "containers": [{"name": "operator", "volumeMounts": [{"name": "calendar", "mountPath": "/etc/taurus"}]}],
            "volumes": [{"name": "calendar"}],
        });
        pods["containers"][0]["args"] = args;
        pods["volumes"][0]["configMap"] = volume;
        serde_json::from_value(pods).unwrap()
    }

    #[test]
    fn the_file_leads_to_the_config_map_that_is_mounted() {
        let flag = json!(["--calendar=/etc/taurus/calendar.yaml"]);
        let words = json!(["--leader-elect", "--calendar", "/etc/taurus/calendar.yaml"]);
        let plain = json!({"name": "days"});
        let keyed = json!({"name": "days", "items": [{"key": "k", "path": "calendar.yaml"}]});
        for (args, volume, key) in [
            (&flag, plain.clone(), "calendar.yaml"),
            (&words, keyed, "k"),
        ] {
            let pods = pods(args.clone(), volume);
            let path = path_of(&pods).unwrap();
            let source = source_of(&pods, &path).unwrap();
            assert_eq!(
                (source.config_map.as_str(), source.key.as_str()),
                ("days", key)
            );
        }
        // As the chart has it.
        let mut by_variable = pods(json!(["run"]), plain.clone());
        let variable = json!([{"name": "TAURUS_CALENDAR", "value": "/etc/taurus/calendar.yaml"}]);
        by_variable.containers[0].env = serde_json::from_value(variable).unwrap();
        assert_eq!(
            path_of(&by_variable).as_deref(),
            Some("/etc/taurus/calendar.yaml")
        );
        assert_eq!(
            path_of(&pods(json!(["--calendar-of-others=x"]), plain.clone())),
            None
        );
        assert_eq!(
            source_of(&pods(flag, plain), "/elsewhere/calendar.yaml"),
            None
        );
    }

    #[test]
    fn what_is_in_force_comes_first() {
        let calendar = file::parse(
            "windows: [{start: '02:00', duration: 1h}]\n\
             freezes:\n\
             - {from: 2025-12-20T00:00:00Z, until: 2026-01-04T00:00:00Z, reason: past}\n\
             - {from: 2026-03-01T00:00:00Z, until: 2026-03-05T00:00:00Z, reason: sale, namespaces: [shop, web]}\n\
             - {from: 2026-12-20T00:00:00Z, until: 2027-01-04T00:00:00Z, reason: year-end}\n",
        )
        .unwrap();
        let now = "2026-03-02T12:00:00Z".parse().unwrap();
        assert_eq!(
            Told::of(&calendar, now).lines(),
            [
                "freeze in force until 2026-03-05T00:00:00Z: sale (shop, web)",
                "freeze from 2026-12-20T00:00:00Z until 2027-01-04T00:00:00Z: year-end",
                "windows of the calendar: 1, the next opens at 2026-03-03T02:00:00Z",
            ]
        );
        let empty = Told::of(&Calendar::default(), now);
        assert_eq!(empty.lines(), ["calendar: no windows, no freezes"]);
    }
}
