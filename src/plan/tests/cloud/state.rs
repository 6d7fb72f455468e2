//! What the cloud does with time, with requests and with questions.

use k8s_openapi::jiff::Timestamp;

use super::{Answer, End, Fate, INSTANCE, Mode, PROXY, State, Work, error, wall};
use crate::{
    cloud::{CloudError, Job, Meaning, Proxy, ProxyStatus, Task, TaskList},
    model::{InstanceId, JobId, JobState, ProxyId},
};

impl State {
    /// Lets time pass: what is under way arrives and ends in its order.
    pub(in crate::plan::tests) fn advance(&mut self, until: u64) {
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
    pub(in crate::plan::tests) fn drift(&mut self, port: u16) {
        self.set(self.now, port);
        self.port = port;
    }

    /// Somebody else asks for a change.
    pub(in crate::plan::tests) fn somebody_asks_for(&mut self, port: u16) {
        assert!(matches!(self.accept(port), Answer::Accepted(_)));
    }

    /// A request to change the port: its answer and how many seconds that takes.
    pub(in crate::plan::tests) fn put(&mut self, port: u16) -> (Answer, u64) {
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
    pub(in crate::plan::tests) fn at_work(&self) -> Option<&Work> {
        self.works.iter().rev().find(|work| !work.ended)
    }

    /// The port that the proxy really has.
    pub(in crate::plan::tests) fn port(&self) -> u16 {
        self.port
    }

    pub(in crate::plan::tests) fn wall(&self) -> Timestamp {
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

    pub(in crate::plan::tests) fn proxies(&mut self) -> Result<Vec<Proxy>, CloudError> {
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
            None if changing => ProxyStatus::Changing("PORT_MODIFYING".to_owned()),
            None => ProxyStatus::Active,
        };
        let port = Some(self.shown()).filter(|_| !self.port_unreadable);
        self.listed = port.or(self.listed);
        Ok(vec![Proxy {
            id: ProxyId::parse(PROXY).unwrap(),
            name: "orders".to_owned(),
            status,
            address: Some("192.0.2.7".to_owned()),
            port,
        }])
    }

    pub(super) fn job(&mut self, id: &JobId) -> Result<Job, CloudError> {
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

    pub(super) fn tasks(&mut self) -> Result<TaskList, CloudError> {
        self.spend(2);
        self.fails(self.reads_fail)?;
        self.fails(self.tasks_fail)?;
        let now = self.now;
        let then = now.saturating_sub(self.tasks_lag);
        let ours = self.works.iter();
        let ours = ours.filter(|work| work.visible(now) && work.accepted <= then);
        let mut tasks: Vec<Task> = ours
            .map(|work| {
                let listed = Work {
                    ended: work.ended && work.ends() <= then,
                    ..work.clone()
                };
                Task {
                    job: Some(work.id.clone()),
                    instance: InstanceId::parse(INSTANCE).ok(),
                    state: listed.state(),
                    created: Some(wall(work.accepted)),
                    ended: listed.ended.then(|| wall(work.ends())),
                }
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
            begun: None,
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
