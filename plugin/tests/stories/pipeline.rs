//! The commands of `docs/plugin.md` for pipelines, as they are written.

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use taurus_port_plugin::lint::yaml::documents;

use crate::{
    archives::{TARGET, packed},
    plane::{Place, status, with_plugin},
};

/// The shell's lines in the blocks of YAML.
fn lines(page: &str) -> Vec<String> {
    let blocks = page.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| Some(rest.split_once("```")?.0));
    let lines = blocks.flat_map(str::lines).map(str::trim);
    let commands = lines.filter_map(|line| {
        let line = line.strip_prefix("- ")?;
        Some(line.strip_prefix("run: ").unwrap_or(line))
    });
    let ours = commands.filter(|line| line.contains("kubectl taurus-port"));
    ours.map(str::to_owned).collect()
}

#[taurus_needs::test]
async fn the_examples_for_pipelines_pass_what_may_pass_and_stop_what_may_not() {
    let place = Place::new().await;
    place
        .make("orders", json!({}), status("Ready", "Settled", 3306))
        .await;
    let lines = lines(include_str!("../../../docs/plugin.md"));
    assert!(lines.len() >= 4, "{lines:?}");
    let folder = tempfile::tempdir().unwrap();
    let ports = folder.path().join("ports");
    std::fs::create_dir(&ports).unwrap();
    let kustomization = format!("namespace: {}\nresources: [orders.yaml]\n", place.namespace);
    std::fs::write(ports.join("kustomization.yaml"), kustomization).unwrap();
    let good = include_str!("../../../deploy/examples/orders-proxy.yaml");
    let run = |manifest: &str, line: &str| {
        std::fs::write(ports.join("orders.yaml"), manifest).unwrap();
        let mut shell = Command::new("bash");
        let output = with_plugin(&mut shell, &place.plane)
            .args(["-eo", "pipefail", "-c", line])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let planned = std::fs::read_dir(folder.path()).unwrap();
        let planned = planned.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
        let said = format!("{output:?} {:?}", planned.collect::<Vec<_>>());
        (output.status.success(), said)
    };
    let mut standing = good.to_owned();
    for (field, own) in [
        ("projectID: ", taurus_sim::sample::PROJECT),
        ("instanceID: ", taurus_sim::sample::INSTANCE),
        ("proxyID: ", taurus_sim::sample::PROXY),
    ] {
        let mut lines = good.lines();
        let id = lines.find_map(|line| line.trim().strip_prefix(field));
        standing = standing.replace(id.unwrap(), own);
    }
    for line in &lines {
        let (passed, output) = run(&standing, line);
        assert!(passed, "{line}: {output}");
        let (passed, output) = run(&standing.replace("port: 3307", "port: 1033"), line);
        assert!(!passed, "{line}: {output}");
        // Not to be read as nothing to complain of.
        let (passed, output) = run("kind: [", line);
        assert!(!passed, "{line}: {output}");
    }
}

/// What the two examples install the plugin with.
fn installs(page: &str) -> Vec<String> {
    let blocks = page.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| Some(rest.split_once("```")?.0));
    let found = blocks.filter_map(|block| {
        let value = documents(block).unwrap().remove(0).value;
        let lines = match value.pointer("/ports/before_script") {
            Some(Value::Array(lines)) => lines.clone(),
            _ => vec![value.pointer("/jobs/ports/steps/1/run")?.clone()],
        };
        let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
        Some(lines.join("\n"))
    });
    found.collect()
}

#[taurus_needs::test]
fn the_examples_install_the_archive_and_no_other_file() {
    let installs = installs(include_str!("../../../docs/plugin.md"));
    assert_eq!(installs.len(), 2, "{installs:?}");
    for script in installs {
        let folder = tempfile::tempdir().unwrap();
        let plugin = Path::new(env!("CARGO_BIN_EXE_kubectl-taurus_port"));
        let dist = packed(folder.path(), plugin, &["--target", TARGET]);
        let sums = std::fs::read_to_string(dist.join("SHA256SUMS")).unwrap();
        let (sum, archive) = sums.trim().split_once("  ").unwrap();
        let url = format!("file://{}", dist.join(archive).display());
        let run = |sum: &str| {
            let place = tempfile::tempdir().unwrap();
            let mut shell = Command::new("bash");
            shell
                .args(["-eo", "pipefail", "-c", &script])
                .current_dir(place.path())
                .env("RUNNER_TEMP", place.path())
                .env("GITHUB_PATH", place.path().join("paths"))
                .env("PLUGIN_URL", &url)
                .env("PLUGIN_SHA256", sum);
            let output = shell.output().unwrap();
            let program = place.path().join("plugin/kubectl-taurus_port");
            let version = Command::new(program).arg("--version").output();
            let runs = version.is_ok_and(|output| output.status.success());
            (output.status.success(), runs)
        };
        assert_eq!(run(sum), (true, true), "{script}");
        assert_eq!(run(&"0".repeat(64)), (false, false), "{script}");
    }
}
