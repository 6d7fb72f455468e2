//! The forms of strings in `spec`, and the rules that say in plain words what a refused value should have been.
//!
//! A pattern alone is enforced too, but the API server only repeats it to the person; schema-only tools know nothing but
//! patterns. So each form stands in both places, written once, here.

use kube::core::{Reason, Rule};

use crate::model::{RESERVED, because_reserved};

/// A region's id.
pub(super) const REGION: &str = "^[a-z]{2}[a-z0-9-]{2,30}$";

/// A project's id.
pub(super) const PROJECT_ID: &str = "^[A-Za-z0-9]{32}$";

/// A database instance's id.
pub(super) const INSTANCE_ID: &str = "^[A-Za-z0-9]{32}in07$";

/// A proxy instance's id.
pub(super) const PROXY_ID: &str = "^[A-Za-z0-9]{32}po01$";

/// Scheme and host, perhaps a port, and nothing else: no user, path or query.
pub(super) const ADDRESS: &str = r"^https?://[A-Za-z0-9.\[\]:-]+$";

/// What Kubernetes takes as the name of a Secret: labels with dots between them.
pub(super) const SECRET_NAME: &str =
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$";

/// What Kubernetes takes as the name of a Service: a label that begins with a letter.
pub(super) const SERVICE_NAME: &str = "^[a-z]([a-z0-9-]*[a-z0-9])?$";

/// Whole numbers with units.
pub(super) const DURATION: &str = "^([0-9]+(h|m|s))+$";

/// Hours and minutes.
pub(super) const TIME_OF_DAY: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$";

/// The letters of names of time zones.
pub(super) const TIME_ZONE: &str = "^[A-Za-z][A-Za-z0-9_+/-]*$";

/// The id of a plan.
pub(super) const PLAN_ID: &str = "^[0-9a-f]{16}$";

/// Visible ASCII without blanks.
pub(super) const VISIBLE: &str = "^[!-~]+$";

/// A string is of this form; `must` completes the sentence that begins with the field's name.
pub(super) fn form(pattern: &str, must: &str) -> Rule {
    Rule::new(format!("self.matches(r'{pattern}')")).message(must)
}

/// A required field keeps its first value.
pub(super) fn immutable(field: &str) -> Rule {
    forbidden("self == oldSelf", field)
}

/// An optional field of the struct keeps its first value, and stays absent where it was absent.
pub(super) fn immutable_option(field: &str) -> Rule {
    let rule = format!(
        "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    );
    forbidden(&rule, field).field_path(format!(".{field}"))
}

/// A field of the struct is missing where `rule` is false.
pub(super) fn required(rule: &str, field: &str, message: &str) -> Rule {
    Rule::new(rule)
        .message(message)
        .reason(Reason::FieldValueRequired)
        .field_path(format!(".{field}"))
}

/// Of two optional fields of the struct, at most one is set.
pub(super) fn apart(one: &str, other: &str) -> Rule {
    Rule::new(format!("!(has(self.{one}) && has(self.{other}))"))
        .message(format!("set only one of {one} and {other}").as_str())
        .reason(Reason::FieldValueForbidden)
        .field_path(format!(".{other}"))
}

/// A port is none of those that the service keeps for itself.
pub(super) fn port() -> Rule {
    Rule::new(format!("!(self in {RESERVED:?})"))
        .message(format!("port is {}", because_reserved()).as_str())
}

/// A duration is between a minute and a day. Longer numbers than a day has seconds never reach the engine, which can't
/// hold all of them and would answer with a text of its own.
pub(super) fn change_timeout() -> Rule {
    Rule::new(
        "self.matches('^([0-9]{1,5}(h|m|s))+$') && duration(self) >= duration('1m') && duration(self) <= duration('24h')",
    )
    .message("changeTimeout must be between 1m and 24h, in whole numbers with the units h, m and s, such as 30m or 1h30m")
}

/// A window lasts between half an hour and a day.
pub(super) fn window_duration() -> Rule {
    Rule::new(
        "self.matches('^([0-9]{1,5}(h|m|s))+$') && duration(self) >= duration('30m') && duration(self) <= duration('24h')",
    )
    .message("duration must be between 30m and 24h, in whole numbers with the units h, m and s, such as 3h or 2h30m")
}

fn forbidden(rule: &str, field: &str) -> Rule {
    Rule::new(rule)
        .message(
            format!("{field} can't be changed: delete this resource and create it anew").as_str(),
        )
        .reason(Reason::FieldValueForbidden)
}
