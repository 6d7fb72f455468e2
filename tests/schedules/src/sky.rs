//! The cloud: proxies on instances, jobs, and what is shown of them.
//!
//! Promises what the documents say and no more: a job is visible some time after it was accepted, a list may lag behind it,
//! and what is shown while it is at work differs from [`Mode`] to [`Mode`].
//!
//! The planner's tests have a cloud of this kind for one proxy. It can't be shared: it lies inside the operator's library,
//! for its unit tests, and a package of its own would bring a second build of that library, with other types, to them.

use std::{collections::VecDeque, time::Duration};

use taurus_port_operator::{
    cloud::{Meaning, ProxyStatus},
    model::JobId,
};

use crate::greeter::Listening;

mod jobs;
mod shown;

pub use jobs::{Course, End, Work};

/// The instances and the proxies on them; the number of a proxy is its place.
pub const PROXIES: [(&str, &str); 5] = [
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
    (
        "00000000000000000000000000000004po01",
        "00000000000000000000000000000001in07",
    ),
    (
        "00000000000000000000000000000005po01",
        "00000000000000000000000000000002in07",
    ),
];

/// What a list has shown is acted on within this, in milliseconds.
const CLAIMS_FOR: u64 = 30_000;

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
    /// Whether a job of ours set the port last.
    moved_by_us: [bool; PROXIES.len()],
    /// What each proxy was told to listen on, and since when.
    history: [Vec<(u64, u16)>; PROXIES.len()],
    /// The ports that each proxy really had, and since when.
    places: [Vec<(u64, u16)>; PROXIES.len()],
    /// Ports that a job only claims to have set and that lists have shown, of which nobody can know: of which proxy, and from and until.
    claims: Vec<(usize, u16, u64, u64)>,
    pub works: Vec<Work>,
    transit: Vec<(u64, usize, u16)>,
    pub tally: [Tally; PROXIES.len()],
    pub lag: u64,
    pub read_takes: u64,
    /// How proxies answer to who connects.
    pub listening: Listening,
    /// How often lists of proxies and jobs were read.
    pub reads: u64,
    /// How long a connection for a change takes to open.
    pub opening_takes: u64,
    /// For how long the threads that send the next changes are held up right before.
    pub hold_ups: VecDeque<u64>,
    /// Each list may be as old as this, whatever lists before it have shown.
    pub wavers: u64,
    pub fates: VecDeque<Fate>,
    pub courses: VecDeque<Course>,
    /// Until when somebody else is at work on each instance.
    pub foreign_until: [u64; 2],
    /// Until when lists lack each proxy.
    pub gone_until: [u64; PROXIES.len()],
    pub status: Option<ProxyStatus>,
    pub reads_fail: Option<(u64, Meaning)>,
    /// What a read that fails names as the time after which to come again.
    pub retry_after: Option<Duration>,
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
            ports: [port; PROXIES.len()],
            moved_by_us: [false; PROXIES.len()],
            history: std::array::from_fn(|_| vec![(0, port)]),
            places: std::array::from_fn(|_| vec![(0, port)]),
            claims: Vec::new(),
            works: Vec::new(),
            transit: Vec::new(),
            tally: Default::default(),
            lag: 0,
            read_takes: 0,
            listening: Listening::default(),
            reads: 0,
            opening_takes: 0,
            hold_ups: VecDeque::new(),
            wavers: 0,
            fates: VecDeque::new(),
            courses: VecDeque::new(),
            foreign_until: [0; 2],
            gone_until: [0; PROXIES.len()],
            status: None,
            reads_fail: None,
            retry_after: None,
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

    /// No job gets stuck any more.
    pub fn loosen(&mut self) {
        for work in self.works.iter_mut().filter(|work| !work.ended) {
            work.course.sticks = false;
        }
    }

    /// The port that a proxy really has.
    pub fn port(&self, proxy: usize) -> u16 {
        self.ports[proxy]
    }

    /// The port that a proxy has had since the beginning.
    pub fn port_of_always(&self, proxy: usize) -> Option<u16> {
        let history = &self.history[proxy];
        (history.len() == 1).then(|| history[0].1)
    }

    /// Whether a proxy had a port at some moment between these.
    pub fn was_in_place(&self, proxy: usize, port: u16, from: u64, until: u64) -> bool {
        let places = self.places[proxy].iter();
        let ends = places.clone().skip(1).map(|(at, _)| *at);
        let mut stays = places.zip(ends.chain([u64::MAX]));
        let is_there =
            stays.any(|((since, had), end)| *had == port && *since <= until && end > from);
        let is_claimed = |(of, claimed, since, end): &(usize, u16, u64, u64)| {
            (*of, *claimed) == (proxy, port) && *since <= until && *end > from
        };
        is_there || self.claims.iter().any(is_claimed)
    }

    /// Since when a proxy has this port, or had it last.
    pub fn in_place_since(&self, proxy: usize, port: u16) -> Option<u64> {
        let mut places = self.places[proxy].iter().rev();
        places
            .find(|(_, had)| *had == port)
            .map(|(since, _)| *since)
    }

    /// The port that a proxy had before the one that it has.
    pub fn port_before(&self, proxy: usize) -> Option<u16> {
        let present = self.ports[proxy];
        let mut history = self.history[proxy].iter().rev();
        history
            .find(|(_, port)| *port != present)
            .map(|(_, port)| *port)
    }

    /// Whether a job of ours set the port that a proxy has.
    pub fn is_moved_by_us(&self, proxy: usize) -> bool {
        self.moved_by_us[proxy]
    }

    /// Somebody else sets a port.
    pub fn drift(&mut self, proxy: usize, port: u16) {
        if self.ports[proxy] != port {
            self.tally[proxy].drifts += 1;
            self.moved_by_us[proxy] = false;
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
            sticks: false,
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
            let oldest = self.lag.max(self.wavers);
            self.history[proxy].push((self.now.saturating_sub(oldest), port));
        }
        Reply::Accepted(id)
    }

    fn end(&mut self, at: u64) {
        let mut open = self.works.iter_mut().filter(|work| !work.ended);
        if let Some(work) = open.find(|work| work.ends() == at) {
            work.ended = true;
            let (proxy, to) = (work.proxy, work.to);
            let moves = matches!(work.course.end, End::Moves | End::MovesAndFails);
            let port = if moves { to } else { self.ports[proxy] };
            // Of a port that a job only claims to have set nobody knows, as long as lists show it.
            let claims = work.course.end == End::Lies;
            if claims && self.mode == Mode::Hasty {
                let until = at + self.lag.max(self.wavers) + CLAIMS_FOR;
                self.claims.push((proxy, to, at, until));
            }
            self.moved_by_us[proxy] = moves || (self.moved_by_us[proxy] && !claims);
            self.set(proxy, at, port);
        }
    }

    fn set(&mut self, proxy: usize, at: u64, port: u16) {
        self.ports[proxy] = port;
        self.places[proxy].push((at, port));
        self.history[proxy].push((at, port));
    }
}
