//! What must hold at each request for a change and at each write of a status.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kube::ResourceExt as _;
use taurus_port_operator::{
    controller::journal::Acknowledged,
    crd::{ChangeRecord, Phase, TaurusProxyPort, TaurusProxyPortStatus},
    model::JobId,
};

use crate::{life::Life, reigns::Reigns, rules::Version, world::World};

/// A change is sent at the latest this long after its intent was acknowledged.
const SEND_WITHIN: u64 = 5_000;

/// What was done so far, as far as it is checked.
#[derive(Default)]
pub struct Book {
    /// Every version of every resource.
    pub versions: Vec<Version>,
    /// How often status was written.
    pub writes: usize,
    intents: BTreeMap<String, Intent>,
    received: Vec<Received>,
    saved: BTreeSet<String>,
    /// The ports that lists have shown, of each proxy.
    pub listed: Vec<(String, u16)>,
    /// Who manages each proxy.
    pub reigns: Reigns,
}

/// An intent that the API server has acknowledged.
struct Intent {
    at: u64,
    by: String,
    uid: String,
    name: String,
    to: i32,
    proxy: String,
    is_current: bool,
    spent: bool,
}

/// A job id that a process was told.
struct Received {
    job: String,
    uid: String,
    life: Arc<Life>,
}

impl World {
    /// A version of a resource stands there.
    pub fn stored(&mut self, name: &str) {
        if let Some(object) = self.cluster.get(name) {
            let (object, listed) = (object.clone(), self.book.listed.clone());
            self.reign_of_version(&object);
            self.book.versions.push(Version {
                object,
                deleted: false,
                listed,
            });
        }
    }

    /// A process has replaced a status; `before` is what stood there, `leads` whether it led when it wrote.
    pub fn status_written(&mut self, before: &TaurusProxyPort, life: &Life, leads: bool) {
        let Some(object) = self.cluster.get(&before.name_any()) else {
            return;
        };
        if object.metadata.resource_version == before.metadata.resource_version {
            return;
        }
        let (object, now) = (object.clone(), self.now());
        self.book.writes += 1;
        self.say(|| format!("{} writes {}", life.identity, shown(&object)));
        self.stored(&before.name_any());
        let (old, new) = (change(before), change(&object));
        let jobs = [
            new.and_then(|change| change.job_id.clone()),
            last_job(&object),
        ];
        let learned = jobs
            .iter()
            .flatten()
            .any(|job| !self.book.saved.contains(job));
        self.book.saved.extend(jobs.into_iter().flatten());
        if !learned && !leads {
            self.broken(format!(
                "{} writes a status and does not lead",
                life.identity
            ));
        }
        let fresh = new.filter(|new| old.is_none_or(|old| old.id != new.id));
        if let Some(fresh) = fresh.filter(|fresh| fresh.phase == Phase::Intended) {
            let intent = Intent {
                at: now,
                by: life.identity.clone(),
                uid: object.uid().unwrap_or_default(),
                name: object.name_any(),
                to: fresh.to_port,
                proxy: object.spec.proxy_id.clone(),
                is_current: Some(fresh.generation) == object.metadata.generation,
                spent: false,
            };
            self.book.intents.insert(fresh.id.clone(), intent);
        }
    }

    /// A process sends a change.
    pub fn change_sent(&mut self, proof: &Acknowledged, life: &Life) {
        let now = self.now();
        let id = proof.change_id().as_str();
        self.say(|| {
            format!(
                "{} asks for port {} of {}",
                life.identity,
                proof.port(),
                proof.proxy()
            )
        });
        let fault = match self.book.intents.get_mut(id) {
            None => Some("without an intent on record"),
            Some(intent) => {
                let spent = std::mem::replace(&mut intent.spent, true);
                let same = intent.proxy == proof.proxy().as_str()
                    && intent.to == i32::from(proof.port().get());
                [
                    (spent, "twice for one intent"),
                    (!same, "otherwise than intended"),
                    (
                        !intent.is_current,
                        "for a generation that is no longer wanted",
                    ),
                    (
                        intent.by != life.identity,
                        "on an intent of another process",
                    ),
                    (now - intent.at > SEND_WITHIN, "too late after its intent"),
                ]
                .into_iter()
                .find_map(|(broken, what)| broken.then_some(what))
            }
        };
        if let Some(fault) = fault {
            self.broken(format!("a change is sent {fault}"));
        }
        if let Some(intent) = self.book.intents.get(id) {
            let name = intent.name.clone();
            self.reign_of_mover(&name, life);
        }
        if !self.leads(life) {
            self.broken(format!(
                "{} sends a change and does not lead",
                life.identity
            ));
        }
    }

    /// A process was told the job of a change.
    pub fn job_received(&mut self, change: &str, job: &JobId, life: &Arc<Life>) {
        self.say(|| format!("{} is told {job}", life.identity));
        if let Some(intent) = self.book.intents.get(change) {
            let (job, uid) = (job.as_str().to_owned(), intent.uid.clone());
            let proxy = intent.proxy.clone();
            self.stranger_hears_of(&proxy, &job);
            self.book.received.push(Received {
                job,
                uid,
                life: Arc::clone(life),
            });
        }
    }

    /// Job ids that living processes were told and that stand nowhere though their resource does.
    pub fn lost_jobs(&self) -> Vec<String> {
        let lost = self.book.received.iter().filter(|received| {
            let exists = self
                .cluster
                .all()
                .any(|object| object.uid().as_deref() == Some(&received.uid));
            exists && received.life.is_alive() && !self.book.saved.contains(&received.job)
        });
        lost.map(|received| received.job.clone()).collect()
    }
}

fn status(object: &TaurusProxyPort) -> Option<&TaurusProxyPortStatus> {
    object.status.as_ref()
}

fn change(object: &TaurusProxyPort) -> Option<&ChangeRecord> {
    status(object)?.change.as_ref()
}

fn last_job(object: &TaurusProxyPort) -> Option<String> {
    status(object)?.last_change.as_ref()?.job_id.clone()
}

/// A resource in one line.
pub fn shown(object: &TaurusProxyPort) -> String {
    let ready = crate::rest::ready(object);
    let said = ready.map_or("says nothing".to_owned(), |ready| {
        format!("{}/{} {}", ready.status, ready.reason, ready.message)
    });
    let change = change(object).map(|change| {
        format!(
            " change {}→{} {:?} {:?}",
            change.from_port, change.to_port, change.phase, change.job_id
        )
    });
    format!(
        "{}@{:?}: wants {}, has {:?}{} [{said}]",
        object.name_any(),
        object.metadata.generation.unwrap_or_default(),
        object.spec.port,
        status(object).and_then(|status| status.port),
        change.unwrap_or_default(),
    )
}
