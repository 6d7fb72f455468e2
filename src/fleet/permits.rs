//! The right to change something on one instance: at most one change of ours at a time.
//!
//! Permits are acquired, not observed: who holds one is the only one who may start a change there, and gives it back
//! by dropping it when the change has ended.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use crate::model::InstanceId;

/// Hands out permits.
#[derive(Debug, Clone, Default)]
pub struct Permits {
    taken: Arc<Mutex<HashSet<InstanceId>>>,
}

/// The only permit for its instance, for as long as it lives.
///
/// It can't be made outside of [`Permits::acquire`]:
///
/// ```compile_fail,E0451
/// # use taurus_port_operator::{fleet::permits::{Permit, Permits}, model::InstanceId};
/// let instance = InstanceId::parse("0123456789abcdef0123456789abcdefin07").unwrap();
/// let forged = Permit { instance, permits: Permits::default() };
/// ```
#[derive(Debug)]
pub struct Permit {
    instance: InstanceId,
    permits: Permits,
}

impl Permits {
    /// Takes the permit of an instance, if nobody has it.
    pub fn acquire(&self, instance: &InstanceId) -> Option<Permit> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.insert(instance.clone()).then(|| Permit {
            instance: instance.clone(),
            permits: self.clone(),
        })
    }
}

impl Permit {
    /// The instance that it is for.
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self
            .permits
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.instance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_one_permit_and_gets_it_back_when_dropped() {
        let permits = Permits::default();
        let instance = InstanceId::parse("0123456789abcdef0123456789abcdefin07").unwrap();
        let other = InstanceId::parse("1123456789abcdef0123456789abcdefin07").unwrap();
        let first = permits.acquire(&instance).unwrap();
        assert!(permits.acquire(&instance).is_none());
        assert!(permits.acquire(&other).is_some());
        drop(first);
        assert!(permits.acquire(&instance).is_some());
    }
}
