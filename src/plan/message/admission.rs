//! What is said of a security group that does not let in at the new port whom it lets in at the old one, or that nobody could read.

use k8s_openapi::jiff::Timestamp;

use super::{Message, shown};
use crate::{
    cloud::{CloudError, Meaning},
    crd::PreflightMode,
    plan::admitting::{Unchecked, Verdict},
    preflight::warnings::tame,
};

/// The actions that IAM has to grant for the details of an instance, and for the rules of its group.
const FOR_INSTANCE: &str = "gaussdbformysql:instance:get (role and policy: gaussdb:instance:list)";
const FOR_RULES: &str = "vpc:securityGroupRules:list (role and policy: vpc:securityGroupRules:get)";

/// What stands before and after the id of the group, and before the advice.
const GROUP: &str = "security group ";
const OF_INSTANCE: &str = " of the instance ";
const ADVICE: &str = ": add inbound rules";

/// The change waits; it is looked at again at this time.
pub fn of(ports: (u16, u16), verdict: &Verdict, at: Timestamp) -> Message {
    let (found, upstream) = found(ports, verdict);
    let own = format!(
        "port {} waits, since spec.preflight is {:?}: {found}. The operator looks again at {} and goes on by itself once \
         nothing stands against it; with spec.preflight {:?} it only warns",
        ports.1,
        PreflightMode::Require,
        shown(at),
        PreflightMode::Report
    );
    Message::quoting_option(own, upstream)
}

/// The same as a warning of a change that does not wait for it; nothing where there is none to give. It has no words of others in it, and no
/// time, so that it stands still.
pub fn warning(ports: (u16, u16), verdict: &Verdict) -> Option<String> {
    let is_warned_of = !matches!(
        verdict,
        Verdict::Admitted | Verdict::Unchecked(Unchecked::Off)
    );
    is_warned_of.then(|| tame(&found(ports, verdict).0))
}

/// The group that a warning is about and what of it the warning tells, for who has only the text; nothing if it is about something else.
pub fn told(warning: &str) -> Option<(&str, &str)> {
    let (group, rest) = warning.strip_prefix(GROUP)?.split_once(OF_INSTANCE)?;
    let (how, _) = rest.split_once(ADVICE)?;
    Some((group, how))
}

/// What was found, what can be done, and what the other side said.
fn found((from, to): (u16, u16), verdict: &Verdict) -> (String, Option<String>) {
    let unchecked = |what: &str| {
        format!("the security group of the instance could not be checked for port {to}: {what}")
    };
    match verdict {
        Verdict::Admitted => (
            format!(
                "the security group of the instance lets in at port {to} whom it lets in at {from}"
            ),
            None,
        ),
        Verdict::Shut(shut) => (
            format!(
                "{GROUP}{}{OF_INSTANCE}lets in {} at TCP port {from} and not at port {to}{ADVICE} for port {to}, and keep those for {from} \
                 until the change has ended",
                shut.group,
                shut.named()
            ),
            None,
        ),
        Verdict::Unchecked(Unchecked::Off) => (
            unchecked("the operator's administrator must start it with --check-security-groups"),
            None,
        ),
        Verdict::Unchecked(Unchecked::NoGroup) => (
            unchecked(
                "the cloud names no group of spec.instanceID; look at the instance in the cloud's console",
            ),
            None,
        ),
        Verdict::Unchecked(Unchecked::Instance(error)) => {
            let (why, said) = refused("the details of the instance", FOR_INSTANCE, error);
            (unchecked(&why), said)
        }
        Verdict::Unchecked(Unchecked::Rules(group, error)) => {
            let what = format!("the rules of group {group}");
            let (why, said) = refused(&what, FOR_RULES, error);
            (unchecked(&why), said)
        }
    }
}

/// Who refused to show `what`, what to do, and what the other side said.
fn refused(what: &str, action: &str, error: &CloudError) -> (String, Option<String>) {
    let said = || Some(error.to_string());
    match error.meaning {
        Meaning::Denied => (
            format!("the cloud denies the credential {what}: grant the action {action} in IAM"),
            said(),
        ),
        Meaning::Unauthenticated | Meaning::Locked | Meaning::ClockSkew => (
            format!("the cloud does not accept the credential for {what}"),
            said(),
        ),
        // These are the operator's own words, and say what to do.
        Meaning::EndpointNotAllowed | Meaning::RegionUnknown => (error.text.clone(), None),
        Meaning::TlsFailed => (
            format!("no trusted TLS connection could be opened for {what}"),
            said(),
        ),
        Meaning::NotFound => (format!("the cloud does not find {what}"), said()),
        Meaning::Malformed => (
            format!("the operator can't read the cloud's answer with {what}"),
            said(),
        ),
        Meaning::OutOfCalls | Meaning::Unasked | Meaning::Slow => (
            format!("the operator had no call of the cloud left for {what}, or no answer in time"),
            said(),
        ),
        Meaning::Busy
        | Meaning::Throttled
        | Meaning::Withdrawn
        | Meaning::Transient
        | Meaning::UnknownRefusal
        | Meaning::Rejected
        | Meaning::Blocked => (
            format!("the cloud failed to show {what}, or did not answer"),
            said(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::admission::Shut;

    #[test]
    fn who_has_only_the_warning_knows_the_group_and_whom_it_shuts_out() {
        let shut = Verdict::Shut(Shut {
            group: "70b3e8d5".to_owned(),
            sources: vec![
                "security group apps".to_owned(),
                "a part of 10.0.0.0/8".to_owned(),
            ],
        });
        let text = warning((3306, 3307), &shut).unwrap();
        let how = "lets in security group apps, a part of 10.0.0.0/8 at TCP port 3306 and not at port 3307";
        assert_eq!(told(&text), Some(("70b3e8d5", how)), "{text}");
        let unchecked = Verdict::Unchecked(Unchecked::NoGroup);
        let text = warning((3306, 3307), &unchecked).unwrap();
        assert_eq!(told(&text), None, "{text}");
    }

    #[test]
    fn nobody_is_warned_where_nothing_stands_against_it_or_groups_are_not_read() {
        for verdict in [Verdict::Admitted, Verdict::Unchecked(Unchecked::Off)] {
            assert_eq!(warning((3306, 3307), &verdict), None);
        }
    }

    #[test]
    fn a_warning_fits_and_has_no_words_of_others_however_much_there_is_to_say() {
        let error = |meaning| CloudError {
            code: Some("VPC.0010".to_owned()),
            ..CloudError::local(meaning, "request 6f0d was refused")
        };
        let long: Vec<String> = (0..100)
            .map(|number| format!("security group {}{number}", "g".repeat(120)))
            .collect();
        let shut = Verdict::Shut(Shut {
            group: "70b3e8d5-0f6a-4c1b-b2a9-cc5d1f847e60".to_owned(),
            sources: long,
        });
        let denied = [
            Unchecked::Instance(error(Meaning::Denied)),
            Unchecked::Rules("70b3e8d5".to_owned(), error(Meaning::Transient)),
        ];
        let denied = denied.map(Verdict::Unchecked);
        for verdict in denied.into_iter().chain([shut]) {
            let text = warning((3306, 3307), &verdict).unwrap();
            assert!(text.chars().count() <= 512, "{text}");
            assert!(!text.contains("6f0d"), "{text}");
        }
    }
}
