//! The stations of a request: the faults before the work, the work, the faults after it.

use std::ops::ControlFlow::{self, Break, Continue};

use super::{Delivery, Exchange};
use crate::answer::Answer;
use crate::api;
use crate::faults::{Effect, Picked, Stage};
use crate::http::bent::Bent;
use crate::journal::Outcome;

impl Exchange {
    pub(super) async fn before_work(&self, picked: &Picked) -> ControlFlow<Delivery> {
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

    pub(super) async fn after_work(
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
        let released = async {
            match picked.releases.clone() {
                // An error means that the rule is gone.
                Some(mut releases) => drop(releases.changed().await),
                None => std::future::pending().await,
            }
        };
        let time_is_up = async {
            match at_most {
                Some(duration) => self.shared.clock.sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = released => {}
            () = time_is_up => {}
        }
    }

    pub(super) fn work(&self) -> Answer {
        let mut bent = Bent::by(&self.picked);
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
        world.state.hidden = std::mem::take(&mut bent.hidden);
        let usual = bent
            .behaviour(&world.behaviour)
            .map(|other| std::mem::replace(&mut world.behaviour, other));
        let worked = api::work(world, &request, &self.identity, &self.request_id, now);
        let oddities = world.behaviour.odd.iter().chain(&bent.odd);
        let answer = worked.answer.with_oddities(oddities);
        world.state.hidden.clear();
        if let Some(usual) = usual {
            world.behaviour = usual;
        }
        world.journal.update(self.number, |entry| {
            entry.work_done = worked.done;
            entry.job_id = worked.job_id;
        });
        drop(guard);
        self.shared.journal_changed();
        answer
    }
}
