//! The fleet: numbered proxies in the simulator, and a resource for each.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use taurus_sim::{Accounts, Effect, Fault, Fleet, JobPlan, Options, Simulator};

use crate::{Result, settings::Settings};

/// The port that proxies have at first.
pub const PORT: u16 = 3306;

/// More calls than these a change does not make.
const MOST_CALLS: usize = 50;

/// How many requests are sent to the API server at once.
const AT_ONCE: usize = 32;

/// What ids are made of, besides a number.
const PROJECTS: u128 = 1;
const INSTANCES: u128 = 2;
const PROXIES: u128 = 3;

/// Where a resource is, and what it stands for.
pub struct Place {
    pub namespace: String,
    pub name: String,
    pub project: String,
    pub instance: String,
    pub proxy: String,
    pub token: String,
}

/// How resources are spread.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub count: usize,
    per_instance: usize,
    credentials: usize,
}

impl Plan {
    pub fn new(settings: &Settings, count: usize) -> Self {
        Self {
            count,
            per_instance: settings.per_instance.max(1),
            credentials: settings.credentials.max(1),
        }
    }

    /// How many instances the resources have.
    pub fn instances(self) -> usize {
        self.count.div_ceil(self.per_instance)
    }

    /// The place of a resource by its number. Those of one instance are in one namespace. The number after the last one is
    /// that of a proxy without a resource.
    pub fn place(self, number: usize) -> Place {
        let instance = number / self.per_instance;
        let tenant = instance % self.credentials;
        Place {
            namespace: format!("bench-{tenant}"),
            name: format!("proxy-{number}"),
            project: digits(PROJECTS, tenant),
            instance: digits(INSTANCES, instance) + "in07",
            proxy: digits(PROXIES, number) + "po01",
            token: format!("bench-token-{tenant}"),
        }
    }

    /// A simulator with all proxies, and one more that has an instance of its own.
    pub async fn simulator(self, settings: &Settings) -> Result<Simulator> {
        let mut fleet = Fleet::new();
        let mut accounts = Accounts::none();
        for tenant in 0..self.credentials {
            fleet = fleet.project(&digits(PROJECTS, tenant));
            accounts = accounts.token(&format!("bench-token-{tenant}"));
        }
        for number in (0..self.count).chain([self.spare()]) {
            let place = self.place(number);
            if number % self.per_instance == 0 {
                fleet = fleet.instance_in(&place.project, &place.instance);
            }
            // It belongs to the instance that was added last.
            fleet = fleet.proxy(&place.proxy, PORT);
        }
        let job = JobPlan::lasting(Duration::from_secs(settings.job));
        let mut options = Options::default()
            .fleet(fleet)
            .accounts(accounts)
            .job(job.visible_after(Duration::from_secs(1)));
        // No request of a change may be lost before it is counted.
        options.journal_limit = options.journal_limit.max(self.count * MOST_CALLS);
        if settings.latency > 0 {
            let late = Effect::Latency(Duration::from_millis(settings.latency));
            options.faults.push(Fault::everywhere(late));
        }
        Ok(Simulator::start(options).await?)
    }

    /// The number of the proxy without a resource.
    pub fn spare(self) -> usize {
        self.instances() * self.per_instance
    }

    /// Makes namespaces, Secrets and resources. All resources want the port that their proxies have.
    pub async fn create(self, client: &Client, cloud: &str) -> Result<()> {
        for tenant in 0..self.credentials.min(self.count) {
            let place = self.place(tenant * self.per_instance);
            let namespace: Namespace =
                serde_json::from_value(json!({"metadata": {"name": place.namespace}}))?;
            let namespaces: Api<Namespace> = Api::all(client.clone());
            namespaces
                .create(&PostParams::default(), &namespace)
                .await?;
            let secret: Secret = serde_json::from_value(json!({
                "metadata": {"name": "taurus-credentials"}, "stringData": {"token": place.token}
            }))?;
            let secrets: Api<Secret> = Api::namespaced(client.clone(), &place.namespace);
            secrets.create(&PostParams::default(), &secret).await?;
        }
        let create = |number| async move {
            let place = self.place(number);
            let object = serde_json::from_value(resource(&place, cloud))?;
            let api = api(client, &place.namespace);
            api.create(&PostParams::default(), &object).await?;
            Ok(())
        };
        stream::iter(0..self.count)
            .map(create)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Lets these resources want this port, as fast as the API server takes it.
    pub async fn edit(
        self,
        client: &Client,
        numbers: impl Iterator<Item = usize> + Send,
        port: u16,
    ) -> Result<()> {
        stream::iter(numbers)
            .map(|number| edit(client, self.place(number), port))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }
}

/// Lets a resource want this port.
pub async fn edit(client: &Client, place: Place, port: u16) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"port": port}}));
    let api = api(client, &place.namespace);
    api.patch(&place.name, &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

/// The kind, whoever's definition is installed.
pub fn kind() -> ApiResource {
    let group = "taurusdb.huaweicloud.com";
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1alpha1", "TaurusProxyPort"))
}

/// The resources of a namespace.
pub fn api(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &kind())
}

fn resource(place: &Place, cloud: &str) -> Value {
    json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1",
        "kind": "TaurusProxyPort",
        "metadata": {"name": place.name, "labels": {"app.kubernetes.io/part-of": "bench"}},
        "spec": {
            "projectID": place.project, "instanceID": place.instance, "proxyID": place.proxy, "port": PORT,
            "endpoint": cloud, "credentialsRef": {"name": "taurus-credentials"}
        }
    })
}

/// The 32 digits of an id. Like those of the cloud they have no order: numbers with many zeros would take less memory.
fn digits(kind: u128, number: usize) -> String {
    let number = number as u128 * 4 + kind;
    // An odd factor: no two numbers have the same product.
    let product = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    format!("{:032x}", product ^ (product >> 64))
}
