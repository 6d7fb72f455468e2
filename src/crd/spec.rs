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

use super::{
    rules,
    status::TaurusProxyPortStatus,
    timing::{Approval, InstanceWindow, MaintenanceWindow},
};

/// The wanted port of one database proxy.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "taurusdb.huaweicloud.com",
    version = "v1alpha1",
    kind = "TaurusProxyPort",
    plural = "taurusproxyports",
    shortname = "tpp",
    category = "huaweicloud",
    namespaced,
    status = "TaurusProxyPortStatus",
    doc = "The port of one TaurusDB proxy: what is wanted, and how it stands.",
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
        name = "Suspend",
        type_ = "boolean",
        json_path = ".spec.suspend",
        description = "Whether spec.suspend holds back new changes"
    ),
    printcolumn(
        name = "Next",
        type_ = "string",
        json_path = ".status.plan.notBefore",
        description = "When a change that is due may start"
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
        name = "Change",
        type_ = "string",
        json_path = ".status.change.phase",
        description = "How far the change in progress has come",
        priority = "1"
    ),
    printcolumn(
        name = "Policy",
        type_ = "string",
        json_path = ".spec.managementPolicy",
        description = "What the operator may do; Enforce where it is empty",
        priority = "1"
    ),
    printcolumn(
        name = "Service",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='ServicePublished')].reason",
        description = "How the Service that leads applications stands; empty where none is named",
        priority = "1"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = "1"
    ),
    selectable = ".spec.instanceID",
    selectable = ".spec.managementPolicy",
    selectable = ".spec.projectID",
    selectable = ".spec.proxyID",
    selectable = ".spec.region",
    selectable = ".status.change.phase",
    selectable = ".status.lastChange.outcome",
    selectable = ".status.plan.id"
)]
#[x_kube(
    validation = rules::required(
        "has(self.region) || has(self.endpoint)", "region", "region or endpoint must be set (or both)"
    ),
    validation = rules::required(
        "has(self.credentialsRef) || has(self.workloadIdentity) || !(has(self.endpoint) || has(self.iamEndpoint))",
        "credentialsRef",
        "credentialsRef or workloadIdentity is required where endpoint or iamEndpoint is set"
    ),
    validation = rules::apart("credentialsRef", "workloadIdentity"),
    validation = rules::immutable_option("region"),
    validation = rules::immutable_option("endpoint"),
)]
pub struct TaurusProxyPortSpec {
    /// Region of the instance, from which the hosts of the cloud's API are derived. At least one of this and endpoint; endpoint goes
    /// first. In eu-de (Open Telekom Cloud) managementPolicy must be Observe: its API can't set the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = rules::REGION), length(max = 32))]
    #[x_kube(validation = rules::form(rules::REGION, "region must be the id of a region, such as ap-southeast-1"))]
    pub region: Option<String>,

    /// Project of the instance: 32 letters or digits, without dashes. Immutable.
    #[serde(rename = "projectID")]
    #[schemars(regex(pattern = rules::PROJECT_ID), length(max = 64))]
    #[x_kube(
        validation = rules::form(rules::PROJECT_ID, "projectID must be 32 letters or digits, without dashes"),
        validation = rules::immutable("projectID")
    )]
    pub project_id: String,

    /// Database instance: 32 letters or digits followed by in07. Immutable.
    #[serde(rename = "instanceID")]
    #[schemars(regex(pattern = rules::INSTANCE_ID), length(max = 64))]
    #[x_kube(
        validation = rules::form(rules::INSTANCE_ID, "instanceID must be 32 letters or digits followed by in07, without dashes"),
        validation = rules::immutable("instanceID")
    )]
    pub instance_id: String,

    /// Proxy instance: 32 letters or digits followed by po01. Immutable.
    #[serde(rename = "proxyID")]
    #[schemars(regex(pattern = rules::PROXY_ID), length(max = 64))]
    #[x_kube(
        validation = rules::form(rules::PROXY_ID, "proxyID must be 32 letters or digits followed by po01, without dashes"),
        validation = rules::immutable("proxyID")
    )]
    pub proxy_id: String,

    /// Wanted port: 1025-65534, without those that the service reserves.
    #[schemars(range(min = 1025, max = 65534))]
    #[x_kube(validation = rules::port())]
    pub port: i32,

    /// Secret in the same namespace that holds the credentials for the cloud.
    #[serde(
        rename = "credentialsRef",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub credentials_ref: Option<CredentialsReference>,

    /// ServiceAccount in the same namespace that the operator signs in as, in place of a Secret.
    #[serde(
        rename = "workloadIdentity",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub workload_identity: Option<WorkloadIdentity>,

    /// Address of the TaurusDB API in place of the region's, for private clouds. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = rules::ADDRESS), length(max = 261))]
    #[x_kube(validation = rules::form(rules::ADDRESS, "endpoint must be https://HOST or https://HOST:PORT, without user, path or query"))]
    pub endpoint: Option<String>,

    /// Address of the IAM API in place of the region's.
    #[serde(
        rename = "iamEndpoint",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(regex(pattern = rules::ADDRESS), length(max = 261))]
    #[x_kube(validation = rules::form(rules::ADDRESS, "iamEndpoint must be https://HOST or https://HOST:PORT, without user, path or query"))]
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
    #[schemars(regex(pattern = rules::DURATION), length(max = 16))]
    #[x_kube(validation = rules::change_timeout())]
    pub change_timeout: Option<String>,

    /// A change starts only inside one of these, and only where it can be expected to end there. When absent, those of the operator's
    /// calendar or of the instance count, if there are any, else any time. They take the place of those of the calendar, whose freezes hold
    /// all the same.
    #[serde(
        rename = "maintenanceWindows",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(length(min = 1, max = 16))]
    pub maintenance_windows: Vec<MaintenanceWindow>,

    /// Absent means `Ignore`.
    #[serde(
        rename = "instanceWindow",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub instance_window: Option<InstanceWindow>,

    /// Absent means `Automatic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,

    /// Id of the plan in status.plan that may start, where approval is Manual. It counts for that plan alone, and once.
    #[serde(
        rename = "approvedPlan",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(regex(pattern = rules::PLAN_ID), length(max = 16))]
    #[x_kube(validation = rules::form(rules::PLAN_ID, "approvedPlan must be the id of status.plan: 16 of the characters 0-9 and a-f"))]
    pub approved_plan: Option<String>,

    /// Service that leads applications to the proxy, whatever its port; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceSpec>,

    /// ConfigMap that says where applications connect to; none when absent.
    #[serde(rename = "configMap", default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapSpec>,

    /// Absent means `Never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeMode>,

    /// Absent means `Report`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preflight: Option<PreflightMode>,
}

/// The Service that the operator keeps in the namespace of the resource.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// Name of the Service.
    #[schemars(regex(pattern = rules::SERVICE_NAME), length(max = 63))]
    #[x_kube(validation = rules::form(
        rules::SERVICE_NAME, "name must be that of a Service: lower-case letters, digits and '-', beginning with a letter, ending with none of '-'"
    ))]
    pub name: String,

    /// Port that applications connect to: 1-65535, 3306 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
}

/// The ConfigMap that the operator keeps in the namespace of the resource.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ConfigMapSpec {
    /// Name of the ConfigMap.
    #[schemars(regex(pattern = rules::SECRET_NAME), length(max = 253))]
    #[x_kube(validation = rules::form(
        rules::SECRET_NAME, "name must be that of a ConfigMap: lower-case letters, digits, '-' and '.'"
    ))]
    pub name: String,
}

/// A Secret in the namespace of the resource.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct CredentialsReference {
    /// Name of the Secret.
    #[schemars(regex(pattern = rules::SECRET_NAME), length(max = 253))]
    #[x_kube(validation = rules::form(
        rules::SECRET_NAME, "name must be that of a Secret: lower-case letters, digits, '-' and '.'"
    ))]
    pub name: String,
}

/// A ServiceAccount in the namespace of the resource, and who in the cloud's IAM knows it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkloadIdentity {
    /// Name of the ServiceAccount.
    #[serde(rename = "serviceAccountName")]
    #[schemars(regex(pattern = rules::SECRET_NAME), length(max = 253))]
    #[x_kube(validation = rules::form(
        rules::SECRET_NAME, "serviceAccountName must be that of a ServiceAccount: lower-case letters, digits, '-' and '.'"
    ))]
    pub service_account_name: String,

    /// Name of the identity provider in IAM that has the keys of the cluster.
    #[serde(rename = "idpID")]
    #[schemars(regex(pattern = rules::VISIBLE), length(max = 64))]
    #[x_kube(validation = rules::form(rules::VISIBLE, "idpID must be visible ASCII characters without blanks"))]
    pub idp_id: String,

    /// Audience of the tokens: the client id of that identity provider.
    #[schemars(regex(pattern = rules::VISIBLE), length(max = 255))]
    #[x_kube(validation = rules::form(rules::VISIBLE, "audience must be visible ASCII characters without blanks"))]
    pub audience: String,
}

/// What follows where the security group of the instance does not let in at the new port whom it lets in at the old one, or where that can't
/// be read. `Report` (also when absent): a warning in status.plan and an event. `Require`: the change waits until it does. The operator reads
/// security groups only where its administrator has set --check-security-groups.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PreflightMode {
    /// People are warned.
    #[default]
    Report,
    /// The change waits.
    Require,
}

/// Whether the operator connects to the proxy after a change, and while one is at work where service is set, to read the greeting of a MySQL
/// server. `Never` (also when absent): it does not. `Report`: the condition Reachable says what came of it. `Require`: after a change the
/// condition Ready also needs a greeting.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbeMode {
    /// It connects to nothing.
    #[default]
    Never,
    /// The condition Reachable says what came of it.
    Report,
    /// After a change, Ready also needs a greeting.
    Require,
}

/// What the operator may do about the port. `Enforce` (also when absent): apply, and correct drift. `ApplyOnChange`:
/// apply when the wanted port changes, only report later drift. `Observe`: never write to the cloud.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ManagementPolicy {
    /// Apply, and correct drift.
    #[default]
    Enforce,
    /// Apply when the wanted port changes, only report later drift.
    ApplyOnChange,
    /// Never write to the cloud, report what would be done.
    Observe,
}
