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
    cloud::{
        Booked, Cloud, CloudError, Job, Line, Meaning, Proxies, ProxyStatus, TaskList, Urgency,
    },
    model::{InstanceId, JobId},
};

mod state;

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
    /// How far the task list lags.
    pub(super) tasks_lag: u64,
    /// Seconds that each read takes.
    pub(super) read_takes: u64,
    pub(super) fates: VecDeque<Fate>,
    pub(super) courses: VecDeque<Course>,
    pub(super) usual: Course,
    pub(super) gone_until: u64,
    pub(super) instance_gone_until: u64,
    pub(super) foreign_until: u64,
    pub(super) status: Option<ProxyStatus>,
    /// The list shows the proxy without a port that can be read.
    pub(super) port_unreadable: bool,
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
            tasks_lag: 0,
            read_takes: 0,
            fates: VecDeque::new(),
            courses: VecDeque::new(),
            usual,
            gone_until: 0,
            instance_gone_until: 0,
            foreign_until: 0,
            status: None,
            port_unreadable: false,
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

impl Cloud for Sky {
    fn turn(&self, _: Urgency, _: u32) -> BoxFuture<'_, Result<Arc<dyn Cloud>, CloudError>> {
        async { Ok(Arc::new(self.clone()) as Arc<dyn Cloud>) }.boxed()
    }

    fn book(&self, _: Urgency) -> Booked {
        Booked::now()
    }

    fn list_proxies<'a>(&'a self, _: &'a InstanceId) -> BoxFuture<'a, Result<Proxies, CloudError>> {
        async { self.state().proxies().map(Proxies::from) }.boxed()
    }

    fn job<'a>(&'a self, id: &'a JobId) -> BoxFuture<'a, Result<Job, CloudError>> {
        async { self.state().job(id) }.boxed()
    }

    fn tasks(&self, _: Timestamp) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        async { self.state().tasks() }.boxed()
    }

    fn running(&self) -> BoxFuture<'_, Result<TaskList, CloudError>> {
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
