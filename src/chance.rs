//! The one place that tosses coins.
//!
//! No decision rests on chance: it makes ids that no other process makes, and spreads what would otherwise come at once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{
    RngExt as _, SeedableRng as _,
    distr::{Distribution, StandardUniform},
    rngs::SmallRng,
    seq::SliceRandom as _,
};

/// Chance; that of the machine unless it is seeded.
#[derive(Debug, Clone, Default)]
pub struct Chance(Option<Arc<Mutex<SmallRng>>>);

impl Chance {
    /// Chance that falls the same way whenever the seed is the same, so that what happened can be played again.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(SmallRng::seed_from_u64(seed)))))
    }

    /// 128 random bits.
    pub fn bits(&self) -> u128 {
        self.draw()
    }

    /// 32 random bits.
    pub fn number(&self) -> u32 {
        self.draw()
    }

    /// A seed for chance of somebody else's making.
    pub fn seed(&self) -> u64 {
        self.draw()
    }

    fn draw<T>(&self) -> T
    where
        StandardUniform: Distribution<T>,
    {
        match &self.0 {
            Some(seeded) => Self::locked(seeded).random(),
            None => rand::random(),
        }
    }

    /// Spreads what would otherwise come at once; never earlier than asked for, and later by a tenth at most.
    pub fn jittered(&self, delay: Duration) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(20);
        let factor = match &self.0 {
            Some(seeded) => Self::locked(seeded).random_range(1.0..1.1),
            None => rand::random_range(1.0..1.1),
        };
        delay.max(SHORTEST).mul_f64(factor)
    }

    /// Some part of it: spreads what may come a little later, and no more than that.
    pub fn part_of(&self, most: Duration) -> Duration {
        let share = match &self.0 {
            Some(seeded) => Self::locked(seeded).random_range(0.0..1.0),
            None => rand::random_range(0.0..1.0),
        };
        most.mul_f64(share)
    }

    /// Puts them into any order.
    pub fn shuffle<T>(&self, all: &mut [T]) {
        match &self.0 {
            Some(seeded) => all.shuffle(&mut Self::locked(seeded)),
            None => all.shuffle(&mut rand::rng()),
        }
    }

    fn locked(seeded: &Mutex<SmallRng>) -> std::sync::MutexGuard<'_, SmallRng> {
        seeded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_never_shorter_than_asked_for_and_a_seed_falls_the_same_way() {
        let minute = Duration::from_mins(1);
        for chance in [Chance::default(), Chance::seeded(7)] {
            let delay = chance.jittered(minute);
            assert!(delay >= minute && delay < minute.mul_f64(1.11), "{delay:?}");
            assert!(chance.jittered(Duration::ZERO) > Duration::ZERO);
            assert!(chance.part_of(minute) < minute);
            assert_ne!(chance.bits(), chance.bits());
        }
        assert_eq!(Chance::seeded(7).bits(), Chance::seeded(7).bits());
    }
}
