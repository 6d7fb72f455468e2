//! `retry --wait`: until the operator has answered the request for a look.
//!
//! Relies on `status.lastHandledRequest`, which holds the request that the operator answered last; `retry` writes the time as its request.
//! The operator answers once it has read the proxy.

use std::{collections::BTreeMap, time::Duration};

use kube::{ResourceExt as _, api::DynamicObject};
use taurus_port_operator::{clock, crd::REQUESTED_AT};
use tokio::time::Instant;

use super::targets::Target;
use crate::{
    cluster::Cluster,
    failure::Failure,
    format,
    resource::{Summary, annotated, text_at},
};

/// The pause between two readings of the resources.
const PAUSE: Duration = Duration::from_secs(1);

/// What was answered, by namespace and name.
pub struct Answers(BTreeMap<String, Result<String, String>>);

impl Answers {
    /// The answers to this request, as far as they come within the limit.
    pub async fn within(
        limit: Duration,
        cluster: &Cluster,
        asked: &[&Target],
        reading: Reading,
        request: &str,
    ) -> Self {
        let started = Instant::now();
        let mut known = BTreeMap::new();
        let mut left: BTreeMap<String, &Target> =
            asked.iter().map(|it| (it.named(), *it)).collect();
        let mut reasons = BTreeMap::new();
        let mut trouble;
        loop {
            let began = Instant::now();
            // The requests are written: what fails here once may go well the next time.
            let read = reading.of(cluster, &left).await;
            trouble = read.as_ref().err().map(ToString::to_string);
            if let Ok(mut objects) = read {
                left.retain(|name, target| {
                    let object = objects.remove(name);
                    let before = handled(&target.object);
                    let answer = answer(object.as_ref(), request, before.as_deref());
                    if answer.is_none() {
                        let reason = object.and_then(|object| Summary::of(&object).reason);
                        reasons.insert(name.clone(), reason);
                    }
                    answer
                        .map(|answer| known.insert(name.clone(), answer))
                        .is_none()
                });
            }
            if left.is_empty() || started.elapsed() >= limit {
                break;
            }
            // Large lists are no more than half of the API server's work for it.
            clock::pause(PAUSE.max(began.elapsed())).await;
        }
        let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
        for name in left.into_keys() {
            let reason = reasons.remove(&name).flatten();
            let reason = reason.map(|reason| format!(" (reason {reason})"));
            let within = format::span(seconds);
            let silent = match &trouble {
                Some(trouble) => format!(
                    "asked for a look, and what came of it is not known after {within}: {trouble}"
                ),
                None => format!(
                    "asked for a look, and the operator has not read the proxy within {within}{}; `status` says whether it runs, and what it \
                     waits for",
                    reason.unwrap_or_default()
                ),
            };
            known.insert(name, Err(silent));
        }
        Self(known)
    }

    /// What came of the request for a resource.
    pub fn of(&mut self, target: &Target) -> Result<String, String> {
        let never = || Err("was not asked for a look".to_owned());
        self.0.remove(&target.named()).unwrap_or_else(never)
    }
}

/// How the resources are read while they are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Each by its name: who may list nothing may wait as well.
    ByName,
    /// All by one list.
    ByList,
}

impl Reading {
    /// The resources as they are now, by namespace and name.
    async fn of(
        self,
        cluster: &Cluster,
        targets: &BTreeMap<String, &Target>,
    ) -> Result<BTreeMap<String, DynamicObject>, Failure> {
        let mut found = BTreeMap::new();
        let mut take = |object: DynamicObject| {
            let named = format!(
                "{}/{}",
                object.namespace().unwrap_or_default(),
                object.name_any()
            );
            if targets.contains_key(&named) {
                found.insert(named, object);
            }
        };
        match self {
            Self::ByList => cluster.each(None, take).await?,
            Self::ByName => {
                for target in targets.values() {
                    let Summary {
                        namespace, name, ..
                    } = &target.summary;
                    if let Some(object) = cluster.get_opt(namespace, name).await? {
                        take(object);
                    }
                }
            }
        }
        Ok(found)
    }
}

/// The request that the operator has answered last.
fn handled(object: &DynamicObject) -> Option<String> {
    text_at(&object.data, "/status/lastHandledRequest")
}

/// What an object says of a request; nothing where the operator has not answered yet. It has answered the request that stands, which is this
/// one, or one that somebody has put in its place; what it had answered `before` this one was written says nothing. No clock is asked.
fn answer(
    object: Option<&DynamicObject>,
    request: &str,
    before: Option<&str>,
) -> Option<Result<String, String>> {
    let Some(object) = object else {
        return Some(Err("was deleted before the operator looked".to_owned()));
    };
    let handled = handled(object)?;
    let stands = annotated(object, REQUESTED_AT);
    let is_answered =
        stands.as_ref() == Some(&handled) && (handled == request || before != Some(&*handled));
    if !is_answered {
        return None;
    }
    let reason = Summary::of(object).reason;
    Some(Ok(match reason {
        Some(reason) => format!("looked at (reason {reason})"),
        None => "looked at".to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::kind;

    #[test]
    fn only_an_answer_to_this_request_or_to_one_in_its_place_counts() {
        let said = |stands: &str, handled: Value| {
            let ready = json!({"type": "Ready", "status": "True", "reason": "Observed"});
            let data = json!({"status": {"lastHandledRequest": handled, "conditions": [ready]}});
            let mut object = DynamicObject::new("orders", &kind()).data(data);
            let annotations = object.metadata.annotations.get_or_insert_default();
            annotations.insert(REQUESTED_AT.to_owned(), stands.to_owned());
            answer(Some(&object), "ours", Some("of before"))
        };
        let looked = Some(Ok("looked at (reason Observed)".to_owned()));
        assert_eq!(said("ours", json!("ours")), looked);
        assert_eq!(said("of another", json!("of another")), looked);
        for (stands, handled) in [
            ("ours", json!("of before")),
            ("ours", Value::Null),
            ("of another", json!("of before")),
            // Git has set it back.
            ("of before", json!("of before")),
        ] {
            assert_eq!(said(stands, handled.clone()), None, "{stands} {handled}");
        }
        assert!(answer(None, "ours", None).unwrap().is_err());
    }
}
