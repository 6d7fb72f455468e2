//! The rules that hold in every story: of every version of every resource, and of every request to the cloud.

use serde_json::Value;
use taurus_sim::{Entry, Operation};

mod verdicts;
mod versions;

pub use verdicts::{of_verdicts, wrong_verdicts};
pub use versions::{Version, of_versions};

/// Checks that nothing but the product's calls was ever made, whatever the story was (E32).
pub fn of_requests(journal: &[Entry]) {
    for entry in journal {
        let known = match entry.operation {
            Operation::List => entry.path.ends_with("/proxies"),
            Operation::Change => {
                entry.method == "PUT"
                    && entry.path.ends_with("/port")
                    && entry.path.contains("/proxy/")
            }
            Operation::Job => entry.path.ends_with("/jobs"),
            Operation::Tasks => entry.path.ends_with("/immediate-jobs"),
            Operation::Details => entry.path.ends_with("/instances/details"),
            Operation::GroupRules => entry.path.ends_with("/vpc/security-group-rules"),
            Operation::Token => entry.path == "/v3/auth/tokens",
            Operation::IdToken => entry.path == "/v3.0/OS-AUTH/id-token/tokens",
            Operation::SecurityToken => entry.path == "/v3.0/OS-CREDENTIAL/securitytokens",
            Operation::MetadataToken | Operation::MachineKeys | Operation::PodKeys => true,
            _ => false,
        };
        assert!(known, "E32: {} {}", entry.method, entry.path);
        if entry.operation == Operation::Change {
            let body: Value = serde_json::from_str(&entry.body).unwrap();
            let fields: Vec<_> = body.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["port"], "{}", entry.body);
        }
    }
}
