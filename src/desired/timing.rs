//! What a person wants about the time of a change, in proven values.
//!
//! Promises that of a resource that says nothing about it nothing is kept.

use kube::ResourceExt as _;

use crate::{
    calendar::{Window, WindowError, WindowParts},
    crd::{APPLY_NOW, APPROVE, Approval, InstanceWindow, MaintenanceWindow, TaurusProxyPort},
};

/// The field of windows, in faults.
const FIELD: &str = "spec.maintenanceWindows";

/// What a resource says about the time of a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timing {
    /// The windows, if it states any.
    pub windows: Vec<Window>,
    /// Whether the instance's own window is one more.
    pub follows_instance: bool,
    /// Whether each plan needs an approval.
    pub needs_approval: bool,
    /// The plan that its spec approves.
    pub approved_by_spec: Option<String>,
    /// The plan that an annotation approves.
    pub approved_by_annotation: Option<String>,
    /// The plan that may start outside windows.
    pub apply_now: Option<String>,
    /// Why its windows can't be: nothing starts meanwhile, and a change that is at work is followed all the same.
    pub fault: Option<String>,
}

impl Timing {
    /// Whether the plan of this id is approved, or needs no approval.
    pub fn approves(&self, plan: &str) -> bool {
        let approvals = [&self.approved_by_spec, &self.approved_by_annotation];
        !self.needs_approval || approvals.into_iter().flatten().any(|id| id == plan)
    }
}

/// Reads it; nothing where nothing is said.
pub(super) fn read(object: &TaurusProxyPort) -> Option<Box<Timing>> {
    let spec = &object.spec;
    let annotation = |name| {
        let text: &String = object.annotations().get(name)?;
        Some(text.trim().to_owned())
    };
    let (windows, fault) = match windows(&spec.maintenance_windows) {
        Ok(windows) => (windows, None),
        Err(fault) => (Vec::new(), Some(fault.to_string())),
    };
    let timing = Timing {
        windows,
        follows_instance: spec.instance_window == Some(InstanceWindow::Follow),
        needs_approval: spec.approval == Some(Approval::Manual),
        approved_by_spec: spec.approved_plan.clone(),
        approved_by_annotation: annotation(APPROVE),
        apply_now: annotation(APPLY_NOW),
        fault,
    };
    (timing != Timing::default()).then(|| Box::new(timing))
}

fn windows(stated: &[MaintenanceWindow]) -> Result<Vec<Window>, WindowError> {
    let days: Vec<Vec<&str>> = stated
        .iter()
        .map(|window| window.days.iter().map(|day| (*day).into()).collect())
        .collect();
    // The definition takes no list without any: it is one that is absent.
    let parts = stated.iter().zip(&days).map(|(window, days)| WindowParts {
        days: some(days),
        weeks_of_month: some(&window.weeks_of_month),
        start: &window.start,
        duration: &window.duration,
        time_zone: window.time_zone.as_deref(),
    });
    Window::all(FIELD, parts)
}

fn some<T>(list: &[T]) -> Option<&[T]> {
    (!list.is_empty()).then_some(list)
}
