//! What the rules cost, by the API server's own estimate.

use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;
use taurus_port_operator::crd;

use crate::world::plane;

const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";

/// How often every rule may stand in the definition and the API server still takes it: its budget is far away.
const TIMES: usize = 100;

/// Applies a definition as a dry run; gives what kubectl said, warnings included.
fn tried(plane: &ControlPlane, definition: &Value) -> Result<String, String> {
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::fs::write(file.path(), definition.to_string()).unwrap();
    let path = file.path().to_str().unwrap();
    let apply = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "-f",
        path,
    ];
    let output = plane::kubectl(plane, &apply);
    let said = String::from_utf8(output.stderr).unwrap();
    if output.status.success() {
        Ok(said)
    } else {
        Err(said)
    }
}

/// Writes each rule this many times over, with other blanks each time, for a rule is its own key; gives how many there are
/// once.
fn repeat_rules(value: &mut Value, times: usize) -> usize {
    match value {
        Value::Object(fields) => {
            let mut count = 0;
            if let Some(Value::Array(rules)) = fields.get_mut("x-kubernetes-validations") {
                count = rules.len();
                let repeated =
                    (0..times).flat_map(|time| rules.iter().map(move |rule| spaced(rule, time)));
                *rules = repeated.collect();
            }
            let others = fields.values_mut();
            count
                + others
                    .map(|value| repeat_rules(value, times))
                    .sum::<usize>()
        }
        Value::Array(items) => {
            let items = items.iter_mut();
            items.map(|value| repeat_rules(value, times)).sum()
        }
        _ => 0,
    }
}

fn spaced(rule: &Value, blanks: usize) -> Value {
    let mut rule = rule.clone();
    let text = rule["rule"].as_str().unwrap().to_owned();
    rule["rule"] = json!(text + &" ".repeat(blanks));
    rule
}

#[taurus_needs::test]
async fn c10_the_definition_installs_without_a_warning_and_its_rules_cost_less_than_a_hundredth_of_the_budget()
 {
    // The shared control plane has it installed, by the kustomization that people apply.
    let plane = &plane::shared().await;
    let folder = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "-k",
        "deploy/base",
    ];
    for arguments in [&folder[..], &["apply", "--server-side", "-k", "crds"]] {
        let applied = plane::kubectl(plane, arguments);
        let said = String::from_utf8_lossy(&applied.stderr).into_owned();
        assert!(applied.status.success() && said.is_empty(), "{said}");
    }

    let mut definition = serde_json::to_value(crd::definition()).unwrap();
    assert_eq!(tried(plane, &definition), Ok(String::new()));
    let rules = repeat_rules(&mut definition, TIMES);
    assert!(rules >= 15, "all rules were found: {rules}");
    assert_eq!(tried(plane, &definition), Ok(String::new()));

    // The estimate is made: a rule whose cost knows no bound is refused.
    let mut costly = serde_json::to_value(crd::definition()).unwrap();
    costly.pointer_mut(SPEC).unwrap()["properties"]["extra"] = json!({
        "type": "array", "items": {"type": "string"},
        "x-kubernetes-validations": [{"rule": "self.all(one, self.all(other, one == other))"}],
    });
    let refused = tried(plane, &costly).unwrap_err();
    assert!(refused.contains("exceeds budget"), "{refused}");
}
