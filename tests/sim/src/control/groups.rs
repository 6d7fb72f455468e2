//! Rules of security groups, which somebody adds and deletes.

use super::{Control, ControlError};
use crate::state::GroupRule;

impl Control {
    /// The rules of all security groups.
    pub fn group_rules(&self) -> Vec<GroupRule> {
        self.shared.world().state.group_rules.clone()
    }

    /// Adds a rule, and says what its id is. One with the same id is replaced.
    pub fn add_group_rule(&self, rule: GroupRule) -> String {
        let mut world = self.shared.world();
        let rules = &mut world.state.group_rules;
        let id = if rule.id.is_empty() {
            let number = rules.len() + 1;
            format!("8e4b0f36-17ad-4c59-b1d8-{number:012x}")
        } else {
            rule.id.clone()
        };
        rules.retain(|known| known.id != id);
        rules.push(GroupRule {
            id: id.clone(),
            ..rule
        });
        id
    }

    /// Deletes a rule.
    pub fn delete_group_rule(&self, id: &str) -> Result<(), ControlError> {
        let mut world = self.shared.world();
        let rules = &mut world.state.group_rules;
        let before = rules.len();
        rules.retain(|rule| rule.id != id);
        if rules.len() < before {
            Ok(())
        } else {
            Err(ControlError::NoGroupRule(id.to_owned()))
        }
    }
}
