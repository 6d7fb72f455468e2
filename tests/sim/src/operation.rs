//! The calls that the simulator knows, told apart by method and path alone.
//!
//! Promises to look at the path as it came over the wire: an id that is empty or holds an encoded slash can't turn one
//! call into another.

use axum::http::Method;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `GET /v3/{project}/instances/{instance}/proxies`: the proxies of an instance.
    List,
    /// `PUT /v3/{project}/instances/{instance}/proxy/{proxy}/port`: change a proxy's port.
    Change,
    /// `GET /v3/{project}/jobs?id=`: a job.
    Job,
    /// `GET /v3/{project}/immediate-jobs`: the task list.
    Tasks,
    /// `DELETE /v3/{project}/jobs/{job}`: delete a job's record.
    DeleteTask,
    /// `GET /v3/{project}/instances/{instance}`: an instance.
    Instance,
    /// `GET /v3/{project}/instances`, also under `v3.1`: the instances of a project.
    Instances,
    /// `GET /v3/{project}/instances/details?instance_ids=`: up to twenty instances.
    Details,
    /// `GET /v3/{project}/vpc/security-group-rules`: rules of security groups.
    GroupRules,
    /// `POST /v3/auth/tokens`: a token for a password or for another token.
    Token,
    /// `GET /v3/auth/domains`: the caller's account.
    Domains,
    /// `GET /v3/users?name=`: the users of the caller's account.
    Users,
    /// `GET /v3/projects?name=`: the projects.
    Projects,
    /// `POST /v3.0/OS-AUTH/id-token/tokens`: a token for an identity provider's ID token.
    IdToken,
    /// `POST /v3.0/OS-CREDENTIAL/securitytokens`: temporary keys for a token.
    SecurityToken,
    /// `PUT /meta-data/latest/api/token`: a token for the machine's metadata.
    MetadataToken,
    /// `GET /openstack/latest/securitykey`: temporary keys of the machine.
    MachineKeys,
    /// `POST /pod-identity/credentials`: temporary keys for the token of a pod. The path is the simulator's own.
    PodKeys,
    /// Anything else; answered with 404.
    Other,
}

impl Operation {
    /// Whether it changes nothing, whatever becomes of it.
    pub(crate) fn only_reads(self) -> bool {
        match self {
            Self::List
            | Self::Job
            | Self::Tasks
            | Self::Instance
            | Self::Instances
            | Self::Details
            | Self::GroupRules
            | Self::Domains
            | Self::Users
            | Self::Projects => true,
            Self::Change
            | Self::DeleteTask
            | Self::Token
            | Self::IdToken
            | Self::SecurityToken
            | Self::MetadataToken
            | Self::MachineKeys
            | Self::PodKeys
            | Self::Other => false,
        }
    }

    /// Whether IAM answers it, and not the database service.
    pub(crate) fn is_of_iam(self) -> bool {
        matches!(
            self,
            Self::Token
                | Self::IdToken
                | Self::SecurityToken
                | Self::Domains
                | Self::Users
                | Self::Projects
        )
    }

    /// Whether it gives credentials to callers that bring their proof themselves.
    pub(crate) fn gives_credentials(self) -> bool {
        matches!(
            self,
            Self::Token
                | Self::IdToken
                | Self::SecurityToken
                | Self::MetadataToken
                | Self::MachineKeys
                | Self::PodKeys
        )
    }
}

/// A request's operation and the ids in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    /// Empty where the path names none.
    pub(crate) project: String,
    pub(crate) instance: String,
    pub(crate) proxy: String,
    pub(crate) job: String,
}

impl Call {
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        use Operation::{
            Change, DeleteTask, Details, Domains, GroupRules, IdToken, Instance, Instances, Job,
            List, MachineKeys, MetadataToken, Other, PodKeys, Projects, SecurityToken, Tasks,
            Token, Users,
        };
        let segments: Vec<&str> = path.split('/').collect();
        let (operation, project, instance, proxy) = match (method.as_str(), segments.as_slice()) {
            ("POST", ["", "v3", "auth", "tokens"]) => (Token, "", "", ""),
            ("POST", ["", "v3.0", "OS-AUTH", "id-token", "tokens"]) => (IdToken, "", "", ""),
            ("POST", ["", "v3.0", "OS-CREDENTIAL", "securitytokens"]) => {
                (SecurityToken, "", "", "")
            }
            ("PUT", ["", "meta-data", "latest", "api", "token"]) => (MetadataToken, "", "", ""),
            ("GET", ["", "openstack", "latest", "securitykey"]) => (MachineKeys, "", "", ""),
            ("POST", ["", "pod-identity", "credentials"]) => (PodKeys, "", "", ""),
            ("GET", ["", "v3", "auth", "domains"]) => (Domains, "", "", ""),
            ("GET", ["", "v3", "users"]) => (Users, "", "", ""),
            ("GET", ["", "v3", "projects"]) => (Projects, "", "", ""),
            ("GET", ["", "v3", project, "jobs"]) => (Job, *project, "", ""),
            ("GET", ["", "v3", project, "immediate-jobs"]) => (Tasks, *project, "", ""),
            ("GET", ["", "v3" | "v3.1", project, "instances"]) => (Instances, *project, "", ""),
            // A list of instances; the detail of one has its id in this place.
            ("GET", ["", "v3", project, "instances", "details"]) => (Details, *project, "", ""),
            ("GET", ["", "v3", project, "vpc", "security-group-rules"]) => {
                (GroupRules, *project, "", "")
            }
            ("GET", ["", "v3", project, "instances", instance]) => {
                (Instance, *project, *instance, "")
            }
            ("GET", ["", "v3", project, "instances", instance, "proxies"]) => {
                (List, *project, *instance, "")
            }
            (
                "PUT",
                [
                    "",
                    "v3",
                    project,
                    "instances",
                    instance,
                    "proxy",
                    proxy,
                    "port",
                ],
            ) => (Change, *project, *instance, *proxy),
            ("DELETE", ["", "v3", project, "jobs", _]) => (DeleteTask, *project, "", ""),
            _ => (Other, "", "", ""),
        };
        let job = match (operation, segments.as_slice()) {
            (DeleteTask, [.., job]) => *job,
            _ => "",
        };
        let complete = segments.iter().skip(1).all(|segment| !segment.is_empty());
        let operation = if complete { operation } else { Other };
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Self {
            operation,
            project: decode(project),
            instance: decode(instance),
            proxy: decode(proxy),
            job: decode(job),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_known_by_method_and_path() {
        for (method, path, operation, ids) in [
            (
                Method::GET,
                "/v3/p/instances/i/proxies",
                Operation::List,
                ["p", "i", ""],
            ),
            (
                Method::PUT,
                "/v3/p/instances/i/proxy/x/port",
                Operation::Change,
                ["p", "i", "x"],
            ),
            (Method::GET, "/v3/p/jobs", Operation::Job, ["p", "", ""]),
            (
                Method::GET,
                "/v3/p/immediate-jobs",
                Operation::Tasks,
                ["p", "", ""],
            ),
            (
                Method::GET,
                "/v3/p/instances/i",
                Operation::Instance,
                ["p", "i", ""],
            ),
            (
                Method::GET,
                "/v3.1/p/instances",
                Operation::Instances,
                ["p", "", ""],
            ),
            (
                Method::GET,
                "/v3/p/vpc/security-group-rules",
                Operation::GroupRules,
                ["p", "", ""],
            ),
            (
                Method::POST,
                "/v3/auth/tokens",
                Operation::Token,
                ["", "", ""],
            ),
            (
                Method::GET,
                "/v3/auth/domains",
                Operation::Domains,
                ["", "", ""],
            ),
            (Method::GET, "/v3/users", Operation::Users, ["", "", ""]),
            (
                Method::GET,
                "/v3/projects",
                Operation::Projects,
                ["", "", ""],
            ),
            (
                Method::PUT,
                "/v3/p/instances/a%2Fb/proxy/..%2fx/port",
                Operation::Change,
                ["p", "a/b", "../x"],
            ),
        ] {
            let [project, instance, proxy] = ids.map(str::to_owned);
            assert_eq!(
                Call::of(&method, path),
                Call {
                    operation,
                    project,
                    instance,
                    proxy,
                    job: String::new(),
                },
                "{path}"
            );
        }
    }

    #[test]
    fn t05_the_details_of_all_instances_are_no_instance() {
        let call = Call::of(&Method::GET, "/v3/p/instances/details");
        let (instance, project) = (call.instance.as_str(), call.project.as_str());
        assert_eq!(
            (call.operation, project, instance),
            (Operation::Details, "p", "")
        );
    }

    #[test]
    fn a_record_that_shall_be_deleted_is_named_by_the_path() {
        let call = Call::of(&Method::DELETE, "/v3/p/jobs/j");
        assert_eq!(
            (call.operation, &*call.project, &*call.job),
            (Operation::DeleteTask, "p", "j")
        );
    }

    #[test]
    fn neighbours_and_crippled_paths_are_other_calls() {
        for (method, path) in [
            (Method::PUT, "/v3/p/instances/i/port"),
            (Method::PUT, "/v3/p/instances/i/proxy//port"),
            (Method::PUT, "/v3/p/instances//proxy/x/port"),
            (Method::PUT, "/v3/p/instances/i/proxy/../port"),
            (Method::GET, "/v3/p/instances/i/proxies/"),
            (Method::POST, "/v3/p/instances/i/proxies"),
            (Method::GET, "/v3//instances/i"),
            (Method::GET, "/v3/p/instances/i/proxy/x/port"),
            (Method::GET, "/v3/p/instances/"),
            (Method::GET, "/"),
            (Method::OPTIONS, "*"),
        ] {
            let call = Call::of(&method, path);
            if path.contains("..") {
                assert_eq!(
                    (call.operation, &*call.proxy),
                    (Operation::Change, ".."),
                    "an id like any other"
                );
            } else {
                assert_eq!(call.operation, Operation::Other, "{method} {path}");
            }
        }
    }
}
