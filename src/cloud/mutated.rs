//! What the decoders make of documented answers in which something has gone wrong.
//!
//! Fields are dropped, put twice, put in another order, made null or of another type, wherever they stand. A decoder
//! may then say that it can't read the answer, or leave out what it can't read. It may never panic, and never come to a
//! port, a job or a state that the answer doesn't tell.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use self::json::{Node, mutations};
use super::{
    ProxyStatus,
    error::{body, table},
    wire::{self, ChangeReceipt},
};
use crate::model::{JobId, JobState};

mod json;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../tests/fixtures/api/", $name, ".json"))
    };
}

const LISTS: [&str; 4] = [
    fixture!("proxies"),
    fixture!("proxies-changing"),
    fixture!("proxies-odd-types"),
    fixture!("proxies-older"),
];
const JOBS: [&str; 6] = [
    fixture!("job-pending"),
    fixture!("job-running"),
    fixture!("job-completed"),
    fixture!("job-failed"),
    fixture!("job-canceled"),
    fixture!("job-unauthorized"),
];
const RECEIPTS: [&str; 4] = [
    fixture!("change-accepted"),
    fixture!("change-nothing-null"),
    fixture!("change-nothing-absent"),
    fixture!("change-nothing-empty"),
];
const ERRORS: [&str; 13] = [
    fixture!("error-service"),
    fixture!("error-service-wide-code"),
    fixture!("error-job-not-found"),
    fixture!("error-gateway"),
    fixture!("error-gateway-other-prefix"),
    fixture!("error-iam"),
    fixture!("error-keystone"),
    fixture!("error-nested"),
    fixture!("error-code-message"),
    fixture!("error-camel"),
    fixture!("error-front"),
    fixture!("error-in-message"),
    fixture!("error-list"),
];
const TOKENS: [&str; 3] = [
    fixture!("token"),
    fixture!("token-without-catalog"),
    fixture!("token-without-project"),
];

fn asked() -> JobId {
    JobId::parse("9f2d61c4-7be0-4a35-8c1d-52e0ab94f763").unwrap()
}

/// One of the fixtures as it is, and with up to four things gone wrong.
fn mutated(fixtures: &'static [&'static str]) -> impl Strategy<Value = (&'static str, String)> {
    (prop::sample::select(fixtures), mutations()).prop_map(|(fixture, mutations)| {
        let mut node = Node::from(serde_json::from_str::<Value>(fixture).unwrap());
        for (place, mutation) in &mutations {
            node.mutate(*place, mutation);
        }
        (fixture, node.to_string())
    })
}

/// An unreadable state is one that still runs; otherwise it is the one that was told.
fn is_safe(state: &JobState, told: &JobState) -> bool {
    matches!(state, JobState::Running(_)) || state == told
}

/// An id is the one that was told, or what was put in its place: ids are opaque, and a whole number may be one.
fn is_told(id: &JobId, told: &JobId) -> bool {
    let digits = id.as_str().bytes().all(|byte| byte.is_ascii_digit());
    id == told || digits || id.as_str() == "junk"
}

/// Absent, null or an empty text.
fn is_nothing(field: Option<&Value>) -> bool {
    field.is_none_or(|field| {
        field.is_null() || field.as_str().is_some_and(|text| text.trim().is_empty())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_proxy_gets_another_port_or_becomes_usable((fixture, text) in mutated(&LISTS)) {
        let told = wire::proxies(fixture).unwrap().proxies;
        prop_assert!(!told.is_empty());
        for proxy in wire::proxies(&text).map(|page| page.proxies).unwrap_or_default() {
            let told = told.iter().find(|told| told.id == proxy.id);
            prop_assert!(told.is_some(), "{}: {text}", proxy.id);
            let told = told.unwrap();
            prop_assert!(proxy.port.is_none() || proxy.port == told.port, "{:?}: {text}", proxy.port);
            let usable = proxy.status == ProxyStatus::Active;
            prop_assert!(!usable || told.status == ProxyStatus::Active, "{text}");
        }
    }

    #[test]
    fn no_job_comes_to_another_end((fixture, text) in mutated(&JOBS)) {
        let told = wire::job(fixture, &asked()).unwrap();
        if let Ok(job) = wire::job(&text, &asked()) {
            prop_assert!(is_safe(&job.state, &told.state), "{:?}: {text}", job.state);
            prop_assert!(job.ended.is_none() || job.ended == told.ended, "{text}");
        }
        let other = JobId::parse("3be7f08a-16c2-4d59-9e40-c7d18a2f5b06").unwrap();
        if let Ok(job) = wire::job(&text, &other) {
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert!(is_nothing(value.pointer("/job/id")), "{:?}: {text}", job.state);
        }
    }

    #[test]
    fn no_task_is_lost_or_comes_to_another_end((fixture, text) in mutated(&[fixture!("tasks")])) {
        let told = wire::tasks(fixture).unwrap().rows;
        if let Ok(page) = wire::tasks(&text) {
            let value: Value = serde_json::from_str(&text).unwrap();
            let rows = value.get("jobs").and_then(Value::as_array).map_or(0, Vec::len);
            prop_assert_eq!(page.rows.len(), rows, "{}", text);
            for (_, task) in page.rows {
                let of = |job: &JobId| told.iter().find(|(_, told)| told.job.as_ref() == Some(job));
                match task.job.as_ref().map(|job| (job, of(job))) {
                    Some((_, Some((_, told)))) => {
                        prop_assert!(is_safe(&task.state, &told.state), "{text}");
                        prop_assert!(task.instance.is_none() || task.instance == told.instance, "{text}");
                    }
                    Some((job, None)) => prop_assert!(is_told(job, &asked()), "{job}: {text}"),
                    None => {
                        let safe = told.iter().any(|(_, told)| is_safe(&task.state, &told.state));
                        prop_assert!(safe, "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_receipt_names_another_job_or_hides_one((fixture, text) in mutated(&RECEIPTS)) {
        let told = wire::receipt(fixture).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        match (wire::receipt(&text), told) {
            (Ok(ChangeReceipt::Job(job)), ChangeReceipt::Job(told)) => prop_assert!(is_told(&job, &told), "{job}: {text}"),
            (Ok(ChangeReceipt::Job(job)), ChangeReceipt::NothingToDo) => {
                let put = value.get("job_id").is_some_and(|id| id.as_u64().is_some() || id == "junk");
                prop_assert!(put, "{job}: {text}");
            }
            (Ok(ChangeReceipt::NothingToDo), ChangeReceipt::Job(_)) => {
                prop_assert!(is_nothing(value.get("job_id")), "{text}");
            }
            _ => {}
        }
    }

    #[test]
    fn no_error_gets_another_code((fixture, text) in mutated(&ERRORS)) {
        let told = body::read(fixture).code;
        let said = body::read(&text).code;
        prop_assert!(said.is_none() || said == told, "{said:?}: {text}");
        for asked in [table::Asked::Read, table::Asked::Change] {
            let meaning = |code: Option<&str>| code.and_then(|code| table::by_code(code, asked));
            let found = meaning(said.as_deref());
            prop_assert!(found.is_none() || found == meaning(told.as_deref()), "{text}");
        }
    }

    #[test]
    fn no_token_lives_longer((fixture, text) in mutated(&TOKENS)) {
        prop_assert_eq!(wire::token_life(fixture), Some(Duration::from_hours(24)));
        let life = wire::token_life(&text);
        prop_assert!(life.is_none() || life == Some(Duration::from_hours(24)), "{life:?}: {text}");
    }
}
