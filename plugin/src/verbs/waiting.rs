//! `retry --wait`: until the operator has answered the request for a look.
//!
//! Relies on `status.lastHandledRequest`, which holds the request that the operator answered last; `retry` writes the time as its request.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use kube::api::DynamicObject;
use taurus_port_operator::clock;
use tokio::time::Instant;

use super::targets::Target;
use crate::{
    cluster::Cluster,
    failure::Failure,
    format,
    resource::{Summary, looked_after},
};

/// The pause between two readings of the resources.
const PAUSE: Duration = Duration::from_secs(1);

/// What was answered, by namespace and name.
pub struct Answers {
    known: BTreeMap<String, Result<String, String>>,
    limit: Duration,
}

impl Answers {
    /// The answers to a request that was made at this time, as far as they come within the limit.
    pub async fn within(
        limit: Duration,
        cluster: &Cluster,
        asked: &[&Target],
        at: Timestamp,
    ) -> Result<Self, Failure> {
        let started = Instant::now();
        let mut known = BTreeMap::new();
        let mut left: Vec<&Target> = asked.to_vec();
        loop {
            let mut silent = Vec::new();
            for target in left {
                let summary = &target.summary;
                let object = cluster.get_opt(&summary.namespace, &summary.name).await?;
                match answer(object.as_ref(), at) {
                    Some(answer) => {
                        known.insert(target.named(), answer);
                    }
                    None => silent.push(target),
                }
            }
            left = silent;
            if left.is_empty() || started.elapsed() >= limit {
                return Ok(Self { known, limit });
            }
            clock::pause(PAUSE).await;
        }
    }

    /// What came of the request for a resource.
    pub fn of(&self, target: &Target) -> Result<String, String> {
        self.known.get(&target.named()).cloned().unwrap_or_else(|| {
            let seconds = i64::try_from(self.limit.as_secs()).unwrap_or(i64::MAX);
            Err(format!(
                "asked for a look, and the operator has not looked within {}; `status` says whether it runs",
                format::span(seconds)
            ))
        })
    }
}

/// What an object says of a request that was made at this time; nothing where the operator has not answered yet.
fn answer(object: Option<&DynamicObject>, at: Timestamp) -> Option<Result<String, String>> {
    let Some(object) = object else {
        return Some(Err("was deleted before the operator looked".to_owned()));
    };
    looked_after(&object.data).filter(|looked| *looked >= at)?;
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
    fn only_an_answer_to_this_request_or_a_later_one_counts() {
        let at = "2026-03-02T12:00:00.5Z".parse().unwrap();
        let said = |handled: Value| {
            let ready = json!({"type": "Ready", "status": "True", "reason": "Observed"});
            let data = json!({"status": {"lastHandledRequest": handled, "conditions": [ready]}});
            let object = DynamicObject::new("orders", &kind()).data(data);
            answer(Some(&object), at)
        };
        let looked = Some(Ok("looked at (reason Observed)".to_owned()));
        assert_eq!(said(json!("2026-03-02T12:00:00.5Z")), looked);
        assert_eq!(said(json!("2026-03-02T12:00:01Z")), looked);
        for other in [json!("2026-03-02T12:00:00Z"), json!("now"), Value::Null] {
            assert_eq!(said(other.clone()), None, "{other}");
        }
        assert!(answer(None, at).unwrap().is_err());
    }
}
