//! When a change may start: windows, freezes, and the next instant that both allow.
//!
//! Pure but for [`store`], which reads the operator's own calendar from its file. Relies on the zone data that is bundled with this
//! program, never on that of the machine, and on the wall clock that callers pass in: hours of the day have no other.

use std::{sync::Arc, time::Duration};

pub mod check;
pub mod file;
pub mod freeze;
pub mod hours;
pub mod store;
pub mod window;
mod zones;

pub use freeze::Freeze;
pub use hours::Hours;
pub use window::{Window, WindowError, WindowFault, WindowParts};
pub use zones::RELEASE;

/// For how long a change is expected to be at work where none was seen yet.
pub const WITHOUT_EXPERIENCE: Duration = Duration::from_mins(10);

/// What is set for all resources of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    /// For resources that state no windows of their own; where there are none, any time will do.
    pub windows: Vec<Window>,
    /// In the order in which they begin.
    pub freezes: Vec<Freeze>,
    /// Why there is no calendar yet, though there should be one: then no change may start.
    pub missing: Option<Arc<str>>,
}

impl Calendar {
    /// Whether it says nothing about the resources of a namespace.
    pub fn is_silent_about(&self, namespace: &str) -> bool {
        let mut freezes = self.freezes.iter();
        self.missing.is_none()
            && self.windows.is_empty()
            && !freezes.any(|freeze| freeze.is_for(namespace))
    }

    /// When changes of a resource may start that states these windows.
    pub fn hours(&self, namespace: &str, own: &[Window]) -> Hours {
        let freezes = self.freezes.iter();
        Hours {
            windows: if own.is_empty() {
                self.windows.clone()
            } else {
                own.to_vec()
            },
            freezes: freezes
                .filter(|freeze| freeze.is_for(namespace))
                .cloned()
                .collect(),
            missing: self.missing.clone(),
            unknown: None,
        }
    }
}
