//! A mix of faults by chance, out of a seed.
//!
//! Promises that what meets a request depends on the seed, on what the request asks for (operation, instance, proxy,
//! credential) and on how many such requests there were before, and on nothing else: the same seed and the same calls
//! meet the same faults, in whichever order the calls of different kinds arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Effect, ErrorShape, Loss, Request, RetryAfter, Stage};
use crate::Operation;

/// Which faults come how often. Every rate is a share of the requests, from 0 to 1; all but `latency` end a request, so
/// they make at most 1 together. [`Chaos::seeded`] has a bit of everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chaos {
    /// What chance is made from.
    pub seed: u64,
    /// The only operations that are met; all without any.
    pub operations: Vec<Operation>,
    /// Requests that arrive later.
    pub latency: f64,
    /// By how much at most (seconds in JSON, by the real clock).
    #[serde(with = "crate::seconds")]
    pub longest_latency: Duration,
    /// Connections that are reset before the work.
    pub resets_before_work: f64,
    /// Connections that are reset after the work: lost answers.
    pub resets_after_work: f64,
    /// Errors of the server (500, 502, 503, 504) in every shape, without the work.
    pub errors_before_work: f64,
    /// The same in place of the answer, after the work.
    pub errors_after_work: f64,
    /// Bodies that break off.
    pub cut_bodies: f64,
    /// Bodies that come slowly.
    pub slow_bodies: f64,
    /// Throttling, with and without `Retry-After` in each form.
    pub throttles: f64,
}

impl Default for Chaos {
    fn default() -> Self {
        Self::seeded(1)
    }
}

/// Why a profile can't be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ChaosError {
    /// A rate is no share.
    #[error("chaos: {name} is {rate}; a rate is a number from 0 to 1")]
    NoShare {
        /// Which.
        name: &'static str,
        /// What it is.
        rate: f64,
    },
    /// The rates of what ends a request are more than all requests.
    #[error("chaos: the rates other than latency make {0} together; more than 1 can't be")]
    TooMuch(f64),
}

impl Chaos {
    /// A bit of everything: of ten requests about three come late and three meet a fault.
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            operations: Vec::new(),
            latency: 0.3,
            longest_latency: Duration::from_millis(50),
            resets_before_work: 0.05,
            resets_after_work: 0.05,
            errors_before_work: 0.06,
            errors_after_work: 0.04,
            cut_bodies: 0.03,
            slow_bodies: 0.03,
            throttles: 0.04,
        }
    }

    /// Only for these operations.
    #[must_use]
    pub fn on(self, operations: &[Operation]) -> Self {
        Self {
            operations: operations.to_vec(),
            ..self
        }
    }

    /// Whether the rates can be.
    pub fn check(&self) -> Result<(), ChaosError> {
        let endings = self.endings().map(|(name, rate, _)| (name, rate));
        for (name, rate) in [("latency", self.latency)].into_iter().chain(endings) {
            if !(0.0..=1.0).contains(&rate) {
                return Err(ChaosError::NoShare { name, rate });
            }
        }
        let sum: f64 = endings.iter().map(|(_, rate)| rate).sum();
        if sum > 1.0 + 1e-9 {
            return Err(ChaosError::TooMuch(sum));
        }
        Ok(())
    }

    fn endings(&self) -> [(&'static str, f64, Ending); 7] {
        [
            (
                "resets_before_work",
                self.resets_before_work,
                Ending::Reset(Stage::BeforeWork),
            ),
            (
                "resets_after_work",
                self.resets_after_work,
                Ending::Reset(Stage::AfterWork),
            ),
            (
                "errors_before_work",
                self.errors_before_work,
                Ending::Error(Stage::BeforeWork),
            ),
            (
                "errors_after_work",
                self.errors_after_work,
                Ending::Error(Stage::AfterWork),
            ),
            ("cut_bodies", self.cut_bodies, Ending::CutBody),
            ("slow_bodies", self.slow_bodies, Ending::SlowBody),
            ("throttles", self.throttles, Ending::Throttle),
        ]
    }
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Reset(Stage),
    Error(Stage),
    CutBody,
    SlowBody,
    Throttle,
}

/// A profile at work.
#[derive(Debug)]
pub(crate) struct Dice {
    pub(crate) chaos: Chaos,
    /// How many requests of a kind there were.
    drawn: BTreeMap<String, u64>,
}

impl Dice {
    pub(crate) fn new(chaos: Chaos) -> Self {
        Self {
            chaos,
            drawn: BTreeMap::new(),
        }
    }

    /// What meets this request.
    pub(super) fn draw(&mut self, request: &Request<'_>) -> Vec<Effect> {
        let chaos = &self.chaos;
        if !chaos.operations.is_empty() && !chaos.operations.contains(&request.operation) {
            return Vec::new();
        }
        let kind = format!(
            "{:?} {:?} {:?} {:?}",
            request.operation, request.instance, request.proxy, request.credential
        );
        let text = format!("{} {kind} ", chaos.seed);
        let count = self.drawn.entry(kind).or_default();
        *count += 1;
        let seed = Sha256::digest(format!("{text}{count}"));
        let mut chance = StdRng::from_seed(seed.into());

        let mut effects = Vec::new();
        let (late, how_late): (f64, f64) = (chance.random(), chance.random());
        if late < chaos.latency {
            effects.push(Effect::Latency(chaos.longest_latency.mul_f64(how_late)));
        }
        let mut left: f64 = chance.random();
        for (_, rate, ending) in chaos.endings() {
            if left < rate {
                effects.push(ending.effect(&mut chance));
                break;
            }
            left -= rate;
        }
        effects
    }
}

impl Ending {
    fn effect(self, chance: &mut StdRng) -> Effect {
        match self {
            Self::Reset(at) => Effect::Lose {
                at,
                how: Loss::Reset,
            },
            Self::Error(at) => {
                let codes = [
                    (500, "DBS.108000"),
                    (500, "DBS.200005"),
                    (500, "APIGW.0601"),
                    (502, "APIGW.0202"),
                    (503, "APIGW.0613"),
                    (504, "APIGW.0203"),
                ];
                let (status, code) = one_of(chance, &codes, (503, "APIGW.0613"));
                Effect::Error {
                    at,
                    status,
                    code: code.to_owned(),
                    shape: one_of(chance, &ErrorShape::ALL, ErrorShape::Empty),
                }
            }
            Self::CutBody => Effect::CutBody {
                after: Some(chance.random_range(0..64)),
            },
            Self::SlowBody => Effect::SlowBody {
                bytes: chance.random_range(64..512),
                every: Duration::from_millis(chance.random_range(1..10)),
            },
            Self::Throttle => Effect::throttle(match chance.random_range(0..4) {
                0 => None,
                1 => Some(RetryAfter::Seconds(chance.random_range(1..5))),
                2 => Some(RetryAfter::Date(Duration::from_secs(
                    chance.random_range(1..5),
                ))),
                _ => Some(RetryAfter::Junk("soon".to_owned())),
            }),
        }
    }
}

/// One of some; `otherwise` if there are none.
fn one_of<T: Copy>(chance: &mut StdRng, some: &[T], otherwise: T) -> T {
    let place = chance.random_range(0..some.len().max(1));
    some.get(place).copied().unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(operation: Operation, proxy: &str) -> Request<'_> {
        Request {
            operation,
            instance: "i",
            proxy,
            credential: Some("key"),
        }
    }

    fn draws(chaos: Chaos, count: usize) -> Vec<Vec<Effect>> {
        let mut dice = Dice::new(chaos);
        let change = request(Operation::Change, "x");
        (0..count).map(|_| dice.draw(&change)).collect()
    }

    #[test]
    fn the_same_seed_and_calls_meet_the_same_faults_whatever_comes_between() {
        let alone = draws(Chaos::seeded(7), 200);
        assert_eq!(draws(Chaos::seeded(7), 200), alone);
        assert_ne!(draws(Chaos::seeded(8), 200), alone);

        let mut dice = Dice::new(Chaos::seeded(7));
        for expected in &alone {
            dice.draw(&request(Operation::List, ""));
            assert_eq!(dice.draw(&request(Operation::Change, "x")), *expected);
            dice.draw(&request(Operation::Change, "y"));
        }
    }

    #[test]
    fn faults_come_about_as_often_as_their_rates_say() {
        let count = 5000;
        let all: Vec<Effect> = draws(Chaos::seeded(3), count).concat();
        let share = |fits: fn(&Effect) -> bool| {
            let found = all.iter().filter(|effect| fits(effect)).count();
            f64::from(u32::try_from(found).unwrap()) / 5000.0
        };
        for (found, rate) in [
            (share(|effect| matches!(effect, Effect::Latency(_))), 0.3),
            (share(|effect| matches!(effect, Effect::Lose { .. })), 0.1),
            (share(|effect| matches!(effect, Effect::Error { .. })), 0.1),
            (
                share(|effect| matches!(effect, Effect::CutBody { .. })),
                0.03,
            ),
            (
                share(|effect| matches!(effect, Effect::SlowBody { .. })),
                0.03,
            ),
            (
                share(|effect| matches!(effect, Effect::Throttle { .. })),
                0.04,
            ),
        ] {
            assert!((found - rate).abs() < 0.02, "{found} for {rate}");
        }
    }

    #[test]
    fn only_the_chosen_operations_are_met_and_a_rate_of_one_meets_all() {
        let certain = Chaos {
            throttles: 1.0,
            latency: 0.0,
            resets_before_work: 0.0,
            resets_after_work: 0.0,
            errors_before_work: 0.0,
            errors_after_work: 0.0,
            cut_bodies: 0.0,
            slow_bodies: 0.0,
            ..Chaos::seeded(1)
        };
        assert_eq!(certain.check(), Ok(()));
        let mut dice = Dice::new(certain.on(&[Operation::List]));
        for _ in 0..50 {
            let drawn = dice.draw(&request(Operation::List, ""));
            assert!(matches!(drawn.as_slice(), [Effect::Throttle { .. }]));
            assert!(dice.draw(&request(Operation::Change, "x")).is_empty());
        }
    }

    #[test]
    fn rates_that_cannot_be_are_refused_by_name() {
        assert_eq!(Chaos::default().check(), Ok(()));
        for (wrong, text) in [
            (
                Chaos {
                    latency: 1.5,
                    ..Chaos::default()
                },
                "chaos: latency is 1.5",
            ),
            (
                Chaos {
                    cut_bodies: -0.1,
                    ..Chaos::default()
                },
                "chaos: cut_bodies is -0.1",
            ),
            (
                Chaos {
                    throttles: f64::NAN,
                    ..Chaos::default()
                },
                "chaos: throttles is NaN",
            ),
            (
                Chaos {
                    throttles: 0.9,
                    ..Chaos::default()
                },
                "together",
            ),
        ] {
            let error = wrong.check().unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
