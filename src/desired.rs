//! First stage: from the raw object to proven values. No I/O.
//!
//! Promises that after it nobody looks at the raw spec again. The API server refuses what is wrong here, but objects
//! can be older than its rules, so everything is checked once more and a fault names its field.

use std::time::Duration;

use kube::ResourceExt as _;

use crate::{
    crd::{
        ABANDON_JOB, ManagementPolicy, PreflightMode, ProbeMode, REQUESTED_AT, TaurusProxyPort,
        TaurusProxyPortSpec, WorkloadIdentity,
    },
    model::{IdError, InstanceId, JobId, Port, PortError, ProjectId, ProxyId, whole_units},
    place::{InstanceKey, Subject, endpoints},
};

mod timing;

pub use timing::Timing;

/// `changeTimeout` where the field is absent.
pub(crate) const DEFAULT_CHANGE_TIMEOUT: Duration = Duration::from_mins(30);

/// What a person wants of one proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Generation of the object that these wishes stand in.
    pub generation: i64,
    /// The proxy.
    pub subject: Subject,
    /// What the object names for its credentials.
    pub credentials: Option<Named>,
    /// The wanted port.
    pub port: Port,
    /// What may be done about it.
    pub policy: ManagementPolicy,
    /// Whether no new change may start.
    pub suspended: bool,
    /// When a running job counts as overdue.
    pub change_timeout: Duration,
    /// What is said about the time of a change, if anything is.
    pub timing: Option<Box<Timing>>,
    /// Value of the request annotation.
    pub request: Option<String>,
    /// The job that nobody waits for any longer, by the annotation.
    pub abandoned_job: Option<JobId>,
    /// Whether the object is being deleted.
    pub deleting: bool,
    /// What applications reach the proxy by.
    pub publication: Option<Box<Wish>>,
    /// Whether the proxy is probed, and what rests on it.
    pub probe: ProbeMode,
    /// What rests on the security group of the instance.
    pub preflight: PreflightMode,
}

impl Desired {
    /// Whether changes may also start inside the window that the cloud has for the instance.
    pub fn follows_instance(&self) -> bool {
        let timing = self.timing.as_deref();
        timing.is_some_and(|timing| timing.follows_instance)
    }
}

/// What a resource wishes to be published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// The Service.
    pub service: Option<ServiceWish>,
    /// Name of the ConfigMap.
    pub config_map: Option<String>,
}

/// The Service that is wished for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceWish {
    /// Its name.
    pub name: String,
    /// The port that applications connect to.
    pub port: u16,
}

impl Wish {
    /// Whether nothing is wished for.
    pub fn is_empty(&self) -> bool {
        self.service.is_none() && self.config_map.is_none()
    }
}

/// Where credentials come from, in the namespace of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A Secret, by its name.
    Secret(String),
    /// A ServiceAccount.
    Workload(Box<WorkloadIdentity>),
}

/// Why a spec can't be acted on. Each text names the field and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// An id is not of the documented form.
    #[error("spec.{0}; delete this resource and create it anew, since the field can't be changed")]
    Id(#[from] IdError),
    /// The port is not one that may be asked for.
    #[error("spec.port: {0}")]
    Port(#[from] PortError),
    /// Neither region nor endpoint is set.
    #[error(
        "neither spec.region nor spec.endpoint is set; delete this resource and create it anew with one of them, since they can't be added"
    )]
    NoPlace,
    /// The cloud can't do what is wanted.
    #[error(
        "spec.managementPolicy must be Observe here: the API of this cloud (Open Telekom Cloud) has the lists of proxies, and no call that \
         changes the port of one"
    )]
    OnlyObserved,
    /// The Secret's name is none that a Secret can have; it must not lead to another place of the API server.
    #[error(
        "spec.credentialsRef.name is not the name of a Secret: lower-case letters, digits, '-' and '.'"
    )]
    SecretName,
    /// There are two sources of credentials.
    #[error("spec.credentialsRef and spec.workloadIdentity are both set: leave one of them out")]
    TwoCredentials,
    /// The ServiceAccount's name is none that a ServiceAccount can have; it must not lead to another place of the API server.
    #[error(
        "spec.workloadIdentity.serviceAccountName is not the name of a ServiceAccount: lower-case letters, digits, '-' and '.'"
    )]
    ServiceAccountName,
    /// The name of the identity provider can't be sent.
    #[error("spec.workloadIdentity.idpID must be visible ASCII characters without blanks")]
    IdpId,
    /// The audience is none.
    #[error("spec.workloadIdentity.audience must be visible ASCII characters without blanks")]
    Audience,
    /// The Service's name is none that a Service can have.
    #[error(
        "spec.service.name is not the name of a Service: lower-case letters, digits and '-', beginning with a letter"
    )]
    ServiceName,
    /// The Service's port is none.
    #[error("spec.service.port must be from 1 to 65535")]
    ServicePort,
    /// The ConfigMap's name is none that a ConfigMap can have.
    #[error(
        "spec.configMap.name is not the name of a ConfigMap: lower-case letters, digits, '-' and '.'"
    )]
    ConfigMapName,
    /// `changeTimeout` is no duration between 1m and 24h.
    #[error("spec.changeTimeout must be a duration like 30m or 1h30m, from 1m to 24h")]
    ChangeTimeout,
}

/// Checks an object's spec and the annotations that people may set.
pub fn read(object: &TaurusProxyPort) -> Result<Desired, SpecError> {
    let spec = &object.spec;
    if spec.region.is_none() && spec.endpoint.is_none() {
        return Err(SpecError::NoPlace);
    }
    let annotation = |name| object.annotations().get(name).map(String::as_str);
    let project = ProjectId::parse(&spec.project_id)?;
    let place = (spec.region.as_deref(), spec.endpoint.as_deref());
    let policy = spec.management_policy.unwrap_or_default();
    if policy != ManagementPolicy::Observe && !endpoints::sets_ports(place.0, place.1) {
        return Err(SpecError::OnlyObserved);
    }
    let instance = InstanceId::parse(&spec.instance_id)?;
    Ok(Desired {
        generation: object.metadata.generation.unwrap_or_default(),
        subject: Subject {
            region: spec.region.clone(),
            endpoint: spec.endpoint.clone(),
            iam_endpoint: spec.iam_endpoint.clone(),
            instance: InstanceKey::new(place, &project, instance),
            project,
            proxy: ProxyId::parse(&spec.proxy_id)?,
        },
        credentials: credentials(spec)?,
        port: Port::new(spec.port.into())?,
        policy,
        suspended: spec.suspend.unwrap_or_default(),
        change_timeout: match &spec.change_timeout {
            Some(text) => change_timeout(text).ok_or(SpecError::ChangeTimeout)?,
            None => DEFAULT_CHANGE_TIMEOUT,
        },
        timing: timing::read(object),
        // An empty one asks for nothing.
        request: annotation(REQUESTED_AT)
            .filter(|value| !value.trim().is_empty())
            .map(str::to_owned),
        abandoned_job: annotation(ABANDON_JOB).and_then(JobId::parse),
        deleting: object.metadata.deletion_timestamp.is_some(),
        publication: publication(spec)?,
        probe: spec.probe.unwrap_or_default(),
        preflight: spec.preflight.unwrap_or_default(),
    })
}

fn credentials(spec: &TaurusProxyPortSpec) -> Result<Option<Named>, SpecError> {
    let is_visible = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) && text.len() <= 255
    };
    match (&spec.credentials_ref, &spec.workload_identity) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(SpecError::TwoCredentials),
        (Some(secret), None) if is_secret_name(&secret.name) => {
            Ok(Some(Named::Secret(secret.name.clone())))
        }
        (Some(_), None) => Err(SpecError::SecretName),
        (None, Some(workload)) if !is_secret_name(&workload.service_account_name) => {
            Err(SpecError::ServiceAccountName)
        }
        (None, Some(workload)) if !is_visible(&workload.idp_id) => Err(SpecError::IdpId),
        (None, Some(workload)) if !is_visible(&workload.audience) => Err(SpecError::Audience),
        (None, Some(workload)) => Ok(Some(Named::Workload(Box::new(workload.clone())))),
    }
}

/// The port of a Service where none is given: meshes take it for one at which the server speaks first.
const SERVICE_PORT: u16 = 3306;

fn publication(spec: &TaurusProxyPortSpec) -> Result<Option<Box<Wish>>, SpecError> {
    let service = match &spec.service {
        None => None,
        Some(service) if !is_service_name(&service.name) => return Err(SpecError::ServiceName),
        Some(service) => {
            let port = service.port.map_or(Ok(SERVICE_PORT), u16::try_from);
            Some(ServiceWish {
                name: service.name.clone(),
                port: port
                    .ok()
                    .filter(|port| *port > 0)
                    .ok_or(SpecError::ServicePort)?,
            })
        }
    };
    let config_map = match &spec.config_map {
        Some(map) if !is_secret_name(&map.name) => return Err(SpecError::ConfigMapName),
        map => map.as_ref().map(|map| map.name.clone()),
    };
    let wish = Wish {
        service,
        config_map,
    };
    Ok((!wish.is_empty()).then(|| Box::new(wish)))
}

/// As Kubernetes names Services: a label that begins with a letter.
fn is_service_name(name: &str) -> bool {
    let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    begins && name.len() <= 63 && !name.contains('.') && is_secret_name(name)
}

/// As Kubernetes names Secrets: labels of lower-case letters, digits and '-', with dots between them.
fn is_secret_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let letters = label
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        letters && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// From a minute to a day.
fn change_timeout(text: &str) -> Option<Duration> {
    whole_units(text)
        .filter(|length| (Duration::from_mins(1)..=Duration::from_hours(24)).contains(length))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::crd::{APPLY_NOW, APPROVE};

    fn object(change: impl FnOnce(&mut Value)) -> TaurusProxyPort {
        let mut value = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1",
            "kind": "TaurusProxyPort",
            "metadata": {"name": "orders", "namespace": "shop", "generation": 3},
            "spec": {
                "region": "ap-southeast-3",
                "projectID": "0123456789ABCDEF0123456789abcdef",
                "instanceID": "0123456789abcdef0123456789abcdefin07",
                "proxyID": "0123456789abcdef0123456789abcdefpo01",
                "port": 3307
            }
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    fn fault(change: impl FnOnce(&mut Value)) -> String {
        read(&object(change)).unwrap_err().to_string()
    }

    #[test]
    fn absent_fields_mean_what_the_contract_says() {
        let desired = read(&object(|_| ())).unwrap();
        assert_eq!(desired.generation, 3);
        assert_eq!(desired.port.get(), 3307);
        assert_eq!(desired.policy, ManagementPolicy::Enforce);
        assert!(!desired.suspended && !desired.deleting);
        assert_eq!(desired.change_timeout, Duration::from_mins(30));
        assert_eq!(
            desired.subject.project.as_str(),
            "0123456789abcdef0123456789abcdef"
        );
        assert_eq!((desired.request, desired.abandoned_job), (None, None));
        assert_eq!(desired.timing, None);
        assert_eq!(desired.probe, ProbeMode::Never);
    }

    #[test]
    fn annotations_are_read() {
        let desired = read(&object(|value| {
            value["metadata"]["annotations"] = json!({REQUESTED_AT: "now", ABANDON_JOB: " job-1 "});
        }))
        .unwrap();
        assert_eq!(desired.request.as_deref(), Some("now"));
        assert_eq!(desired.abandoned_job.unwrap().as_str(), "job-1");
    }

    #[test]
    fn an_empty_annotation_asks_for_nothing() {
        let desired = read(&object(|value| {
            value["metadata"]["annotations"] = json!({REQUESTED_AT: " ", ABANDON_JOB: ""});
        }))
        .unwrap();
        assert_eq!((desired.request, desired.abandoned_job), (None, None));
    }

    #[test]
    fn what_is_said_about_the_time_of_a_change_is_read() {
        let desired = read(&object(|value| {
            value["metadata"]["annotations"] = json!({APPROVE: "a ", APPLY_NOW: "b"});
            value["spec"]["approval"] = json!("Manual");
            value["spec"]["approvedPlan"] = json!("c");
            value["spec"]["maintenanceWindows"] = json!([{
                "days": ["Sat"], "weeksOfMonth": [1], "start": "02:00", "duration": "3h", "timeZone": "Asia/Singapore"
            }]);
        }));
        let timing = desired.unwrap().timing.unwrap();
        assert!(timing.approves("a") && timing.approves("c") && !timing.approves("b"));
        assert_eq!(timing.apply_now.as_deref(), Some("b"));
        let opens = timing.windows[0].open_at_or_after("2026-03-02T00:00:00Z".parse().unwrap());
        assert_eq!(opens.unwrap().start.to_string(), "2026-03-06T18:00:00Z");
        let automatic = read(&object(|value| value["spec"]["approvedPlan"] = json!("c")));
        assert!(automatic.unwrap().timing.unwrap().approves("a"));
    }

    #[test]
    fn what_older_rules_let_through_is_refused_with_the_field_named() {
        let table = [
            ("proxyID", json!("0123456789abcdef0123456789abcdefin07")),
            ("instanceID", json!("0123456789abcdef0123456789abcdefpo01")),
            ("projectID", json!("ap-southeast-3")),
            ("port", json!(5343)),
            ("port", json!(-1)),
            ("credentialsRef", json!({"name": ""})),
            ("credentialsRef", json!({"name": "other/keys"})),
            (
                "credentialsRef",
                json!({"name": "../../other/secrets/keys"}),
            ),
            ("credentialsRef", json!({"name": ".."})),
            ("credentialsRef", json!({"name": "keys?watch=true"})),
            ("credentialsRef", json!({"name": "keys%2F"})),
            ("credentialsRef", json!({"name": "Keys"})),
            ("credentialsRef", json!({"name": "a".repeat(254)})),
            ("changeTimeout", json!("1d")),
            ("workloadIdentity", identity("other/ports", "cce", "iam")),
            ("workloadIdentity", identity("ports", "c\r\ne", "iam")),
            ("workloadIdentity", identity("ports", "cce", "")),
        ];
        for (field, wrong) in table {
            let text = fault(|value| value["spec"][field] = wrong.clone());
            assert!(text.contains(&format!("spec.{field}")), "{field}: {text}");
        }
        let text = fault(|value| drop(value["spec"].as_object_mut().unwrap().remove("region")));
        assert!(
            text.contains("spec.region") && text.contains("spec.endpoint"),
            "{text}"
        );
    }

    #[test]
    fn where_ports_can_not_be_set_they_are_only_observed() {
        let there = |value: &mut Value| value["spec"]["region"] = json!("eu-de");
        let text = fault(there);
        assert!(text.contains("spec.managementPolicy"), "{text}");
        let observed = read(&object(|value| {
            there(value);
            value["spec"]["managementPolicy"] = json!("Observe");
        }));
        assert_eq!(observed.unwrap().policy, ManagementPolicy::Observe);
    }

    fn identity(service_account: &str, idp_id: &str, audience: &str) -> Value {
        json!({"serviceAccountName": service_account, "idpID": idp_id, "audience": audience})
    }

    #[test]
    fn credentials_have_one_source() {
        let desired = read(&object(|value| {
            value["spec"]["workloadIdentity"] = identity("ports", "cce", "iam");
        }));
        let Some(Named::Workload(workload)) = desired.unwrap().credentials else {
            panic!("no ServiceAccount")
        };
        assert_eq!(workload.service_account_name, "ports");
        let text = fault(|value| {
            value["spec"]["workloadIdentity"] = identity("ports", "cce", "iam");
            value["spec"]["credentialsRef"] = json!({"name": "keys"});
        });
        assert!(
            text.contains("spec.credentialsRef") && text.contains("spec.workloadIdentity"),
            "{text}"
        );
    }

    #[test]
    fn windows_that_can_not_be_are_named_and_all_else_is_read() {
        let desired = read(&object(|value| {
            value["spec"]["maintenanceWindows"] =
                json!([{"start": "02:00", "duration": "3h", "timeZone": "Europe/Atlantis"}]);
        }));
        let fault = desired.unwrap().timing.unwrap().fault.unwrap();
        assert!(fault.contains("spec.maintenanceWindows"), "{fault}");
    }

    #[test]
    fn durations_are_whole_numbers_with_units_within_the_bounds() {
        for (text, seconds) in [
            ("1m", 60),
            ("90s", 90),
            ("1h30m", 5400),
            ("24h", 86_400),
            ("30s30s", 60),
        ] {
            assert_eq!(
                change_timeout(text),
                Some(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "59s",
            "24h1s",
            "3 h",
            "1d",
            "30",
            "-5m",
            "1.5h",
            "m",
            "99999999999999999999h",
            "1mé",
        ] {
            assert_eq!(change_timeout(text), None, "{text}");
        }
    }
}
