//! The watch of what is published, and the list that it begins with.
//!
//! A watch is answered when something has happened, with all of it, or with nothing after its time: then the client watches again. It never
//! fails: pauses after a failure are chance of the client's, and no story could be played twice with them.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Kind, Line, Object};
use crate::{
    answers::{Answer, ok},
    flaw::Flaw,
    life::Life,
    server::Call,
    world::{Shared, World},
};

/// For how long a watch is held where nothing happens.
const LONGEST: Duration = Duration::from_secs(290);

/// How often it is looked whether a machine is reached again.
const GLANCE: Duration = Duration::from_secs(1);

/// Serves a watch of what is published, or its first list; nothing where a call is neither.
pub async fn watched(shared: &Shared, life: &Arc<Life>, call: &Call) -> Option<Answer> {
    let (kind, name) = Kind::of(call.path())?;
    let is_watch = call.parameter("watch").is_some();
    let is_first_list = name.is_none() && call.parameter("limit").is_some();
    if !is_watch && !is_first_list {
        return None;
    }
    let machine = life.machine;
    let until = Instant::now() + LONGEST;
    let mut changes = shared.lock().stock.changed.subscribe();
    let since = call
        .parameter("resourceVersion")
        .and_then(|since| since.parse().ok());
    loop {
        let (is_cut_off, lag) = {
            let world = shared.lock();
            (world.is_cut_off(machine), world.cluster.lag[machine])
        };
        if is_cut_off {
            tokio::time::sleep(GLANCE).await;
            continue;
        }
        if !is_watch {
            let mut world = shared.lock();
            let leads = world.leads(life);
            return Some(world.answer_published(life, leads, (kind, None), call));
        }
        let lines = shared.lock().lines(kind, since.unwrap_or(0), call);
        if !lines.is_empty() {
            tokio::time::sleep(lag).await;
            return Some(ok(lines.into()));
        }
        if tokio::time::timeout_at(until, changes.changed())
            .await
            .is_err()
        {
            return Some(ok(String::new().into()));
        }
    }
}

impl World {
    /// Whether nothing reaches a machine from the API server.
    fn is_cut_off(&self, machine: usize) -> bool {
        let now = self.now();
        let trouble = &self.trouble[machine];
        let down = self.cluster.down_until[machine];
        [trouble.failing_until, trouble.silent_until, down]
            .into_iter()
            .any(|until| until > now)
    }

    /// What has happened since this version to what carries the labels.
    fn lines(&self, kind: Kind, since: u64, call: &Call) -> String {
        if self.flaw == Some(Flaw::HearsOfNoEdits) {
            return String::new();
        }
        let wanted = call.selector();
        let matches = |object: &Object| {
            wanted
                .iter()
                .all(|(key, value)| object.label(key) == Some(value))
        };
        let news = self
            .stock
            .log
            .iter()
            .rev()
            .take_while(|line| line.version > since);
        let mut news: Vec<&Line> = news.filter(|line| line.kind == kind).collect();
        news.reverse();
        let told = news.into_iter().filter_map(|line| {
            let before = line.before.as_ref().filter(|object| matches(object));
            let after = line.after.as_ref().filter(|object| matches(object));
            let (what, object) = match (before, after) {
                (_, Some(after)) if before.is_none() => ("ADDED", after.value.clone()),
                (_, Some(after)) => ("MODIFIED", after.value.clone()),
                (Some(before), None) => ("DELETED", of_version(&before.value, line.version)),
                (None, None) => return None,
            };
            Some(format!("{}\n", json!({"type": what, "object": object})))
        });
        told.collect()
    }
}

fn of_version(value: &Value, version: u64) -> Value {
    let mut value = value.clone();
    value["metadata"]["resourceVersion"] = json!(version.to_string());
    value
}
