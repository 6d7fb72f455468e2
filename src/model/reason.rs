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
    /// The job is done; the operator waits until the list of proxies shows the new port.
    Verifying,
    /// The operator reads the proxy for the first time, or for a new `spec`; nothing is known yet.
    ReadingCloud,
    /// The operator has just started, or the status of this resource was restored or removed, so an earlier change may still be
    /// running. The next change waits until the time in the message, at most 160 seconds. `Observe` does not wait.
    CheckingEarlierChanges,
    /// A task of the instance ended, or a job was given up, less than two minutes ago, and the cloud's lists may lag behind it. The next
    /// change waits until the time in the message. Where the message names two ports, the list shows another port than the last change
    /// left, and is read again until then; this may be up to two minutes after the operator's start, however old the change is.
    CloudListsLag,
    /// It is not known whether a change was begun, after a lost answer or a crash. The operator watches the task list and the
    /// port for 160 seconds before it does anything else, or longer where the cloud no longer knows the job of the change or a task of the
    /// instance has just ended. The message has the time, except while a task of the instance is at work.
    OutcomeUnknown,
    /// An attempt failed, or drift was corrected a short while ago; the next step follows at the time in the message.
    BackingOff,
    /// Another operation is at work on the instance or proxy.
    ProxyBusy,
    /// The wanted port is in place, but the API server failed when the Service or the ConfigMap was written; this is tried again at once and
    /// then at ever longer intervals. Of `ServicePublished` and `ConfigMapPublished`: what `spec` says now was not published yet.
    #[strum(message = "if it lasts, check the API server and its webhooks")]
    Publishing,
    /// The wanted port is in place, `spec.probe` is `Require`, and the operator has still to read a MySQL greeting there: it tries five times,
    /// until the time in the message at the latest; a restart of the operator begins anew. Of `Reachable`: a change is at work, or a greeting
    /// is waited for after one.
    #[strum(message = "see [applications.md](applications.md)")]
    Probing,
    /// Another resource's change on the same instance goes first.
    WaitingForInstance,
    /// A limit of the operator is reached: changes at once, changes within an hour, calls of the cloud, or calls that are under way at
    /// once and get no answer. This resource waits for its turn.
    #[strum(message = "see [limits.md](limits.md)")]
    WaitingForBudget,
    /// Several changes in a row failed on different proxies, perhaps for a common cause: no new change begins until the time in
    /// the message.
    #[strum(
        message = "find out why they failed; [limits.md](limits.md) has `--halt-after-failures` and `--halt-for`"
    )]
    RolloutHalted,
    /// Another resource managed the same proxy until a short while ago, or may still prove to manage it, and this one waits for
    /// two minutes; or a resource of the same namespace manages it and wants the same port, as after a rename, and this one waits
    /// until that one is deleted.
    #[strum(message = "after a rename: delete the resource of the old name")]
    TakingOver,
    /// The port differs, and no maintenance window is open, or none for as long as the longest of the last changes on the instance took
    /// (10 minutes if none succeeded yet; at most 30 minutes or `spec.changeTimeout`, whichever is longer). The change starts at the time in
    /// the message; without a time, no window of the next year is long enough or free of freezes, or the window of the instance is not
    /// known: the message says which.
    #[strum(
        message = "wait; in an emergency set the annotation `taurusdb.huaweicloud.com/applyNow`; if no window is long enough, make one longer: [windows.md](windows.md)"
    )]
    WaitingForWindow,
    /// The port differs, and a freeze of the operator's calendar is in force, or begins before the change could end; the message names it. Or
    /// the operator has read no calendar since its start, though it has `--calendar`.
    #[strum(message = "wait, or edit the calendar; see [windows.md](windows.md)")]
    ChangeFreeze,
    /// The port differs, `spec.approval` is `Manual`, and nobody has approved the plan in `status.plan`. Where the message has a time, the
    /// change does not start before it even with an approval.
    #[strum(
        message = "look at `status.plan`, and set `spec.approvedPlan` or the annotation `taurusdb.huaweicloud.com/approve` to its id: [windows.md](windows.md)"
    )]
    WaitingForApproval,
    /// `spec.suspend` is true, or the resource is being deleted, and the port is not the wanted one.
    #[strum(message = "set `spec.suspend` to false, unless it is being deleted")]
    Suspended,
    /// No connection, no answer in time, an error of the cloud, or a page or an empty answer instead of JSON; a settled resource says so
    /// only after three failed looks in a row.
    #[strum(message = "if it lasts, check the network, and web proxies on the way")]
    CloudUnreachable,
    /// The cloud answers so slowly that its lists are too old for a change once all of them are read, or once the connection for the change
    /// is open. Nothing was put on record.
    #[strum(message = "if it lasts, check the cloud and the network")]
    CloudSlow,
    /// The operator recorded a change and then did not send it: more than five seconds passed between the record and the request,
    /// or something changed at the last moment. The message says what. It is tried again.
    #[strum(
        message = "if it lasts, check the webhooks on `taurusproxyports/status` and the API server"
    )]
    ChangeNotSent,
    /// The cloud asks for fewer calls. Where the resource waits for one, the message says when it is made at the earliest.
    #[strum(
        message = "if it lasts, find out what else uses the account, lower `--calls-per-minute`, or set a longer `--resync`"
    )]
    Throttled,
    /// The cloud's answer can't be understood; the message has its beginning.
    #[strum(message = "report it")]
    MalformedAnswer,
    /// The cloud refuses a request, which the message names, for a reason that says nothing about the port: a parameter of a read, or
    /// a code that the operator does not know. It is tried again, at ever longer intervals.
    #[strum(message = "look the code up; report it if the operator should know it")]
    RequestRefused,
    /// The Secret does not exist, or the operator may not read it. Tools that create Secrets are often a little later than the
    /// resource, so the operator waits two minutes for it.
    #[strum(message = "create the Secret if no tool does")]
    WaitingForCredentials,
    /// The cloud does not show the proxy; the operator looks for it once more before it reports it missing.
    ConfirmingAbsence,
    /// Four attempts at this port did not succeed, and the last job failed; the message has the cloud's reason.
    #[strum(message = "fix the cause, then set another port or the annotation `requestedAt`")]
    JobFailed,
    /// A job takes longer than `spec.changeTimeout`; the operator still polls it.
    #[strum(
        message = "look the job up in the cloud's task center; to give it up, set the annotation `abandonJob`"
    )]
    JobOverdue,
    /// The job waits for an authorization in the cloud.
    #[strum(message = "authorize it in the task center")]
    JobUnauthorized,
    /// Three attempts never arrived, as far as is known; the operator tries again after 15 minutes, then hourly.
    #[strum(message = "check web proxies and firewalls on the way to the cloud")]
    AttemptsVoid,
    /// Four attempts at this port did not succeed; the last job was completed, and the port did not change.
    #[strum(
        message = "ask the cloud's support; then set another port or the annotation `requestedAt`"
    )]
    VerificationFailed,
    /// The proxy listens on another port than `spec.port`, which was in place before, and `ApplyOnChange` does not set it again.
    #[strum(message = "set `spec.port` to the right port, or `managementPolicy: Enforce`")]
    DriftDetected,
    /// The port was corrected three times within a day and differs again.
    #[strum(message = "find out what sets the other port; then set the annotation `requestedAt`")]
    DriftContested,
    /// The service refuses this port.
    #[strum(message = "set another port")]
    PortRejected,
    /// The proxy is in a state in which the cloud changes nothing.
    #[strum(message = "repair it in the cloud's console")]
    ProxyUnhealthy,
    /// The instance has no such proxy.
    #[strum(message = "delete the resource; if an id is wrong, create it anew with the right one")]
    ProxyNotFound,
    /// The project has no such instance, or the credential may not see it.
    #[strum(message = "delete the resource; if an id is wrong, create it anew with the right one")]
    InstanceNotFound,
    /// The storage of the instance is full, the instance is frozen, or its kernel is too old; the operator tries again hourly.
    #[strum(message = "correct its state in the cloud's console")]
    InstanceBlocked,
    /// Another resource, perhaps of another namespace, manages the same proxy. It keeps it also while its credentials are refused.
    #[strum(message = "delete one of them, or set `managementPolicy` of one to `Observe`")]
    ProxyClaimed,
    /// Several resources name the same proxy and want different ports, none of which is in place, and no record shows which of
    /// them manages the proxy: none may change it.
    #[strum(
        message = "delete all but one of them, set `managementPolicy` of the others to `Observe`, or let them want the same port"
    )]
    ProxyContested,
    /// The wanted port is in place, `spec.probe` is `Require`, and no MySQL greeting was read there in five tries after the change, or the
    /// proxy has no address that may be connected to; the operator tries once more at each resync, or each hour if connections are taken
    /// without a greeting.
    #[strum(
        message = "let the operator reach the proxy (NetworkPolicy, security group), or see why it does not answer; or set `spec.probe` to `Report`: [applications.md](applications.md)"
    )]
    NotReachable,
    /// `spec.preflight` is `Require`, and the security group of the instance does not let in at the new port whom it lets in at the old one, or
    /// the operator could not read that. No change starts; the message names the group, who is shut out, and when the operator looks again.
    #[strum(
        message = "add inbound rules for the new port, or grant what the message names; the change then goes on by itself: [applications.md](applications.md)"
    )]
    PreflightFailed,
    /// No `credentialsRef`, no `workloadIdentity` and no default credentials that may be used; or, for longer than two minutes, no such
    /// Secret or ServiceAccount, or the operator may not read the Secret or have a token made.
    #[strum(message = "create the Secret or ServiceAccount")]
    CredentialsMissing,
    /// The Secret's keys are wrong, or the cloud does not accept the credential.
    #[strum(message = "correct the Secret, or what IAM has for the ServiceAccount")]
    CredentialsInvalid,
    /// The cloud has locked the key or user for a while, or refused it so often that one more try could lock it. Where the
    /// message has a time, the operator waits until then.
    #[strum(message = "find out what fails to sign in with it, and wait")]
    CredentialsLocked,
    /// The credential may not do this.
    #[strum(message = "grant the actions of [iam.md](iam.md)")]
    PermissionDenied,
    /// The operator may not call the host of `spec.endpoint` or `spec.iamEndpoint`.
    #[strum(
        message = "allow the host with `--allowed-endpoint`; else set another `spec.iamEndpoint`, or create the resource anew with another `spec.endpoint`"
    )]
    EndpointNotAllowed,
    /// The region is not in the operator's table of hosts; or the credentials are exchanged at IAM, and no address of IAM is known.
    #[strum(
        message = "follow the message: create the resource anew with `spec.endpoint`, or only set `spec.iamEndpoint`"
    )]
    RegionUnknown,
    /// No trusted TLS connection could be opened: the certificate's issuer is not trusted, the certificate has expired or is for another
    /// host, or the handshake failed.
    #[strum(
        serialize = "TLSFailed",
        message = "find out what answers at the address; if the issuer is your own, trust it with `--extra-ca`"
    )]
    TlsFailed,
    /// The clock of the operator's machine is off by a quarter of an hour or more.
    #[strum(message = "correct the clock (NTP)")]
    ClockSkew,
    /// The operator can't act on a field: it has a value that the rules of the definition don't see, such as a time zone that does not
    /// exist, or one that is older than the rules.
    #[strum(
        message = "correct the field that the message names; where the API server says that it can't be changed: delete the resource and create it anew"
    )]
    SpecInvalid,
    /// The installed definition drops a part of the record of a change, so the operator changes no port.
    #[strum(
        serialize = "CRDOutdated",
        message = "install the definition of this release: `kubectl apply --server-side --force-conflicts -k crds`"
    )]
    CrdOutdated,
    /// Of `PortInSync`: the wanted port is shown.
    PortMatches,
    /// Of `PortInSync`: another port is shown.
    PortDiffers,
    /// Of `PortInSync`: the port was not read yet, or it is the wanted one as read last and the proxy can't be found now.
    PortUnknown,
    /// Of `JobSucceeded`.
    JobCompleted,
    /// Of `ServicePublished` and `ConfigMapPublished`: they lead to the port that was read last. Of `ServicePublished` with `spec.probe`, also
    /// to one that no list has shown yet, at which a greeting was read during a job: the message says so.
    Published,
    /// Of `ServicePublished` and `ConfigMapPublished`: the proxy was not read yet, is gone, or another resource manages it.
    NothingToPublish,
    /// Of `ServicePublished`: the cloud has not shown the proxy for ten minutes, with a credential that has shown it before and with no task
    /// at work, so its EndpointSlice was deleted. It is made anew once the proxy is read again.
    EndpointWithdrawn,
    /// Of `ServicePublished`, `ConfigMapPublished` and `Reachable`: the cloud gives the proxy an address that is neither published nor
    /// connected to, such as a host name, or one outside of `--proxy-networks`; or the Service has no address of its family.
    AddressUnusable,
    /// Of `ServicePublished` and `ConfigMapPublished`: an object of that name exists and belongs to somebody else, or to another resource
    /// for the same proxy; or an EndpointSlice of somebody else leads from the Service to elsewhere.
    NameTaken,
    /// Of `ServicePublished` and `ConfigMapPublished`: somebody edits or deletes the object again and again; it was put right five times
    /// within ten minutes. The operator goes on at ever longer intervals, at most five minutes; the message has the time.
    #[strum(message = "find out who does so, and end it: [applications.md](applications.md)")]
    EditContested,
    /// Of `ServicePublished` and `ConfigMapPublished`: the operator lacks the right to write them.
    Forbidden,
    /// Of `ServicePublished` and `ConfigMapPublished`: the API server refuses the object (the condition is False), or failed or did not
    /// answer (Unknown); it is tried again.
    PublishFailed,
    /// Of `Reachable`: a MySQL greeting was read at the port after it was set.
    GreetingRead,
    /// Of `Reachable`: no MySQL greeting was read at the port. How far the connections came is told to who runs the operator, in its log and
    /// metrics, and to nobody else: a resource is no scanner of networks.
    NoGreeting,
    /// Of `Reachable`: the port that is in place is not probed, since it was not set by the operator's last change, or `spec.probe` was
    /// added after that change.
    NotProbed,
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
            | Self::Publishing
            | Self::Probing
            | Self::WaitingForInstance
            | Self::WaitingForBudget
            | Self::RolloutHalted
            | Self::TakingOver
            | Self::WaitingForWindow
            | Self::ChangeFreeze
            | Self::WaitingForApproval
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
            | Self::NotReachable
            | Self::PreflightFailed
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
            Self::PortMatches
            | Self::PortDiffers
            | Self::PortUnknown
            | Self::JobCompleted
            | Self::Published
            | Self::NothingToPublish
            | Self::EndpointWithdrawn
            | Self::AddressUnusable
            | Self::NameTaken
            | Self::EditContested
            | Self::Forbidden
            | Self::PublishFailed
            | Self::GreetingRead
            | Self::NoGreeting
            | Self::NotProbed => Class::Detail,
        }
    }

    /// Whether people are warned when it begins to hold: something went wrong, though it may pass by itself.
    pub fn warns(self) -> bool {
        let troubled = matches!(
            self,
            Self::BackingOff
                | Self::OutcomeUnknown
                | Self::RolloutHalted
                | Self::CloudUnreachable
                | Self::CloudSlow
                | Self::ChangeNotSent
                | Self::Throttled
                | Self::MalformedAnswer
                | Self::RequestRefused
        );
        troubled || self.class() == Class::Stalled
    }

    /// Whether a change is held back by its time alone: by a window, a freeze or an approval.
    pub fn waits_for_its_moment(self) -> bool {
        matches!(
            self,
            Self::WaitingForWindow | Self::ChangeFreeze | Self::WaitingForApproval
        )
    }

    /// Whether it may be that of `ServicePublished` and `ConfigMapPublished`.
    pub fn is_of_publication(self) -> bool {
        matches!(
            self,
            Self::Publishing
                | Self::Published
                | Self::NothingToPublish
                | Self::EndpointWithdrawn
                | Self::AddressUnusable
                | Self::NameTaken
                | Self::EditContested
                | Self::Forbidden
                | Self::PublishFailed
        )
    }

    /// Whether it may be that of `Reachable`, or of Ready where that waits for it.
    pub fn is_of_probes(self) -> bool {
        self == Self::NotReachable || self == Self::Probing || self.is_of_reachable()
    }

    /// Whether it tells what came of a probe.
    pub fn is_of_reachable(self) -> bool {
        matches!(
            self,
            Self::GreetingRead | Self::NoGreeting | Self::NotProbed
        )
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
    fn people_are_warned_of_what_went_wrong_and_not_of_what_is_merely_waited_for() {
        for reason in [
            Reason::BackingOff,
            Reason::OutcomeUnknown,
            Reason::RolloutHalted,
            Reason::JobFailed,
        ] {
            assert!(reason.warns(), "{reason}");
        }
        for reason in [
            Reason::Settled,
            Reason::JobRunning,
            Reason::WaitingForWindow,
            Reason::WaitingForInstance,
            Reason::Suspended,
        ] {
            assert!(!reason.warns(), "{reason}");
        }
        assert!(Reason::iter().all(|reason| reason.warns() || reason.class() != Class::Stalled));
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
