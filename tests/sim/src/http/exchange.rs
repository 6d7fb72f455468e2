//! The way of one request: into the journal, through the faults before the work, the work, the faults after it.
//!
//! Promises that the journal's entry is complete before the answer leaves.

mod stages;

use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;
use std::time::Duration;

use super::arrival::{Received, entry, recognise};
use crate::answer::Answer;
use crate::api::Refused;
use crate::auth::{Denied, Identity, query_pairs};
use crate::faults::{self, Loss, Picked};
use crate::journal::{self, Entry, Outcome, Reply};
use crate::operation::Call;
use crate::times::http_date;
use crate::world::Shared;

/// The gateway takes no longer paths with their queries.
const LONGEST_ADDRESS: usize = 32 * 1024;

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
            faults: picked.iter().filter_map(|picked| picked.rule).collect(),
            chaos: picked
                .iter()
                .filter(|picked| picked.rule.is_none())
                .map(|picked| picked.effect.clone())
                .collect(),
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
        if let Some(refused) = self.too_long() {
            return refused;
        }
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

    /// Refuses an address that the gateway doesn't take.
    fn too_long(&self) -> Option<Delivery> {
        let length = self.received.head.uri.to_string().len();
        let refused = || self.deliver(Refused::too_long().answer(&self.request_id));
        (length > LONGEST_ADDRESS).then(refused)
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
            body: if self.call.operation.gives_credentials() {
                journal::body(self.call.operation, answer.body.as_bytes())
            } else {
                answer.body.clone()
            },
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
