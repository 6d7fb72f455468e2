//! Answers of the cloud with odd values in the fields that are read, more of them than libFuzzer finds in minutes.
//!
//! What is made follows the grammar: fields that are known, in any order, more than once, and values of any type.

use proptest::{prelude::*, sample::select};
use taurus_fuzz::{job, proxies, receipt, tasks, token_life};

const INSTANCE: &str = "e80a4b6f13c2457d9ab05c7712f4d3e6in07";
const PROXY: &str = "4d1f0a77c2b94e5f8a6031d7be92c405po01";
const JOB: &str = "2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541";

/// Values as they stand in a text of JSON.
const VALUES: [&str; 30] = [
    "null",
    "true",
    "{}",
    "[]",
    "0",
    "7",
    "-1",
    "-0",
    "1.5",
    "1e2",
    "1e999",
    "3307",
    "65536",
    "18446744073709551615",
    "18446744073709551616",
    r#""""#,
    r#"" ""#,
    r#""7""#,
    r#"" 7 ""#,
    r#""+7""#,
    r#""x\u0000y""#,
    r#""cut \ud83d""#,
    r#""ACTIVE""#,
    r#""Completed""#,
    r#"" running ""#,
    r#""Failed""#,
    r#""Pending""#,
    r#""2026-03-02T16:40:05+0800""#,
    r#""2026-03-02T08:41:05Z""#,
    r#""2026-03-02""#,
];

/// A value of a field: one of the odd ones, or an id.
fn value() -> impl Strategy<Value = String> {
    let ids = [INSTANCE, PROXY, JOB].map(|id| format!("\"{id}\""));
    let odd = VALUES.map(str::to_owned);
    prop_oneof![3 => select(odd.to_vec()), 1 => select(ids.to_vec())]
}

/// An object with some of these fields, each of which may come more than once.
fn object(
    fields: &'static [&'static str],
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let field = (select(fields), value).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    proptest::collection::vec(field, 0..8).prop_map(|fields| format!("{{{}}}", fields.join(",")))
}

/// A list of these, and of what is no object.
fn list(row: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let row = prop_oneof![5 => row, 1 => value()];
    proptest::collection::vec(row, 0..6).prop_map(|rows| format!("[{}]", rows.join(",")))
}

/// Something, or an odd value in its place.
fn mostly(what: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop_oneof![8 => what, 1 => value()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn task_lists(
        rows in mostly(list(object(
            &["job_id", "job_name", "instance_id", "status", "created_time", "ended_time", "order_id", "process"],
            value(),
        ))),
        total in value(),
    ) {
        tasks::check(format!(r#"{{"jobs":{rows},"total_count":{total}}}"#).as_bytes());
    }

    #[test]
    fn proxy_lists(
        rows in mostly(list(
            mostly(object(&["pool_id", "name", "status", "address", "port", "vcpus"], value()))
                .prop_map(|proxy| format!(r#"{{"proxy":{proxy}}}"#)),
        )),
    ) {
        proxies::check(format!(r#"{{"proxy_list":{rows}}}"#).as_bytes());
    }

    #[test]
    fn jobs(row in mostly(object(&["id", "status", "fail_reason", "ended", "name"], value()))) {
        job::check(format!(r#"{{"job":{row}}}"#).as_bytes());
    }

    #[test]
    fn receipts(body in mostly(object(&["job_id", "error_code", "error_msg"], value()))) {
        receipt::check(body.as_bytes());
    }

    #[test]
    fn lives_of_tokens(token in mostly(object(&["issued_at", "expires_at", "user"], value()))) {
        token_life::check(format!(r#"{{"token":{token}}}"#).as_bytes());
    }
}
