//! Network namespaces of a test's own, which take no more rights than a user has where user namespaces are allowed.
//!
//! What runs in one is another test of this program, a part that is left out otherwise: a process moves to a namespace as a whole.

use std::process::{Command, Output, Stdio};

use taurus_controlplane::needs;

/// Ends the test where nobody may have a network of its own.
pub fn needed() {
    let tried = Command::new("unshare")
        .args(["--map-root-user", "--net", "ip", "link", "add", "here"])
        .args(["type", "veth", "peer", "name", "there"])
        .output();
    if !tried.is_ok_and(|output| output.status.success()) {
        needs::lacking(
            "networks of their own",
            "install iproute2 and util-linux, and allow user namespaces (unshare --map-root-user --net ip link)",
        );
    }
}

/// Plays a part in a namespace that is empty, and gives what it printed.
///
/// # Panics
///
/// Where the part fails, or there is none of that name.
pub fn play(part: &str, environment: &[(&str, &str)]) -> String {
    played(part, environment, Stdio::piped())
}

/// The same of a part that takes long: what it says of its progress is seen meanwhile.
///
/// # Panics
///
/// As [`play`].
pub fn play_aloud(part: &str, environment: &[(&str, &str)]) -> String {
    played(part, environment, Stdio::inherit())
}

fn played(part: &str, environment: &[(&str, &str)], progress: Stdio) -> String {
    let mut unshare = Command::new("unshare");
    unshare.args(["--map-root-user", "--net"]);
    let output = this_program(unshare, part)
        .envs(environment.iter().copied())
        .stderr(progress)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.into_owned()
}

/// A part of this program as a process, by way of another program.
pub fn this_program(mut by: Command, part: &str) -> Command {
    by.arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "--exact", part]);
    by
}

/// Runs `ip` here, in a namespace.
pub fn ip(arguments: &str) {
    succeeds(Command::new("ip").args(arguments.split(' ')));
}

/// Runs a command that has to succeed.
pub fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}
