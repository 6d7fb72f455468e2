//! The resource `TaurusProxyPort`, as the Kubernetes API shows it.
//!
//! Relies on kube's derive for the schema. Promises that what a schema can refuse is refused by the API server, in
//! words that name the field and the rule, and that an absent field stays absent: `spec` has no defaults, and the one of
//! `status` counts where there is no status at all, and says nothing but that.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

pub mod history;
pub mod plan;
pub mod printed;
mod rules;
pub mod spec;
pub mod status;
pub mod timing;
mod words;

pub use history::{HistoryEntry, Trigger};
pub use plan::{PlanRecord, WaitsFor};
pub use spec::{
    ConfigMapSpec, CredentialsReference, ManagementPolicy, PreflightMode, ProbeMode, ServiceSpec,
    TaurusProxyPort, TaurusProxyPortSpec, WorkloadIdentity,
};
pub use status::{
    ChangeRecord, Corrections, FailureCause, FailureRecord, LastChange, Outcome, Phase,
    PublishedConfigMap, PublishedService, TaurusProxyPortStatus, UNOBSERVED,
};
pub use timing::{Approval, Day, InstanceWindow, MaintenanceWindow};

/// The API group. Everything else that carries the group is made from this constant or checked against it.
pub const GROUP: &str = "taurusdb.huaweicloud.com";

/// Annotation: a new value asks for a look now and lifts what only a person may lift, once.
pub const REQUESTED_AT: &str = "taurusdb.huaweicloud.com/requestedAt";

/// Annotation: the id of a job that nobody waits for any longer.
pub const ABANDON_JOB: &str = "taurusdb.huaweicloud.com/abandonJob";

/// Annotation: the id of a plan that may start, where `spec.approval` is Manual.
pub const APPROVE: &str = "taurusdb.huaweicloud.com/approve";

/// Annotation: the id of a plan that may start outside its windows, once; not in a freeze.
pub const APPLY_NOW: &str = "taurusdb.huaweicloud.com/applyNow";

/// The annotations with which people ask for something.
pub const ASKED_WITH: [&str; 4] = [REQUESTED_AT, ABANDON_JOB, APPROVE, APPLY_NOW];

/// The definition as it is installed; see [`printed`] for what is changed in the derived one, and why.
pub fn definition() -> CustomResourceDefinition {
    printed::mended(TaurusProxyPort::crd())
}

#[cfg(test)]
mod tests {
    use kube::Resource as _;

    use super::*;

    #[test]
    fn everything_that_carries_the_group_agrees_with_the_constant() {
        assert_eq!(TaurusProxyPort::group(&()), GROUP);
        for annotation in ASKED_WITH {
            assert_eq!(annotation.split_once('/').unwrap().0, GROUP);
        }
    }

    #[test]
    fn the_printed_definition_has_one_default_no_nulls_and_no_fractions() {
        let text = printed::yaml(&definition()).unwrap();
        let default =
            "          status:\n            default:\n              observedGeneration: -1\n";
        assert!(text.contains(default), "{text}");
        assert_eq!(text.matches("default:").count(), 1, "{text}");
        for unwanted in ["nullable:", "1025.0", "uint16"] {
            assert!(!text.contains(unwanted), "{unwanted} in\n{text}");
        }
        for wanted in [
            "projectID:",
            "minimum: 1025",
            "selectableFields:",
            "shortNames:",
            "x-kubernetes-list-map-keys:",
        ] {
            assert!(text.contains(wanted), "{wanted} not in\n{text}");
        }
    }

    #[test]
    fn the_file_in_crds_is_what_the_types_say() {
        let file = include_str!("../crds/taurusproxyports.taurusdb.huaweicloud.com.yaml");
        assert!(
            file == printed::yaml(&definition()).unwrap(),
            "stale: run `make crds`"
        );
    }
}
