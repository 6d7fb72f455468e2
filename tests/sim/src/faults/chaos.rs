//! A mix of faults by chance: which come how often.

mod dice;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Stage;
use crate::Operation;

pub(crate) use dice::Dice;

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
    #[error("{name} is {rate}; a rate is a number from 0 to 1")]
    NoShare {
        /// Which.
        name: &'static str,
        /// What it is.
        rate: f64,
    },
    /// The rates of what ends a request are more than all requests.
    #[error("the rates other than latency make {0} together; more than 1 can't be")]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_that_cannot_be_are_refused_by_name() {
        assert_eq!(Chaos::default().check(), Ok(()));
        for (wrong, text) in [
            (
                Chaos {
                    latency: 1.5,
                    ..Chaos::default()
                },
                "latency is 1.5",
            ),
            (
                Chaos {
                    cut_bodies: -0.1,
                    ..Chaos::default()
                },
                "cut_bodies is -0.1",
            ),
            (
                Chaos {
                    throttles: f64::NAN,
                    ..Chaos::default()
                },
                "throttles is NaN",
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
