//! What people do, and others who move ports: straight at the API server and at the cloud, without a fault in between.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kube::{
    Api, Client, Error,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taurus_port_operator::crd::{
    ABANDON_JOB, CredentialsReference, ManagementPolicy, REQUESTED_AT, TaurusProxyPort,
    TaurusProxyPortStatus,
};
use taurus_sim::{Control, JobView};

use super::{
    fleet::Place,
    ledger::{Edit, Ledger},
    plan::{PORTS, Recreation},
};

/// So fast do edits to and fro follow each other.
const QUICKLY: Duration = Duration::from_millis(40);

/// So long is a job waited for that is to be in flight.
const JOB_WITHIN: Duration = Duration::from_secs(4);

/// What the names of resources begin with that name proxies of others.
pub const STRANGER: &str = "stranger-";

/// Those who edit, and what they have given reasons for.
pub struct People {
    pub client: Client,
    pub cloud: Control,
    pub endpoint: String,
    pub namespaces: Vec<String>,
    pub places: Vec<Place>,
    pub ledger: Arc<Ledger>,
    pub edits: AtomicUsize,
}

impl People {
    fn api(&self, resource: usize) -> (Api<TaurusProxyPort>, &str) {
        let place = &self.places[resource];
        let namespace = &self.namespaces[place.namespace];
        (Api::namespaced(self.client.clone(), namespace), &place.name)
    }

    /// Makes a resource; none if there is one.
    pub async fn create(&self, resource: usize, port: u16) -> Option<TaurusProxyPort> {
        let (api, _) = self.api(resource);
        let object = self.places[resource].resource(port, &self.endpoint);
        self.edits.fetch_add(1, Ordering::Relaxed);
        match api.create(&PostParams::default(), &object).await {
            Ok(made) => {
                self.ledger.edit(resource, Edit::Made(port));
                Some(made)
            }
            Err(Error::Api(refusal)) if refusal.is_already_exists() => None,
            Err(error) => panic!("a resource is not made: {error}"),
        }
    }

    pub async fn want(&self, resource: usize, port: u16) {
        let patch = json!({"spec": {"port": port}});
        if self.patch(resource, patch).await {
            self.ledger.edit(resource, Edit::Port(port));
        }
    }

    pub async fn want_in_turn(&self, resource: usize, ports: &[u16]) {
        for port in ports {
            self.want(resource, *port).await;
            tokio::time::sleep(QUICKLY).await;
        }
    }

    pub async fn set_policy(&self, resource: usize, policy: ManagementPolicy) {
        let patch = json!({"spec": {"managementPolicy": policy}});
        if self.patch(resource, patch).await {
            self.ledger.edit(resource, Edit::Policy(policy));
        }
    }

    pub async fn suspend(&self, resource: usize, suspend: bool) {
        let patch = json!({"spec": {"suspend": suspend}});
        if self.patch(resource, patch).await {
            self.ledger.edit(resource, Edit::Suspend(suspend));
        }
    }

    /// Asks for another try, in these words.
    pub async fn request(&self, resource: usize, value: &str) {
        let patch = json!({"metadata": {"annotations": {REQUESTED_AT: value}}});
        self.patch(resource, patch).await;
    }

    /// Changes a resource; false if there is none.
    async fn patch(&self, resource: usize, patch: Value) -> bool {
        let (api, name) = self.api(resource);
        let params = PatchParams::default();
        self.edits.fetch_add(1, Ordering::Relaxed);
        match api.patch(name, &params, &Patch::Merge(patch)).await {
            Ok(_) => true,
            Err(Error::Api(refusal)) if refusal.is_not_found() => false,
            Err(error) => panic!("{name} is not edited: {error}"),
        }
    }

    pub async fn recreate(&self, resource: usize, how: Recreation, port: u16) {
        if how.in_flight {
            self.begin_a_job(resource).await;
        }
        let (api, name) = self.api(resource);
        let Some(old) = api.get_opt(name).await.unwrap() else {
            return;
        };
        if api.delete(name, &DeleteParams::default()).await.is_err() {
            return;
        }
        tokio::time::sleep(how.absent).await;
        let made = self.create(resource, port).await;
        // Of a status that names no owner nobody can tell that it is a copy.
        let status = old.status.filter(|status| status.subject_uid.is_some());
        if let (true, Some(made), Some(status)) = (how.with_status, made, status) {
            restore(&api, made, status).await;
        }
    }

    /// Wants another port and waits until the cloud is at work on it, if it soon is.
    async fn begin_a_job(&self, resource: usize) {
        let proxy = &self.places[resource].proxy;
        let there = self.cloud.proxy(proxy).unwrap().actual_port;
        let other = PORTS.into_iter().find(|port| *port != there).unwrap();
        self.want(resource, other).await;
        let at_work = async {
            while self.cloud.proxy(proxy).unwrap().requested_port.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // A suspended resource has none, and one whose turn is late is deleted without.
        let _ = tokio::time::timeout(JOB_WITHIN, at_work).await;
    }

    /// Resources of another namespace, which name a Secret that is not there, for proxies of others, and each gives up the job that is at
    /// work on its proxy. They go after a while.
    pub async fn send_strangers(&self, number: usize, first: usize, count: usize, long: Duration) {
        let jobs = self.cloud.jobs();
        let home = (self.places[first].namespace + 1) % self.namespaces.len();
        let api: Api<TaurusProxyPort> =
            Api::namespaced(self.client.clone(), &self.namespaces[home]);
        let mut names = Vec::new();
        for stranger in 0..count {
            let place = &self.places[(first + stranger) % self.places.len()];
            let mut object = place.resource(PORTS[stranger % PORTS.len()], &self.endpoint);
            object.metadata.name = Some(format!("{STRANGER}{number}-{stranger}"));
            object.spec.credentials_ref = Some(CredentialsReference {
                name: "not-there".to_owned(),
            });
            let is_its = |job: &&JobView| job.proxy.as_ref() == Some(&place.proxy);
            if let Some(job) = jobs.iter().rev().find(is_its) {
                let annotations = object.metadata.annotations.get_or_insert_default();
                annotations.insert(ABANDON_JOB.to_owned(), job.id.clone());
            }
            let made = api.create(&PostParams::default(), &object).await.unwrap();
            names.push(made.metadata.name.unwrap());
        }
        tokio::time::sleep(long).await;
        for name in names {
            api.delete(&name, &DeleteParams::default()).await.unwrap();
        }
    }

    /// Somebody else moves a port; one that stands there is no drift.
    pub fn drift(&self, resource: usize, port: u16) {
        let proxy = &self.places[resource].proxy;
        if self.cloud.proxy(proxy).unwrap().actual_port != port {
            self.ledger.drift(resource);
            self.cloud.set_port(proxy, port).unwrap();
        }
    }
}

/// Writes a status from a backup right after the object was made, unless an operator was faster.
async fn restore(api: &Api<TaurusProxyPort>, made: TaurusProxyPort, status: TaurusProxyPortStatus) {
    let name = made.metadata.name.clone().unwrap();
    let mut object = made;
    for _ in 0..3 {
        object.status = Some(status.clone());
        let written = api
            .replace_status(&name, &PostParams::default(), &object)
            .await;
        if written.is_ok() {
            return;
        }
        let Ok(Some(now)) = api.get_opt(&name).await else {
            return;
        };
        if now
            .status
            .as_ref()
            .is_some_and(|status| status.change.is_some())
        {
            return;
        }
        object = now;
    }
}
