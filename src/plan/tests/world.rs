//! The world: an object under an API server's fence, processes that reconcile it, and time.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::{
    checks,
    cloud::{Course, End, Fate, INSTANCE, MODES, Mode, PROXY, Sky, wall},
    process::{Halt, Process},
};
use crate::{
    calendar::Calendar,
    crd::{PlanRecord, REQUESTED_AT, TaurusProxyPort, TaurusProxyPortStatus},
    fleet::claims::Standing,
    permits::limits::Limit,
    plan::{admitting::Verdict, timing::OfInstance},
};

/// The object as the API server has it.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) object: TaurusProxyPort,
    pub(super) version: u64,
    /// How often a status was written.
    pub(super) writes: usize,
    /// Until when a change of a deleted object is followed.
    pub(super) orphan_until: u64,
    /// Until when another resource may still turn out to own the proxy.
    pub(super) owned_until: u64,
    pub(super) pruned: bool,
    pub(super) standing: Standing,
    /// A limit over all resources, until then.
    pub(super) limit: Option<(u64, Limit)>,
    /// The calendar of the operator.
    pub(super) calendar: Calendar,
    /// The window of the instance, as it was read last.
    pub(super) instance_window: Option<OfInstance>,
    /// What the security group means for every change.
    pub(super) admission: Option<Verdict>,
    /// How long changes of the instance took, in seconds.
    pub(super) takes: Option<u64>,
    /// Each request that left.
    pub(super) starts: Vec<Start>,
    /// The plan of the last of them.
    pub(super) used_plan: Option<PlanRecord>,
    /// A fault of the gate that is built in on purpose.
    pub(super) flaw: Option<Flaw>,
}

/// A request that has left, or was about to.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) at: u64,
    /// The plan that it left for.
    pub(super) plan: Option<String>,
    /// The cloud has refused it, or nothing left after all.
    pub(super) changed_nothing: bool,
}

/// What is broken on purpose, to show that the checks see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Nobody asks for the time.
    IgnoresTime,
    /// A plan that was used stays on record, and nobody remembers that it was.
    KeepsUsedPlans,
    /// Any approval will do.
    BelievesAnyApproval,
}

/// A write from a stale view.
#[derive(Debug)]
pub(super) struct Stale;

/// All of it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) sky: Sky,
    pub(super) cluster: Cluster,
    pub(super) crew: Vec<Process>,
}

/// A world for each mode that is about to change 3306 to 3307.
pub(super) fn about_to_change() -> impl Iterator<Item = World> {
    MODES.into_iter().map(|mode| {
        let mut world = World::settled(mode, 3306);
        world.want(3307);
        world
    })
}

impl Cluster {
    /// Replaces the status that was computed from `version`, and holds the rules of status over it.
    pub(super) fn replace(
        &mut self,
        version: u64,
        mut status: TaurusProxyPortStatus,
        sky: &Sky,
    ) -> Result<(), Stale> {
        if version != self.version {
            return Err(Stale);
        }
        if self.flaw == Some(Flaw::KeepsUsedPlans) && status.plan.is_none() {
            status.plan.clone_from(&self.used_plan);
        }
        checks::written(&self.object, &status, sky);
        self.object.status = Some(status);
        self.version += 1;
        self.writes += 1;
        Ok(())
    }
}

impl World {
    /// The next job takes so many seconds and ends so.
    pub(super) fn takes(&self, seconds: u64, end: End) {
        self.sky.state().courses.push_back(Course {
            visible_after: 3,
            takes: seconds,
            end,
        });
    }

    /// The next answer gets lost, and its request arrives after so many seconds, if it does.
    pub(super) fn loses(&self, arrives: Option<u64>) {
        self.sky.state().fates.push_back(Fate::Lost(arrives));
    }

    /// An object that wants `wanted` of a proxy that has `port`, and a process that has led for long.
    pub(super) fn new(mode: Mode, port: u16, wanted: u16) -> Self {
        let object = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1",
            "kind": "TaurusProxyPort",
            "metadata": {"name": "orders", "namespace": "shop", "generation": 1, "uid": "uid-1"},
            "spec": {
                "region": "ap-southeast-3", "projectID": "0123456789abcdef0123456789abcdef",
                "instanceID": INSTANCE, "proxyID": PROXY, "port": wanted
            }
        });
        Self {
            sky: Sky::new(mode, port),
            cluster: Cluster {
                object: serde_json::from_value(object).unwrap(),
                version: 1,
                writes: 0,
                orphan_until: 0,
                owned_until: 0,
                pruned: false,
                standing: Standing::Owner,
                limit: None,
                calendar: Calendar::default(),
                instance_window: None,
                admission: None,
                takes: None,
                starts: Vec::new(),
                used_plan: None,
                flaw: None,
            },
            crew: vec![Process::new(0, 3600)],
        }
    }

    /// A world in which `port` is wanted, in place and Ready.
    pub(super) fn settled(mode: Mode, port: u16) -> Self {
        let mut world = Self::new(mode, port, port);
        world.run(1);
        assert_eq!(world.reason(), "Settled");
        world
    }

    pub(super) fn now(&self) -> u64 {
        self.sky.state().now
    }

    /// Lets `seconds` pass.
    pub(super) fn run(&mut self, seconds: u64) {
        let end = self.now() + seconds;
        loop {
            let next = self.crew.iter().enumerate();
            let Some((index, due)) = next
                .map(|(index, process)| (index, process.due()))
                .min_by_key(|(_, due)| *due)
            else {
                break;
            };
            if due > end {
                break;
            }
            self.sky.state().advance(due);
            let process = &self.crew[index];
            if process.retires_at.is_some_and(|at| at <= due) {
                self.crew.remove(index);
            } else {
                self.step(index);
            }
        }
        self.sky.state().advance(end);
    }

    /// Lets time pass until `done` holds, at most `seconds`; tells how long it took.
    pub(super) fn run_until(&mut self, seconds: u64, done: impl Fn(&Self) -> bool) -> Option<u64> {
        let begun = self.now();
        loop {
            let passed = self.now() - begun;
            if done(self) {
                return Some(passed);
            }
            if passed >= seconds {
                return None;
            }
            self.run(1);
        }
    }

    fn step(&mut self, index: usize) {
        let process = &mut self.crew[index];
        if let Err(Halt::Crash) = process.turn(&mut self.cluster, &self.sky) {
            let restarted = self.now() + 2;
            self.crew[index] = Process::new(restarted, 0);
        }
    }

    /// The process ends and another one starts.
    pub(super) fn crash(&mut self) {
        let now = self.now();
        self.crew[0] = Process::new(now + 2, 0);
    }

    /// People change the spec.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        let mut spec = serde_json::to_value(&self.cluster.object.spec).unwrap();
        let before = spec.clone();
        change(&mut spec);
        if spec == before {
            return;
        }
        self.cluster.object.spec = serde_json::from_value(spec).unwrap();
        let generation = self.cluster.object.metadata.generation.unwrap();
        self.cluster.object.metadata.generation = Some(generation + 1);
        self.touched();
    }

    pub(super) fn want(&mut self, port: u16) {
        self.edit(|spec| spec["port"] = json!(port));
    }

    /// Sets an annotation, which moves no generation.
    pub(super) fn annotate(&mut self, name: &str, value: &str) {
        let annotations = &mut self.cluster.object.metadata.annotations;
        let annotations = annotations.get_or_insert_default();
        annotations.insert(name.to_owned(), value.to_owned());
        self.touched();
    }

    pub(super) fn request(&mut self, value: &str) {
        self.annotate(REQUESTED_AT, value);
    }

    /// Somebody writes the status past the operator.
    pub(super) fn tamper(&mut self, status: Option<TaurusProxyPortStatus>) {
        self.cluster.object.status = status;
        self.touched();
    }

    /// The object is deleted and made anew; what a backup held of its status comes with it.
    pub(super) fn recreate(&mut self, uid: &str, with_status: bool) {
        let change = self.status().and_then(|status| status.change.as_ref());
        if change.is_some() && self.crew.iter().any(Process::watches_a_change) {
            self.cluster.orphan_until = self.now() + 160;
        }
        for process in &mut self.crew {
            process.forget();
        }
        self.cluster.object.metadata.uid = Some(uid.to_owned());
        self.cluster.object.metadata.generation = Some(1);
        if !with_status {
            self.cluster.object.status = None;
        }
        self.touched();
    }

    pub(super) fn delete(&mut self) {
        self.cluster.object.metadata.deletion_timestamp = Some(Time(wall(self.now())));
        self.touched();
    }

    /// The watch delivers what was changed.
    fn touched(&mut self) {
        self.cluster.version += 1;
        let now = self.now();
        for process in &mut self.crew {
            process.wake(now);
        }
    }

    pub(super) fn status(&self) -> Option<&TaurusProxyPortStatus> {
        self.cluster.object.status.as_ref()
    }

    /// The status; the object must have one.
    pub(super) fn said(&self) -> &TaurusProxyPortStatus {
        self.status().expect("a status")
    }

    /// Status and reason of a condition, like `False/JobRunning`; empty if there is none.
    pub(super) fn condition(&self, kind: &str) -> String {
        let conditions = self.status().map(|status| status.conditions.as_slice());
        let found = conditions
            .unwrap_or_default()
            .iter()
            .find(|condition| condition.type_ == kind);
        found.map_or(String::new(), |found| {
            format!("{}/{}", found.status, found.reason)
        })
    }

    /// The message of a condition.
    pub(super) fn message(&self, kind: &str) -> &str {
        let mut conditions = self.said().conditions.iter();
        let found = conditions.find(|condition| condition.type_ == kind);
        found.map_or("", |condition| &condition.message)
    }

    /// The reason of `Ready`.
    pub(super) fn reason(&self) -> String {
        let ready = self.condition("Ready");
        ready
            .split_once('/')
            .map_or("", |(_, reason)| reason)
            .to_owned()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.condition("Ready").starts_with("True/")
    }

    pub(super) fn puts(&self) -> usize {
        self.sky.state().puts.len()
    }

    pub(super) fn port(&self) -> u16 {
        self.sky.state().port()
    }
}
