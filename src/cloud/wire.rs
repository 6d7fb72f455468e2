//! From JSON to the few values that are used.
//!
//! Strict where a decision hangs on it, lenient everywhere else: fields that are not used may have any type or be absent.
//! Texts are as the other side wrote them until they were [`Cleaned`].
//! Sources: API pages "Querying Proxy Instances", "Obtaining Information About a Task" and "Querying Instant Tasks"; the
//! vendor's examples and schemas disagree on types.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use self::sparse::Value;
use super::{Instance, Job, Proxy, ProxyStatus, Task};
use crate::model::{InstanceId, JobId, JobState, ProxyId};

mod cleaned;
pub mod groups;
mod sparse;

pub use cleaned::Cleaned;

// The fields that are used of each answer, those of all its objects together.
const OF_PROXIES: &[&str] = &[
    "proxy_list",
    "proxy",
    "pool_id",
    "name",
    "status",
    "address",
    "port",
];
const OF_INSTANCES: &[&str] = &["instances", "id", "name", "status", "tags", "key", "value"];
const OF_DETAILS: &[&str] = &["instances", "id", "maintenance_window"];
const OF_JOB: &[&str] = &["job", "id", "status", "fail_reason", "ended"];
/// Those with which rows without an id of their job are told apart as well.
const OF_TASKS: &[&str] = &[
    "jobs",
    "total_count",
    "job_id",
    "job_name",
    "instance_id",
    "status",
    "created_time",
    "ended_time",
    "order_id",
];
const OF_RECEIPT: &[&str] = &["job_id", "error_code"];
const OF_TOKEN_LIFE: &[&str] = &["token", "issued_at", "expires_at"];

/// Why an answer with a good status is not the wanted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It is no JSON object.
    #[error("the answer is no JSON object")]
    NoObject,
    /// A field without which nothing can be said is missing or of another type.
    #[error("{0} is missing or of another type")]
    Field(&'static str),
    /// `job` is null: there is no such job.
    #[error("there is no such job")]
    NoJob,
    /// The job is another one than was asked for.
    #[error("the job is another one than was asked for")]
    OtherJob,
}

/// A page of the list of proxies.
#[derive(Debug, PartialEq, Eq)]
pub struct ProxyPage {
    /// How many rows it had.
    pub rows: usize,
    /// Those that could be read.
    pub proxies: Vec<Proxy>,
    /// Whether rows could not be read, or there is no list.
    pub has_gaps: bool,
}

/// A page of the list of instances.
#[derive(Debug, PartialEq, Eq)]
pub struct InstancePage {
    /// How many rows it had.
    pub rows: usize,
    /// Those that could be read.
    pub instances: Vec<Instance>,
}

/// The maintenance windows of instances, each as the cloud writes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Windows(pub Vec<(InstanceId, String)>);

/// A page of the task list.
#[derive(Debug, PartialEq, Eq)]
pub struct TaskPage {
    /// The rows, each with what tells it from others.
    pub rows: Vec<(String, Task)>,
    /// `total_count`, where it can be read.
    pub total: Option<usize>,
}

/// What an accepted change says.
#[derive(Debug, PartialEq, Eq)]
pub enum ChangeReceipt {
    /// It is at work.
    Job(JobId),
    /// The port stood there already (no `job_id`, in the ways of the vendor's clients).
    NothingToDo,
}

/// Reads a page of `GET …/proxies`. Rows without a readable `pool_id` are left out.
pub fn proxies(body: &str) -> Result<ProxyPage, WireError> {
    let body = object(body, OF_PROXIES)?;
    let (rows, is_list) = match body.get("proxy_list") {
        Some(Value::List(rows)) => (rows.as_slice(), true),
        Some(Value::Null) => (&[][..], false),
        _ => return Err(WireError::Field("proxy_list")),
    };
    let proxies: Vec<Proxy> = rows.iter().filter_map(proxy).collect();
    Ok(ProxyPage {
        rows: rows.len(),
        has_gaps: !is_list || proxies.len() < rows.len(),
        proxies,
    })
}

/// Reads a page of `GET …/instances`. Rows without a readable `id`, as of other engines, are left out.
pub fn instances(body: &str) -> Result<InstancePage, WireError> {
    let body = object(body, OF_INSTANCES)?;
    let rows = match body.get("instances") {
        Some(Value::List(rows)) => rows.as_slice(),
        Some(Value::Null) => &[],
        _ => return Err(WireError::Field("instances")),
    };
    let instance = |row: &Value<'_>| {
        Some(Instance {
            id: InstanceId::parse(text(row, "id")?).ok()?,
            name: text(row, "name").unwrap_or_default().to_owned(),
            status: text(row, "status").unwrap_or_default().to_owned(),
            tags: tags(row),
        })
    };
    Ok(InstancePage {
        rows: rows.len(),
        instances: rows.iter().filter_map(instance).collect(),
    })
}

/// The tags of a row; one without a key is none, and one without a value has an empty one.
fn tags(row: &Value<'_>) -> BTreeMap<String, String> {
    let Some(Value::List(tags)) = row.get("tags") else {
        return BTreeMap::new();
    };
    let tag = |tag: &Value<'_>| {
        let value = text(tag, "value").unwrap_or_default();
        Some((text(tag, "key")?.to_owned(), value.to_owned()))
    };
    tags.iter().filter_map(tag).collect()
}

/// Reads `GET …/instances/details`. Rows without a readable `id` or `maintenance_window` are left out.
pub fn instance_windows(body: &str) -> Result<Windows, WireError> {
    details(body, OF_DETAILS, "maintenance_window").map(Windows)
}

/// A text of each row of the details of instances.
fn details(
    body: &str,
    fields: &'static [&'static str],
    name: &str,
) -> Result<Vec<(InstanceId, String)>, WireError> {
    let body = object(body, fields)?;
    let rows = match body.get("instances") {
        Some(Value::List(rows)) => rows.as_slice(),
        Some(Value::Null) => &[],
        _ => return Err(WireError::Field("instances")),
    };
    let detail = |row: &Value<'_>| {
        let id = InstanceId::parse(text(row, "id")?).ok()?;
        Some((id, text(row, name)?.to_owned()))
    };
    Ok(rows.iter().filter_map(detail).collect())
}

/// Reads `GET …/jobs?id=`.
pub fn job(body: &str, asked: &JobId) -> Result<Job, WireError> {
    let body = object(body, OF_JOB)?;
    let job = match body.get("job") {
        Some(Value::Null) => return Err(WireError::NoJob),
        Some(job @ Value::Object(_)) => job,
        _ => return Err(WireError::Field("job")),
    };
    let is_asked = |id: JobId| id.as_str().eq_ignore_ascii_case(asked.as_str());
    match job.get("id") {
        None | Some(Value::Null) => {}
        Some(Value::Text(id)) if id.trim().is_empty() => {}
        Some(id) if id_of_job(id).is_some_and(is_asked) => {}
        Some(_) => return Err(WireError::OtherJob),
    }
    Ok(Job {
        state: JobState::from_word(text(job, "status")),
        fail_reason: text(job, "fail_reason").map(str::to_owned),
        ended: time(job, "ended"),
        cloud_time: None,
    })
}

/// Reads a page of `GET …/immediate-jobs`.
pub fn tasks(body: &str) -> Result<TaskPage, WireError> {
    let body = object(body, OF_TASKS)?;
    let total = number(&body, "total_count").and_then(|total| usize::try_from(total).ok());
    let rows = match body.get("jobs") {
        Some(Value::List(rows)) => rows.as_slice(),
        // An empty list is believed to be one only where the count says so too.
        Some(Value::Null) | None if total == Some(0) => &[],
        _ => return Err(WireError::Field("jobs")),
    };
    Ok(TaskPage {
        rows: rows.iter().map(task).collect(),
        total,
    })
}

/// Reads the answer of an accepted change.
pub fn receipt(body: &str) -> Result<ChangeReceipt, WireError> {
    let body = object(body, OF_RECEIPT)?;
    let id = match body.get("job_id") {
        Some(Value::Null) => None,
        Some(Value::Text(id)) if id.trim().is_empty() => None,
        id => id,
    };
    match id {
        None if body
            .get("error_code")
            .is_some_and(|code| *code != Value::Null) =>
        {
            Err(WireError::Field("job_id"))
        }
        None => Ok(ChangeReceipt::NothingToDo),
        Some(value) => id_of_job(value)
            .map(ChangeReceipt::Job)
            .ok_or(WireError::Field("job_id")),
    }
}

/// `token.issued_at` and `token.expires_at` of IAM's answer.
pub fn token_life(body: &str) -> Option<std::time::Duration> {
    let body = object(body, OF_TOKEN_LIFE).ok()?;
    let token = body.get("token")?;
    let life = time(token, "expires_at")?.duration_since(time(token, "issued_at")?);
    std::time::Duration::try_from(life).ok()
}

fn proxy(row: &Value<'_>) -> Option<Proxy> {
    let proxy = row.get("proxy")?;
    Some(Proxy {
        id: ProxyId::parse(text(proxy, "pool_id")?).ok()?,
        name: text(proxy, "name").unwrap_or_default().to_owned(),
        status: ProxyStatus::of(text(proxy, "status")),
        address: text(proxy, "address").map(str::to_owned),
        port: number(proxy, "port")
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port != 0),
    })
}

fn task(row: &Value<'_>) -> (String, Task) {
    let job = row.get("job_id").and_then(id_of_job);
    let key = job
        .as_ref()
        .map_or_else(|| format!("{row:?}"), |job| job.as_str().to_owned());
    let task = Task {
        job,
        instance: text(row, "instance_id").and_then(|id| InstanceId::parse(id).ok()),
        state: JobState::from_word(text(row, "status")),
        created: time(row, "created_time"),
        ended: time(row, "ended_time"),
    };
    (key, task)
}

fn object<'b>(body: &'b str, fields: &'static [&'static str]) -> Result<Value<'b>, WireError> {
    sparse::read(body, fields)
        .ok()
        .filter(|value| matches!(value, Value::Object(_)))
        .ok_or(WireError::NoObject)
}

/// A job's id: text, or a whole number taken as text. Other numbers have no one way to be written.
fn id_of_job(value: &Value<'_>) -> Option<JobId> {
    match value {
        Value::Text(id) => JobId::parse(id),
        Value::Number(id) => JobId::parse(&id.to_string()),
        _ => None,
    }
}

/// A text that is there and not empty, without the blanks around it.
fn text<'v>(value: &'v Value<'_>, name: &str) -> Option<&'v str> {
    let text = value.get(name)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

/// A number, or digits in text.
fn number(value: &Value<'_>, name: &str) -> Option<u64> {
    match value.get(name)? {
        Value::Number(number) => Some(*number),
        field => field.as_str()?.trim().parse().ok(),
    }
}

/// `2026-03-02T16:40:05+0800`, or with a colon in the offset or a `Z`.
fn time(value: &Value<'_>, name: &str) -> Option<Timestamp> {
    text(value, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "4d1f0a77c2b94e5f8a6031d7be92c405po01";
    const JOB: &str = "2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541";

    fn asked() -> JobId {
        JobId::parse(JOB).unwrap()
    }

    fn one(proxy: &Value) -> Option<Proxy> {
        let page = proxies(&json!({"proxy_list": [{"proxy": proxy}]}).to_string()).unwrap();
        assert_eq!(page.rows, 1);
        page.proxies.into_iter().next()
    }

    #[test]
    fn a_proxy_is_read_whatever_the_fields_are_like_that_nobody_uses() {
        for odd in [
            json!("2"),
            json!(2),
            json!(true),
            json!(null),
            json!({"a": [1]}),
        ] {
            let row = json!({"proxy": {"pool_id": ID.to_uppercase(), "name": "orders", "status": "ACTIVE", "address": "10.0.0.1",
                "port": 3306, "vcpus": odd, "transaction_split": odd, "nodes": odd}, "master_node": odd, "readonly_nodes": odd});
            let page =
                proxies(&json!({"proxy_list": [row], "total_count": odd}).to_string()).unwrap();
            let proxy = page.proxies.first().unwrap();
            assert_eq!((proxy.id.as_str(), proxy.port), (ID, Some(3306)), "{odd}");
            assert_eq!(proxy.status, ProxyStatus::Active);
            assert_eq!(proxy.address.as_deref(), Some("10.0.0.1"));
        }
    }

    #[test]
    fn instances_are_read_whatever_else_a_page_has() {
        let id = format!("{}in07", "b".repeat(32));
        let rows = json!([
            {"id": id.to_uppercase().replace("IN07", "in07"), "name": "shop", "status": "ACTIVE", "port": 3306, "tags": [
                {"key": "a"}, {"key": "team", "value": "shop"}, {"value": "b"}, 7
            ]},
            {"id": "of-another-engine", "name": "other"},
            {"id": id},
        ]);
        let page = instances(&json!({"instances": rows, "total_count": "3"}).to_string()).unwrap();
        assert_eq!(page.rows, 3);
        let names: Vec<&str> = page.instances.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["shop", ""]);
        let tags = page.instances.iter().map(|row| row.tags.iter().collect());
        let tags: Vec<Vec<_>> = tags.collect();
        let (a, team) = (
            (&"a".to_owned(), &String::new()),
            (&"team".to_owned(), &"shop".to_owned()),
        );
        assert_eq!(tags, [vec![a, team], vec![]]);
        assert_eq!(page.instances[0].id, page.instances[1].id);
        assert_eq!(
            instances("{}"),
            Err(WireError::Field("instances")),
            "no list is not an empty one"
        );
    }

    #[test]
    fn a_port_is_a_number_or_digits_and_never_zero() {
        for (port, read) in [
            (json!(3306), Some(3306)),
            (json!("3306"), Some(3306)),
            (json!(0), None),
            (json!(null), None),
            (json!(70000), None),
            (json!(-1), None),
            (json!("x"), None),
        ] {
            let proxy = one(&json!({"pool_id": ID, "status": "ACTIVE", "port": port})).unwrap();
            assert_eq!(proxy.port, read, "{port}");
        }
    }

    #[test]
    fn t06_a_frozen_proxy_is_one_for_a_person_and_not_waited_for() {
        // In whatever case, and with whatever around it.
        for word in ["FROZEN", "frozen", " Frozen "] {
            let row = json!({"pool_id": ID, "status": word, "port": 3306});
            let proxy = one(&row).unwrap();
            let ProxyStatus::Unhealthy(said) = &proxy.status else {
                panic!("{word:?} is {:?}", proxy.status);
            };
            assert_eq!(said.trim(), word.trim());
        }
    }

    #[test]
    fn status_words_are_an_open_set() {
        for (word, status) in [
            (json!("active "), ProxyStatus::Active),
            (
                json!("ABNORMAL"),
                ProxyStatus::Unhealthy("ABNORMAL".to_owned()),
            ),
            (json!("FROZEN"), ProxyStatus::Unhealthy("FROZEN".to_owned())),
            (
                json!("PORT_MODIFYING"),
                ProxyStatus::Changing("PORT_MODIFYING".to_owned()),
            ),
            (json!(""), ProxyStatus::Unhealthy("no status".to_owned())),
            (json!(null), ProxyStatus::Unhealthy("no status".to_owned())),
            (
                json!("ACT\u{0}IVE"),
                ProxyStatus::Changing("ACT\u{0}IVE".to_owned()),
            ),
            (
                json!("ADDING READ REPLICAS TO PROXY"),
                ProxyStatus::Changing("ADDING READ REPLICAS TO PROXY".to_owned()),
            ),
        ] {
            assert_eq!(
                one(&json!({"pool_id": ID, "status": word})).unwrap().status,
                status
            );
        }
    }

    #[test]
    fn a_row_that_cannot_be_told_apart_is_left_out_and_a_list_that_is_none_is_an_error() {
        assert_eq!(one(&json!({"status": "ACTIVE"})), None);
        assert_eq!(one(&json!({"pool_id": "short"})), None);
        assert_eq!(proxies(r#"{"proxy_list": null}"#).unwrap().rows, 0);
        let has_gaps = |body: &str| proxies(body).unwrap().has_gaps;
        assert!(has_gaps(r#"{"proxy_list": null}"#));
        assert!(has_gaps(
            r#"{"proxy_list": [{"proxy": {"pool_id": "short"}}]}"#
        ));
        assert!(!has_gaps(r#"{"proxy_list": []}"#));
        for body in [
            "",
            "[]",
            "{}",
            r#"{"proxy_list": {}}"#,
            "<html>",
            r#"{"proxy_list": ["#,
        ] {
            assert!(proxies(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_job_is_read_in_all_its_spellings() {
        let body = json!({"job": {"id": JOB, "name": "SomeTask", "status": "Failed", "created": "2026-03-02T16:40:05+0800",
            "ended": "2026-03-02T16:41:05+0800", "process": "", "entities": [], "fail_reason": "no room"}});
        let read = job(&body.to_string(), &asked()).unwrap();
        assert_eq!(read.state, JobState::Failed("Failed".to_owned()));
        assert_eq!(read.fail_reason.as_deref(), Some("no room"));
        assert_eq!(read.ended, Some("2026-03-02T08:41:05Z".parse().unwrap()));
        let running =
            json!({"job": {"id": JOB, "status": "Running", "ended": "", "fail_reason": null}});
        let read = job(&running.to_string(), &asked()).unwrap();
        assert_eq!((read.ended, read.fail_reason), (None, None));
    }

    #[test]
    fn a_time_is_read_in_its_spellings_and_only_with_an_offset() {
        let ended = |text: &str| {
            let body = json!({"job": {"id": JOB, "status": "Completed", "ended": text}});
            let asked = JobId::parse(JOB).unwrap();
            job(&body.to_string(), &asked).unwrap().ended
        };
        let same = Some("2026-03-02T08:41:05Z".parse().unwrap());
        for text in [
            "2026-03-02T16:41:05+0800",
            "2026-03-02T16:41:05+08:00",
            " 2026-03-02T08:41:05+0000 ",
            "2026-03-02T08:41:05Z",
            "2026-03-02T08:41:05.000Z",
            "2026-03-02T03:41:05-0500",
        ] {
            assert_eq!(ended(text), same, "{text}");
        }
        for text in [
            "",
            "soon",
            "2026-03-02T08:41:05",
            "2026-03-02",
            "1772440865",
        ] {
            assert_eq!(ended(text), None, "{text}");
        }
    }

    #[test]
    fn no_job_another_job_and_nonsense_are_told_apart() {
        assert_eq!(job(r#"{"job": null}"#, &asked()), Err(WireError::NoJob));
        let other = json!({"job": {"id": "other", "status": "Completed"}});
        assert_eq!(job(&other.to_string(), &asked()), Err(WireError::OtherJob));
        for body in ["", "{}", r#"{"job": []}"#, "null"] {
            assert!(job(body, &asked()).is_err(), "{body}");
        }
        for (id, asked_for) in [
            (json!(17), "17"),
            (json!(null), "17"),
            (json!(" "), "17"),
            (json!(17), "18"),
            (json!([17]), "17"),
            (json!(17.5), "17.5"),
        ] {
            let body = json!({"job": {"id": id, "status": "Completed"}}).to_string();
            let read = job(&body, &JobId::parse(asked_for).unwrap());
            let ours = asked_for == "17" && !id.is_array();
            assert_eq!(read.is_ok(), ours, "{body} {asked_for}");
        }
    }

    #[test]
    fn a_field_that_is_not_used_may_hold_whatever_follows_the_grammar() {
        let nested = "[".repeat(1000) + &"]".repeat(1000);
        for odd in [r#""cut \ud83d""#, "1e999", "-0", nested.as_str()] {
            let proxy = format!(
                r#"{{"proxy_list": [{{"x": {odd}, "proxy": {{"x": {odd}, "pool_id": "{ID}", "port": 1}}}}], "x": {odd}}}"#
            );
            assert_eq!(proxies(&proxy).unwrap().proxies.len(), 1, "{odd}");
            let row = format!(r#"{{"x": {odd}, "job_id": "{JOB}", "status": "Completed"}}"#);
            let page = tasks(&format!(
                r#"{{"x": {odd}, "jobs": [{row}], "total_count": 1}}"#
            ))
            .unwrap();
            assert_eq!(page.rows.first().unwrap().0, JOB, "{odd}");
            let body = format!(r#"{{"x": {odd}, "job": {row}}}"#);
            assert!(job(&body, &JobId::parse(JOB).unwrap()).is_ok(), "{odd}");
            assert!(matches!(receipt(&row), Ok(ChangeReceipt::Job(_))), "{odd}");
        }
    }

    #[test]
    fn tasks_that_cannot_be_read_still_count() {
        let body = json!({"jobs": [{"job_id": JOB, "instance_id": "x", "status": 7, "created_time": "soon"}, {}], "total_count": "2"});
        let page = tasks(&body.to_string()).unwrap();
        assert_eq!((page.rows.len(), page.total), (2, Some(2)));
        assert!(
            page.rows
                .iter()
                .all(|(_, task)| task.instance.is_none() && !task.state.is_finished())
        );
        assert_eq!(page.rows.first().unwrap().0, JOB);
    }

    #[test]
    fn a_missing_task_list_is_empty_only_where_the_count_says_so() {
        assert_eq!(
            tasks(r#"{"jobs": null, "total_count": 0}"#)
                .unwrap()
                .rows
                .len(),
            0
        );
        assert_eq!(tasks(r#"{"total_count": 0}"#).unwrap().rows.len(), 0);
        for body in [
            r#"{"jobs": null}"#,
            "{}",
            r#"{"jobs": null, "total_count": 3}"#,
        ] {
            assert!(tasks(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_receipt_names_a_job_or_says_that_nothing_is_to_do() {
        for (body, read) in [
            (
                r#"{"job_id": "a b"}"#,
                Some(ChangeReceipt::Job(JobId::parse("a b").unwrap())),
            ),
            (
                r#"{"job_id": 17}"#,
                Some(ChangeReceipt::Job(JobId::parse("17").unwrap())),
            ),
            (r#"{"job_id": null}"#, Some(ChangeReceipt::NothingToDo)),
            (r#"{"job_id": " "}"#, Some(ChangeReceipt::NothingToDo)),
            ("{}", Some(ChangeReceipt::NothingToDo)),
            (r#"{"error_code": "DBS.200019"}"#, None),
            (r#"{"job_id": "", "error_code": "DBS.200019"}"#, None),
            (r#"{"job_id": []}"#, None),
            (r#"{"job_id": -1}"#, None),
            (r#"{"job_id": 1.5}"#, None),
            (r#"{"job_id": 98765432109876543210}"#, None),
            ("[]", None),
            ("", None),
            ("null", None),
        ] {
            assert_eq!(receipt(body).ok(), read, "{body}");
        }
    }

    #[test]
    fn the_life_of_a_token_is_told_by_the_clouds_own_clock() {
        let body = r#"{"token": {"issued_at": "2026-03-02T08:40:05.250000Z", "expires_at": "2026-03-03T08:40:05.250000Z"}}"#;
        assert_eq!(token_life(body), Some(std::time::Duration::from_hours(24)));
        assert_eq!(token_life("{}"), None);
    }

    proptest! {
        #[test]
        fn no_body_breaks_it(body in ".{0,200}") {
            let _ = (proxies(&body), job(&body, &asked()), tasks(&body), receipt(&body), token_life(&body));
        }
    }
}
