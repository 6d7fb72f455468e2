//! Why a resource is in the state that it is in: a closed set, with one meaning each.

/// The group of states that a reason belongs to; exactly one condition of the three is True in every version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// In order: `Ready`.
    Ready,
    /// In progress or waited for: `Reconciling`.
    Reconciling,
    /// A person has to act, or nothing more will be done by itself soon: `Stalled`.
    Stalled,
    /// A detail, never the reason of one of the three.
    Detail,
}

/// The reasons. Their names are those of the status, of events and of the reference.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
pub enum Reason {
    /// The wanted port is in place and no change is in progress.
    Settled,
    /// The policy is to observe, and the proxy is readable and usable.
    Observed,
    /// The cloud works on the change.
    JobRunning,
    /// The job is done; the port has still to be seen.
    Verifying,
    /// Whether a change was begun is not known; watched until it is.
    OutcomeUnknown,
    /// An attempt did not succeed; the next one follows.
    BackingOff,
    /// Somebody else's operation is at work on the instance or proxy.
    ProxyBusy,
    /// Another change of ours is at work on the instance.
    WaitingForInstance,
    /// Another resource owned the proxy a short while ago, or may still turn out to.
    TakingOver,
    /// The resource is suspended, or being deleted, and its port is not the wanted one.
    Suspended,
    /// The cloud can't be reached, or fails.
    CloudUnreachable,
    /// The cloud asked for fewer calls.
    Throttled,
    /// The cloud's answer can't be understood.
    MalformedAnswer,
    /// The proxy or instance was not found; looked for again before that is believed.
    ConfirmingAbsence,
    /// The job failed as often as it is tried.
    JobFailed,
    /// The job, or what is left of it, takes longer than `changeTimeout`.
    JobOverdue,
    /// The job waits for somebody's authorization in the cloud.
    JobUnauthorized,
    /// No attempt at this port arrived, as far as can be known; still tried, ever more slowly.
    AttemptsVoid,
    /// The job was completed but the port did not change.
    VerificationFailed,
    /// The port was changed elsewhere, and the policy is not to put it right.
    DriftDetected,
    /// The port is changed elsewhere again and again.
    DriftContested,
    /// The service refuses the wanted port.
    PortRejected,
    /// The proxy is in a state in which nothing can be changed.
    ProxyUnhealthy,
    /// The proxy is not there.
    ProxyNotFound,
    /// The instance is not there.
    InstanceNotFound,
    /// The instance can't be changed for now: storage full, frozen, kernel too old.
    InstanceBlocked,
    /// An older resource owns the proxy.
    ProxyClaimed,
    /// There are no credentials: no reference, no Secret.
    CredentialsMissing,
    /// The credentials can't be used or are not believed.
    CredentialsInvalid,
    /// The user or key is locked for a while.
    CredentialsLocked,
    /// The credentials may not do this.
    PermissionDenied,
    /// The endpoint is not one that may be called.
    EndpointNotAllowed,
    /// The region is not in the table of endpoints.
    RegionUnknown,
    /// The server's certificate was not believed.
    #[strum(serialize = "TLSFailed")]
    TlsFailed,
    /// The clocks of operator and cloud differ too much.
    ClockSkew,
    /// The spec can't be acted on.
    SpecInvalid,
    /// The installed definition of the resource is too old to hold the record of a change.
    #[strum(serialize = "CRDOutdated")]
    CrdOutdated,
    /// The cloud shows the wanted port.
    PortMatches,
    /// The cloud shows another port.
    PortDiffers,
    /// The port was not read yet.
    PortUnknown,
    /// The last change job was completed.
    JobCompleted,
}

impl Reason {
    /// Which of the three conditions it can be the reason of.
    pub fn class(self) -> Class {
        match self {
            Self::Settled | Self::Observed => Class::Ready,
            Self::JobRunning
            | Self::Verifying
            | Self::OutcomeUnknown
            | Self::BackingOff
            | Self::ProxyBusy
            | Self::WaitingForInstance
            | Self::TakingOver
            | Self::Suspended
            | Self::CloudUnreachable
            | Self::Throttled
            | Self::MalformedAnswer
            | Self::ConfirmingAbsence => Class::Reconciling,
            Self::JobFailed
            | Self::JobOverdue
            | Self::JobUnauthorized
            | Self::AttemptsVoid
            | Self::VerificationFailed
            | Self::DriftDetected
            | Self::DriftContested
            | Self::PortRejected
            | Self::ProxyUnhealthy
            | Self::ProxyNotFound
            | Self::InstanceNotFound
            | Self::InstanceBlocked
            | Self::ProxyClaimed
            | Self::CredentialsMissing
            | Self::CredentialsInvalid
            | Self::CredentialsLocked
            | Self::PermissionDenied
            | Self::EndpointNotAllowed
            | Self::RegionUnknown
            | Self::TlsFailed
            | Self::ClockSkew
            | Self::SpecInvalid
            | Self::CrdOutdated => Class::Stalled,
            Self::PortMatches | Self::PortDiffers | Self::PortUnknown | Self::JobCompleted => {
                Class::Detail
            }
        }
    }

    /// The name, as it stands in the status.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn names_are_what_kubernetes_takes_as_reasons() {
        for reason in Reason::iter() {
            let name = reason.name();
            assert!(
                name.bytes().all(|byte| byte.is_ascii_alphanumeric()),
                "{name}"
            );
            assert!(
                name.starts_with(|letter: char| letter.is_ascii_uppercase()),
                "{name}"
            );
            assert_eq!(name.parse::<Reason>().unwrap(), reason);
        }
        assert_eq!(Reason::TlsFailed.name(), "TLSFailed");
        assert_eq!(Reason::CrdOutdated.to_string(), "CRDOutdated");
    }
    #[test]
    fn each_reason_has_one_row_in_the_reference_with_its_class() {
        let reference = include_str!("../../docs/status.md");
        for reason in Reason::iter() {
            let class = match reason.class() {
                Class::Ready => "Ready",
                Class::Reconciling => "Reconciling",
                Class::Stalled => "Stalled",
                Class::Detail => "detail",
            };
            let row = format!("| `{}` | {class} | ", reason.name());
            assert_eq!(reference.matches(&row).count(), 1, "{row}");
        }
        let rows = reference.lines().filter(|line| {
            ["Ready", "Reconciling", "Stalled", "detail"]
                .iter()
                .any(|class| line.contains(&format!("` | {class} | ")))
        });
        assert_eq!(rows.count(), Reason::iter().count());
    }
}
