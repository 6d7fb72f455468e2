//! Conditions that somebody else keeps in the status: they stay, in their place, and are never a cause of a write.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::OWN;
use crate::crd::TaurusProxyPortStatus;

/// The most conditions that a status may have; the CRD's limit.
pub(super) const MOST: usize = 16;

/// Our own conditions, with those of others between them where they were. Where nothing differs but the order, that stays.
pub(super) fn kept(old: Option<&TaurusProxyPortStatus>, own: Vec<Condition>) -> Vec<Condition> {
    let Some(old) = old.map(|old| &old.conditions) else {
        return own;
    };
    let mut kept = own;
    let room = MOST.saturating_sub(kept.len());
    let foreign = old.iter().enumerate();
    let foreign = foreign.filter(|(_, condition)| !OWN.contains(&condition.type_.as_str()));
    for (place, condition) in foreign.take(room) {
        kept.insert(place.min(kept.len()), condition.clone());
    }
    if kept.len() == old.len() && kept.iter().all(|condition| old.contains(condition)) {
        old.clone()
    } else {
        kept
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    use super::*;

    fn condition(type_: &str, message: &str) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status: "True".to_owned(),
            reason: "Because".to_owned(),
            message: message.to_owned(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        }
    }

    fn all(types: &[&str]) -> Vec<Condition> {
        types.iter().map(|type_| condition(type_, "")).collect()
    }

    fn types(old: &[&str], own: &[&str]) -> Vec<String> {
        let old = TaurusProxyPortStatus {
            conditions: all(old),
            ..TaurusProxyPortStatus::default()
        };
        let kept = kept(Some(&old), all(own));
        kept.into_iter().map(|condition| condition.type_).collect()
    }

    #[test]
    fn a09_conditions_of_others_stay_in_their_place() {
        let foreign = "example.com/Backup";
        assert_eq!(
            types(&["PortInSync", foreign, "Ready"], &["PortInSync", "Ready"]),
            ["PortInSync", foreign, "Ready"]
        );
        assert_eq!(
            types(
                &["PortInSync", "Ready", "Reconciling", foreign],
                &["PortInSync", "Ready"]
            ),
            ["PortInSync", "Ready", foreign]
        );
        assert_eq!(
            types(&[foreign, "Ready"], &["Ready", "Reconciling"]),
            [foreign, "Ready", "Reconciling"]
        );
    }

    #[test]
    fn a09_another_order_alone_is_no_cause_of_a_write() {
        let old = ["Ready", "example.com/Backup", "PortInSync"];
        assert_eq!(types(&old, &["PortInSync", "Ready"]), old);
    }

    #[test]
    fn a09_there_is_room_for_our_own() {
        let many: Vec<String> = (0..16)
            .map(|number| format!("example.com/{number}"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let kept = types(&many, &["PortInSync", "Ready"]);
        assert_eq!(kept.len(), 16);
        assert!(kept.contains(&"Ready".to_owned()));
    }
}
