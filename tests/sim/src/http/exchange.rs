//! The way of one request: into the journal, through the faults before the work, the work, the faults after it.
//!
//! Promises that the journal's entry is complete before the answer leaves.

use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::arrival::{Received, entry, recognise};
use crate::answer::Answer;
use crate::api::{self, Refused};
use crate::auth::{Denied, Identity, query_pairs};
use crate::faults::{self, Effect, Loss, Oddity, Picked, Stage};
use crate::journal::{Entry, Outcome, Reply};
use crate::operation::Call;
use crate::times::http_date;
use crate::world::Shared;

/// What the caller gets.
#[derive(Debug)]
pub(super) enum Delivery {
    Whole(Answer),
    Cut {
        answer: Answer,
        after: Option<usize>,
    },
    Slow {
        answer: Answer,
        bytes: usize,
        every: Duration,
    },
    Lost(Loss),
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Exchange {
    shared: Arc<Shared>,
    received: Received,
    call: Call,
    query: Vec<(String, String)>,
    number: u64,
    request_id: String,
    identity: Result<Identity, Denied>,
    picked: Vec<Picked>,
}

/// How the service's work departs from its usual way.
#[derive(Debug, Default)]
struct Bent {
    page_cap: Option<usize>,
    lag: Option<Duration>,
    hidden: Vec<String>,
    odd: Vec<Oddity>,
}

impl Exchange {
    /// Recognises the caller, writes the request down and picks the faults that it will suffer.
    pub(super) fn begin(shared: &Arc<Shared>, received: Received) -> Self {
        let call = Call::of(&received.head.method, received.head.uri.path());
        let query: Vec<_> = query_pairs(received.head.uri.query().unwrap_or_default()).collect();
        let mut guard = shared.world();
        let world = &mut *guard;
        let identity = recognise(world, &shared.clock, &call, &received);
        let entry = entry(world, &shared.clock, &call, &query, &received, &identity);
        let picked = world.faults.pick(&faults::Request {
            operation: call.operation,
            instance: entry.instance.as_deref().unwrap_or_default(),
            proxy: entry.proxy.as_deref().unwrap_or_default(),
            credential: entry.credential.as_deref(),
        });
        let number = entry.number;
        world.journal.open(Entry {
            faults: picked.iter().map(|picked| picked.id).collect(),
            ..entry
        });
        let request_id = world.ids.request_id();
        drop(guard);
        shared.journal_changed();
        Self {
            shared: Arc::clone(shared),
            received,
            call,
            query,
            number,
            request_id,
            identity,
            picked,
        }
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Suffers the faults and does the work.
    pub(super) async fn run(&self) -> Delivery {
        for picked in &self.picked {
            if let Break(delivery) = self.before_work(picked).await {
                return delivery;
            }
        }
        let mut answer = self.work();
        for picked in &self.picked {
            match self.after_work(picked, answer).await {
                Continue(unharmed) => answer = unharmed,
                Break(delivery) => return delivery,
            }
        }
        self.deliver(answer)
    }

    /// Refuses a body that the gateway doesn't take.
    pub(super) fn too_large(&self) -> Delivery {
        self.deliver(Refused::too_large().answer(&self.request_id))
    }

    /// Notes that the caller broke off within the body.
    pub(super) fn broken_off(&self) {
        self.note(|entry| entry.outcome = Outcome::Incomplete);
    }

    /// Notes that nobody was there any more to take the answer.
    pub(super) fn unheard(&self) {
        self.note(|entry| {
            if entry.outcome == Outcome::Answered {
                entry.outcome = Outcome::Unheard;
            }
        });
    }

    async fn before_work(&self, picked: &Picked) -> ControlFlow<Delivery> {
        if let Some((Stage::BeforeWork, answer)) = self.scripted(picked) {
            return Break(self.deliver(answer));
        }
        match &picked.effect {
            Effect::Latency(duration) => tokio::time::sleep(*duration).await,
            Effect::Hold {
                at: Stage::BeforeWork,
                ..
            } => self.hold(picked).await,
            Effect::Lose {
                at: Stage::BeforeWork,
                how,
            } => return Break(self.lose(*how, None)),
            _ => {} // comes later
        }
        Continue(())
    }

    async fn after_work(
        &self,
        picked: &Picked,
        mut answer: Answer,
    ) -> ControlFlow<Delivery, Answer> {
        if let Some((Stage::AfterWork, other)) = self.scripted(picked) {
            return Break(self.deliver(other));
        }
        match &picked.effect {
            Effect::Hold {
                at: Stage::AfterWork,
                ..
            } => self.hold(picked).await,
            Effect::Lose {
                at: Stage::AfterWork,
                how,
            } => return Break(self.lose(*how, Some(&answer))),
            Effect::Status(status) => answer.status = *status,
            Effect::SlowBody { bytes, every } => {
                let answer = self.stamped(answer);
                self.close(Outcome::Answered, Some(&answer));
                return Break(Delivery::Slow {
                    answer,
                    bytes: *bytes,
                    every: *every,
                });
            }
            Effect::CutBody { after } => {
                let answer = self.stamped(answer);
                self.close(Outcome::Cut, Some(&answer));
                return Break(Delivery::Cut {
                    answer,
                    after: *after,
                });
            }
            _ => {} // has been
        }
        Continue(answer)
    }

    fn scripted(&self, picked: &Picked) -> Option<(Stage, Answer)> {
        let now = self.shared.clock.now();
        picked.effect.scripted(&self.request_id, now)
    }

    async fn hold(&self, picked: &Picked) {
        let Effect::Hold { at_most, .. } = picked.effect else {
            return;
        };
        let mut releases: watch::Receiver<u64> = picked.releases.clone();
        let time_is_up = async {
            match at_most {
                Some(duration) => self.shared.clock.sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = releases.changed() => {} // released, or the rule is gone
            () = time_is_up => {}
        }
    }

    fn work(&self) -> Answer {
        let bent = self.bent();
        let request = api::Request {
            call: &self.call,
            query: &self.query,
            headers: &self.received.head.headers,
            body: &self.received.body,
            page_cap: bent.page_cap,
        };
        let lag = bent.lag.filter(|_| self.call.operation.only_reads());
        let now = self.shared.clock.ago(lag.unwrap_or_default());
        let mut guard = self.shared.world();
        let world = &mut *guard;
        world.state.hidden = bent.hidden;
        let worked = api::work(world, &request, &self.identity, &self.request_id, now);
        world.state.hidden.clear();
        let oddities = world.behaviour.odd.iter().chain(&bent.odd);
        let answer = worked.answer.with_oddities(oddities);
        world.journal.update(self.number, |entry| {
            entry.work_done = worked.done;
            entry.job_id = worked.job_id;
        });
        drop(guard);
        self.shared.journal_changed();
        answer
    }

    /// What the faults make of the service's work.
    fn bent(&self) -> Bent {
        let mut bent = Bent::default();
        for picked in &self.picked {
            match &picked.effect {
                Effect::PageCap(cap) => bent.page_cap = bent.page_cap.or(Some(*cap)),
                Effect::Lag(lag) => bent.lag = bent.lag.or(Some(*lag)),
                Effect::Hide(id) => bent.hidden.push(id.clone()),
                Effect::Odd(oddities) => bent.odd.extend(oddities),
                _ => {}
            }
        }
        bent
    }

    fn deliver(&self, answer: Answer) -> Delivery {
        let answer = self.stamped(answer);
        self.close(Outcome::Answered, Some(&answer));
        Delivery::Whole(answer)
    }

    fn lose(&self, how: Loss, answer: Option<&Answer>) -> Delivery {
        let outcome = match how {
            Loss::Reset => Outcome::Reset,
            Loss::Close => Outcome::Closed,
            Loss::Silence => Outcome::Silent,
        };
        self.close(outcome, answer);
        Delivery::Lost(how)
    }

    fn close(&self, outcome: Outcome, answer: Option<&Answer>) {
        let reply = answer.map(|answer| Reply {
            status: answer.status,
            body: answer.body.clone(),
        });
        self.note(|entry| {
            entry.outcome = outcome;
            entry.answer = reply;
        });
    }

    fn note(&self, change: impl FnOnce(&mut Entry)) {
        self.shared.world().journal.update(self.number, change);
        self.shared.journal_changed();
    }

    /// Adds the headers that every answer has, where it hasn't its own.
    fn stamped(&self, mut answer: Answer) -> Answer {
        let mut add = |name: &str, value: String| {
            if !answer
                .headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                answer.headers.push((name.to_owned(), value));
            }
        };
        add("Date", http_date(self.shared.clock.now()));
        add("X-Request-Id", self.request_id.clone());
        add("Content-Type", "application/json".to_owned());
        if self.call.operation.is_of_iam() {
            add("X-IAM-Trace-Id", format!("token_{}", self.request_id));
        }
        answer
    }
}
