//! When an instance is looked at again.
//!
//! Each instance has a beat of its own, the same for all its resources: whatever made them look, they meet at the next
//! beat and share one list. The beats of different instances are spread over the whole period.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use crate::model::InstanceId;

/// How long it is until the beat of an instance that comes half a period from now at the earliest, and one and a half
/// at the latest.
pub fn after(instance: &InstanceId, uptime: Duration, period: Duration) -> Duration {
    let period = period.as_nanos().max(1);
    let mut hasher = DefaultHasher::new();
    instance.hash(&mut hasher);
    let phase = u128::from(hasher.finish()) % period;
    let earliest = uptime.as_nanos() + period / 2;
    let since_beat = (earliest + period - phase) % period;
    let beat = earliest + (period - since_beat) % period;
    Duration::from_nanos_u128(beat - uptime.as_nanos())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instance(number: u64) -> InstanceId {
        InstanceId::parse(&format!("{number:032x}in07")).unwrap()
    }

    proptest! {
        #[test]
        fn resources_that_looked_at_different_times_meet(
            number in 0_u64..1000, first in 0_u64..10_000_000, later in 0_u32..1000, period in 1_000_u64..100_000,
        ) {
            let milliseconds = Duration::from_millis;
            let period = milliseconds(period);
            let one = milliseconds(first);
            let other = one + period * later / 1000;
            let meets = |at: Duration| at + after(&instance(number), at, period);
            let (one_next, other_next) = (meets(one), meets(other));
            prop_assert!((one + period / 2..=one + period * 3 / 2).contains(&one_next));
            let apart = other_next.abs_diff(one_next);
            prop_assert!(apart.is_zero() || apart == period, "{apart:?}");
            prop_assert_eq!(meets(one_next), one_next + period);
        }
    }

    #[test]
    fn instances_are_spread_over_the_period() {
        let minute = Duration::from_mins(1);
        let mut in_tenths = [0; 10];
        for number in 0..1000 {
            let wait = after(&instance(number), minute / 2, minute);
            in_tenths[(wait.as_secs() / 6 % 10) as usize] += 1;
        }
        assert!(
            in_tenths.iter().all(|count| (60..140).contains(count)),
            "{in_tenths:?}"
        );
    }
}
