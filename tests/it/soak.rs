//! Everything at once, for as long as you like: `make soak`.
//!
//! Two processes of the operator as it is shipped, with leader election, look after some hundred resources on a real API
//! server, while people edit, others move ports, both sides fail, and whoever leads is killed. Then all faults end, and
//! everything has to come to rest and stay as it is. A seed decides what happens and when; the processes are real, so their
//! steps fall as they fall.

use std::{
    sync::{Arc, Mutex, atomic::AtomicUsize},
    time::Duration,
};

use k8s_openapi::jiff::{self, Timestamp};
use kube::Client;
use taurus_port_operator::crd::ManagementPolicy;
use taurus_sim::{JobPlan, PortShows, Simulator};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    stories::churn,
    world::{is_ready, plane, program::Memory},
};

mod book;
mod fleet;
mod handover;
mod ledger;
mod logs;
mod memory;
mod people;
mod plan;
mod replica;
mod report;
mod rest;
mod secrets;
mod settings;
mod trouble;
mod versions;

use book::Book;
use handover::HandOvers;
use ledger::Ledger;
use memory::Sample;
use people::People;
use plan::{Event, Kill};
use replica::Replica;
use rest::Judge;
use secrets::Secrets;
use settings::{Log, Settings};
use versions::Versions;

/// By how much the operator's durations are divided: half an hour is 30 hours of the contract.
const DIVISOR: u32 = 60;

/// Ten minutes, divided: how often a settled resource is looked at.
const RESYNC: Duration = Duration::from_secs(600 / DIVISOR as u64);

/// Somebody leads within this after the one that led is gone, where nothing else goes wrong.
const LED_WITHIN: Duration = Duration::from_secs(20);

/// Where the Lease is, as `deploy/base` has it.
const LEASE_NAMESPACE: &str = "taurus-system";

/// Everything rests after this at the latest. The longest wait of the contract that ends by itself is an hour.
const REST_WITHIN: Duration = Duration::from_mins(5);

/// Nothing may be written for this long afterwards; a resync is a sixth of a minute.
const QUIET: Duration = Duration::from_mins(3);

/// A job that a living process was told is in a status by then, also where the API server was away meanwhile.
const RECORDED_WITHIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// What a run consists of.
struct Stage {
    settings: Settings,
    client: Client,
    sim: Simulator,
    people: People,
    secrets: Arc<Secrets>,
    book: Arc<Book>,
    versions: Versions,
    replicas: Vec<Arc<Replica>>,
    hand_overs: Arc<HandOvers>,
    samples: Mutex<Vec<Sample>>,
    /// When a process was killed.
    ends: Mutex<Vec<Timestamp>>,
    overstayed: Mutex<Vec<String>>,
    log: Arc<Log>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes as long as it is told to: make soak"]
async fn everything_goes_wrong_for_a_long_time_and_every_promise_holds() {
    let settings = Settings::from_environment();
    let plan = plan::of(settings.seed, settings.length, settings.resources);
    println!(
        "soak: SEED={} MINUTES={} RESOURCES={}, {} events; durations are divided by {DIVISOR}",
        settings.seed,
        settings.length.as_secs() / 60,
        settings.resources,
        plan.len(),
    );
    let stage = Arc::new(Stage::set(settings).await);
    let mut running = stage.start().await;
    stage.play(&plan).await;
    stage.log.say("all faults end");
    trouble::end(&stage.sim);
    let mut restless = stage
        .come_to_rest("by itself", |judge, objects| judge.restless(objects))
        .await;
    stage.help().await;
    restless.extend(
        stage
            .come_to_rest("with a person's help", |judge, objects| {
                let ready = objects.iter().filter(|object| is_ready(object));
                let waiting = objects.len() - ready.count();
                if waiting == 0 {
                    judge.restless(objects)
                } else {
                    vec![format!("{waiting} are not Ready")]
                }
            })
            .await,
    );
    let disturbed = stage.keep_quiet().await;
    running.shutdown().await;
    for replica in &stage.replicas {
        replica.stop().await;
    }
    let events: Vec<Event> = plan.into_iter().map(|(_, event)| event).collect();
    let report = report::of(&stage, &events, &restless, &disturbed).await;
    report.conclude(stage.log.path());
}

/// Field case A14 in its full size.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "thousands of resources: make soak"]
async fn as_many_waves_of_new_names_as_in_the_field_leave_nothing_in_memory() {
    churn::waves(Settings::from_environment().resources).await;
}

impl Stage {
    async fn set(settings: Settings) -> Self {
        let plane = plane::shared().await;
        let client = plane.client().await.unwrap();
        let places = fleet::places(settings.resources);
        let sim = Simulator::start(fleet::options(&places)).await.unwrap();
        fleet::spread_modes(&places, &sim);
        let mut namespaces = Vec::new();
        for _ in 0..fleet::NAMESPACES {
            namespaces.push(plane::new_namespace(&client).await);
        }
        let cloud = sim.control().clone();
        let book = Arc::new(Book::new(cloud.clone()));
        let log = Arc::new(Log::new(&settings.folder));
        let endpoint = sim.address().to_string();
        let mut replicas = Vec::new();
        for number in 0..2 {
            let log = Arc::clone(&log);
            replicas.push(Replica::new(number, &endpoint, &settings.folder, log).await);
        }
        let secrets = Secrets::new(client.clone(), cloud.clone(), namespaces.clone());
        for namespace in 0..namespaces.len() {
            secrets.rotate(namespace).await;
        }
        let people = People {
            client: client.clone(),
            cloud,
            endpoint: sim.url(),
            namespaces,
            ledger: Arc::new(Ledger::new(places.len())),
            places,
            edits: AtomicUsize::new(0),
        };
        Self {
            versions: Versions::start(client.clone(), Arc::clone(&book)),
            settings,
            client,
            sim,
            people,
            secrets,
            book,
            replicas,
            hand_overs: Arc::default(),
            samples: Mutex::default(),
            ends: Mutex::default(),
            overstayed: Mutex::default(),
            log,
        }
    }

    /// Starts the processes and what looks at them, and makes the resources.
    async fn start(self: &Arc<Self>) -> JoinSet<()> {
        let mut running = JoinSet::new();
        for replica in self.replicas.clone() {
            running.spawn(async move { replica.keep_running().await });
        }
        running
            .spawn(Arc::clone(&self.hand_overs).watch(self.client.clone(), Arc::clone(&self.log)));
        let stage = Arc::clone(self);
        running.spawn(async move { stage.sample().await });
        let stage = Arc::clone(self);
        running.spawn(async move {
            loop {
                stage.book.catch_up();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        for resource in 0..self.people.places.len() {
            self.people
                .create(resource, plan::PORTS[resource % plan::PORTS.len()])
                .await;
        }
        running
    }

    /// Samples memory and files every ten seconds, or more often in a run of few minutes.
    async fn sample(&self) {
        let every = (self.settings.length / 60).min(Duration::from_secs(10));
        loop {
            tokio::time::sleep(every).await;
            for replica in &self.replicas {
                let at = self.log.elapsed();
                if at < self.settings.length
                    && let Some((process, leads)) = replica.process().await
                {
                    let sample = Memory::of(process).map(|memory| Sample {
                        at,
                        replica: replica.number,
                        leads,
                        memory,
                    });
                    self.samples.lock().unwrap().extend(sample);
                }
            }
        }
    }

    /// Lets everything happen at its time, and waits until all of it is over.
    async fn play(self: &Arc<Self>, plan: &[(Duration, Event)]) {
        let began = Instant::now();
        let end = began + self.settings.length;
        let mut happening = JoinSet::new();
        for (number, (at, event)) in plan.iter().enumerate() {
            tokio::time::sleep_until(began + *at).await;
            let (stage, event) = (Arc::clone(self), event.clone());
            happening.spawn(async move { stage.happen(number, event, end).await });
            while let Some(over) = happening.try_join_next() {
                over.unwrap();
            }
        }
        while let Some(over) = happening.join_next().await {
            over.unwrap();
        }
        tokio::time::sleep_until(end).await;
    }

    async fn happen(&self, number: usize, event: Event, end: Instant) {
        self.log.say(&format!("{event:?}"));
        let people = &self.people;
        let left = |long: Duration| long.min(end.saturating_duration_since(Instant::now()));
        match event {
            Event::Want(resource, port) => people.want(resource, port).await,
            Event::ToAndFro(resource, ports) => people.want_in_turn(resource, &ports).await,
            Event::Policy(resource, policy) => {
                people.set_policy(resource, policy).await;
            }
            Event::Suspend(resource, suspend) => people.suspend(resource, suspend).await,
            Event::Request(resource) => people.request(resource, &number.to_string()).await,
            Event::Recreate(resource, how) => {
                let port = plan::PORTS[number % plan::PORTS.len()];
                people.recreate(resource, how, port).await;
            }
            Event::Drift(resource, port) => people.drift(resource, port),
            Event::TouchSecret(resource) => {
                let namespace = people.places[resource].namespace;
                self.secrets.touch(namespace, number as u64).await;
            }
            Event::RotateSecret(resource) => {
                self.secrets.rotate(people.places[resource].namespace).await;
            }
            Event::ExpireTokens => {
                self.sim.revoke_tokens(None);
            }
            Event::Jobs(plan) => self.sim.default_job(plan),
            Event::NextJob(resource, plan) => self.next_job(resource, plan),
            Event::Foreign(resource, long) => {
                let instance = &people.places[resource].instance;
                let plan = JobPlan::lasting(left(long));
                self.sim.start_job(instance, "Backup", plan).unwrap();
            }
            Event::Cloud(trouble, long) => {
                trouble::of_cloud(&self.sim, &people.places, trouble, left(long)).await;
            }
            Event::ApiServer(replica, trouble, long) => {
                let replica = &self.replicas[replica];
                if !trouble::of_api_server(replica, &people.places, trouble, left(long)).await {
                    self.log.say(&format!(
                        "{trouble:?} is passed over: there is other trouble"
                    ));
                }
            }
            Event::Kill(kill) => self.kill(kill).await,
        }
    }

    fn next_job(&self, resource: usize, plan: JobPlan) {
        if plan.port_shows == PortShows::Never {
            self.people.ledger.lie(resource);
        }
        let proxy = &self.people.places[resource].proxy;
        self.sim.next_job_of(proxy, plan);
    }

    async fn kill(&self, kill: Kill) {
        let leader = self.leader().await;
        let cause = |why: &str| self.hand_overs.cause(self.log.elapsed(), why);
        match kill {
            Kill::Leader => {
                cause("SIGKILL");
                self.note_end();
                leader.kill().await;
            }
            Kill::Terminate => {
                cause("SIGTERM");
                if !leader.terminate().await {
                    self.note_end();
                    let told = format!("replica {} did not end in time", leader.number + 1);
                    self.overstayed.lock().unwrap().push(told);
                }
            }
            Kill::Freeze(seconds) => {
                cause("SIGSTOP");
                leader.freeze(Duration::from_secs(seconds)).await;
            }
            Kill::Standby => {
                let standby = &self.replicas[1 - leader.number];
                self.note_end();
                standby.kill().await;
            }
        }
    }

    /// Who leads. While nobody does it is waited for; the first one where that takes too long.
    async fn leader(&self) -> &Replica {
        let began = Instant::now();
        while began.elapsed() < LED_WITHIN {
            for replica in &self.replicas {
                if replica.process().await.is_some_and(|(_, leads)| leads) {
                    return replica;
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        &self.replicas[0]
    }

    fn note_end(&self) {
        self.ends.lock().unwrap().push(Timestamp::now());
    }

    /// Waits until nothing is restless; what still is, is told.
    async fn come_to_rest(
        &self,
        how: &str,
        restless: impl Fn(&Judge<'_>, &[taurus_port_operator::crd::TaurusProxyPort]) -> Vec<String>,
    ) -> Vec<String> {
        let began = Instant::now();
        loop {
            let objects = rest::objects(&self.client).await;
            let people = &self.people;
            let judge = Judge::new(&people.places, &self.sim, &people.ledger, &self.book);
            let still = restless(&judge, &objects);
            if still.is_empty() || began.elapsed() > REST_WITHIN {
                self.log.say(&format!(
                    "at rest {how} after {:?}, but for {still:?}",
                    began.elapsed()
                ));
                return still;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// A person gives each what it asks for: another try, or to be no longer suspended or left alone.
    async fn help(&self) {
        for (resource, place) in self.people.places.iter().enumerate() {
            let objects = rest::objects(&self.client).await;
            let object = objects
                .iter()
                .find(|object| object.spec.proxy_id == place.proxy);
            let Some(object) = object else {
                self.people.create(resource, plan::PORTS[0]).await;
                continue;
            };
            if is_ready(object) {
                continue;
            }
            self.people.suspend(resource, false).await;
            let enforce = ManagementPolicy::Enforce;
            self.people.set_policy(resource, enforce).await;
            self.people.request(resource, "the end").await;
        }
    }

    /// Nothing may be written or changed for a while, though it is looked at.
    async fn keep_quiet(&self) -> Vec<String> {
        let quiet = QUIET.min(self.settings.length / 2);
        let seen = || {
            self.book.catch_up();
            let lists = self
                .book
                .requests()
                .get("list")
                .copied()
                .unwrap_or_default();
            (self.versions.all(), self.book.changes().len(), lists)
        };
        let (versions, changes, lists) = seen();
        tokio::time::sleep(quiet).await;
        let (versions_after, changes_after, lists_after) = seen();
        let looked = lists_after - lists;
        self.log
            .say(&format!("quiet for {quiet:?}: {looked} lists"));
        assert!(looked > 0, "resources are looked at");
        let written = versions_after.iter().skip(versions.len());
        let mut disturbed: Vec<String> = written
            .map(|version| format!("{:#?}", version.object))
            .collect();
        disturbed.extend((changes..changes_after).map(|_| "a change".to_owned()));
        disturbed
    }
}
