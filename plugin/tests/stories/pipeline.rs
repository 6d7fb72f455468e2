//! The commands of `docs/plugin.md` for pipelines, as they are written.

use std::process::Command;

use serde_json::json;

use crate::plane::{Place, status, with_plugin};

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
