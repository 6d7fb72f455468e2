//! What a process learns of the time before it, from the records of all resources.
//!
//! A resource keeps its last change only, so of the hour this is a lower bound. A time in the future counts as now.

use std::collections::BTreeMap;

use super::{ledger::Ledger, trace::Trace};
use crate::model::Moment;

/// Takes in what was stored before this process: which changes were begun, and how they ended, in that order.
pub(super) fn recall(ledger: &mut Ledger, traces: Vec<Trace>, now: Moment) {
    // By id: a copied resource tells of the same change as its original.
    let mut begun = BTreeMap::new();
    let mut ended = BTreeMap::new();
    for trace in traces {
        begun.extend(trace.change);
        let Some(last) = trace.last else { continue };
        begun.insert(last.id.clone(), last.started_at.0);
        if let Some((_, of)) = trace.target {
            ended.insert((last.finished_at.0, last.id), (last.outcome, of));
        }
    }
    for start in begun.into_values() {
        ledger.recall_start(start, now);
    }
    for ((at, change), (outcome, of)) in ended {
        ledger.ended(&change, outcome, of, at, now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use k8s_openapi::jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::{pace::Pace, permits::limits::Limits};

    fn time(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    /// A resource whose last change has ended so.
    fn trace(number: u32, ended: i64, outcome: &str) -> Trace {
        let hex = format!("{number:032x}");
        let object: Value = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": format!("proxy-{number}"), "namespace": "shop", "uid": hex},
            "spec": {
                "region": "ap-southeast-3", "projectID": hex, "instanceID": format!("{hex}in07"),
                "proxyID": format!("{hex}po01"), "port": 3307
            },
            "status": {"lastChange": {
                "id": format!("c{number}"), "fromPort": 3306, "toPort": 3307, "outcome": outcome,
                "startedAt": time(ended - 1).to_string(), "finishedAt": time(ended).to_string()
            }}
        });
        Trace::of(&serde_json::from_value(object).unwrap())
    }

    fn recalled(traces: Vec<Trace>) -> (usize, Option<Timestamp>) {
        let mut ledger = Ledger::new(Limits::default(), &Pace::real());
        let now = Moment::new(time(0), Duration::from_secs(5));
        recall(&mut ledger, traces, now);
        let figures = ledger.figures(now);
        (figures.begun, figures.halted_until)
    }

    #[test]
    fn the_ends_count_in_their_order_whatever_that_of_the_list() {
        let failed = [
            trace(1, -9, "Failed"),
            trace(2, -8, "Failed"),
            trace(3, -7, "Failed"),
        ];
        let until = Some(time(23));
        assert_eq!(recalled(failed.to_vec()), (3, until));
        assert_eq!(recalled(failed.iter().rev().cloned().collect()), (3, until));
        let between = [&failed[..], &[trace(4, -8, "Succeeded")]].concat();
        assert_eq!(recalled(between), (4, None));
    }

    #[test]
    fn a_copied_resource_tells_nothing_new() {
        let mut copy = trace(1, -9, "Failed");
        copy.uid = "another".to_owned();
        assert_eq!(recalled(vec![trace(1, -9, "Failed"), copy]).0, 1);
    }

    #[test]
    fn what_was_long_ago_no_longer_counts_and_the_future_is_now() {
        assert_eq!(recalled(vec![trace(1, -70, "Succeeded")]).0, 0);
        let future = vec![
            trace(1, 600, "Failed"),
            trace(2, 601, "Failed"),
            trace(3, 602, "Failed"),
        ];
        assert_eq!(recalled(future), (3, Some(time(30))));
    }
}
