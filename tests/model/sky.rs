//! The cloud: one proxy, jobs that nobody hurries, and requests that may be under way.
//!
//! Promises what the API facts say and no more: a job is visible a tick after it was accepted at the latest, a list lags a
//! tick behind its end at most, and what is shown meanwhile differs from [`Mode`] to [`Mode`].

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::{FutureExt as _, future::BoxFuture};
use k8s_openapi::jiff::Timestamp;
use taurus_port_operator::{
    cloud::{
        Booked, Cloud, CloudError, Job, Line, Meaning, Proxies, Proxy, ProxyStatus, Task, TaskList,
        Urgency,
    },
    model::{InstanceId, JobId, JobState, ProxyId},
};

use crate::{clock, paper::job_id};

pub const INSTANCE: &str = "0123456789abcdef0123456789abcdefin07";
pub const PROXY: &str = "0123456789abcdef0123456789abcdefpo01";

/// What the service shows while a job is at work (M1 to M4 of the API facts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Another status and the old port; a second change is refused.
    Changing,
    /// The old port; a second change is refused.
    Hidden,
    /// The old port; a second change becomes a second job.
    Doubling,
    /// The new port at once; a second change is refused.
    Hasty,
}

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    Moves,
    Fails,
    /// Completed, but the port stays as it was.
    Lies,
}

/// The job of a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Work {
    pub change: u8,
    /// The port that was in place when it was accepted.
    from: u16,
    pub to: u16,
    /// Ticks until it is visible.
    pub hidden: u8,
    /// How it ended, and how long ago.
    pub end: Option<(End, u8)>,
    /// Ticks since it was accepted.
    pub age: u8,
    /// Its record was deleted: it ends before `changeTimeout` is over.
    pub erased: bool,
}

/// A request that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transit {
    pub change: u8,
    pub to: u16,
    pub hidden: bool,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    Accepted,
    NothingToDo,
    Refused { busy: bool },
    Unknown,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sky {
    pub mode: Mode,
    pub port: u16,
    /// What the list still shows.
    pub lagging: Option<u16>,
    pub works: Vec<Work>,
    pub transit: Vec<Transit>,
}

/// A read that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blind {
    /// The job can't be read.
    Job,
    /// The job is said not to be there, once.
    JobGone,
    /// The task list can't be read.
    Tasks,
    /// The task list lacks a row, once: it was between two pages.
    TaskMissing,
    /// The list of proxies can't be read.
    Proxies,
}

/// The cloud as one look sees it.
#[derive(Debug, Clone)]
pub struct Scene {
    pub sky: Sky,
    pub blind: Option<Blind>,
    /// Whether the read that goes wrong was made.
    pub missed: Arc<AtomicBool>,
}

impl Work {
    pub fn runs(&self) -> bool {
        self.end.is_none()
    }

    fn state(&self) -> JobState {
        let word = match self.end {
            None => "Running",
            Some((End::Fails, _)) => "Failed",
            Some((End::Moves | End::Lies, _)) => "Completed",
        };
        JobState::from_word(Some(word))
    }
}

impl Sky {
    pub fn new(mode: Mode, port: u16) -> Self {
        Self {
            mode,
            port,
            lagging: None,
            works: Vec::new(),
            transit: Vec::new(),
        }
    }

    /// Whether a request of ours is under way or at work.
    pub fn is_at_work(&self) -> bool {
        self.works.iter().any(Work::runs) || !self.transit.is_empty()
    }

    /// Whether a job of ours is at work that is not overdue: of one that is, the contract lets Ready no longer wait.
    pub fn is_at_work_in_time(&self) -> bool {
        let mut works = self.works.iter();
        let in_time = works.any(|work| work.runs() && work.age < clock::CHANGE_TIMEOUT);
        in_time || !self.transit.is_empty()
    }

    /// Whether a job that was to set this port has failed so lately that a list may still show it.
    pub fn has_taken_back(&self, port: u16) -> bool {
        let fails = |work: &Work| {
            matches!(work.end, Some((End::Fails, age)) if age < clock::LAG) && work.to == port
        };
        self.port != port && self.works.iter().any(fails)
    }

    /// Whether the job of this change is at work and not overdue.
    pub fn works_on(&self, change: u8) -> bool {
        let mut own = self.works.iter().filter(|work| work.change == change);
        own.any(|work| work.runs() && work.age < clock::CHANGE_TIMEOUT)
    }

    /// A request arrives.
    pub fn accept(&mut self, request: Transit) -> Answer {
        let busy = self.works.iter().any(Work::runs);
        if busy && self.mode != Mode::Doubling {
            return Answer::Refused { busy: true };
        }
        if !busy && request.to == self.port {
            return Answer::NothingToDo;
        }
        self.works.push(Work {
            change: request.change,
            from: self.port,
            to: request.to,
            hidden: if request.hidden { clock::LAG } else { 0 },
            end: None,
            age: 0,
            erased: false,
        });
        Answer::Accepted
    }

    /// A job ends; the list may lag behind it.
    pub fn end(&mut self, index: usize, end: End, lags: bool) {
        let shown = self.shown();
        let work = &mut self.works[index];
        work.end = Some((end, 0));
        work.hidden = 0;
        if end == End::Moves {
            self.port = work.to;
        }
        self.lagging = Some(shown).filter(|shown| lags && *shown != self.port);
    }

    /// What the list may show instead, while it may lag behind the end of jobs: the ports from before them, and the one in place.
    pub fn echoes(&self) -> impl Iterator<Item = u16> {
        let works = self.works.iter();
        let lately = works.filter(|work| work.end.is_some_and(|(_, age)| age < clock::LAG));
        let before = lately.map(|work| work.from);
        let now = self.lagging.map(|_| self.port);
        before.chain(now).filter(|port| *port != self.shown())
    }

    /// A tick passes: what was under way arrives, what was hidden shows.
    pub fn tick(&mut self) {
        self.lagging = None;
        for work in &mut self.works {
            work.hidden = work.hidden.saturating_sub(1);
            if let Some((_, age)) = &mut work.end {
                clock::tick(age);
            }
        }
        for index in 0..self.works.len() {
            let work = &mut self.works[index];
            work.age = (work.age + 1).min(clock::CHANGE_TIMEOUT);
            if work.erased && work.runs() && work.age == clock::CHANGE_TIMEOUT {
                self.end(index, End::Moves, true);
            }
        }
        for request in std::mem::take(&mut self.transit) {
            self.accept(request);
        }
    }

    /// Forgets jobs that show no more.
    pub fn forget(&mut self, is_needed: impl Fn(u8) -> bool) {
        self.works.retain(|work| {
            let age = work.end.map(|(_, age)| age);
            let counts = age.is_none_or(|age| age < clock::LAG);
            counts || !work.erased && is_needed(work.change)
        });
    }

    fn shown(&self) -> u16 {
        let running = self.works.iter().rev().find(|work| work.runs());
        match (self.mode, running) {
            (Mode::Hasty, Some(work)) => work.to,
            _ => self.lagging.unwrap_or(self.port),
        }
    }
}

impl Scene {
    fn proxy(&self) -> Result<Vec<Proxy>, CloudError> {
        if self.misses(Blind::Proxies) {
            return Err(failed());
        }
        let changing = self.sky.mode == Mode::Changing && self.sky.works.iter().any(Work::runs);
        let status = if changing {
            ProxyStatus::Changing("PORT_MODIFYING".to_owned())
        } else {
            ProxyStatus::Active
        };
        Ok(vec![proxy(self.sky.shown(), status)])
    }

    fn work(&self, id: &JobId) -> Result<Job, CloudError> {
        if self.misses(Blind::Job) {
            return Err(failed());
        }
        let found = self.visible().find(|work| job_id(work.change) == *id);
        let work = found.filter(|_| !self.misses(Blind::JobGone));
        let work = work.ok_or_else(|| CloudError::local(Meaning::NotFound, "no such job"))?;
        Ok(Job {
            state: work.state(),
            fail_reason: None,
            ended: work.end.map(|(_, age)| clock::wall(signed(age))),
            cloud_time: Some(clock::wall(0)),
        })
    }

    fn tasks(&self) -> Result<TaskList, CloudError> {
        if self.misses(Blind::Tasks) {
            return Err(failed());
        }
        let shown = self.visible().filter(|_| !self.misses(Blind::TaskMissing));
        let tasks = shown.map(|work| Task {
            job: Some(job_id(work.change)),
            instance: InstanceId::parse(INSTANCE).ok(),
            state: work.state(),
            created: None,
            ended: work.end.map(|(_, age)| clock::wall(signed(age))),
        });
        Ok(TaskList {
            tasks: tasks.collect(),
            cloud_time: Some(clock::wall(0)),
            begun: None,
        })
    }

    fn misses(&self, read: Blind) -> bool {
        let misses = self.blind == Some(read);
        self.missed.fetch_or(misses, Ordering::Relaxed);
        misses
    }

    fn visible(&self) -> impl Iterator<Item = &Work> {
        let works = self.sky.works.iter();
        works.filter(|work| work.hidden == 0 && !work.erased)
    }
}

impl Cloud for Scene {
    fn turn(&self, _: Urgency, _: u32) -> BoxFuture<'_, Result<Arc<dyn Cloud>, CloudError>> {
        async { Ok(Arc::new(self.clone()) as Arc<dyn Cloud>) }.boxed()
    }

    fn book(&self, _: Urgency) -> Booked {
        Booked::now()
    }

    fn list_proxies<'a>(&'a self, _: &'a InstanceId) -> BoxFuture<'a, Result<Proxies, CloudError>> {
        async { self.proxy().map(Proxies::from) }.boxed()
    }

    fn job<'a>(&'a self, id: &'a JobId) -> BoxFuture<'a, Result<Job, CloudError>> {
        async { self.work(id) }.boxed()
    }

    fn tasks(&self, _: Timestamp) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        async { Scene::tasks(self) }.boxed()
    }

    fn running(&self) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        async { Scene::tasks(self) }.boxed()
    }

    /// Changes go by [`Sky::accept`]: nobody but the journal can make the proof that a line asks for.
    fn open_line(&self) -> BoxFuture<'_, Result<Box<dyn Line>, CloudError>> {
        async { Err(failed()) }.boxed()
    }
}

/// The proxy with a port.
pub fn proxy(port: u16, status: ProxyStatus) -> Proxy {
    Proxy {
        id: ProxyId::parse(PROXY).unwrap(),
        name: "orders".to_owned(),
        status,
        address: None,
        port: Some(port),
    }
}

fn failed() -> CloudError {
    CloudError::local(Meaning::Transient, "no answer")
}

fn signed(age: u8) -> i8 {
    i8::try_from(age).unwrap()
}
