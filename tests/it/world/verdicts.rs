//! What GitOps tools make of objects, by kstatus itself and in Argo CD's Lua: the program `tests/gitops/health`.
//!
//! Argo CD's health script comes from where an installation has it: from the settings that kustomize makes.

use std::{
    io::{Seek as _, Write as _},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde::Deserialize;
use serde_json::Value;
use taurus_controlplane::{ControlPlane, needs};

use super::{
    plane::{self, Plane},
    tools::tool,
};

/// What one object is taken for.
#[derive(Debug, Clone, Deserialize)]
pub struct Verdict {
    /// By the library that Flux waits with.
    pub kstatus: Said<Kstatus>,
    /// By Argo CD; kinds such as Secret have no health.
    pub argocd: Option<Said<Health>>,
    /// Argo CD's sync wave.
    pub wave: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Said<Status> {
    pub status: Status,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Kstatus {
    Current,
    InProgress,
    Failed,
    Terminating,
    NotFound,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Health {
    Healthy,
    Progressing,
    Suspended,
    Degraded,
    Missing,
    Unknown,
}

impl Verdict {
    /// Argo CD's health, of a kind that has one.
    pub fn health(&self) -> Health {
        self.argocd.as_ref().expect("the kind has a health").status
    }
}

/// Leaves a story out where it can't begin, or nobody could give a verdict at its end. Whoever plays it in a task of its own, or in
/// another process, calls this before.
pub fn needed() {
    needs::programs_of_control_plane();
    tool("health");
}

/// The verdicts on objects, in their order.
pub async fn on(plane: &Plane, objects: Vec<Value>) -> Vec<Verdict> {
    let plane = plane.clone();
    let judging = tokio::task::spawn_blocking(move || judged(&plane, &objects));
    judging.await.unwrap()
}

fn judged(plane: &ControlPlane, objects: &[Value]) -> Vec<Verdict> {
    let mut lines = tempfile::tempfile().unwrap();
    for object in objects {
        writeln!(lines, "{object}").unwrap();
    }
    lines.rewind().unwrap();
    let (program, settings) = judge(plane);
    let output = Command::new(program)
        .arg(settings)
        .stdin(lines)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let verdicts = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let verdicts: Vec<Verdict> = verdicts.collect();
    assert_eq!(verdicts.len(), objects.len(), "one for each");
    verdicts
}

/// The program and Argo CD's settings, both made once.
fn judge(plane: &ControlPlane) -> &'static (PathBuf, PathBuf) {
    static JUDGE: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    JUDGE.get_or_init(|| (tool("health"), settings(plane)))
}

/// A file with the `argocd-cm` of Argo CD.
fn settings(plane: &ControlPlane) -> PathBuf {
    let rendered = plane::kubectl(plane, &["kustomize", "tests/fixtures/argocd"]);
    assert!(rendered.status.success(), "{rendered:?}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut file = tempfile::NamedTempFile::new_in(folder).unwrap();
    file.write_all(&rendered.stdout).unwrap();
    let path = folder.join("argocd-cm.yaml");
    file.persist(&path).unwrap();
    path
}
