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
    Api, Client, Error,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
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
        match secrets.patch(SECRET, &params, &Patch::Merge(patch)).await {
            Ok(_) => {}
            // It is lost for a while.
            Err(Error::Api(refusal)) if refusal.is_not_found() => {}
            Err(error) => panic!("the Secret is not touched: {error}"),
        }
    }

    /// Deletes a Secret, and makes it again after a while, unless somebody else has.
    pub async fn lose(&self, namespace: usize, long: Duration) {
        let secrets = self.api(namespace);
        let Some(lost) = secrets.get_opt(SECRET).await.unwrap() else {
            return;
        };
        let deleted = secrets.delete(SECRET, &DeleteParams::default()).await;
        if deleted.is_err() {
            return;
        }
        tokio::time::sleep(long).await;
        let again = Secret {
            metadata: ObjectMeta {
                name: Some(SECRET.to_owned()),
                ..ObjectMeta::default()
            },
            data: lost.data,
            ..Secret::default()
        };
        match secrets.create(&PostParams::default(), &again).await {
            Ok(_) => {}
            Err(Error::Api(refusal)) if refusal.is_already_exists() => {}
            Err(error) => panic!("the Secret is not made again: {error}"),
        }
    }

    fn api(&self, namespace: usize) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespaces[namespace])
    }
}
