//! What must hold at each request for a change and at each write of a status.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use kube::ResourceExt as _;
use serde_json::Value;
use taurus_port_operator::{
    cloud::Acknowledged,
    crd::{ChangeRecord, Phase, TaurusProxyPort, TaurusProxyPortStatus},
    model::JobId,
};

use crate::{
    deleted::Deleted, flaw::Flaw, gate::Gate, life::Life, reigns::Reigns, resource::is_of_others,
    rules::Version, world::World,
};

/// For how long a process goes by what it knows of the definition, and a little.
const GOOD_FOR: u64 = 640_000;

/// A change is sent at the latest this long after its intent was acknowledged.
const SEND_WITHIN: u64 = 5_000;

/// What was done so far, as far as it is checked.
#[derive(Default)]
pub struct Book {
    /// Every version of every resource.
    pub versions: Vec<Version>,
    /// The same from before a definition lacked a field: each stretch of them is one that nothing is missing from.
    pub stretches: Vec<Vec<Version>>,
    /// How often status was written.
    pub writes: usize,
    intents: BTreeMap<String, Intent>,
    received: Vec<Received>,
    saved: BTreeSet<String>,
    /// The job ids that were told while a definition dropped some of the record.
    dropped: BTreeSet<String>,
    /// The field that the definition has lacked last.
    lacked: Option<&'static str>,
    /// When each process has heard last that a call of the cloud has failed.
    pub failed: BTreeMap<String, u64>,
    /// For how many glances in a row each resource has waited for another one that is not there.
    pub in_vain: BTreeMap<String, u32>,
    /// Who has sent a change for which resource since the definition lacks a field.
    pruned: BTreeSet<(String, String)>,
    /// The ports that lists have shown, of each proxy.
    pub listed: Vec<(String, u16)>,
    /// Who manages each proxy.
    pub reigns: Reigns,
    /// The changes of deleted resources.
    pub deleted: Deleted,
    /// The plans for which a change has left that may have been carried out, each with the process that has sent it.
    pub used_plans: BTreeMap<String, String>,
    /// The plans that a backup has brought back with an older status.
    pub brought_back: BTreeSet<String>,
    /// The jobs whose end is on record.
    ended: BTreeSet<String>,
}

/// An intent that the API server has acknowledged.
struct Intent {
    at: u64,
    by: Arc<Life>,
    uid: String,
    name: String,
    to: i32,
    proxy: String,
    is_current: bool,
    spent: bool,
    gate: Gate,
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
            self.note_wishes(&object, true);
            // What lacks a part breaks rules, and is no fault of the operator's.
            if self.pruning.is_some() {
                return;
            }
            self.book.versions.push(Version {
                object,
                deleted: false,
                listed,
            });
        }
    }

    /// A process has replaced a status; `before` is what stood there, `leads` whether it led when it wrote.
    pub fn status_written(&mut self, before: &TaurusProxyPort, life: &Arc<Life>, leads: bool) {
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
        if let Some(old) = old.filter(|old| new.is_none_or(|new| new.id != old.id)) {
            self.book.ended.extend(old.job_id.clone());
        }
        self.book.ended.extend(last_job(&object));
        self.check_others(before, &object, life);
        self.check_history(before, &object, life);
        self.check_port_in_place(&object, life);
        self.check_blame(before, &object, life);
        self.check_said(before, &object, life);
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
                by: Arc::clone(life),
                uid: object.uid().unwrap_or_default(),
                name: object.name_any(),
                to: fresh.to_port,
                proxy: object.spec.proxy_id.clone(),
                is_current: Some(fresh.generation) == object.metadata.generation,
                spent: false,
                gate: Gate::of(before, &object),
            };
            self.book.intents.insert(fresh.id.clone(), intent);
        }
    }

    /// Conditions of others stay as they are.
    fn check_others(&mut self, before: &TaurusProxyPort, after: &TaurusProxyPort, life: &Life) {
        let of_others = |object: &TaurusProxyPort| {
            let all = status(object).map_or_else(Vec::new, |status| status.conditions.clone());
            all.into_iter().filter(is_of_others).collect::<Vec<_>>()
        };
        let (old, new) = (of_others(before), of_others(after));
        if old != new {
            let identity = &life.identity;
            self.broken(format!(
                "{identity} writes {new:?} where others wrote {old:?}"
            ));
        }
    }

    /// Whether a process follows a job: the fault that was put back is to follow none before its id is on record.
    pub fn follows(&self, job: &JobId) -> bool {
        let on_record = || self.book.saved.contains(job.as_str());
        self.flaw != Some(Flaw::FollowsWhatIsOnRecord) || on_record()
    }

    /// What is entered into the history has just ended, and was asked of the cloud where the cloud has a job of it.
    fn check_history(&mut self, before: &TaurusProxyPort, after: &TaurusProxyPort, life: &Life) {
        let entries = |object: &TaurusProxyPort| {
            status(object).map_or_else(Vec::new, |status| status.history.clone())
        };
        let old = entries(before);
        let new = entries(after);
        let fresh = new
            .iter()
            .filter(|entry| old.iter().all(|old| old.id != entry.id));
        for entry in fresh {
            let ends = change(before).is_some_and(|change| change.id == entry.id);
            let intent = self.book.intents.get(&entry.id);
            let asked = intent.is_none_or(|intent| intent.spent || entry.job_id.is_none());
            if !ends || !asked {
                let identity = &life.identity;
                self.broken(format!("{identity} enters {entry:?}, which was no change"));
            }
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
                        intent.by.identity != life.identity,
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
            let (gate, to) = (intent.gate.clone(), intent.to);
            self.check_gate(&gate, to, life);
        }
        if let Some(intent) = self.book.intents.get(id) {
            let name = intent.name.clone();
            self.reign_of_mover(&name, life);
        }
        self.sent_while_pruned(id, life, now);
        if !self.leads(life) {
            self.broken(format!(
                "{} sends a change and does not lead",
                life.identity
            ));
        }
    }

    /// The cloud may have carried out this change.
    pub fn change_arrived(&mut self, id: &str) {
        let Some(intent) = self.book.intents.get(id) else {
            return;
        };
        if let Some(plan) = intent.gate.plan() {
            let by = intent.by.identity.clone();
            self.book.used_plans.insert(plan, by);
        }
    }

    /// A definition that lacks a field may have been looked at shortly before it did; whoever knows sends nothing.
    fn sent_while_pruned(&mut self, id: &str, life: &Life, now: u64) {
        let Some((field, since)) = self.pruning else {
            return;
        };
        let uid = self.book.intents.get(id).map(|intent| intent.uid.clone());
        let sender = (life.identity.clone(), uid.unwrap_or_default());
        let again = !self.book.pruned.insert(sender) && field == "change/jobID";
        if again || now.saturating_sub(since) > GOOD_FOR {
            self.broken(format!(
                "a change is sent though the definition lacks {field}"
            ));
        }
    }

    /// From now on the definition lacks a field of the status, or none.
    pub fn prune(&mut self, field: Option<&'static str>) {
        if field.is_none() && self.pruning.is_none() {
            return;
        }
        self.pruning = field.map(|field| (field, self.now()));
        self.book.pruned.clear();
        self.book.lacked = field.or(self.book.lacked);
        self.begin_a_stretch();
    }

    /// What follows can't be held against what stood there before: somebody else takes a part of the record away.
    pub(crate) fn begin_a_stretch(&mut self) {
        let stretch = std::mem::take(&mut self.book.versions);
        self.book.stretches.push(stretch);
        let known = self.book.received.iter().map(|received| &received.job);
        self.book.dropped.extend(known.cloned());
    }

    /// A write as the definition lets it through.
    pub fn without_pruned(&self, body: &Bytes, is_dry: bool) -> Bytes {
        let for_ever = is_dry && self.flaw == Some(Flaw::NeverForgivesADefinition);
        let lacking = self.pruning.map(|(field, _)| field);
        let lacking = lacking.or(self.book.lacked.filter(|_| for_ever));
        let (Some(field), Ok(mut sent)) = (lacking, serde_json::from_slice::<Value>(body)) else {
            return body.clone();
        };
        let path: Vec<&str> = ["status"].into_iter().chain(field.split('/')).collect();
        drop_field(&mut sent, &path);
        sent.to_string().into()
    }

    /// A process was told the job of a change.
    pub fn job_received(&mut self, change: &str, job: &JobId, life: &Arc<Life>) {
        self.say(|| format!("{} is told {job}", life.identity));
        if let Some(intent) = self.book.intents.get(change) {
            let (job, uid) = (job.as_str().to_owned(), intent.uid.clone());
            if self.pruning.is_some() {
                self.book.dropped.insert(job.clone());
            }
            let proxy = intent.proxy.clone();
            self.stranger_hears_of(&proxy, &job);
            self.book.received.push(Received {
                job,
                uid,
                life: Arc::clone(life),
            });
        }
    }

    /// Jobs that living processes were told of whose resource is gone, each with the UID of that, unless their end is on record.
    pub fn untold_jobs(&self) -> impl Iterator<Item = (&str, &str)> {
        let received = self.book.received.iter().filter(|received| {
            let job = &received.job;
            received.life.is_alive()
                && !self.book.ended.contains(job)
                && !self.book.dropped.contains(job)
        });
        received.map(|received| (received.job.as_str(), received.uid.as_str()))
    }

    /// Whether this change was sent, by a process that lives.
    pub fn is_sender_alive(&self, change: &str) -> bool {
        let intent = self.book.intents.get(change);
        intent.is_some_and(|intent| intent.spent && intent.by.is_alive())
    }

    /// Job ids that living processes were told and that stand nowhere though their resource does.
    pub fn lost_jobs(&self) -> Vec<String> {
        let lost = self.book.received.iter().filter(|received| {
            let exists = self
                .cluster
                .all()
                .any(|object| object.uid().as_deref() == Some(&received.uid));
            let dropped = self.book.dropped.contains(&received.job);
            exists
                && !dropped
                && received.life.is_alive()
                && !self.book.saved.contains(&received.job)
        });
        lost.map(|received| received.job.clone()).collect()
    }
}

/// Drops the field of this path; a star, or a number, stands for each entry of a list.
fn drop_field(value: &mut Value, path: &[&str]) {
    match (value, path) {
        (Value::Object(fields), [name]) => {
            fields.remove(*name);
        }
        (Value::Object(fields), [name, rest @ ..]) => {
            if let Some(field) = fields.get_mut(*name) {
                drop_field(field, rest);
            }
        }
        (Value::Array(entries), [_, rest @ ..]) => {
            for entry in entries {
                drop_field(entry, rest);
            }
        }
        _ => {}
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
