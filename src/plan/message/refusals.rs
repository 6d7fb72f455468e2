//! What is said where the cloud can't be called, does not answer, or refuses.
//!
//! Promises to name who refused: the operator itself, the database service, the gateway before it, or IAM. "Refuses" is said
//! only of who was asked.

use k8s_openapi::jiff::Timestamp;

use super::Message;
use crate::{
    cloud::{CloudError, Meaning},
    desired::{Desired, Named},
    plan::facts::Trouble,
};

/// What only a person can put right.
pub fn blocked(trouble: &Trouble, again: Option<Timestamp>, desired: &Desired) -> Message {
    let message = match trouble {
        Trouble::CredentialsUnset(what)
        | Trouble::CredentialsMissing(what)
        | Trouble::CredentialsInvalid(what) => Message::plain(what.clone()),
        Trouble::Cloud(error) => match asked(error) {
            Some(who) => refused(who, error, desired),
            None => by_the_operator(error),
        },
    };
    match again {
        // The time follows.
        Some(_) => Message {
            own: format!("{}; the change is tried again", message.own),
            ..message
        },
        None => message,
    }
}

/// What passes by itself.
pub fn passing(error: &CloudError) -> Message {
    let own = match (error.meaning, asked(error)) {
        // Said by the operator itself, with the reason.
        (Meaning::OutOfCalls | Meaning::Slow, _) => return Message::plain(error.text.clone()),
        (Meaning::Withdrawn, _) => {
            return Message::plain(format!(
                "the change was not sent, since {}; it is tried again",
                error.text
            ));
        }
        (Meaning::Throttled, _) => {
            "the cloud asks for fewer calls, so the operator makes fewer; if this lasts, find out what else calls the cloud with this \
             account, or lower --calls-per-minute"
        }
        (Meaning::Busy, _) => "the cloud is busy with the instance or proxy; it is asked again",
        (Meaning::Malformed, _) => "the cloud's answer can't be understood; it is asked again",
        (Meaning::UnknownRefusal | Meaning::Rejected, who) => {
            let own = format!(
                "{} refuses a call, for a reason that says nothing about the port; it is asked again, at last every hour",
                who.unwrap_or("the cloud")
            );
            return Message::quoting(own, error.to_string());
        }
        (Meaning::Unasked, _) => "waiting for calls of the cloud that are under way",
        _ => "a call got no usable answer, or none at all; it is tried again",
    };
    Message::quoting(own, error.to_string())
}

/// Who has answered; nothing if nobody did.
fn asked(error: &CloudError) -> Option<&'static str> {
    let code = error
        .code
        .as_deref()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let origin = code.split_once('.').map_or("", |(origin, _)| origin);
    match origin {
        "IAM" => Some("IAM"),
        "DBS" => Some("the database service"),
        "APIGW" | "APIG" => Some("the cloud's API gateway"),
        _ => error.status.map(|_| "the cloud"),
    }
}

fn refused(who: &str, error: &CloudError, desired: &Desired) -> Message {
    let secret = match &desired.credentials {
        None => "the operator's default credentials".to_owned(),
        Some(Named::Secret(name)) => format!("Secret {name}"),
        Some(Named::Workload(workload)) => {
            format!("ServiceAccount {}", workload.service_account_name)
        }
    };
    let code = match (&error.code, error.status) {
        (Some(code), _) => format!(" ({code})"),
        (None, Some(status)) => format!(" (HTTP {status})"),
        (None, None) => String::new(),
    };
    // What the other side said comes last, right after what it is about.
    let own = match error.meaning {
        Meaning::Unauthenticated if matches!(desired.credentials, Some(Named::Workload(_))) => {
            format!(
                "correct spec.workloadIdentity, or in IAM the identity provider that it names, with its client ids, keys and rules; \
                 {who} does not accept {secret}{code}"
            )
        }
        Meaning::Unauthenticated => {
            format!("correct {secret}; {who} does not accept its credentials{code}")
        }
        Meaning::ClockSkew => {
            format!(
                "correct the clock of the operator's machine (NTP); {who} does not accept the time of the operator's signature{code}"
            )
        }
        Meaning::Locked => {
            // When it is tried again follows, where that is known.
            let pause = if error.retry_after.is_some() {
                ", and the operator waits before the next try"
            } else {
                ""
            };
            format!(
                "find out who fails to sign in with the user or key of {secret}; {who} has locked it for a while{code}{pause}"
            )
        }
        Meaning::Denied => {
            format!(
                "grant the actions of the operator's page docs/iam.md to the user of {secret}; {who} denies a call{code}"
            )
        }
        Meaning::NotFound => format!(
            "{who} finds no instance for spec.projectID and spec.instanceID, or the user of {secret} may not see it: check its \
             permissions first; if an id is wrong, delete this resource and create it anew, since ids can't be changed; if the \
             instance was deleted, delete this resource{code}"
        ),
        Meaning::Rejected => format!("{who} refuses what was asked for{code}"),
        Meaning::Blocked => format!(
            "correct the state of the instance in the cloud's console; {who} can't change the port in this state{code}"
        ),
        Meaning::Busy
        | Meaning::Throttled
        | Meaning::OutOfCalls
        | Meaning::Slow
        | Meaning::Withdrawn
        | Meaning::Transient
        | Meaning::Unasked
        | Meaning::UnknownRefusal
        | Meaning::Malformed
        | Meaning::EndpointNotAllowed
        | Meaning::RegionUnknown
        | Meaning::TlsFailed => format!("{who} refuses a call{code}"),
    };
    Message::quoting(own, error.text.clone())
}

/// The cloud was not asked: the text is the operator's own, and names field and advice.
fn by_the_operator(error: &CloudError) -> Message {
    match error.meaning {
        Meaning::TlsFailed => Message::quoting(
            "the operator could not open a TLS connection that it trusts, and sent nothing: find out what answers at this address; only \
             if the issuer named here is your own, give its authority to the operator with --extra-ca",
            error.text.clone(),
        ),
        _ => Message::plain(error.text.clone()),
    }
}
