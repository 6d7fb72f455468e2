//! Scenario files of the simulator: what is taken can be started with, what is refused says where.
//!
//! Input: the text of a file.

use taurus_sim::{Options, ScenarioError};

use crate::look;

/// Checks a scenario.
pub fn check(input: &[u8]) -> bool {
    let text = look::body(input);
    match Options::from_scenario_text("day.yaml", &text) {
        Ok(options) => {
            assert!(options.fleet.check().is_ok(), "a fleet that can't be there");
            true
        }
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("day.yaml"), "{told}");
            if let ScenarioError::Wrong { line, .. } = error {
                // A carriage return alone ends a line of YAML, too.
                let ends = text.matches(['\n', '\r']).count();
                let lines = u64::try_from(ends).expect("a count of lines") + 1;
                assert!(line <= lines + 1, "{told}");
            }
            false
        }
    }
}
