//! The cloud of a fleet: it does what it is asked for and counts. It draws on the operator's own budget as its HTTP client does:
//! one call a request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use taurus_port_operator::{
    cloud::{
        ChangeAnswer, Cloud, CloudError, Job, Line, Meaning, Proxy, ProxyStatus, Task, TaskList,
        Urgency,
        auth::secret::Credential,
        budget::{Allowance, Budget},
    },
    controller::{accounts::Connect, journal::Acknowledged, read::Subject},
    fleet::permits::Permit,
    model::{InstanceId, JobId, JobState, ProxyId},
};
use tokio::time::{Duration, Instant};

use crate::life::Life;

/// How long a request takes.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// How many tasks a page holds.
const A_PAGE: usize = 50;

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The list of an instance, by its number.
    List(usize),
    /// A page of the task list.
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

/// A cloud that counts.
pub struct Counted {
    pub began: Instant,
    on_each: usize,
    ports: Vec<u16>,
    jobs: HashMap<JobId, Work>,
    pub calls: Vec<Call>,
    /// How long a change takes.
    pub job_takes: Duration,
    /// The instance that is never shown.
    pub refused: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Work {
    proxy: usize,
    port: u16,
    ends: Instant,
}

impl Counted {
    pub fn new(instances: usize, on_each: usize, port: u16) -> Self {
        Self {
            began: Instant::now(),
            on_each,
            ports: vec![port; instances * on_each],
            jobs: HashMap::new(),
            calls: Vec::new(),
            job_takes: Duration::from_secs(40),
            refused: None,
        }
    }

    fn arrive(&mut self, kind: Kind) {
        let at = self.began.elapsed();
        self.calls.push(Call { at, kind });
        for work in self.jobs.values() {
            if work.ends <= Instant::now() {
                self.ports[work.proxy] = work.port;
            }
        }
    }

    fn list(&self, instance: usize) -> Result<Vec<Proxy>, CloudError> {
        if self.refused == Some(instance) {
            return Err(CloudError::local(Meaning::UnknownRefusal, "no"));
        }
        let on_it = instance * self.on_each..(instance + 1) * self.on_each;
        Ok(on_it.map(|proxy| shown(proxy, self.ports[proxy])).collect())
    }

    fn running(&self) -> Vec<Task> {
        let running = |work: &Work| work.ends > Instant::now();
        let jobs = self.jobs.iter().filter(|(_, work)| running(work));
        jobs.map(|(id, work)| Task {
            job: Some(id.clone()),
            instance: InstanceId::parse(&format!("{:032x}in07", work.proxy / self.on_each)).ok(),
            state: JobState::from_word(Some("Running")),
            created: None,
            ended: None,
        })
        .collect()
    }

    fn job(&self, id: &JobId) -> Result<Job, CloudError> {
        let found = self.jobs.get(id);
        let found = found.ok_or_else(|| CloudError::local(Meaning::NotFound, "no such job"))?;
        let word = if found.ends <= Instant::now() {
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

    fn change(&mut self, proxy: usize, port: u16) -> JobId {
        let id = JobId::parse(&format!("job-{}", self.jobs.len())).unwrap();
        let ends = Instant::now() + self.job_takes;
        let work = Work { proxy, port, ends };
        self.jobs.insert(id.clone(), work);
        id
    }
}

/// The way of one process to the cloud.
pub struct Gateway {
    pub cloud: Arc<Mutex<Counted>>,
    pub budget: Arc<Budget>,
    pub life: Arc<Life>,
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

    /// One walk over running tasks, and so many further pages.
    async fn walk(&self, further: usize) -> Result<TaskList, CloudError> {
        let mut tasks = self.call(Kind::Tasks, |counted| counted.running()).await?;
        for _ in 0..further + tasks.len() / A_PAGE {
            tasks = self.call(Kind::Tasks, |counted| counted.running()).await?;
        }
        Ok(TaskList {
            tasks,
            cloud_time: None,
        })
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
        let number = number(instance.as_str());
        async move {
            self.call(Kind::List(number), |counted| counted.list(number))
                .await?
        }
        .boxed()
    }

    fn job<'a>(&'a self, id: &'a JobId) -> BoxFuture<'a, Result<Job, CloudError>> {
        async { self.call(Kind::Job, |counted| counted.job(id)).await? }.boxed()
    }

    fn tasks(&self, _: Timestamp) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        self.walk(2).boxed()
    }

    fn running(&self) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        self.walk(0).boxed()
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
            let (proxy, port) = (number(intent.proxy().as_str()), intent.port().get());
            let change = |counted: &mut Counted| counted.change(proxy, port);
            match self.call(Kind::Change(proxy), change).await {
                Ok(id) => ChangeAnswer::Accepted(id),
                Err(error) => ChangeAnswer::NotSent(error),
            }
        }
        .boxed()
    }
}

/// The number that an id begins with.
fn number(id: &str) -> usize {
    usize::from_str_radix(&id[..32], 16).unwrap()
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
