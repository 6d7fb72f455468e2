//! The cloud: proxies on instances, jobs, and what is shown of them.
//!
//! Promises what the documents say and no more: a job is visible some time after it was accepted, a list may lag behind it,
//! and what is shown while it is at work differs from [`Mode`] to [`Mode`].
//!
//! The planner's tests have a cloud of this kind for one proxy. It can't be shared: it lies inside the operator's library,
//! for its unit tests, and a package of its own would bring a second build of that library, with other types, to them.

use std::collections::VecDeque;

use taurus_port_operator::{
    cloud::{Job, Meaning, Proxy, ProxyStatus, Task, TaskList},
    model::{InstanceId, JobId, JobState, ProxyId},
};

use crate::world::wall;

/// The instances and the proxies on them; the number of a proxy is its place.
pub const PROXIES: [(&str, &str); 3] = [
    (
        "00000000000000000000000000000001po01",
        "00000000000000000000000000000001in07",
    ),
    (
        "00000000000000000000000000000002po01",
        "00000000000000000000000000000001in07",
    ),
    (
        "00000000000000000000000000000003po01",
        "00000000000000000000000000000002in07",
    ),
];

/// What the service shows while a job is at work, and whether it accepts a second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// How the next accepted change goes; times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    pub visible_after: u64,
    pub takes: u64,
    pub end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Moves,
    Fails,
    /// Completed, but the port stays as it was.
    Lies,
}

/// What becomes of the next request to change a port; times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Served after so long.
    Served(u64),
    Refused(Meaning),
    /// No connection could be opened.
    NotSent,
    /// The connection breaks after half a minute; the request arrives after so long, or never.
    Lost(Option<u64>),
}

/// A job.
#[derive(Debug, Clone)]
pub struct Work {
    pub id: JobId,
    pub proxy: usize,
    to: u16,
    accepted: u64,
    course: Course,
    pub ended: bool,
    pub erased: bool,
}

/// The answer to a request that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Accepted(JobId),
    NothingToDo,
    Busy,
}

/// What was asked for of a proxy, and what came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub requests: usize,
    /// Requests that came to nothing on the cloud's side: refused, lost, or a job that did not move the port.
    pub fruitless: usize,
    /// Refusals of the port itself.
    pub rejected: usize,
    pub drifts: usize,
}

#[derive(Debug)]
pub struct Sky {
    pub mode: Mode,
    now: u64,
    ports: [u16; PROXIES.len()],
    /// What each proxy was told to listen on, and since when.
    history: [Vec<(u64, u16)>; PROXIES.len()],
    pub works: Vec<Work>,
    transit: Vec<(u64, usize, u16)>,
    pub tally: [Tally; PROXIES.len()],
    pub lag: u64,
    pub read_takes: u64,
    pub fates: VecDeque<Fate>,
    pub courses: VecDeque<Course>,
    /// Until when somebody else is at work on each instance.
    pub foreign_until: [u64; 2],
    /// Until when lists lack each proxy.
    pub gone_until: [u64; PROXIES.len()],
    pub status: Option<ProxyStatus>,
    pub reads_fail: Option<(u64, Meaning)>,
    pub tasks_fail: Option<(u64, Meaning)>,
    /// A change arrived while another of ours was at work on the same instance.
    pub collisions: Vec<String>,
}

pub fn instance_of(proxy: usize) -> usize {
    usize::from(PROXIES[proxy].1 != PROXIES[0].1)
}

impl Sky {
    pub fn new(mode: Mode, port: u16) -> Self {
        Self {
            mode,
            now: 0,
            ports: [port; 3],
            history: std::array::from_fn(|_| vec![(0, port)]),
            works: Vec::new(),
            transit: Vec::new(),
            tally: Default::default(),
            lag: 0,
            read_takes: 0,
            fates: VecDeque::new(),
            courses: VecDeque::new(),
            foreign_until: [0; 2],
            gone_until: [0; 3],
            status: None,
            reads_fail: None,
            tasks_fail: None,
            collisions: Vec::new(),
        }
    }

    /// Lets time pass: what is under way arrives and ends in its order.
    pub fn advance(&mut self, until: u64) {
        loop {
            let arrival = self.transit.iter().map(|(at, ..)| *at).min();
            let end = self.open().map(Work::ends).min();
            match (arrival, end) {
                (Some(at), end) if at <= until && end.is_none_or(|end| at < end) => {
                    self.now = self.now.max(at);
                    let index = self
                        .transit
                        .iter()
                        .position(|(when, ..)| *when == at)
                        .unwrap();
                    let (_, proxy, port) = self.transit.remove(index);
                    self.accept(proxy, port);
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

    /// The jobs that are at work.
    pub fn open(&self) -> impl Iterator<Item = &Work> {
        self.works.iter().filter(|work| !work.ended)
    }

    /// The port that a proxy really has.
    pub fn port(&self, proxy: usize) -> u16 {
        self.ports[proxy]
    }

    /// Somebody else sets a port.
    pub fn drift(&mut self, proxy: usize, port: u16) {
        if self.ports[proxy] != port {
            self.tally[proxy].drifts += 1;
            self.set(proxy, self.now, port);
        }
    }

    /// A request arrives later, and nobody hears the answer.
    pub fn send_on(&mut self, proxy: usize, port: u16, after: u64) {
        self.transit.push((self.now + after, proxy, port));
    }

    /// A request arrives.
    pub fn accept(&mut self, proxy: usize, port: u16) -> Reply {
        let instance = instance_of(proxy);
        let on_it = |work: &&Work| instance_of(work.proxy) == instance;
        let own = self.open().find(on_it).cloned();
        if let Some(own) = &own {
            let what = format!(
                "a change of {} arrives while {} is at work",
                PROXIES[proxy].0, own.id
            );
            self.collisions.push(what);
        }
        let busy = own.is_some() || self.foreign_until[instance] > self.now;
        if busy && self.mode != Mode::Doubling {
            self.tally[proxy].fruitless += 1;
            return Reply::Busy;
        }
        if !busy && port == self.ports[proxy] {
            return Reply::NothingToDo;
        }
        let usual = Course {
            visible_after: 3_000,
            takes: 40_000,
            end: End::Moves,
        };
        let course = self.courses.pop_front().unwrap_or(usual);
        self.tally[proxy].fruitless += usize::from(course.end != End::Moves);
        let id = JobId::parse(&format!("job-{}", self.works.len() + 1)).unwrap();
        self.works.push(Work {
            id: id.clone(),
            proxy,
            to: port,
            accepted: self.now,
            course,
            ended: false,
            erased: false,
        });
        if self.mode == Mode::Hasty {
            // Shown at once by a list that else lags, and then for as long as it lags behind the end.
            self.history[proxy].push((self.now.saturating_sub(self.lag), port));
        }
        Reply::Accepted(id)
    }

    fn end(&mut self, at: u64) {
        let mut open = self.works.iter_mut().filter(|work| !work.ended);
        if let Some(work) = open.find(|work| work.ends() == at) {
            work.ended = true;
            let (proxy, to) = (work.proxy, work.to);
            let port = if work.course.end == End::Moves {
                to
            } else {
                self.ports[proxy]
            };
            self.set(proxy, at, port);
        }
    }

    fn set(&mut self, proxy: usize, at: u64, port: u16) {
        self.ports[proxy] = port;
        self.history[proxy].push((at, port));
    }

    /// What the list shows: the truth of some time ago, but what it shows early it shows at once.
    fn shown(&self, proxy: usize) -> u16 {
        let work = self.open().filter(|work| work.proxy == proxy).last();
        if let (Mode::Hasty, Some(work)) = (self.mode, work) {
            return work.to;
        }
        let then = self.now.saturating_sub(self.lag);
        let history = &self.history[proxy];
        let old = history.iter().rev().find(|(at, _)| *at <= then);
        old.unwrap_or(&history[0]).1
    }

    pub fn proxies(&self, instance: &InstanceId) -> Result<Vec<Proxy>, Meaning> {
        self.fails(self.reads_fail)?;
        let on_it = |number: &usize| PROXIES[*number].1 == instance.as_str();
        let there = (0..PROXIES.len())
            .filter(on_it)
            .filter(|number| self.gone_until[*number] <= self.now);
        Ok(there.map(|number| self.proxy(number)).collect())
    }

    fn proxy(&self, number: usize) -> Proxy {
        let at_work = self.open().any(|work| work.proxy == number);
        let status = match &self.status {
            Some(status) => status.clone(),
            None if self.mode == Mode::Changing && at_work => {
                ProxyStatus::Changing("CHANGING PROXY PORT".to_owned())
            }
            None => ProxyStatus::Active,
        };
        Proxy {
            id: ProxyId::parse(PROXIES[number].0).unwrap(),
            name: format!("proxy-{number}"),
            status,
            address: Some("192.0.2.7".to_owned()),
            port: Some(self.shown(number)),
        }
    }

    pub fn job(&self, id: &JobId) -> Result<Job, Meaning> {
        self.fails(self.reads_fail)?;
        let mut visible = self.works.iter().filter(|work| work.visible(self.now));
        let work = visible
            .find(|work| work.id == *id)
            .ok_or(Meaning::NotFound)?;
        let failed = work.course.end == End::Fails && work.ended;
        Ok(Job {
            state: work.state(),
            fail_reason: failed.then(|| "disk is on fire".to_owned()),
            ended: work.ended.then(|| wall(work.ends())),
            cloud_time: Some(wall(self.now)),
        })
    }

    pub fn tasks(&self) -> Result<TaskList, Meaning> {
        self.fails(self.reads_fail)?;
        self.fails(self.tasks_fail)?;
        let ours = self
            .works
            .iter()
            .filter(|work| work.visible(self.now))
            .map(|work| Task {
                job: Some(work.id.clone()),
                instance: InstanceId::parse(PROXIES[work.proxy].1).ok(),
                state: work.state(),
                created: Some(wall(work.accepted)),
                ended: work.ended.then(|| wall(work.ends())),
            });
        let busy = [0, 2]
            .into_iter()
            .filter(|proxy| self.foreign_until[instance_of(*proxy)] > self.now);
        let foreign = busy.map(|proxy| Task {
            job: JobId::parse("backup"),
            instance: InstanceId::parse(PROXIES[proxy].1).ok(),
            state: JobState::Running("Running".to_owned()),
            created: Some(wall(self.now)),
            ended: None,
        });
        Ok(TaskList {
            tasks: ours.chain(foreign).collect(),
            cloud_time: Some(wall(self.now)),
        })
    }

    fn fails(&self, failing: Option<(u64, Meaning)>) -> Result<(), Meaning> {
        match failing {
            Some((until, meaning)) if until > self.now => Err(meaning),
            _ => Ok(()),
        }
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
            (false, _) => "Running",
            (true, End::Fails) => "Failed",
            (true, End::Moves | End::Lies) => "Completed",
        };
        JobState::from_word(Some(word))
    }
}
