//! A large fleet under a budget of calls: the operator from its watch to its calls, over thousands of proxies whose cloud does
//! nothing but count, in virtual time.
//!
//! The cloud draws on the operator's own budget as its HTTP client does: one call a request. What it counts is what it is
//! asked, when it is asked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use rand::{SeedableRng as _, rngs::SmallRng};
use taurus_port_operator::{
    chance::Chance,
    clock::Clock,
    cloud::{
        ChangeAnswer, Cloud, CloudError, Job, Line, Meaning, Proxy, ProxyStatus, TaskList, Urgency,
        auth::secret::Credential,
        budget::{Allowance, Budget, CallLimit},
    },
    controller::{accounts::Connect, context::Settings, journal::Acknowledged, read::Subject},
    crd::{CredentialsReference, TaurusProxyPort, TaurusProxyPortSpec},
    fleet::{limits::Limits, permits::Permit},
    leader::Leadership,
    model::{InstanceId, JobId, JobState, ProxyId},
    pace::Pace,
};
use tokio::time::{Duration, Instant};

use crate::{
    NAMESPACE,
    life::Life,
    machine::{RESYNC, control},
    server,
    sky::{Mode, Sky},
    world::{Shared, World, wall},
};

/// How long a request takes.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// How long a change takes.
const JOB: Duration = Duration::from_secs(40);

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The list of an instance, by its number.
    List(usize),
    /// A walk over the task list.
    Tasks,
    /// A job.
    Job,
    /// A change of a proxy, by its number.
    Change(usize),
}

/// A call that has arrived.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Since the beginning.
    pub at: Duration,
    /// What was called.
    pub kind: Kind,
}

/// The fleet.
pub struct Fleet {
    shared: Shared,
    cloud: Arc<Mutex<Counted>>,
    process: Option<Arc<Life>>,
    processes: usize,
}

struct Counted {
    began: Instant,
    on_each: usize,
    ports: Vec<u16>,
    jobs: HashMap<JobId, (usize, u16, Instant)>,
    calls: Vec<Call>,
}

impl Fleet {
    /// So many instances with so many proxies on each, all with the port that is wanted.
    pub fn new(instances: usize, on_each: usize, port: u16) -> Self {
        let sky = Sky::new(Mode::Hidden, port);
        let random = SmallRng::seed_from_u64(7);
        let mut world = World::new(random, None, sky, false, false);
        world.most_calls = u64::MAX;
        let shared = Shared::new(world);
        for number in 0..instances * on_each {
            let now = shared.lock().now();
            let object = resource(number, number / on_each, port);
            shared.lock().cluster.create(object, now);
        }
        let cloud = Counted {
            began: Instant::now(),
            on_each,
            ports: vec![port; instances * on_each],
            jobs: HashMap::new(),
            calls: Vec::new(),
        };
        Self {
            shared,
            cloud: Arc::new(Mutex::new(cloud)),
            process: None,
            processes: 0,
        }
    }

    /// Starts a process; the one before is killed. It pretends to have run for `head_start`.
    pub fn start(&mut self, limit: CallLimit, head_start: Duration) {
        if let Some(before) = self.process.take() {
            before.end();
        }
        self.processes += 1;
        let life = Life::new(0, format!("process-{}", self.processes));
        self.process = Some(Arc::clone(&life));
        let now = self.shared.lock().now();
        let clock = Clock::with_head_start(head_start).from_dawn(wall(now));
        let client = server::client(self.shared.clone(), Arc::clone(&life));
        let settings = Settings {
            clock,
            chance: Chance::seeded(self.processes as u64),
            pace: Pace::real(),
            resync: RESYNC,
            connect: Arc::new(Gateway {
                cloud: Arc::clone(&self.cloud),
                budget: Budget::new(limit, clock, Arc::new(())),
                life: Arc::clone(&life),
            }),
            defaults: None,
            meter: Arc::new(()),
            limits: Limits::default(),
            leadership: Arc::new(Leadership::alone()),
            work: Arc::default(),
        };
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let ended = Arc::clone(&life);
            tokio::select! {
                () = control(&shared, &life, client, settings, std::future::pending()) => {}
                () = ended.ended() => {}
            }
        });
    }

    /// A person wants another port.
    pub fn want(&self, number: usize, port: u16) {
        let mut world = self.shared.lock();
        let now = world.now();
        let edited = world
            .cluster
            .edit(&name(number), now, |object| object.spec.port = port.into());
        assert!(edited);
    }

    /// How many resources are Ready with the port that is wanted.
    pub fn ready(&self) -> usize {
        let world = self.shared.lock();
        world
            .cluster
            .all()
            .filter(|object| is_ready(object))
            .count()
    }

    /// What is said of a resource.
    pub fn said(&self, number: usize) -> String {
        let world = self.shared.lock();
        let object = world.cluster.get(&name(number));
        format!("{:#?}", object.map(|object| &object.status))
    }

    /// The versions of all resources, in the order of their names.
    pub fn versions(&self) -> Vec<String> {
        let world = self.shared.lock();
        let versions = world.cluster.all().map(kube::ResourceExt::resource_version);
        versions.map(Option::unwrap_or_default).collect()
    }

    /// How many requests the API server has had.
    pub fn requests(&self) -> u64 {
        self.shared.lock().calls
    }

    /// The calls of the cloud so far.
    pub fn calls(&self) -> Vec<Call> {
        self.counted().calls.clone()
    }

    /// Since the beginning.
    pub fn now(&self) -> Duration {
        self.counted().began.elapsed()
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.cloud.lock().unwrap()
    }
}

fn is_ready(object: &TaurusProxyPort) -> bool {
    let status = object.status.as_ref();
    status.is_some_and(|status| {
        let ready = status
            .conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        ready && status.observed_generation == object.metadata.generation
    })
}

/// The way of one process to the cloud.
struct Gateway {
    cloud: Arc<Mutex<Counted>>,
    budget: Arc<Budget>,
    life: Arc<Life>,
}

impl Connect for Gateway {
    fn connect(&self, _: &Subject, _: Credential) -> Result<Arc<dyn Cloud>, CloudError> {
        Ok(Arc::new(Account {
            cloud: Arc::clone(&self.cloud),
            allowance: self.budget.open(Urgency::Job),
            life: Arc::clone(&self.life),
        }))
    }
}

#[derive(Clone)]
struct Account {
    cloud: Arc<Mutex<Counted>>,
    allowance: Arc<Allowance>,
    life: Arc<Life>,
}

impl Account {
    async fn call<T>(
        &self,
        kind: Kind,
        answer: impl FnOnce(&mut Counted) -> T,
    ) -> Result<T, CloudError> {
        self.allowance.spend().await?;
        if !self.life.is_alive() {
            std::future::pending::<()>().await;
        }
        let answer = {
            let mut counted = self.cloud.lock().unwrap();
            counted.arrive(kind);
            answer(&mut counted)
        };
        tokio::time::sleep(ROUND_TRIP).await;
        Ok(answer)
    }

    async fn walk(&self, walks: usize) -> Result<TaskList, CloudError> {
        for _ in 0..walks {
            self.call(Kind::Tasks, |_| ()).await?;
        }
        Ok(TaskList::default())
    }
}

impl Counted {
    fn arrive(&mut self, kind: Kind) {
        let at = self.began.elapsed();
        self.calls.push(Call { at, kind });
        let ended: Vec<(usize, u16)> = self
            .jobs
            .values()
            .filter(|(.., ends)| *ends <= Instant::now())
            .map(|(proxy, port, _)| (*proxy, *port))
            .collect();
        for (proxy, port) in ended {
            self.ports[proxy] = port;
        }
    }
}

impl Cloud for Account {
    fn turn(
        &self,
        urgency: Urgency,
        calls: u32,
    ) -> BoxFuture<'_, Result<Arc<dyn Cloud>, CloudError>> {
        async move {
            let allowance = self.allowance.budget().allow(urgency, calls).await?;
            let turn = Self {
                allowance,
                ..self.clone()
            };
            Ok(Arc::new(turn) as Arc<dyn Cloud>)
        }
        .boxed()
    }

    fn book(&self, urgency: Urgency) -> Duration {
        self.allowance.budget().book(urgency)
    }

    fn list_proxies<'a>(
        &'a self,
        instance: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Vec<Proxy>, CloudError>> {
        let number = usize::from_str_radix(&instance.as_str()[..32], 16).unwrap();
        self.call(Kind::List(number), move |counted| {
            let on_it = number * counted.on_each..(number + 1) * counted.on_each;
            on_it
                .map(|proxy| shown(proxy, counted.ports[proxy]))
                .collect()
        })
        .boxed()
    }

    fn job<'a>(&'a self, id: &'a JobId) -> BoxFuture<'a, Result<Job, CloudError>> {
        async {
            let ends = self
                .call(Kind::Job, |counted| counted.jobs.get(id).map(|job| job.2))
                .await?;
            let ends = ends.ok_or_else(|| CloudError::local(Meaning::NotFound, "no such job"))?;
            let word = if ends <= Instant::now() {
                "Completed"
            } else {
                "Running"
            };
            Ok(Job {
                state: JobState::from_word(Some(word)),
                fail_reason: None,
                ended: None,
                cloud_time: None,
            })
        }
        .boxed()
    }

    fn tasks(&self, _: Timestamp) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        self.walk(3).boxed()
    }

    fn running(&self) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        self.walk(1).boxed()
    }

    fn open_line(&self) -> BoxFuture<'_, Result<Box<dyn Line>, CloudError>> {
        async { Ok(Box::new(self.clone()) as Box<dyn Line>) }.boxed()
    }
}

impl Line for Account {
    fn change_port(
        self: Box<Self>,
        intent: Acknowledged,
        _: &Permit,
    ) -> BoxFuture<'_, ChangeAnswer> {
        async move {
            let proxy = usize::from_str_radix(&intent.proxy().as_str()[..32], 16).unwrap();
            let port = intent.port().get();
            let accepted = self
                .call(Kind::Change(proxy), |counted| {
                    let id = JobId::parse(&format!("job-{}", counted.jobs.len())).unwrap();
                    let ends = Instant::now() + JOB;
                    counted.jobs.insert(id.clone(), (proxy, port, ends));
                    id
                })
                .await;
            match accepted {
                Ok(id) => ChangeAnswer::Accepted(id),
                Err(error) => ChangeAnswer::NotSent(error),
            }
        }
        .boxed()
    }
}

fn shown(number: usize, port: u16) -> Proxy {
    Proxy {
        id: ProxyId::parse(&format!("{number:032x}po01")).unwrap(),
        name: format!("proxy-{number}"),
        status: ProxyStatus::Active,
        address: Some("192.0.2.7".to_owned()),
        port: Some(port),
    }
}

fn name(number: usize) -> String {
    format!("proxy-{number:06}")
}

fn resource(number: usize, instance: usize, port: u16) -> TaurusProxyPort {
    let mut object = TaurusProxyPort::new(
        &name(number),
        TaurusProxyPortSpec {
            region: Some("ap-southeast-3".to_owned()),
            project_id: "0".repeat(32),
            instance_id: format!("{instance:032x}in07"),
            proxy_id: format!("{number:032x}po01"),
            port: port.into(),
            credentials_ref: Some(CredentialsReference {
                name: "keys".to_owned(),
            }),
            endpoint: None,
            iam_endpoint: None,
            management_policy: None,
            suspend: None,
            change_timeout: None,
        },
    );
    object.metadata.namespace = Some(NAMESPACE.to_owned());
    object
}
