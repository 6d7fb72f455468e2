//! promtool, Prometheus' own judge.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::world::tools::tool;

/// Runs it in a folder.
pub fn promtool(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(tool("promtool"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs it with a text on standard input.
pub fn promtool_on(text: &str, arguments: &[&str]) -> Output {
    let mut child = Command::new(tool("promtool"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}
