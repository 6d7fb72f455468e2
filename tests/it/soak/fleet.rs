//! What a run is about: resources, each for a proxy of its own, in several namespaces, projects and credentials.

use kube::api::ObjectMeta;
use taurus_port_operator::crd::{
    ConfigMapSpec, CredentialsReference, ServiceSpec, TaurusProxyPort, TaurusProxyPortSpec,
};
use taurus_sim::{Accounts, Control, Fleet, Mode, Options, sample};

/// How many namespaces there are, each with a credential of its own.
pub const NAMESPACES: usize = 4;

/// The Secret in each of them.
pub const SECRET: &str = "keys";

/// The Service of somebody else in each of them.
pub const TAKEN: &str = "taken";

/// A second project beside that of the sample.
const OTHER_PROJECT: &str = "77777777777777777777777777777777";

/// Of ten proxies three have an instance for themselves, so to say: 200 lie on 60 instances.
fn instances(resources: usize) -> usize {
    (resources * 3).div_ceil(10)
}

/// The place of one resource.
#[derive(Debug, Clone)]
pub struct Place {
    pub name: String,
    pub namespace: usize,
    pub project: &'static str,
    pub instance: String,
    pub proxy: String,
    /// The Service and the ConfigMap that lead applications to it.
    pub service: Option<String>,
}

/// The place of each resource.
pub fn places(resources: usize) -> Vec<Place> {
    let instances = instances(resources);
    let place = |number: usize| {
        let instance = number % instances;
        let namespace = instance % NAMESPACES;
        Place {
            name: format!("proxy-{number}"),
            namespace,
            project: [sample::PROJECT, OTHER_PROJECT][namespace / 2],
            instance: Fleet::numbered_instance(instance),
            proxy: Fleet::numbered_proxy(number),
            service: service(number),
        }
    };
    (0..resources).map(place).collect()
}

/// Every third resource leads applications; every fifth of these wishes for a Service that is somebody else's.
fn service(number: usize) -> Option<String> {
    match (number.is_multiple_of(3), number.is_multiple_of(15)) {
        (_, true) => Some(TAKEN.to_owned()),
        (true, false) => Some(format!("db-{number}")),
        (false, false) => None,
    }
}

/// A simulator's beginning with all of them.
pub fn options(places: &[Place]) -> Options {
    let mut fleet = Fleet::new().project(sample::PROJECT).project(OTHER_PROJECT);
    for place in places.iter().take(instances(places.len())) {
        fleet = fleet.instance_in(place.project, &place.instance);
    }
    for place in places {
        fleet = fleet.proxy_in(&place.instance, &place.proxy, sample::PORT);
    }
    Options {
        fleet,
        accounts: Accounts::sample(),
        journal_limit: 20_000,
        ..Options::default()
    }
}

/// Gives instances the modes in turn: nobody knows which the real service has.
pub fn spread_modes(places: &[Place], cloud: &Control) {
    let instances = instances(places.len());
    for (number, place) in places.iter().enumerate() {
        let mode = Mode::ALL[number % instances / NAMESPACES % Mode::ALL.len()];
        cloud.set_proxy_mode(&place.proxy, Some(mode)).unwrap();
    }
}

impl Place {
    /// The resource, as it is applied first.
    pub fn resource(&self, port: u16, endpoint: &str) -> TaurusProxyPort {
        TaurusProxyPort {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            spec: TaurusProxyPortSpec {
                region: None,
                project_id: self.project.to_owned(),
                instance_id: self.instance.clone(),
                proxy_id: self.proxy.clone(),
                port: port.into(),
                credentials_ref: Some(CredentialsReference {
                    name: SECRET.to_owned(),
                }),
                endpoint: Some(endpoint.to_owned()),
                iam_endpoint: Some(endpoint.to_owned()),
                management_policy: None,
                suspend: None,
                change_timeout: None,
                service: self
                    .service
                    .clone()
                    .map(|name| ServiceSpec { name, port: None }),
                config_map: self.service.clone().map(|name| ConfigMapSpec { name }),
                ..TaurusProxyPortSpec::default()
            },
            status: None,
        }
    }
}
