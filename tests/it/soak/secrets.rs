//! The credentials of a run, one in each namespace: three access keys, and a user with a password.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use taurus_sim::{Control, sample};

use super::fleet::{NAMESPACES, SECRET};
use crate::world::applying::write_secret;

/// A replaced key is good for this long: longer than any Secret goes unread.
const OLD_KEY_STAYS: Duration = Duration::from_secs(45);

/// The namespace whose credential is a user.
const OF_A_USER: usize = 1;

/// What nobody may ever read in a message begins with this.
pub const MARK: &str = "of-no-worth";

/// The Secrets.
pub struct Secrets {
    client: Client,
    cloud: Control,
    namespaces: Vec<String>,
    /// How many times each was made anew.
    turns: [AtomicUsize; NAMESPACES],
}

impl Secrets {
    pub fn new(client: Client, cloud: Control, namespaces: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            client,
            cloud,
            namespaces,
            turns: Default::default(),
        })
    }

    /// Makes another credential, first at the cloud, then as a Secret; the old one ends later, a password at once.
    pub async fn rotate(self: &Arc<Self>, namespace: usize) {
        let turn = self.turns[namespace].fetch_add(1, Ordering::Relaxed);
        let secret = format!("secret-{namespace}-{turn}-{MARK}");
        if namespace == OF_A_USER {
            let (domain, user) = (sample::DOMAIN, sample::USER);
            self.cloud.set_password(domain, user, &secret).unwrap();
            let data = [
                ("username", user),
                ("password", &secret),
                ("domainName", domain),
            ];
            write_secret(&self.api(namespace), SECRET, &data).await;
            return;
        }
        let key = |turn: usize| format!("SOAKKEY{namespace}N{turn}");
        let current = key(turn);
        self.cloud.set_access_key(&current, &secret);
        let data = [("accessKey", current.as_str()), ("secretKey", &secret)];
        write_secret(&self.api(namespace), SECRET, &data).await;
        if let Some(before) = turn.checked_sub(1) {
            let (cloud, before) = (self.cloud.clone(), key(before));
            tokio::spawn(async move {
                tokio::time::sleep(OLD_KEY_STAYS).await;
                cloud.remove_access_key(&before).unwrap();
            });
        }
    }

    /// Changes something about a Secret that isn't its data.
    pub async fn touch(&self, namespace: usize, word: u64) {
        let patch = json!({"metadata": {"annotations": {"touched": word.to_string()}}});
        let secrets = self.api(namespace);
        let params = PatchParams::default();
        let patched = secrets.patch(SECRET, &params, &Patch::Merge(patch)).await;
        patched.unwrap();
    }

    fn api(&self, namespace: usize) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespaces[namespace])
    }
}
