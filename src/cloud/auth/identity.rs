//! Identities without a key of their own: a ServiceAccount's, and that of the machine or pod that the operator runs in.
//!
//! What proves them is a token that Kubernetes renews. Whoever reads it puts it here, and who signs in takes the newest. Promises that
//! one that has ended is never taken.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::SecretString;

/// Where a node's metadata is served (the vendor's `huaweicloudsdkcore` 3.1.219, `auth/internal.py`, `MetadataAccessor`).
pub const METADATA: &str = "http://169.254.169.254";

/// The newest token that proves who somebody is.
#[derive(Debug, Default)]
pub struct Proof(Mutex<Option<Held>>);

#[derive(Debug)]
struct Held {
    token: SecretString,
    /// It has ended at this uptime; nothing where nobody has said when.
    ends: Option<Duration>,
}

impl Proof {
    /// Takes the place of the one before. It ends at this uptime, if that is known.
    pub fn renew(&self, token: SecretString, ends: Option<Duration>) {
        *self.lock() = Some(Held { token, ends });
    }

    /// The newest one, if it has not ended at this uptime.
    pub fn newest(&self, uptime: Duration) -> Option<SecretString> {
        let held = self.lock();
        let lasts = |held: &&Held| held.ends.is_none_or(|ends| uptime < ends);
        held.as_ref().filter(lasts).map(|held| held.token.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A ServiceAccount, as IAM knows it by an identity provider.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Name of the identity provider in IAM.
    pub idp_id: String,
    /// Namespace of the ServiceAccount.
    pub namespace: String,
    /// Its name.
    pub service_account: String,
    /// Audience of its tokens.
    pub audience: String,
    /// Its tokens.
    pub proof: Arc<Proof>,
}

/// What the operator itself runs in.
#[derive(Debug, Clone)]
pub enum Machine {
    /// A node with an agency; the address of its metadata service, without a slash at the end.
    Node(String),
    /// A pod to which CCE has given an identity.
    Pod {
        /// Where its temporary keys are.
        uri: String,
        /// The tokens of the pod.
        proof: Arc<Proof>,
    },
}

impl Machine {
    /// Where it is asked.
    pub fn address(&self) -> &str {
        match self {
            Self::Node(address) => address,
            Self::Pod { uri, .. } => uri,
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_newest_token_is_taken_until_it_ends() {
        let proof = Proof::default();
        let newest = |second| {
            let token = proof.newest(Duration::from_secs(second));
            token.map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(newest(0), None);
        proof.renew("first".into(), Some(Duration::from_secs(10)));
        assert_eq!(newest(9).as_deref(), Some("first"));
        assert_eq!(newest(10), None);
        proof.renew("second".into(), None);
        assert_eq!(newest(1_000_000).as_deref(), Some("second"));
        assert!(!format!("{proof:?}").contains("second"));
    }
}
