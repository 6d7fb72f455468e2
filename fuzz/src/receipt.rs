//! The answer to a change: "nothing to do" is never read from an error, from half an answer or from none.

use taurus_port_operator::cloud::wire::{self, ChangeReceipt};

use crate::look;

/// Checks a body.
pub fn check(input: &[u8]) -> bool {
    let body = look::body(input);
    let Ok(receipt) = wire::receipt(&body) else {
        return false;
    };
    let Some(json) = look::json(&body) else {
        return true;
    };
    assert!(json.is_object());
    let id = &json["job_id"];
    match &receipt {
        ChangeReceipt::Job(job) => assert_eq!(look::id(id).as_deref(), Some(job.as_str())),
        ChangeReceipt::NothingToDo => {
            let blank = id.as_str().is_some_and(|text| text.trim().is_empty());
            assert!(id.is_null() || blank, "{id}");
            assert!(
                json["error_code"].is_null(),
                "an error is taken for a success"
            );
        }
    }
    assert_eq!(wire::receipt(&json.to_string()), Ok(receipt));
    true
}
