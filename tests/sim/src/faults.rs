//! What goes wrong: an ordered list of rules that pick requests and do something to them.
//!
//! Promises: rules are tried in the order in which they were added. Of those that match and aren't used up, all have
//! their effect, up to and including the first that ends the request (an answer, a loss, a cut body); what comes after
//! that one is neither tried nor counted. Chaos, where it is set, comes after the rules.

mod chaos;
mod codes;
mod effect;
mod oddity;
mod ready;
mod rule;
mod shape;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub(crate) use chaos::Dice;
pub use chaos::{Chaos, ChaosError};
pub use codes::DOCUMENTED_ERRORS;
pub use effect::{Effect, Loss, Stage};
pub use oddity::Oddity;
pub use ready::RetryAfter;
pub(crate) use ready::throttled;
pub(crate) use rule::Request;
pub use rule::{Fault, FaultView, Matcher};
pub use shape::ErrorShape;

/// A rule's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// The rules.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
    added: u64,
    pub(crate) chaos: Option<Dice>,
}

#[derive(Debug)]
struct Rule {
    id: FaultId,
    fault: Fault,
    /// How many requests it has let pass.
    skipped: u32,
    /// How often it was applied.
    applied: u32,
    /// Changes when the requests that it holds shall go on; closed when the rule is removed.
    releases: watch::Sender<u64>,
}

/// An effect that a request has to suffer.
#[derive(Debug, Clone)]
pub(crate) struct Picked {
    /// Where it comes from; none for chaos.
    pub(crate) rule: Option<FaultId>,
    pub(crate) effect: Effect,
    /// Changes when a held request shall go on; chaos holds none.
    pub(crate) releases: Option<watch::Receiver<u64>>,
}

impl Rule {
    fn left(&self) -> Option<u32> {
        self.fault
            .times
            .map(|times| times.saturating_sub(self.applied))
    }
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> FaultId {
        self.added += 1;
        let id = FaultId(self.added);
        self.rules.push(Rule {
            id,
            fault,
            skipped: 0,
            applied: 0,
            releases: watch::Sender::new(0),
        });
        id
    }

    /// Picks what happens to this request, and counts it.
    pub(crate) fn pick(&mut self, request: &Request<'_>) -> Vec<Picked> {
        let by_chance = self
            .chaos
            .as_mut()
            .map(|dice| dice.draw(request))
            .unwrap_or_default();
        let mut picked = Vec::new();
        for rule in &mut self.rules {
            if rule.left() == Some(0) || !rule.fault.matches.fits(request) {
                continue;
            }
            if rule.skipped < rule.fault.skip {
                rule.skipped += 1;
                continue;
            }
            rule.applied += 1;
            let effect = rule.fault.effect.clone();
            let ends = effect.ends_the_request();
            picked.push(Picked {
                rule: Some(rule.id),
                effect,
                releases: Some(rule.releases.subscribe()),
            });
            if ends {
                return picked;
            }
        }
        picked.extend(by_chance.into_iter().map(|effect| Picked {
            rule: None,
            effect,
            releases: None,
        }));
        picked
    }

    /// Lets requests go on that are held now: one rule's or all. False if there is no such rule.
    pub(crate) fn release(&self, id: Option<FaultId>) -> bool {
        let mut rules = self
            .rules
            .iter()
            .filter(|rule| id.is_none_or(|id| rule.id == id))
            .peekable();
        let found = rules.peek().is_some();
        rules.for_each(|rule| rule.releases.send_modify(|count| *count += 1));
        found
    }

    /// Removes a rule and lets go what it holds. False if there is no such rule.
    pub(crate) fn remove(&mut self, id: FaultId) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        self.rules.len() < before
    }

    /// Removes all rules and lets go what they hold.
    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn view(&self) -> Vec<FaultView> {
        let view = |rule: &Rule| FaultView {
            id: rule.id,
            applied: rule.applied,
            left: rule.left(),
            fault: rule.fault.clone(),
        };
        self.rules.iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Answer, Operation};

    fn request(operation: Operation, proxy: &str) -> Request<'_> {
        Request {
            operation,
            instance: "i",
            proxy,
            credential: Some("key"),
        }
    }

    fn ids(picked: &[Picked]) -> Vec<u64> {
        picked
            .iter()
            .filter_map(|picked| picked.rule)
            .map(|id| id.0)
            .collect()
    }

    #[test]
    fn rules_apply_in_order_up_to_the_one_that_ends_the_request() {
        let mut faults = Faults::default();
        faults.add(Fault::on(
            Operation::Change,
            Effect::Latency(Duration::from_secs(1)),
        ));
        faults.add(Fault::on(Operation::Change, Effect::busy("DBS.200019")).times(2));
        faults.add(Fault::on(Operation::Change, Effect::busy("DBS.201014")).times(1));
        let change = request(Operation::Change, "x");
        let picks: Vec<_> = (0..4).map(|_| ids(&faults.pick(&change))).collect();
        assert_eq!(picks, [vec![1, 2], vec![1, 2], vec![1, 3], vec![1]]);
        assert_eq!(
            faults
                .view()
                .iter()
                .map(|view| view.left)
                .collect::<Vec<_>>(),
            [None, Some(0), Some(0)]
        );
    }

    #[test]
    fn a_rule_lets_as_many_pass_as_it_says() {
        let mut faults = Faults::default();
        let effect = Effect::Latency(Duration::from_secs(1));
        faults.add(Fault::on(Operation::Change, effect).nth(3));
        let change = request(Operation::Change, "x");
        let list = request(Operation::List, "x");
        let requests = [&change, &list, &change, &change, &change];
        let picks = requests.map(|request| ids(&faults.pick(request)));
        assert_eq!(picks, [vec![], vec![], vec![], vec![1], vec![]]);
    }

    #[test]
    fn a_rule_picks_by_operation_instance_proxy_and_credential() {
        let effect = || Effect::Respond {
            at: Stage::BeforeWork,
            answer: Answer::new(500, ""),
        };
        for (fault, hits) in [
            (Fault::everywhere(effect()), true),
            (Fault::on(Operation::Change, effect()), true),
            (Fault::on(Operation::List, effect()), false),
            (Fault::everywhere(effect()).proxy("x"), true),
            (Fault::everywhere(effect()).proxy("y"), false),
            (Fault::everywhere(effect()).instance("i"), true),
            (Fault::everywhere(effect()).instance("j"), false),
            (Fault::everywhere(effect()).credential("key"), true),
            (Fault::everywhere(effect()).credential("other"), false),
        ] {
            let mut faults = Faults::default();
            faults.add(fault.clone());
            assert_eq!(
                !faults.pick(&request(Operation::Change, "x")).is_empty(),
                hits,
                "{fault:?}"
            );
        }
    }

    #[test]
    fn what_is_removed_does_not_come_back() {
        let mut faults = Faults::default();
        let id = faults.add(Fault::everywhere(Effect::PageCap(1)));
        assert!(faults.release(Some(id)) && faults.remove(id));
        assert!(!faults.release(Some(id)) && !faults.remove(id));
        assert!(faults.pick(&request(Operation::List, "x")).is_empty());
        assert_eq!(
            faults.add(Fault::everywhere(Effect::PageCap(1))),
            FaultId(2)
        );
    }
}
