//! What chance makes of a profile.
//!
//! Promises that what meets a request depends on the seed, on what the request asks for (operation, instance, proxy,
//! credential) and on how many such requests there were before, and on nothing else: the same seed and the same calls
//! meet the same faults, in whichever order the calls of different kinds arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};

use super::{Chaos, Ending};
use crate::faults::{Effect, ErrorShape, Loss, Request, RetryAfter};

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
    pub(in crate::faults) fn draw(&mut self, request: &Request<'_>) -> Vec<Effect> {
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
                    status: Some(status),
                    code: code.to_owned(),
                    shape: Some(one_of(chance, &ErrorShape::ALL, ErrorShape::Empty)),
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
    use crate::Operation;

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
}
