//! The commands of `docs/adopt.md`, as they are written, from proxies in the cloud to resources that manage them.

use std::process::Command;

use kube::api::ListParams;
use taurus_port_operator::crd::ManagementPolicy;
use taurus_sim::{Filter, Fleet, Operation, Options, Simulator, sample};

use crate::{
    fleet::operated,
    plane::{Place, with_plugin},
};

/// The commands that a shell runs here; those in blocks of `bash` need what a machine of tests lacks.
fn commands(page: &str) -> String {
    let blocks = page.split("```sh\n").skip(1);
    blocks
        .filter_map(|rest| Some(rest.split_once("```")?.0))
        .collect()
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn the_page_leads_from_the_cloud_to_managed_resources_without_a_change() {
    let place = Place::named("shop").await;
    let fleet = Fleet::new().project(sample::PROJECT).numbered(12);
    let simulator = Simulator::start(Options::stepped().fleet(fleet))
        .await
        .unwrap();
    let url = simulator.url();
    let here = format!("--endpoint {url} --allow-http --calls-per-minute 60000");
    let script = commands(include_str!("../../../docs/adopt.md"));
    let count = script.matches("kubectl").count();
    assert!(count >= 10, "{count} commands were found");
    let script = script.replace("--region ap-southeast-1", &here);
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("bash");
    with_plugin(&mut shell, &place.plane)
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(folder.path())
        .env("PROJECT", sample::PROJECT)
        .env("HW_ACCESS_KEY", sample::ACCESS_KEY)
        .env("HW_SECRET_KEY", sample::SECRET_KEY);
    let running = tokio::task::spawn_blocking(move || shell.output().unwrap());
    let output = Box::pin(operated(&place, &url, running)).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let all = place.api().list(&ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 12);
    for one in &all {
        assert_eq!(one.spec.management_policy, Some(ManagementPolicy::Enforce));
        let main = one
            .status
            .as_ref()
            .and_then(|status| status.main_condition());
        assert_eq!(
            main.map(|main| main.type_.as_str()),
            Some("Ready"),
            "{one:?}"
        );
    }
    assert_eq!(simulator.count(&Filter::on(Operation::Change)), 0);
}
