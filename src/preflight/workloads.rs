//! Workloads that reach the proxy: by a Service or a `ConfigMap` that the change touches, or by its address.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        batch::v1::CronJob,
        core::v1::{Container, EnvVar, PodTemplateSpec, Volume},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    Fate, Move, Touched,
    values::{has_service, has_word},
};

/// What makes pods.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its pods.
    pub template: PodTemplateSpec,
}

/// What is looked for in workloads.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// Services that lead to the proxy.
    pub services: &'a BTreeSet<String>,
    /// `ConfigMaps` that say where it is.
    pub config_maps: &'a BTreeSet<String>,
    /// The port.
    pub moved: &'a Move,
}

/// By what a workload reaches the proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// In words; in none where it does not.
    pub by: BTreeSet<String>,
    /// Whether it does so by the address itself.
    pub by_address: bool,
}

impl Workload {
    fn of(kind: &'static str, metadata: ObjectMeta, template: PodTemplateSpec) -> Self {
        let name = metadata.name.unwrap_or_default();
        Self {
            kind,
            name,
            template,
        }
    }

    /// A Deployment.
    pub fn of_deployment(it: Deployment) -> Option<Self> {
        Some(Self::of("Deployment", it.metadata, it.spec?.template))
    }

    /// A `StatefulSet`.
    pub fn of_stateful_set(it: StatefulSet) -> Option<Self> {
        Some(Self::of("StatefulSet", it.metadata, it.spec?.template))
    }

    /// A `DaemonSet`.
    pub fn of_daemon_set(it: DaemonSet) -> Option<Self> {
        Some(Self::of("DaemonSet", it.metadata, it.spec?.template))
    }

    /// A `CronJob`.
    pub fn of_cron_job(it: CronJob) -> Option<Self> {
        let template = it.spec?.job_template.spec?.template;
        Some(Self::of("CronJob", it.metadata, template))
    }

    /// By what it reaches the proxy.
    pub fn uses(&self, sought: &Sought<'_>) -> Uses {
        let mut uses = Uses::default();
        let Some(spec) = &self.template.spec else {
            return uses;
        };
        let inits = spec.init_containers.iter().flatten();
        for container in inits.chain(&spec.containers) {
            uses.take_container(container, sought);
        }
        for volume in spec.volumes.iter().flatten() {
            for map in config_maps_of(volume).filter(|map| sought.config_maps.contains(*map)) {
                uses.by
                    .insert(format!("ConfigMap {map} (volume {})", volume.name));
            }
        }
        uses
    }
}

impl Uses {
    fn take_container(&mut self, container: &Container, sought: &Sought<'_>) {
        for variable in container.env.iter().flatten() {
            self.take_variable(variable, sought);
        }
        for source in container.env_from.iter().flatten() {
            let map = source.config_map_ref.as_ref().map(|map| &map.name);
            if let Some(map) = map.filter(|map| sought.config_maps.contains(*map)) {
                self.by.insert(format!("ConfigMap {map} (envFrom)"));
            }
        }
        let words = container.command.iter().chain(&container.args).flatten();
        for word in words {
            self.take_text(word, "arguments", sought);
        }
    }

    fn take_variable(&mut self, variable: &EnvVar, sought: &Sought<'_>) {
        let place = format!("env {}", variable.name);
        if let Some(value) = &variable.value {
            self.take_text(value, &place, sought);
        }
        let source = variable.value_from.as_ref();
        let map = source
            .and_then(|source| source.config_map_key_ref.as_ref())
            .map(|key| &key.name);
        if let Some(map) = map.filter(|map| sought.config_maps.contains(*map)) {
            self.by.insert(format!("ConfigMap {map} ({place})"));
        }
    }

    fn take_text(&mut self, text: &str, place: &str, sought: &Sought<'_>) {
        for service in sought.services {
            if has_service(text, service, &sought.moved.namespace) {
                self.by.insert(format!("Service {service} ({place})"));
            }
        }
        let address = sought.moved.address.as_deref().unwrap_or_default();
        if has_word(text, address) {
            self.by_address = true;
            self.by.insert(format!("address {address} ({place})"));
        }
    }
}

fn config_maps_of(volume: &Volume) -> impl Iterator<Item = &String> {
    let own = volume.config_map.iter().map(|map| &map.name);
    let projected = volume.projected.iter();
    let sources = projected.flat_map(|projected| projected.sources.iter().flatten());
    let projected = sources.filter_map(|source| source.config_map.as_ref());
    own.chain(projected.map(|map| &map.name))
}

/// Those that reach the proxy.
pub fn users(workloads: &[Workload], sought: &Sought<'_>) -> Vec<Touched> {
    let users = workloads.iter().filter_map(|workload| {
        let uses = workload.uses(sought);
        let by: Vec<String> = uses.by.into_iter().collect();
        let how = format!("which reaches the proxy by {}", by.join(" and "));
        (!by.is_empty()).then(|| Touched::of(workload.kind, &workload.name, how, Fate::Follows))
    });
    users.collect()
}
