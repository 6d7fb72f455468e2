//! A cloud with one proxy on one instance, in stepped time.
//!
//! Promises what the API facts say and no more: a job is visible some time after it was accepted, a list may lag behind
//! it, and what is shown while it is at work differs from [`Mode`] to [`Mode`].

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::{Cloud, CloudError, Job, Line, Meaning, Proxy, ProxyStatus, Task, TaskList},
    model::{InstanceId, JobId, JobState, ProxyId},
};

pub(super) const INSTANCE: &str = "0123456789abcdef0123456789abcdefin07";
pub(super) const PROXY: &str = "0123456789abcdef0123456789abcdefpo01";

/// The wall clock of the cloud and of every machine at second 0 of a test.
pub(super) const DAWN: i64 = 1_800_000_000;

/// What the service shows while a job is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Another status and the old port; a second change is refused.
    Changing,
    /// The old port; a second change is refused.
    Hidden,
    /// The old port; a second change becomes a second job.
    Doubling,
    /// The new port at once; a second change is refused.
    Hasty,
}

pub(super) const MODES: [Mode; 4] = [Mode::Changing, Mode::Hidden, Mode::Doubling, Mode::Hasty];

/// How the next accepted change goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    /// Seconds until its job is visible.
    pub(super) visible_after: u64,
    /// Seconds until it ends.
    pub(super) takes: u64,
    /// How it ends.
    pub(super) end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Moves,
    Fails,
    /// Completed, but the port stays as it was.
    Lies,
}

/// What becomes of the next request to change the port.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    Served,
    Refused(Meaning),
    NotSent,
    /// No answer within 30 s; accepted after so many seconds, or never.
    Lost(Option<u64>),
}

/// The answer to a request, and when it is there.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Accepted(JobId),
    NothingToDo,
    Refused(CloudError),
    NotSent(CloudError),
    Unknown,
}

#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) id: JobId,
    pub(super) to: u16,
    accepted: u64,
    course: Course,
    ended: bool,
    pub(super) erased: bool,
    pub(super) word: &'static str,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) mode: Mode,
    pub(super) now: u64,
    /// What the proxy was told to listen on, and since when.
    history: Vec<(u64, u16)>,
    port: u16,
    pub(super) works: Vec<Work>,
    transit: Vec<(u64, u16)>,
    pub(super) lag: u64,
    /// Seconds that each read takes.
    pub(super) read_takes: u64,
    pub(super) fates: VecDeque<Fate>,
    pub(super) courses: VecDeque<Course>,
    pub(super) usual: Course,
    pub(super) gone_until: u64,
    pub(super) instance_gone_until: u64,
    pub(super) foreign_until: u64,
    pub(super) status: Option<ProxyStatus>,
    pub(super) reads_fail: Option<(u64, Meaning)>,
    pub(super) tasks_fail: Option<(u64, Meaning)>,
    /// What errors of reads say.
    pub(super) text: &'static str,
    /// When each request was sent.
    pub(super) puts: Vec<u64>,
    /// How often each kind of read was made: lists, jobs, task lists.
    pub(super) reads: [usize; 3],
    /// The port in the last list that was read.
    pub(super) listed: Option<u16>,
    pub(super) most_at_once: usize,
    /// How many requests came to nothing on the cloud's side: refused as busy, or a job that did not move the port.
    pub(super) fruitless: usize,
}

/// The cloud, as processes see it.
#[derive(Debug, Clone)]
pub(super) struct Sky(Arc<Mutex<State>>);

impl Sky {
    pub(super) fn new(mode: Mode, port: u16) -> Self {
        let usual = Course {
            visible_after: 3,
            takes: 40,
            end: End::Moves,
        };
        Self(Arc::new(Mutex::new(State {
            mode,
            now: 0,
            history: vec![(0, port)],
            port,
            works: Vec::new(),
            transit: Vec::new(),
            lag: 0,
            read_takes: 0,
            fates: VecDeque::new(),
            courses: VecDeque::new(),
            usual,
            gone_until: 0,
            instance_gone_until: 0,
            foreign_until: 0,
            status: None,
            reads_fail: None,
            tasks_fail: None,
            text: "so says the cloud",
            puts: Vec::new(),
            reads: [0; 3],
            listed: None,
            most_at_once: 0,
            fruitless: 0,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    /// Lets time pass: what is under way arrives and ends in its order.
    pub(super) fn advance(&mut self, until: u64) {
        loop {
            let arrival = self.transit.iter().map(|(at, _)| *at).min();
            let open = self.works.iter().filter(|work| !work.ended);
            let end = open.map(Work::ends).min();
            match (arrival, end) {
                (Some(at), end) if at <= until && end.is_none_or(|end| at < end) => {
                    self.now = self.now.max(at);
                    self.arrive(at);
                }
                (_, Some(at)) if at <= until => {
                    self.now = self.now.max(at);
                    self.end(at);
                }
                _ => break,
            }
        }
        self.now = self.now.max(until);
    }

    /// Somebody else sets the port.
    pub(super) fn drift(&mut self, port: u16) {
        self.set(self.now, port);
        self.port = port;
    }

    /// A request to change the port: its answer and how many seconds that takes.
    pub(super) fn put(&mut self, port: u16) -> (Answer, u64) {
        self.puts.push(self.now);
        match self.fates.pop_front().unwrap_or(Fate::Served) {
            Fate::Refused(meaning) => (Answer::Refused(error(meaning)), 0),
            Fate::NotSent => (Answer::NotSent(error(Meaning::Transient)), 0),
            Fate::Lost(arrives) => {
                if let Some(after) = arrives {
                    self.transit.push((self.now + after.min(29), port));
                    self.advance(self.now);
                }
                (Answer::Unknown, 30)
            }
            Fate::Served => (self.accept(port), 0),
        }
    }

    /// The job of the service that is at work now.
    pub(super) fn at_work(&self) -> Option<&Work> {
        self.works.iter().rev().find(|work| !work.ended)
    }

    /// The port that the proxy really has.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn wall(&self) -> Timestamp {
        wall(self.now)
    }

    fn accept(&mut self, port: u16) -> Answer {
        let busy = self.at_work().is_some() || self.foreign_until > self.now;
        if busy && self.mode != Mode::Doubling {
            self.fruitless += 1;
            return Answer::Refused(error(Meaning::Busy));
        }
        if !busy && port == self.port {
            return Answer::NothingToDo;
        }
        let course = self.courses.pop_front().unwrap_or(self.usual);
        self.fruitless += usize::from(course.end != End::Moves);
        let id = JobId::parse(&format!("job-{}", self.works.len() + 1)).unwrap();
        self.works.push(Work {
            id: id.clone(),
            to: port,
            accepted: self.now,
            course,
            ended: false,
            erased: false,
            word: "Running",
        });
        let at_once = self.works.iter().filter(|work| !work.ended).count();
        self.most_at_once = self.most_at_once.max(at_once);
        if self.mode == Mode::Hasty {
            // Shown at once by a list that else lags, and then for as long as it lags behind the end.
            self.set(self.now.saturating_sub(self.lag), port);
        }
        Answer::Accepted(id)
    }

    fn arrive(&mut self, at: u64) {
        let Some(index) = self.transit.iter().position(|(when, _)| *when == at) else {
            return;
        };
        let (_, port) = self.transit.remove(index);
        self.accept(port);
    }

    fn end(&mut self, at: u64) {
        let Some(work) = self
            .works
            .iter_mut()
            .find(|work| !work.ended && work.ends() == at)
        else {
            return;
        };
        work.ended = true;
        if work.course.end == End::Moves {
            self.port = work.to;
        }
        self.set(at, self.port);
    }

    fn set(&mut self, at: u64, port: u16) {
        self.history.push((at, port));
    }

    /// What the list shows: the truth of some time ago, but what it shows early it shows at once.
    fn shown(&self) -> u16 {
        if let (Mode::Hasty, Some(work)) = (self.mode, self.at_work()) {
            return work.to;
        }
        let then = self.now.saturating_sub(self.lag);
        let old = self.history.iter().rev().find(|(at, _)| *at <= then);
        old.or(self.history.first()).map(|(_, port)| *port).unwrap()
    }

    fn proxies(&mut self) -> Result<Vec<Proxy>, CloudError> {
        self.spend(0);
        self.fails(self.reads_fail)?;
        if self.instance_gone_until > self.now {
            return Err(error(Meaning::NotFound));
        }
        if self.gone_until > self.now {
            return Ok(Vec::new());
        }
        let changing = self.mode == Mode::Changing && self.at_work().is_some();
        let status = match &self.status {
            Some(status) => status.clone(),
            None if changing => ProxyStatus::Changing("CHANGING PROXY PORT".to_owned()),
            None => ProxyStatus::Active,
        };
        self.listed = Some(self.shown());
        Ok(vec![Proxy {
            id: ProxyId::parse(PROXY).unwrap(),
            name: "orders".to_owned(),
            status,
            address: Some("192.0.2.7".to_owned()),
            port: self.listed,
        }])
    }

    fn job(&mut self, id: &JobId) -> Result<Job, CloudError> {
        self.spend(1);
        self.fails(self.reads_fail)?;
        let now = self.now;
        let work = self.works.iter().find(|work| work.id == *id);
        let work = work.filter(|work| work.visible(now));
        let work = work.ok_or_else(|| error(Meaning::NotFound))?;
        Ok(Job {
            state: work.state(),
            fail_reason: (work.course.end == End::Fails && work.ended)
                .then(|| "disk is on fire".to_owned()),
            ended: work.ended.then(|| wall(work.ends())),
            cloud_time: Some(wall(now)),
        })
    }

    fn tasks(&mut self) -> Result<TaskList, CloudError> {
        self.spend(2);
        self.fails(self.reads_fail)?;
        self.fails(self.tasks_fail)?;
        let now = self.now;
        let ours = self.works.iter().filter(|work| work.visible(now));
        let mut tasks: Vec<Task> = ours
            .map(|work| Task {
                job: Some(work.id.clone()),
                instance: InstanceId::parse(INSTANCE).ok(),
                state: work.state(),
                created: Some(wall(work.accepted)),
                ended: work.ended.then(|| wall(work.ends())),
            })
            .collect();
        if self.foreign_until > now {
            tasks.push(Task {
                job: JobId::parse("backup"),
                instance: InstanceId::parse(INSTANCE).ok(),
                state: JobState::Running("Running".to_owned()),
                created: Some(wall(now)),
                ended: None,
            });
        }
        Ok(TaskList {
            tasks,
            cloud_time: Some(wall(now)),
        })
    }

    fn fails(&self, failing: Option<(u64, Meaning)>) -> Result<(), CloudError> {
        match failing {
            Some((until, meaning)) if until > self.now => Err(CloudError {
                text: self.text.to_owned(),
                ..error(meaning)
            }),
            _ => Ok(()),
        }
    }

    fn spend(&mut self, kind: usize) {
        self.reads[kind] += 1;
        self.advance(self.now + self.read_takes);
    }
}

impl Work {
    fn ends(&self) -> u64 {
        self.accepted.saturating_add(self.course.takes)
    }

    fn visible(&self, now: u64) -> bool {
        !self.erased && self.accepted + self.course.visible_after <= now
    }

    fn state(&self) -> JobState {
        let word = match (self.ended, self.course.end) {
            (false, _) => self.word,
            (true, End::Fails) => "Failed",
            (true, End::Moves | End::Lies) => "Completed",
        };
        JobState::from_word(Some(word))
    }
}

impl Cloud for Sky {
    fn list_proxies<'a>(
        &'a self,
        _: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Vec<Proxy>, CloudError>> {
        async { self.state().proxies() }.boxed()
    }

    fn job<'a>(&'a self, id: &'a JobId) -> BoxFuture<'a, Result<Job, CloudError>> {
        async { self.state().job(id) }.boxed()
    }

    fn tasks(&self, _: Timestamp) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        async { self.state().tasks() }.boxed()
    }

    /// Changes go by [`State::put`]: nobody but the journal can make the proof that a line asks for.
    fn open_line(&self) -> BoxFuture<'_, Result<Box<dyn Line>, CloudError>> {
        async { Err(error(Meaning::EndpointNotAllowed)) }.boxed()
    }
}

pub(super) fn error(meaning: Meaning) -> CloudError {
    CloudError {
        meaning,
        code: None,
        status: None,
        text: "so says the cloud".to_owned(),
        retry_after: None,
    }
}

pub(super) fn wall(second: u64) -> Timestamp {
    Timestamp::from_second(DAWN)
        .unwrap()
        .checked_add(Duration::from_secs(second))
        .unwrap()
}
