//! A database instance.

use jiff::Timestamp;

use super::ACTIVE;
use crate::fleet::InstanceSpec;

#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) project: String,
    pub(crate) name: String,
    pub(crate) status: String,
    /// False while it has vanished.
    pub(crate) present: bool,
    pub(crate) created: Timestamp,
    /// Counted from 1 in the order in which they were made.
    pub(crate) number: usize,
    /// Hours of the day in UTC.
    pub(crate) maintenance_window: String,
    /// Keys and values.
    pub(crate) tags: Vec<(String, String)>,
    /// Ids of its proxies, in the order in which they were made.
    pub(crate) proxies: Vec<String>,
}

impl Instance {
    pub(super) fn new(spec: &InstanceSpec, number: usize, now: Timestamp) -> Self {
        Self {
            id: spec.id.clone(),
            project: spec.project.clone(),
            name: format!("sim-db-{number}"),
            status: spec.status.clone().unwrap_or_else(|| ACTIVE.to_owned()),
            present: true,
            created: now,
            number,
            maintenance_window: "18:00-22:00".to_owned(),
            tags: spec.tags.clone(),
            proxies: Vec::new(),
        }
    }

    /// The id of one of its nodes: digits of the instance, so that nobody else has it.
    pub(crate) fn node_id(&self, node: usize) -> String {
        let tail = self.id.get(2..32).unwrap_or_default();
        format!("{node:02x}{tail}no07")
    }
}
