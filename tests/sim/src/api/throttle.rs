//! The gateway's limit on calls, see [`Throttling`](crate::Throttling). Who isn't recognised is not counted.

use jiff::Timestamp;

use crate::answer::Answer;
use crate::auth::{Denied, Identity};
use crate::behaviour::ThrottledBy;
use crate::faults::throttled;
use crate::operation::Call;
use crate::world::World;

/// Counts the call; the refusal if it is one too many.
pub(super) fn refuse(
    world: &mut World,
    call: &Call,
    identity: &Result<Identity, Denied>,
    request_id: &str,
    now: Timestamp,
) -> Option<Answer> {
    let (throttling, identity) = (world.behaviour.throttling?, identity.as_ref().ok()?);
    let whose = match throttling.by {
        ThrottledBy::Account => format!("account {}", identity.account),
        ThrottledBy::Credential => identity.credential.clone(),
        ThrottledBy::CredentialAndCall => {
            format!("{} {:?}", identity.credential, call.operation)
        }
    };
    let limit = throttling.calls_per_minute;
    let wait = world.gatekeeper.quotas.take(whose, limit, now).err()?;
    let answer = throttled(
        &format!("policy user over ratelimit,limit:{limit},time:1 minute"),
        request_id,
    );
    Some(if throttling.retry_after {
        let seconds = wait.as_millis().div_ceil(1000);
        answer.header("Retry-After", seconds.to_string())
    } else {
        answer
    })
}
