//! What the API server in memory claims, held against the real one: the same conversation, word for word.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "helpers of tests"
)]

use std::time::Duration;

use k8s_openapi::{
    api::{
        coordination::v1::Lease,
        core::v1::{Namespace, Secret},
        events::v1::Event,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde_json::{Value, json};
use taurus_controlplane::{ControlPlane, needs};
use taurus_port_operator::crd::{self, TaurusProxyPort};
use taurus_schedules::{Fake, NAMESPACE};

const NAME: &str = "orders";

/// People, as far as they change resources.
enum People {
    OfFake(Fake),
    Real(Box<Api<TaurusProxyPort>>),
}

impl People {
    async fn create(&self) {
        match self {
            Self::OfFake(fake) => fake.create(resource()),
            Self::Real(api) => drop(
                api.create(&PostParams::default(), &resource())
                    .await
                    .unwrap(),
            ),
        }
    }

    async fn edit(&self, change: impl FnOnce(&mut TaurusProxyPort)) {
        match self {
            Self::OfFake(fake) => fake.edit(NAME, change),
            Self::Real(api) => {
                let mut object = api.get(NAME).await.unwrap();
                change(&mut object);
                api.replace(NAME, &PostParams::default(), &object)
                    .await
                    .unwrap();
            }
        }
    }

    async fn delete(&self) {
        match self {
            Self::OfFake(fake) => fake.delete(NAME),
            Self::Real(api) => drop(api.delete(NAME, &DeleteParams::default()).await.unwrap()),
        }
    }
}

fn resource() -> TaurusProxyPort {
    let zeros = "0".repeat(32);
    serde_json::from_value(json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "region": "ap-southeast-3", "projectID": zeros, "instanceID": format!("{zeros}in07"),
            "proxyID": format!("{zeros}po01"), "port": 3307
        }
    }))
    .unwrap()
}

/// What was said, without what is different in each run.
struct Talk {
    api: Api<TaurusProxyPort>,
    lines: Vec<String>,
    versions: Vec<String>,
}

impl Talk {
    async fn get(&mut self) -> Option<TaurusProxyPort> {
        let found = self.api.get_opt(NAME).await.unwrap();
        self.note("get", Ok(found.clone()));
        found
    }

    async fn write(&mut self, object: &TaurusProxyPort, port: i32) -> Option<TaurusProxyPort> {
        let mut object = object.clone();
        object.status =
            serde_json::from_value(json!({"port": port, "observedGeneration": 1})).unwrap();
        object.spec.port = 4444;
        let result = self
            .api
            .replace_status(NAME, &PostParams::default(), &object)
            .await;
        let written = result.as_ref().ok().cloned();
        self.note("write", result.map(Some));
        written
    }

    fn note(&mut self, what: &str, result: kube::Result<Option<TaurusProxyPort>>) {
        let line = match result {
            Ok(Some(object)) => {
                let version = object.resource_version().unwrap();
                let known = self.versions.iter().position(|known| *known == version);
                let number = known.unwrap_or_else(|| {
                    self.versions.push(version);
                    self.versions.len() - 1
                });
                let status = object.status.map(|status| status.port);
                let generation = object.metadata.generation;
                format!(
                    "{what}: version {number}, {generation:?}, wants {}, has {status:?}",
                    object.spec.port
                )
            }
            Ok(None) => format!("{what}: nothing"),
            Err(error) => format!("{what}: {}", refusal(&error)),
        };
        self.lines.push(line);
    }
}

fn refusal(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
        other => other.to_string(),
    }
}

async fn about_resources(client: Client, people: &People) -> Vec<String> {
    let api = Api::namespaced(client, NAMESPACE);
    let mut talk = Talk {
        api,
        lines: Vec::new(),
        versions: Vec::new(),
    };
    talk.get().await;
    people.create().await;
    let first = talk.get().await.unwrap();
    let second = talk.write(&first, 3306).await.unwrap();
    talk.write(&second, 3306).await;
    talk.write(&first, 3307).await;
    people
        .edit(|object| {
            object
                .labels_mut()
                .insert("team".to_owned(), "a".to_owned());
        })
        .await;
    talk.write(&second, 3307).await;
    talk.get().await;
    people.edit(|object| object.spec.port = 3308).await;
    let third = talk.get().await.unwrap();
    let fourth = talk.write(&third, 3307).await.unwrap();
    people.delete().await;
    talk.get().await;
    talk.write(&fourth, 3308).await;
    people.create().await;
    let mut of_another = talk.get().await.unwrap();
    of_another.metadata.uid.clone_from(&fourth.metadata.uid);
    talk.write(&of_another, 3309).await;
    talk.lines
}

/// Fields that the definition does not have are dropped.
async fn about_unknown_fields(client: Client, people: &People) -> Vec<String> {
    people.create().await;
    let api: Api<TaurusProxyPort> = Api::namespaced(client.clone(), NAMESPACE);
    let mut sent = serde_json::to_value(api.get(NAME).await.unwrap()).unwrap();
    sent["spec"]["colour"] = json!("blue");
    sent["status"] = json!({"port": 3306, "observedGeneration": 1, "colour": "blue"});
    let kind = TaurusProxyPort::url_path(&(), Some(NAMESPACE));
    let request = http::Request::put(format!("{kind}/{NAME}/status"))
        .header("Content-Type", "application/json")
        .body(serde_json::to_vec(&sent).unwrap())
        .unwrap();
    let written: Value = client.request(request).await.unwrap();
    people.delete().await;
    vec![written["spec"].to_string(), written["status"].to_string()]
}

async fn about_events(client: Client) -> Vec<String> {
    let api: Api<Event> = Api::namespaced(client, NAMESPACE);
    let event = |name: &str, series: Value| -> Event {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": NAMESPACE}, "series": series,
            "action": "Reconcile", "reason": "Settled", "note": "in order", "type": "Normal",
            "reportingController": "operator", "reportingInstance": "operator",
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "regarding": {"kind": "TaurusProxyPort", "namespace": NAMESPACE, "name": NAME},
        }))
        .unwrap()
    };
    let twice = json!({"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"});
    let (params, patching) = (PostParams::default(), PatchParams::default());
    let counted = event("first", twice.clone());
    let stranger = event("second", twice);
    let results = [
        api.create(&params, &event("first", Value::Null)).await,
        api.create(&params, &event("first", Value::Null)).await,
        api.patch("first", &patching, &Patch::Merge(&counted)).await,
        api.patch("second", &patching, &Patch::Merge(&stranger))
            .await,
    ];
    let said = |result: kube::Result<Event>| match result {
        Ok(event) => format!("{}, {:?}", event.name_any(), event.series),
        Err(error) => refusal(&error),
    };
    results.map(said).to_vec()
}

async fn about_secrets(client: Client) -> Vec<String> {
    let api: Api<Secret> = Api::namespaced(client, NAMESPACE);
    let said = |result: kube::Result<Option<Secret>>| match result {
        Ok(secret) => format!("{:?}", secret.map(|secret| secret.data)),
        Err(error) => refusal(&error),
    };
    [api.get_opt("keys").await, api.get_opt("others").await]
        .map(said)
        .to_vec()
}

async fn about_leases(client: Client) -> Vec<String> {
    let api: Api<Lease> = Api::namespaced(client, "ops");
    let lease = |holder: &str| -> Lease {
        let spec = json!({"holderIdentity": holder, "leaseDurationSeconds": 15});
        serde_json::from_value(json!({"metadata": {"name": "operator"}, "spec": spec})).unwrap()
    };
    let params = PostParams::default();
    let said = |result: kube::Result<Option<Lease>>| match result {
        Ok(lease) => format!("{:?}", lease.and_then(|lease| lease.spec?.holder_identity)),
        Err(error) => refusal(&error),
    };
    let absent = api.get_opt("operator").await;
    let created = api.create(&params, &lease("a")).await;
    let again = api.create(&params, &lease("b")).await;
    let stale = created.as_ref().unwrap().clone();
    let mut renewed = stale.clone();
    renewed.spec = lease("c").spec;
    let replaced = api.replace("operator", &params, &renewed).await;
    let conflict = api.replace("operator", &params, &stale).await;
    let last = api.get_opt("operator").await;
    let results = [
        absent,
        created.map(Some),
        again.map(Some),
        replaced.map(Some),
        conflict.map(Some),
        last,
    ];
    results.map(said).to_vec()
}

async fn real() -> (ControlPlane, Client) {
    // An error means that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plane = needs::control_plane().await.unwrap();
    let client = plane.client().await.unwrap();
    let params = PostParams::default();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions
        .create(&params, &crd::definition())
        .await
        .unwrap();
    let name = "taurusproxyports.taurusdb.huaweicloud.com";
    let established = await_condition(definitions, name, is_crd_established());
    tokio::time::timeout(Duration::from_mins(10), established)
        .await
        .unwrap()
        .unwrap();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for name in [NAMESPACE, "ops"] {
        let value: Value = json!({"metadata": {"name": name}});
        let namespace = serde_json::from_value(value).unwrap();
        namespaces.create(&params, &namespace).await.unwrap();
    }
    let value = json!({"metadata": {"name": "keys"}, "stringData": {"accessKey": "AK-0-1", "secretKey": "SK-0-1"}});
    let secret: Secret = serde_json::from_value(value).unwrap();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    secrets.create(&params, &secret).await.unwrap();
    (plane, client)
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_in_memory_says_what_the_real_one_says() {
    let (_plane, client) = real().await;
    let fake = Fake::default();
    let of_fake = fake.client();
    let (fake, people) = (
        People::OfFake(fake),
        People::Real(Box::new(Api::namespaced(client.clone(), NAMESPACE))),
    );
    assert_eq!(
        about_resources(of_fake.clone(), &fake).await,
        about_resources(client.clone(), &people).await,
    );
    fake.delete().await;
    people.delete().await;
    let pruned = about_unknown_fields(client.clone(), &people).await;
    assert!(!pruned.concat().contains("colour"), "{pruned:?}");
    assert_eq!(about_unknown_fields(of_fake.clone(), &fake).await, pruned);
    assert_eq!(
        about_events(of_fake.clone()).await,
        about_events(client.clone()).await
    );
    assert_eq!(
        about_secrets(of_fake.clone()).await,
        about_secrets(client.clone()).await
    );
    assert_eq!(about_leases(of_fake).await, about_leases(client).await);
}
