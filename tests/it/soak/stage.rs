//! What a run consists of, and its beginning.

use std::{
    sync::{Arc, Mutex, atomic::AtomicUsize},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use taurus_sim::Simulator;
use tokio::task::JoinSet;

use super::{
    book::Book,
    fleet,
    handover::HandOvers,
    ledger::Ledger,
    memory::Sample,
    people::People,
    plan::PORTS,
    replica::Replica,
    secrets::Secrets,
    services::Services,
    settings::{Log, Settings},
    versions::Versions,
};
use crate::world::{plane, program::Memory};

/// What a run consists of.
pub struct Stage {
    pub settings: Settings,
    pub client: Client,
    pub sim: Simulator,
    pub people: People,
    pub secrets: Arc<Secrets>,
    pub book: Arc<Book>,
    pub versions: Versions,
    pub services: Services,
    pub replicas: Vec<Arc<Replica>>,
    pub hand_overs: Arc<HandOvers>,
    pub samples: Mutex<Vec<Sample>>,
    /// When a process was killed.
    pub ends: Mutex<Vec<Timestamp>>,
    pub overstayed: Mutex<Vec<String>>,
    pub log: Arc<Log>,
}

impl Stage {
    /// Prepares everything but the processes and the resources.
    pub async fn set(settings: Settings) -> Self {
        let plane = &plane::shared().await;
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
        let shown = Arc::clone(&book);
        let is_shown = move |proxy: &str, port: u16| {
            shown.catch_up();
            shown.has_listed(proxy, port)
        };
        let services = Services::start(&client, &namespaces, is_shown).await;
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
            services,
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
    pub async fn start(self: &Arc<Self>) -> JoinSet<()> {
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
                .create(resource, PORTS[resource % PORTS.len()])
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
}
