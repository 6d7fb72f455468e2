//! What tests do where a program that they need is not there.
//!
//! A test under `#[taurus_needs::test]` ends at [`lacking`]: it counts as passed, and one line says what is missing and how to
//! get it, once in a process for each thing. Rust's tests can't be skipped at run time, and a test that was ignored beforehand
//! would have to know beforehand what it needs.
//!
//! Nothing is left out where all is required: `TAURUS_REQUIRE=all` says so, as `make` does, and so does `CI=true` where the
//! former isn't set. The test fails then.

use std::{
    any::Any,
    collections::BTreeSet,
    io::{self, Write as _},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use crate::{ControlPlane, Error, assets::Assets};

/// How a test ends that was left out.
struct LeftOut;

/// Runs a test, which may be left out.
pub fn unless_lacking(test: impl FnOnce()) {
    if let Err(end) = catch_unwind(AssertUnwindSafe(test))
        && !is_left_out(end.as_ref())
    {
        resume_unwind(end);
    }
}

fn is_left_out(end: &(dyn Any + Send)) -> bool {
    end.is::<LeftOut>()
}

/// Ends the test that runs, since it needs this; `way` says what is missing and what to do about it. What a test has spawned
/// must not call it: that would end the task alone.
///
/// # Panics
///
/// Where all is required, and in a test without the attribute.
pub fn lacking(what: &str, way: &str) -> ! {
    let line = format!("{what}: {way}");
    assert!(
        !all_is_required(),
        "nothing may be skipped here, and this test needs {line}"
    );
    say_once(&line);
    resume_unwind(Box::new(LeftOut))
}

/// Ends the test that runs, since the release of Kubernetes that it runs on lacks what it is about; `line` says what that is, and which
/// releases have it. Also where all is required: nothing that could be installed would help.
///
/// # Panics
///
/// In a test without the attribute.
pub fn too_old(line: &str) -> ! {
    say_once(line);
    resume_unwind(Box::new(LeftOut))
}

/// A control plane, in a test.
///
/// # Errors
///
/// Where it can't be started with the programs that there are.
pub async fn control_plane() -> Result<ControlPlane, Error> {
    programs_of_control_plane();
    ControlPlane::start().await
}

/// The same with this audit policy, in YAML.
///
/// # Errors
///
/// Where it can't be started with the programs that there are.
pub async fn control_plane_audited(policy: &str) -> Result<ControlPlane, Error> {
    programs_of_control_plane();
    ControlPlane::start_audited(policy).await
}

/// kubectl, for a test that asks no API server.
pub fn kubectl() -> PathBuf {
    match Assets::find() {
        Ok(assets) => assets.kubectl(),
        Err(error) => lacking("a control plane", &error.to_string()),
    }
}

/// What a test begins with that has another program start a control plane.
pub fn programs_of_control_plane() {
    if let Err(error) = Assets::find() {
        lacking("a control plane", &error.to_string());
    }
}

/// Whether nothing may be left out.
fn all_is_required() -> bool {
    let set = |name| std::env::var(name).ok();
    is_all(set("TAURUS_REQUIRE").as_deref(), set("CI").as_deref())
}

fn is_all(require: Option<&str>, ci: Option<&str>) -> bool {
    require.map_or(ci == Some("true"), |require| require == "all")
}

/// To the standard error itself: what is printed in a test that passes is shown to nobody.
fn say_once(line: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(line.to_owned()) {
        // Nobody may be listening.
        let _ = writeln!(io::stderr().lock(), "skipped: tests that need {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_be_left_out_where_make_or_ci_says_so() {
        assert!(is_all(Some("all"), None));
        assert!(is_all(None, Some("true")));
        assert!(!is_all(None, None));
        assert!(!is_all(Some(""), Some("true")), "who sets it decides");
    }

    #[test]
    fn only_a_test_that_was_left_out_passes() {
        unless_lacking(|| resume_unwind(Box::new(LeftOut)));
        let failed = catch_unwind(|| unless_lacking(|| resume_unwind(Box::new("fault"))));
        assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"fault"));
    }
}
