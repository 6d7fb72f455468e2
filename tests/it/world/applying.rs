//! What people do: resources and Secrets are applied, changed and deleted.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taurus_port_operator::crd::{
    CredentialsReference, REQUESTED_AT, TaurusProxyPort, TaurusProxyPortSpec,
};
use taurus_sim::{Fleet, sample};

use super::{NAME, WANTED, World};

/// Applies a Secret with these pairs, whatever it held before.
pub async fn write_secret(secrets: &Api<Secret>, name: &str, pairs: &[(&str, &str)]) {
    let data: BTreeMap<String, ByteString> = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())))
        .collect();
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(data),
        ..Secret::default()
    };
    let params = PatchParams::apply("story").force();
    secrets
        .patch(name, &params, &Patch::Apply(&secret))
        .await
        .unwrap();
}

impl World {
    pub fn api(&self) -> Api<TaurusProxyPort> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The story's resource, as it is applied first.
    pub fn resource(&self, port: u16) -> TaurusProxyPort {
        let mut resource = self.named(NAME);
        resource.spec.port = port.into();
        resource
    }

    /// The same with the credentials of another Secret.
    pub fn resource_with(&self, port: u16, secret: &str) -> TaurusProxyPort {
        let mut resource = self.resource(port);
        resource.spec.credentials_ref = Some(CredentialsReference {
            name: secret.to_owned(),
        });
        resource
    }

    /// A resource for a proxy of `Fleet::numbered`, called `numbered-…`.
    pub fn numbered(&self, number: usize, port: u16) -> TaurusProxyPort {
        let mut resource = self.resource(port);
        resource.metadata.name = Some(format!("numbered-{number}"));
        resource.spec.instance_id = Fleet::numbered_instance(number);
        resource.spec.proxy_id = Fleet::numbered_proxy(number);
        resource
    }

    pub(super) fn named(&self, name: &str) -> TaurusProxyPort {
        TaurusProxyPort {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: TaurusProxyPortSpec {
                region: None,
                project_id: sample::PROJECT.to_owned(),
                instance_id: sample::INSTANCE.to_owned(),
                proxy_id: sample::PROXY.to_owned(),
                port: WANTED.into(),
                credentials_ref: Some(CredentialsReference {
                    name: "keys".to_owned(),
                }),
                endpoint: Some(self.sim.url()),
                iam_endpoint: Some(self.sim.url()),
                management_policy: None,
                suspend: None,
                change_timeout: None,
                ..TaurusProxyPortSpec::default()
            },
            status: None,
        }
    }

    pub async fn secret(&self, name: &str, pairs: &[(&str, &str)]) {
        write_secret(&self.secrets(&self.namespace), name, pairs).await;
    }

    /// The sample's key, in another namespace; gives the Secret's name.
    pub async fn secret_in(&self, namespace: &str, name: &str) -> String {
        let pairs = [
            ("accessKey", sample::ACCESS_KEY),
            ("secretKey", sample::SECRET_KEY),
        ];
        write_secret(&self.secrets(namespace), name, &pairs).await;
        name.to_owned()
    }

    fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub async fn create(&self, resource: &TaurusProxyPort) -> TaurusProxyPort {
        self.api()
            .create(&PostParams::default(), resource)
            .await
            .unwrap()
    }

    /// Creates the story's resource with this port.
    pub async fn want(&self, port: u16) -> TaurusProxyPort {
        self.create(&self.resource(port)).await
    }

    /// Changes the story's resource.
    pub async fn patch(&self, patch: Value) -> TaurusProxyPort {
        self.api()
            .patch(NAME, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap()
    }

    /// Changes the wanted port.
    pub async fn want_now(&self, port: u16) -> TaurusProxyPort {
        self.patch(json!({"spec": {"port": port}})).await
    }

    pub async fn get(&self) -> TaurusProxyPort {
        self.api().get(NAME).await.unwrap()
    }

    /// Asks the operator to look now.
    pub async fn ask(&self, value: &str) {
        self.patch(json!({"metadata": {"annotations": {REQUESTED_AT: value}}}))
            .await;
    }

    /// Deletes the story's resource.
    pub async fn delete(&self) {
        self.api()
            .delete(NAME, &DeleteParams::default())
            .await
            .unwrap();
    }
}
