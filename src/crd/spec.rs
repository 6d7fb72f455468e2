//! What a user states: `spec`.
//!
//! These are the raw values of the API; nobody but the reader of resources looks at them. Rules that a schema can
//! hold stand here, as attributes.

#![expect(
    clippy::duplicated_attributes,
    reason = "rules of one field share names of arguments, not meanings"
)]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::TaurusProxyPortStatus;

/// The wanted port of one database proxy.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "taurusdb.huaweicloud.com",
    version = "v1alpha1",
    kind = "TaurusProxyPort",
    plural = "taurusproxyports",
    shortname = "tpp",
    category = "huaweicloud",
    namespaced,
    status = "TaurusProxyPortStatus",
    derive = "PartialEq",
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".spec.port",
        description = "Wanted port"
    ),
    printcolumn(
        name = "Actual",
        type_ = "integer",
        json_path = ".status.port",
        description = "Port last read from the proxy"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Address",
        type_ = "string",
        json_path = ".status.address",
        priority = "1"
    ),
    printcolumn(
        name = "Job",
        type_ = "string",
        json_path = ".status.change.jobID",
        priority = "1"
    ),
    printcolumn(
        name = "Policy",
        type_ = "string",
        json_path = ".spec.managementPolicy",
        priority = "1"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = "1"
    )
)]
#[x_kube(
    validation = Rule::new("has(self.region) || has(self.endpoint)")
        .message("either region or endpoint must be set"),
    validation = Rule::new("has(self.credentialsRef) || !(has(self.endpoint) || has(self.iamEndpoint))")
        .message("credentialsRef is required where endpoint or iamEndpoint is set"),
    validation = Rule::new("has(self.region) == has(oldSelf.region) && (!has(self.region) || self.region == oldSelf.region)")
        .message("region is immutable: create another resource instead"),
    validation = Rule::new("has(self.endpoint) == has(oldSelf.endpoint) && (!has(self.endpoint) || self.endpoint == oldSelf.endpoint)")
        .message("endpoint is immutable: create another resource instead"),
)]
pub struct TaurusProxyPortSpec {
    /// Region of the instance, from which the hosts of the cloud's API are derived. Either this or endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{2}[a-z0-9-]{2,30}$"), length(max = 32))]
    pub region: Option<String>,

    /// Project of the instance: 32 letters or digits, without dashes. Immutable.
    #[serde(rename = "projectID")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9]{32}$"), length(max = 64))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("projectID is immutable: create another resource instead"))]
    pub project_id: String,

    /// Database instance: 32 letters or digits followed by in07. Immutable.
    #[serde(rename = "instanceID")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9]{32}in07$"), length(max = 64))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("instanceID is immutable: create another resource instead"))]
    pub instance_id: String,

    /// Proxy instance: 32 letters or digits followed by po01. Immutable.
    #[serde(rename = "proxyID")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9]{32}po01$"), length(max = 64))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("proxyID is immutable: create another resource instead"))]
    pub proxy_id: String,

    /// Wanted port: 1025-65534, without those that the service reserves.
    #[schemars(range(min = 1025, max = 65534))]
    #[x_kube(validation = Rule::new("!(self in [1033, 5342, 5343, 5344, 5345, 12017, 20000, 20201, 20202, 33062, 33071])")
        .message("port is reserved by the service: use 1025-65534 except 1033, 5342-5345, 12017, 20000, 20201, 20202, 33062, 33071"))]
    pub port: i32,

    /// Secret in the same namespace that holds the credentials for the cloud.
    #[serde(
        rename = "credentialsRef",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub credentials_ref: Option<CredentialsReference>,

    /// Address of the TaurusDB API in place of the region's, for private clouds. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^https?://[A-Za-z0-9.\[\]:-]+$"), length(max = 261))]
    pub endpoint: Option<String>,

    /// Address of the IAM API in place of the region's.
    #[serde(
        rename = "iamEndpoint",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(regex(pattern = r"^https?://[A-Za-z0-9.\[\]:-]+$"), length(max = 261))]
    pub iam_endpoint: Option<String>,

    /// Absent means `Enforce`.
    #[serde(
        rename = "managementPolicy",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub management_policy: Option<ManagementPolicy>,

    /// No new change starts while this is true; a running one is followed to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// When a running job counts as overdue: 1m to 24h, 30m when absent. Units h, m and s.
    #[serde(
        rename = "changeTimeout",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(regex(pattern = r"^([0-9]+(h|m|s))+$"), length(max = 16))]
    #[x_kube(validation = Rule::new(
        "!self.matches('^([0-9]+(h|m|s))+$') || (duration(self) >= duration('1m') && duration(self) <= duration('24h'))"
    ).message("changeTimeout must be between 1m and 24h"))]
    pub change_timeout: Option<String>,
}

/// A Secret in the namespace of the resource.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct CredentialsReference {
    /// Name of the Secret.
    #[schemars(
        regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"),
        length(max = 253)
    )]
    pub name: String,
}

/// What the operator may do about the port. `Enforce` (also when absent): apply, and put drift right. `ApplyOnChange`:
/// apply when the wanted port changes, only report later drift. `Observe`: never write to the cloud.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ManagementPolicy {
    /// Apply, and put drift right.
    #[default]
    Enforce,
    /// Apply when the wanted port changes, only report later drift.
    ApplyOnChange,
    /// Never write to the cloud, report what would be done.
    Observe,
}
