//! Why a resource is in the state that it is in: a closed set, with one meaning each.

use strum::EnumMessage as _;

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

/// The reasons. Their names are those of the status, of events and of the reference, which is made from this list: what
/// stands above each is its meaning for people, and `message` is what they can do.
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
    strum::EnumMessage,
    strum::EnumString,
    strum::IntoStaticStr,
)]
pub enum Reason {
    /// The wanted port is in place.
    Settled,
    /// With `managementPolicy: Observe`: the proxy can be read and used.
    Observed,
    /// A change is about to be made or the cloud works on it.
    JobRunning,
    /// The job is done; the port has still to be seen in the list.
    Verifying,
    /// The proxy is being read for the first time, or for a new `spec`, and nothing is known yet.
    ReadingCloud,
    /// The operator has just started, or the status of this resource was restored or taken away, so a change from before may still
    /// be running. The next change waits until the time in the message, for almost three minutes at most. `Observe` does not wait.
    CheckingEarlierChanges,
    /// A change on the instance completed, or a job was given up, less than two minutes ago, and the cloud's lists may lag behind it.
    /// The next change waits until the time in the message; where that names two ports and no time, the list has fallen back and is
    /// read again.
    CloudListsLag,
    /// Whether a change was begun is not known, after a lost answer or a crash. Task list and port are watched for almost three
    /// minutes before anything else is done, or for longer where the cloud no longer knows the job of the change.
    OutcomeUnknown,
    /// An attempt failed, or drift was put right a short while ago; the next attempt follows.
    BackingOff,
    /// Another operation is at work on the instance or proxy.
    ProxyBusy,
    /// Another resource's change on the same instance goes first.
    WaitingForInstance,
    /// As many changes are under way, or were begun within the last hour, as the operator allows over all resources, or as many
    /// calls of the cloud are made; this one waits for its turn.
    #[strum(message = "see [limits.md](limits.md)")]
    WaitingForBudget,
    /// Too many changes in a row failed on different proxies, perhaps for a common cause: no new one begins for a while.
    #[strum(message = "find out why they failed; see [limits.md](limits.md)")]
    RolloutHalted,
    /// Another resource managed the same proxy until a short while ago, or may still turn out to, and this one waits for two
    /// minutes; or a resource of the same namespace manages it and wants the same port, as after a rename, and this one waits
    /// until that is deleted.
    #[strum(message = "after a rename: delete the resource of the old name")]
    TakingOver,
    /// `spec.suspend` is true, or the resource is being deleted, and the port is not the wanted one.
    #[strum(message = "set `spec.suspend` to false")]
    Suspended,
    /// The cloud can't be reached or fails; a settled resource says so only after three failed looks in a row.
    #[strum(message = "see to the network if it lasts")]
    CloudUnreachable,
    /// The cloud answers so slowly that what it shows is too old for a change when all of it was read; nothing was put on record.
    #[strum(message = "see to the cloud or the network if it lasts")]
    CloudSlow,
    /// The operator did not send a change whose record was written: more than five seconds passed between the record and the
    /// request, or something changed in the last moment. The message says what. It is tried again.
    #[strum(
        message = "if it lasts, see to webhooks on `taurusproxyports/status` and to the API server"
    )]
    ChangeNotSent,
    /// The cloud asks for fewer calls.
    #[strum(message = "a longer `--resync`")]
    Throttled,
    /// The cloud's answer can't be understood; the message has its beginning.
    #[strum(message = "report it")]
    MalformedAnswer,
    /// The cloud refuses a request, which the message names, for a reason that says nothing about the port: a parameter of a read, or
    /// a code that the operator does not know. It is tried again, at ever longer intervals.
    #[strum(message = "look the code up; report it if the operator should know it")]
    RequestRefused,
    /// The Secret does not exist, or may not be read. Tools that make Secrets are often a little later than the resource, so it
    /// is waited for, for two minutes.
    #[strum(message = "make the Secret if nothing else does")]
    WaitingForCredentials,
    /// The proxy was not found; it is looked for once more before that is believed.
    ConfirmingAbsence,
    /// Four attempts at this port failed; the message has the cloud's reason.
    #[strum(message = "fix the cause, then set another port or the annotation `requestedAt`")]
    JobFailed,
    /// A job takes longer than `spec.changeTimeout`; it is still looked at.
    #[strum(
        message = "see the cloud's task center; a job that is given up: annotation `abandonJob`"
    )]
    JobOverdue,
    /// The job waits for an authorization in the cloud.
    #[strum(message = "authorize it in the task center")]
    JobUnauthorized,
    /// Three attempts never arrived, as far as can be known; tried again hourly.
    #[strum(message = "check the way to the cloud")]
    AttemptsVoid,
    /// Four jobs were completed, and the port did not change.
    #[strum(message = "ask the cloud's support; then another port or `requestedAt`")]
    VerificationFailed,
    /// The port was changed elsewhere, and `ApplyOnChange` leaves that.
    #[strum(message = "set `spec.port` to the right port, or `managementPolicy: Enforce`")]
    DriftDetected,
    /// The port was changed elsewhere four times within a day.
    #[strum(message = "find out who wants the other port; then `requestedAt`")]
    DriftContested,
    /// The service refuses this port.
    #[strum(message = "set another port")]
    PortRejected,
    /// The proxy is in a state in which nothing can be changed.
    #[strum(message = "see to it in the cloud")]
    ProxyUnhealthy,
    /// The instance has no such proxy.
    #[strum(message = "delete the resource; if an id is wrong, create it anew with the right one")]
    ProxyNotFound,
    /// There is no such instance.
    #[strum(message = "delete the resource; if an id is wrong, create it anew with the right one")]
    InstanceNotFound,
    /// Storage full, frozen, or kernel too old; looked at hourly.
    #[strum(message = "see to it in the cloud")]
    InstanceBlocked,
    /// Another resource, perhaps of another namespace, manages the same proxy with credentials that can see it.
    #[strum(message = "delete one of them, or set `managementPolicy` of one to `Observe`")]
    ProxyClaimed,
    /// Several resources name the same proxy and want different ports, none of which is in place, and it is not on record which
    /// of them manages the proxy: none may change it.
    #[strum(
        message = "delete all but one of them, set `managementPolicy` of the others to `Observe`, or let them want the same port"
    )]
    ProxyContested,
    /// No `credentialsRef` and no default credentials that may be used; or, for longer than two minutes, no such Secret, or the
    /// operator may not read it.
    #[strum(message = "create the Secret")]
    CredentialsMissing,
    /// The Secret's keys are wrong, or the cloud does not believe the credential.
    #[strum(message = "correct the Secret")]
    CredentialsInvalid,
    /// The cloud has locked the key or user for a while, or it was refused so often that one more try could lock it.
    #[strum(message = "wait; find out who fails to sign in")]
    CredentialsLocked,
    /// The credential may not do this.
    #[strum(message = "grant the actions of [iam.md](iam.md)")]
    PermissionDenied,
    /// The host is not one that may be called.
    #[strum(
        message = "`--allowed-endpoint`; else another `spec.iamEndpoint`, or a new resource with another `spec.endpoint`"
    )]
    EndpointNotAllowed,
    /// The region is not in the operator's table of hosts.
    #[strum(message = "create the resource anew with `spec.endpoint`")]
    RegionUnknown,
    /// The server's certificate is not trusted.
    #[strum(
        serialize = "TLSFailed",
        message = "find out what stands in between, or trust the issuer by `--extra-ca`"
    )]
    TlsFailed,
    /// The clock of the operator's machine is off by a quarter of an hour or more.
    #[strum(message = "put the clock right")]
    ClockSkew,
    /// A field can't be acted on, in an object older than the rules.
    #[strum(
        message = "correct the field that the message names; where it can't be changed: delete the resource and create it anew"
    )]
    SpecInvalid,
    /// The installed definition drops a part of the record of a change, so no change is begun.
    #[strum(
        serialize = "CRDOutdated",
        message = "install the definition of this release"
    )]
    CrdOutdated,
    /// Of `PortInSync`: the wanted port is shown.
    PortMatches,
    /// Of `PortInSync`: another port is shown.
    PortDiffers,
    /// Of `PortInSync`: the port was not read yet.
    PortUnknown,
    /// Of `JobSucceeded`.
    JobCompleted,
}

impl Reason {
    /// Which of the three conditions it can be the reason of.
    pub fn class(self) -> Class {
        match self {
            Self::Settled | Self::Observed => Class::Ready,
            Self::JobRunning
            | Self::Verifying
            | Self::ReadingCloud
            | Self::CheckingEarlierChanges
            | Self::CloudListsLag
            | Self::OutcomeUnknown
            | Self::BackingOff
            | Self::ProxyBusy
            | Self::WaitingForInstance
            | Self::WaitingForBudget
            | Self::RolloutHalted
            | Self::TakingOver
            | Self::Suspended
            | Self::CloudUnreachable
            | Self::CloudSlow
            | Self::ChangeNotSent
            | Self::Throttled
            | Self::MalformedAnswer
            | Self::RequestRefused
            | Self::WaitingForCredentials
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
            | Self::ProxyContested
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

    /// What it means, for people; Markdown.
    pub fn meaning(self) -> String {
        let lines = self.get_documentation().unwrap_or_default();
        lines.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// What a person can do about it; nothing where it passes by itself or is in order.
    pub fn advice(self) -> Option<&'static str> {
        self.get_message()
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
    fn what_only_a_person_can_put_right_says_how() {
        for reason in Reason::iter() {
            let stalled = reason.class() == Class::Stalled;
            assert!(reason.advice().is_some() || !stalled, "{reason}");
            assert!(reason.meaning().ends_with('.'), "{reason}");
        }
    }
}
