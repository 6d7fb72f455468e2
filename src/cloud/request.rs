//! The requests that are ever sent to the service: these six, the list of instances for those who import, and nothing else. That for the
//! rules of a security group goes to VPC, another service of the cloud.
//!
//! Promises that an id can't lead to another path: ids are checked where they are made and encoded here.

use http::Method;
use k8s_openapi::jiff::{Timestamp, tz::TimeZone};

use super::{
    auth::signer::{canonical_query, encoded_path},
    error::table::Asked,
    observer::Operation,
};
use crate::model::{InstanceId, JobId, Port, ProjectId, ProxyId};

/// How many proxies a page may hold; more is refused (API page "Querying Proxy Instances").
pub const PROXIES_A_PAGE: usize = 100;

/// How many instances a page may hold; more is refused (API page "Querying DB Instances").
pub const INSTANCES_A_PAGE: usize = 100;

/// How many instances the details may be asked of at once; more is refused (API page "Querying Details of DB Instances in Batches").
pub const DETAILS_AT_ONCE: usize = 20;

/// How many rules of a security group a page holds; up to 2000 are allowed (API page "Querying Security Group Rules" of VPC), which might be
/// more than is read.
pub const RULES_A_PAGE: usize = 500;

/// How many tasks a page may hold; 10, 20 and 50 are allowed (API page "Querying Instant Tasks").
pub const TASKS_A_PAGE: usize = 50;

/// A request without its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which call it is.
    pub operation: Operation,
    /// Its method.
    pub method: Method,
    /// Its path, not encoded.
    pub path: String,
    /// Its query, not encoded.
    pub query: Vec<(&'static str, String)>,
    /// The bytes of its body.
    pub body: Vec<u8>,
}

impl Request {
    /// A page of the proxies of an instance.
    pub fn proxies(project: &ProjectId, instance: &InstanceId, offset: usize) -> Self {
        let query = vec![
            ("offset", offset.to_string()),
            ("limit", PROXIES_A_PAGE.to_string()),
        ];
        let path = format!("/v3/{project}/instances/{instance}/proxies");
        Self::read(Operation::ListProxies, path, query)
    }

    /// A page of the instances of a project.
    pub fn instances(project: &ProjectId, offset: usize) -> Self {
        let query = vec![
            ("offset", offset.to_string()),
            ("limit", INSTANCES_A_PAGE.to_string()),
        ];
        let path = format!("/v3/{project}/instances");
        Self::read(Operation::ListInstances, path, query)
    }

    /// The details of some instances, at most [`DETAILS_AT_ONCE`]: their maintenance windows and security groups among them.
    pub fn instance_windows(project: &ProjectId, instances: &[InstanceId]) -> Self {
        let ids: Vec<&str> = instances.iter().map(InstanceId::as_str).collect();
        let query = vec![("instance_ids", ids.join(","))];
        let path = format!("/v3/{project}/instances/details");
        Self::read(Operation::InstanceWindows, path, query)
    }

    /// A page of the rules of a security group for what comes in: the first one, or the one after a row.
    pub fn group_rules(project: &ProjectId, group: &str, after: Option<&str>) -> Self {
        let mut query = vec![
            ("security_group_id", group.to_owned()),
            ("direction", "ingress".to_owned()),
            ("limit", RULES_A_PAGE.to_string()),
        ];
        query.extend(after.map(|row| ("marker", row.to_owned())));
        let path = format!("/v3/{project}/vpc/security-group-rules");
        Self::read(Operation::GroupRules, path, query)
    }

    /// One job.
    pub fn job(project: &ProjectId, id: &JobId) -> Self {
        let query = vec![("id", id.as_str().to_owned())];
        Self::read(Operation::Job, format!("/v3/{project}/jobs"), query)
    }

    /// A page of the task list: with one status, or of all that were created since a time.
    pub fn tasks(project: &ProjectId, which: Tasks, offset: usize) -> Self {
        let mut query = vec![
            ("offset", offset.to_string()),
            ("limit", TASKS_A_PAGE.to_string()),
        ];
        query.push(match which {
            Tasks::Pending => ("status", "Pending".to_owned()),
            Tasks::Running => ("status", "Running".to_owned()),
            Tasks::Since(time) => ("start_time", filter_time(time)),
        });
        let path = format!("/v3/{project}/immediate-jobs");
        Self::read(Operation::Tasks, path, query)
    }

    /// The change of a port.
    pub fn change(project: &ProjectId, instance: &InstanceId, proxy: &ProxyId, port: Port) -> Self {
        Self {
            operation: Operation::ChangePort,
            method: Method::PUT,
            path: format!("/v3/{project}/instances/{instance}/proxy/{proxy}/port"),
            query: Vec::new(),
            body: format!(r#"{{"port":{port}}}"#).into_bytes(),
        }
    }

    /// The same without a query.
    #[must_use]
    pub fn without_query(self) -> Self {
        Self {
            query: Vec::new(),
            ..self
        }
    }

    /// Path and query, as they are sent.
    pub fn target(&self) -> String {
        let path = encoded_path(&self.path);
        if self.query.is_empty() {
            return path;
        }
        format!("{path}?{}", canonical_query(&self.pairs()))
    }

    /// The query as pairs of texts.
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        let pairs = self.query.iter();
        pairs.map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// What an error is read as.
    pub fn asked(&self) -> Asked {
        if self.operation == Operation::ChangePort {
            Asked::Change
        } else {
            Asked::Read
        }
    }

    fn read(operation: Operation, path: String, query: Vec<(&'static str, String)>) -> Self {
        Self {
            operation,
            method: Method::GET,
            path,
            query,
            body: Vec::new(),
        }
    }
}

/// Which tasks a walk over the list reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tasks {
    /// Those that were put off.
    Pending,
    /// Those at work.
    Running,
    /// All that were created since then.
    Since(Timestamp),
}

impl Tasks {
    /// Whether a task leaves the list when its status changes.
    pub fn is_filtered(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}

/// `yyyy-mm-ddThh:mm:ss+0000`, the form of the filters.
fn filter_time(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%M:%S%z")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> ProjectId {
        ProjectId::parse(&"a".repeat(32)).unwrap()
    }

    #[test]
    fn each_request_is_the_documented_one() {
        let instance = InstanceId::parse(&format!("{}in07", "b".repeat(32))).unwrap();
        let proxy = ProxyId::parse(&format!("{}po01", "c".repeat(32))).unwrap();
        let base = format!("/v3/{}", "a".repeat(32));
        let change = Request::change(&project(), &instance, &proxy, Port::new(3307).unwrap());
        assert_eq!(
            change.target(),
            format!("{base}/instances/{instance}/proxy/{proxy}/port")
        );
        assert_eq!(change.body, br#"{"port":3307}"#);
        assert_eq!(
            Request::proxies(&project(), &instance, 100).target(),
            format!("{base}/instances/{instance}/proxies?limit=100&offset=100")
        );
        assert_eq!(
            Request::instances(&project(), 200).target(),
            format!("{base}/instances?limit=100&offset=200")
        );
        let since = "2026-03-02T08:40:05Z".parse().unwrap();
        assert_eq!(
            Request::tasks(&project(), Tasks::Since(since), 0).target(),
            format!(
                "{base}/immediate-jobs?limit=50&offset=0&start_time=2026-03-02T08%3A40%3A05%2B0000"
            )
        );
    }

    #[test]
    fn an_odd_job_id_stays_in_its_place() {
        let id = JobId::parse("a+b/../c=%?d&e f").unwrap();
        assert_eq!(
            Request::job(&project(), &id).target(),
            format!(
                "/v3/{}/jobs?id=a%2Bb%2F..%2Fc%3D%25%3Fd%26e%20f",
                "a".repeat(32)
            )
        );
    }
}
