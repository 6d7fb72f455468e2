//! Faults, by hand.

use super::{Control, ControlError};
use crate::faults::{Chaos, ChaosError, Dice, Fault, FaultId, FaultView};

impl Control {
    /// Adds a rule at the end of the list.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.shared.world().faults.add(fault)
    }

    /// All rules, those included that are used up.
    pub fn faults(&self) -> Vec<FaultView> {
        self.shared.world().faults.view()
    }

    /// Lets the requests go on that this rule holds now. The next ones are held again while the rule isn't used up.
    pub fn release(&self, id: FaultId) -> Result<(), ControlError> {
        if self.shared.world().faults.release(Some(id)) {
            Ok(())
        } else {
            Err(ControlError::NoFault(id.0))
        }
    }

    /// Lets all requests go on that are held now.
    pub fn release_all(&self) {
        self.shared.world().faults.release(None);
    }

    /// Removes a rule; what it holds goes on.
    pub fn remove_fault(&self, id: FaultId) -> Result<(), ControlError> {
        if self.shared.world().faults.remove(id) {
            Ok(())
        } else {
            Err(ControlError::NoFault(id.0))
        }
    }

    /// Removes all rules; what they hold goes on.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }

    /// Sets a mix of faults by chance, in place of the one that was set, from its beginning; or ends it.
    pub fn set_chaos(&self, chaos: Option<Chaos>) -> Result<(), ChaosError> {
        chaos.as_ref().map_or(Ok(()), Chaos::check)?;
        self.shared.world().faults.chaos = chaos.map(Dice::new);
        Ok(())
    }

    /// The mix of faults by chance that is set.
    pub fn chaos(&self) -> Option<Chaos> {
        let world = self.shared.world();
        world.faults.chaos.as_ref().map(|dice| dice.chaos.clone())
    }
}
