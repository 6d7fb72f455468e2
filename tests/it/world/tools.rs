//! The programs that people render manifests with: kubectl, and what `tests/gitops/build` builds.
//!
//! A test that needs one which was not built is left out; `make gitops-tools` builds all of them.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use taurus_controlplane::needs;

use super::{WANTED, World, plane};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The path of a program of `tests/gitops`.
pub fn tool(name: &str) -> PathBuf {
    let found = found("tests/gitops/build", name);
    found.unwrap_or_else(|| {
        let way = "not all of helm, promtool and the like are built: run `make gitops-tools`";
        needs::lacking("GitOps tools", way)
    })
}

/// The path of a program that a script of the repository builds; none where it was not built.
pub fn found(script: &str, name: &str) -> Option<PathBuf> {
    let asked = Command::new(root().join(script))
        .args(["--find", name])
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
    let path = String::from_utf8(asked.stdout).unwrap();
    (!path.is_empty()).then(|| PathBuf::from(path.trim()))
}

/// Helm, with all that it keeps in this folder.
pub fn helm(folder: &Path) -> Command {
    let home = folder.join("helm");
    let mut helm = Command::new(tool("helm"));
    helm.current_dir(root())
        .env("HELM_CONFIG_HOME", &home)
        .env("HELM_CACHE_HOME", &home)
        .env("HELM_DATA_HOME", &home);
    helm
}

/// Copies a file or folder of the repository into another folder, under the same path.
pub fn copy_into(folder: &Path, path: &str) {
    let to = folder.join(path);
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .args([&root().join(path), &to])
        .output()
        .unwrap();
    assert!(copied.status.success(), "{copied:?}");
}

impl World {
    /// Runs kubectl in the story's namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        plane::kubectl(&self.plane, &[&["-n", &self.namespace], arguments].concat())
    }

    /// The story's resource as a text, under this name and with these words for fields of its spec.
    pub fn manifest(&self, name: &str, words: &[(&str, &str)]) -> String {
        let resource = serde_json::to_value(self.resource(WANTED)).unwrap();
        let (version, kind) = (&resource["apiVersion"], &resource["kind"]);
        let mut text =
            format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n");
        for (field, value) in resource["spec"].as_object().unwrap() {
            let word = words.iter().find(|(name, _)| name == field);
            // A value in JSON is one in YAML, too.
            let word = word.map_or(value.to_string(), |(_, word)| (*word).to_owned());
            writeln!(text, "  {field}: {word}").unwrap();
        }
        text
    }

    /// Applies a text with kubectl, as it is.
    pub fn apply(&self, manifest: &str) -> Output {
        let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        write!(file, "{manifest}").unwrap();
        self.kubectl(&["apply", "-f", file.path().to_str().unwrap()])
    }
}

/// What a program that succeeded has printed.
pub fn printed(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a program that failed has said of it.
pub fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
