//! The commands of `docs/adopt.md`, as they are written, from proxies in the cloud to resources that manage them.

use std::process::Command;

use kube::api::ListParams;
use taurus_port_operator::crd::ManagementPolicy;
use taurus_sim::{Filter, Fleet, Operation, Options, Simulator, sample};

use crate::{
    fleet::operated,
    plane::{Place, with_plugin},
};

const PROXIES: usize = 12;

/// Where somebody else moves a port to.
const MOVED: u16 = 3399;

/// The commands that a shell runs here; those in blocks of `bash` need what a machine of tests lacks.
pub fn commands(page: &str) -> String {
    let blocks = page.split("```sh\n").skip(1);
    blocks
        .filter_map(|rest| Some(rest.split_once("```")?.0))
        .collect()
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn the_page_leads_from_the_cloud_to_managed_resources_without_a_change() {
    let place = Place::named("shop").await;
    let fleet = Fleet::new().project(sample::PROJECT).numbered(PROXIES);
    let simulator = Simulator::start(Options::stepped().fleet(fleet))
        .await
        .unwrap();
    let url = simulator.url();
    let here = format!("--endpoint {url}/ --allow-http --calls-per-minute 60000");
    let page = include_str!("../../../docs/adopt.md");
    let count = commands(page).matches("kubectl").count();
    assert!(count >= 10, "{count} commands were found");
    let (observing, managing) = page.split_once("## 5. ").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = async |part: &str| {
        let script = commands(part).replace("--region ap-southeast-1", &here);
        let mut shell = Command::new("bash");
        with_plugin(&mut shell, &place.plane)
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(folder.path())
            .env("PROJECT", sample::PROJECT)
            .env("HW_ACCESS_KEY", sample::ACCESS_KEY)
            .env("HW_SECRET_KEY", sample::SECRET_KEY);
        let running = tokio::task::spawn_blocking(move || shell.output().unwrap());
        let output = running.await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let moved = Fleet::numbered_proxy(4);
    let ill = Fleet::numbered_proxy(7);
    simulator.set_status(&ill, "ABNORMAL").unwrap();
    let story = async {
        let shown = run(observing).await;
        let in_sync = shown.lines().filter(|line| line.ends_with("True"));
        assert_eq!(in_sync.count(), PROXIES, "{shown}");
        // Somebody moves a port before the resources may set any; the operator has no reason of its own to look again.
        simulator.set_port(&moved, MOVED).unwrap();
        run(managing).await
    };
    Box::pin(operated(&place, &url, story)).await;
    let all = place.api().list(&ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), PROXIES);
    for one in &all {
        let (policy, state) = if one.spec.proxy_id == ill {
            (ManagementPolicy::Observe, "Stalled")
        } else {
            (ManagementPolicy::Enforce, "Ready")
        };
        assert_eq!(one.spec.management_policy, Some(policy), "{one:?}");
        let main = one
            .status
            .as_ref()
            .and_then(|status| status.main_condition());
        assert_eq!(main.map(|main| main.type_.as_str()), Some(state), "{one:?}");
    }
    assert_eq!(simulator.proxy(&moved).unwrap().actual_port, MOVED);
    assert_eq!(simulator.count(&Filter::on(Operation::Change)), 0);
}
