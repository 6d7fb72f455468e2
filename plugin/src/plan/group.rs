//! What the operator has found of the security group of an instance, for a plan that waits.
//!
//! Relies on the operator's own words for it: the plugin calls no cloud. Promises nothing where the plan is about other ports.

use serde_json::Value;
use taurus_port_operator::{
    plan::message::admission,
    preflight::{Fate, Touched},
};

/// The group that shuts somebody out of the new port, if the plan of this object warns of one.
pub(super) fn shutting(object: &Value, (from, to): (u16, u16)) -> Option<Touched> {
    let plan = object.pointer("/status/plan")?;
    let port = |name| plan.get(name).and_then(Value::as_u64);
    if (port("fromPort")?, port("toPort")?) != (from.into(), to.into()) {
        return None;
    }
    let warnings = plan.get("warnings")?.as_array()?.iter();
    let mut warnings = warnings.filter_map(Value::as_str);
    let (group, how) = warnings.find_map(admission::told)?;
    let how = format!("which {how}");
    Some(Touched::of("SecurityGroup", group, how, Fate::Shuts))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use taurus_port_operator::{
        plan::{admitting::Verdict, message::admission::warning},
        preflight::admission::Shut,
    };

    use super::*;

    #[test]
    fn a_warning_of_the_plan_is_something_that_the_change_touches() {
        let shut = Verdict::Shut(Shut {
            group: "70b3e8d5".to_owned(),
            sources: vec!["10.0.0.0/8".to_owned()],
        });
        let warning = warning((3306, 3307), &shut).unwrap();
        let plan = json!({"fromPort": 3306, "toPort": 3307, "warnings": ["another", warning]});
        let object = json!({"status": {"plan": plan}});
        let found = shutting(&object, (3306, 3307)).unwrap();
        assert_eq!(
            found.shown(),
            "SecurityGroup 70b3e8d5, which lets in 10.0.0.0/8 at TCP port 3306 and not at port 3307"
        );
        assert_eq!(
            shutting(&object, (3306, 3308)),
            None,
            "it is of another plan"
        );
        assert_eq!(shutting(&json!({}), (3306, 3307)), None);
    }
}
