//! git, as somebody commits with it whose name and time are always the same.

use std::{path::Path, process::Command};

use super::tools::printed;

/// Who commits, and when.
const IDENTITY: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "somebody"),
    ("GIT_AUTHOR_EMAIL", "somebody@example.test"),
    ("GIT_COMMITTER_NAME", "somebody"),
    ("GIT_COMMITTER_EMAIL", "somebody@example.test"),
    ("GIT_AUTHOR_DATE", "1700000000 +0000"),
    ("GIT_COMMITTER_DATE", "1700000000 +0000"),
];

/// Makes a folder a repository with one commit; gives that.
pub fn committed(folder: &Path) -> String {
    git(folder, &["init", "--quiet"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "-m", "some source"]);
    git(folder, &["rev-parse", "HEAD"])
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .envs(IDENTITY)
        .output()
        .unwrap();
    printed(output).trim().to_owned()
}
