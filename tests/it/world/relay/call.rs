//! What a request to the API server is about, as far as stories tell requests apart.

use http::{Method, request::Parts};

/// The kind of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// All resources, in whole or as metadata.
    List,
    /// What happens to the resources.
    Watch,
    /// One resource of this name.
    Get(String),
    /// The status of one resource of this name is written.
    Status(String),
    /// The lease is read.
    ReadLease,
    /// The lease is made or written.
    WriteLease,
    /// An EndpointSlice is made or written.
    WriteSlice,
    /// Network policies are read.
    ReadPolicies,
    /// Anything else: Secrets, events.
    Other,
}

impl Call {
    pub(super) fn of(head: &Parts) -> Self {
        let path: Vec<&str> = head.uri.path().split('/').collect();
        let watches = head.uri.query().is_some_and(|it| it.contains("watch="));
        let reads = head.method == Method::GET;
        match path.as_slice() {
            [.., "taurusproxyports"] if watches => Self::Watch,
            [.., "taurusproxyports"] if reads => Self::List,
            [.., "taurusproxyports", name] if reads => Self::Get((*name).to_owned()),
            [.., "taurusproxyports", name, "status"] => Self::Status((*name).to_owned()),
            [.., "leases"] | [.., "leases", _] if !reads => Self::WriteLease,
            [.., "leases", _] => Self::ReadLease,
            [.., "networkpolicies"] if reads => Self::ReadPolicies,
            [.., "endpointslices"] | [.., "endpointslices", _] if !reads => Self::WriteSlice,
            _ => Self::Other,
        }
    }

    /// The status of the story's resource is written.
    pub fn status() -> Self {
        Self::Status(crate::world::NAME.to_owned())
    }
}
