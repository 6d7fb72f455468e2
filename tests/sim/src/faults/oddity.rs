//! Answers whose types are not those of the schema, as they are met in examples of the vendor's own pages.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A way in which an answer departs from the documented schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oddity {
    /// `vcpus` and `ram` are numbers, as in the page's example; its schema says text.
    VcpusNumber,
    /// `transaction_split` is a bool.
    TransactionSplitBool,
    /// `readonly_nodes` is an object, not an array.
    ReadonlyNodesObject,
    /// A proxy's `port` is digits in text.
    PortText,
    /// The port of an instance and its nodes is a number where the schema says text, and the other way round.
    DatabasePortSwapped,
    /// Texts that may be empty are null.
    EmptyNull,
    /// Fields whose text is empty are absent.
    EmptyAbsent,
    /// Fields of newer pages are absent: as an older service answers.
    OlderFields,
    /// Every object has fields that nobody knows, of every type.
    UnknownFields,
}

/// Not on all versions of the page of the list.
const NEWER: [&str; 6] = [
    "htap_nodes",
    "ssl_option",
    "support_ap_node",
    "new_node_auto_add_status",
    "new_node_weight",
    "balance_route_mode_enabled",
];

impl Oddity {
    /// All oddities, for tests that hold with each.
    pub const ALL: [Self; 9] = [
        Self::VcpusNumber,
        Self::TransactionSplitBool,
        Self::ReadonlyNodesObject,
        Self::PortText,
        Self::DatabasePortSwapped,
        Self::EmptyNull,
        Self::EmptyAbsent,
        Self::OlderFields,
        Self::UnknownFields,
    ];

    /// Puts the oddity into every object of an answer where it applies.
    pub(crate) fn apply(self, json: &mut Value) {
        match json {
            Value::Object(fields) => {
                fields.values_mut().for_each(|value| self.apply(value));
                self.alter(fields);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.apply(item)),
            _ => {}
        }
    }

    fn alter(self, fields: &mut Map<String, Value>) {
        let is_proxy = fields.contains_key("pool_id");
        match self {
            Self::VcpusNumber => {
                for name in ["vcpus", "ram"] {
                    replace(fields, name, number);
                }
            }
            Self::TransactionSplitBool => {
                replace(fields, "transaction_split", |value| json!(value == "true"));
            }
            Self::ReadonlyNodesObject => replace(fields, "readonly_nodes", |value| {
                value.get(0).cloned().unwrap_or_else(|| json!({}))
            }),
            Self::PortText if is_proxy => {
                replace(fields, "port", |value| json!(value.to_string()));
            }
            Self::DatabasePortSwapped if !is_proxy => replace(fields, "port", |value| {
                if value.is_number() {
                    json!(value.to_string())
                } else {
                    number(value)
                }
            }),
            Self::EmptyNull => fields
                .values_mut()
                .filter(|value| **value == "")
                .for_each(|value| *value = Value::Null),
            Self::EmptyAbsent => fields.retain(|_, value| *value != ""),
            Self::OlderFields => fields.retain(|name, _| !NEWER.contains(&&**name)),
            Self::UnknownFields => {
                let unknown = [
                    ("x_text", json!("port: 1")),
                    ("x_number", json!(-1.5e300)),
                    ("x_bool", json!(true)),
                    ("x_null", Value::Null),
                    ("x_array", json!([[], {"port": 1}, null])),
                    (
                        "x_object",
                        json!({"pool_id": 7, "status": ["ACTIVE"], "job_id": {}}),
                    ),
                ];
                fields.extend(unknown.map(|(name, value)| (name.to_owned(), value)));
            }
            Self::PortText | Self::DatabasePortSwapped => {}
        }
    }
}

fn replace(fields: &mut Map<String, Value>, name: &str, with: impl Fn(&Value) -> Value) {
    if let Some(value) = fields.get_mut(name) {
        *value = with(value);
    }
}

/// A number that is written as text.
fn number(value: &Value) -> Value {
    let digits = value.as_str().and_then(|text| text.parse::<u64>().ok());
    digits.map_or_else(|| value.clone(), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_oddity_changes_its_fields_and_no_others() {
        let plain = json!({"proxy_list": [{
            "proxy": {"pool_id": "x", "port": 3306, "vcpus": "2", "transaction_split": "false", "eip": "", "ssl_option": "false"},
            "readonly_nodes": [{"id": "n", "port": "3306"}],
        }]});
        let row = "/proxy_list/0";
        for (oddity, place, expected) in [
            (Oddity::VcpusNumber, "/proxy/vcpus", Some(json!(2))),
            (
                Oddity::TransactionSplitBool,
                "/proxy/transaction_split",
                Some(json!(false)),
            ),
            (
                Oddity::ReadonlyNodesObject,
                "/readonly_nodes/id",
                Some(json!("n")),
            ),
            (Oddity::PortText, "/proxy/port", Some(json!("3306"))),
            (
                Oddity::DatabasePortSwapped,
                "/readonly_nodes/0/port",
                Some(json!(3306)),
            ),
            (Oddity::EmptyNull, "/proxy/eip", Some(Value::Null)),
            (Oddity::EmptyAbsent, "/proxy/eip", None),
            (Oddity::OlderFields, "/proxy/ssl_option", None),
            (Oddity::UnknownFields, "/proxy/x_null", Some(Value::Null)),
        ] {
            let mut odd = plain.clone();
            oddity.apply(&mut odd);
            let found = odd.pointer(&format!("{row}{place}"));
            assert_eq!(found, expected.as_ref(), "{oddity:?}");
            let port = odd.pointer(&format!("{row}/proxy/port")).unwrap();
            assert_eq!(
                *port,
                if oddity == Oddity::PortText {
                    json!("3306")
                } else {
                    json!(3306)
                }
            );
        }
    }
}
