//! What applications are led by in a run: each slice that the operator makes, and Services of others that it may not touch.

use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use kube::{Api, Client, ResourceExt as _, api::PostParams};
use serde_json::json;
use taurus_port_operator::publish::wanted;
use taurus_sim::Control;

use super::fleet::{Place, TAKEN};
use crate::{stories::publication, world::slices::Slices};

/// The Services of others, one in each namespace.
pub struct Services {
    pub slices: Slices,
    foreign: Vec<Service>,
}

impl Services {
    /// Gives the operator its rights, makes the Services of others, and begins to record slices.
    pub async fn start(
        client: &Client,
        namespaces: &[String],
        is_shown: impl FnMut(&str, u16) -> bool + Send + 'static,
    ) -> Self {
        let mut foreign = Vec::new();
        for namespace in namespaces {
            publication::allow_in(client, namespace).await;
            let service = json!({
                "metadata": {"name": TAKEN},
                "spec": {"selector": {"app": "other"}, "ports": [{"port": 5432}]},
            });
            let service = serde_json::from_value(service).unwrap();
            let api: Api<Service> = Api::namespaced(client.clone(), namespace);
            foreign.push(api.create(&PostParams::default(), &service).await.unwrap());
        }
        let slices = Slices::start(Api::all(client.clone()), is_shown).await;
        Self { slices, foreign }
    }

    /// Services of others that were written or deleted.
    pub async fn touched(&self, client: &Client) -> Vec<String> {
        let mut touched = Vec::new();
        for before in &self.foreign {
            let namespace = before.namespace().unwrap();
            let api: Api<Service> = Api::namespaced(client.clone(), &namespace);
            let now = api.get_opt(TAKEN).await.unwrap();
            let version = now.as_ref().and_then(kube::ResourceExt::resource_version);
            if version != before.resource_version() {
                touched.push(format!("{now:?}"));
            }
        }
        touched
    }
}

/// Resources whose applications are led to another port than the one that is in place.
pub async fn misled(
    client: &Client,
    namespaces: &[String],
    places: &[Place],
    cloud: &Control,
) -> Vec<String> {
    let mut misled = Vec::new();
    for place in places {
        let Some(service) = place.service.as_ref().filter(|name| *name != TAKEN) else {
            continue;
        };
        let api: Api<EndpointSlice> = Api::namespaced(client.clone(), &namespaces[place.namespace]);
        let slice = api.get_opt(&wanted::slice_name(service, "IPv4")).await;
        let led = slice.unwrap().as_ref().and_then(wanted::place_of);
        let actual = cloud.proxy(&place.proxy).unwrap().actual_port;
        if led.map(|led| led.port) != Some(actual) {
            misled.push(format!(
                "{}: led to {led:?}, and {actual} is in place",
                place.name
            ));
        }
    }
    misled
}
