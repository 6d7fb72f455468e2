//! The commands of `docs/gitops.md`, as they stand there.

use taurus_sim::{Mode, sample};

use crate::world::{
    World, job_of, options, plane,
    shell::{blocks, kubeconfig, run},
};

const DOCS: &str = include_str!("../../../docs/gitops.md");

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c02_the_documented_commands_wait_for_the_new_port_also_those_for_older_kubectl() {
    let world = World::start(options(Mode::M2).job(job_of(1))).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    let waits: Vec<&str> = blocks(DOCS)
        .filter(|block| block.contains("kubectl wait"))
        .collect();
    assert_eq!(waits.len(), 2);
    let kubeconfig = kubeconfig(&world.plane, &world.namespace);
    for round in 0..20_u16 {
        let port = 4000 + round;
        world.want_now(port).await;
        let block = waits[usize::from(round) % waits.len()];
        let output = world
            .while_passing(run(&world.plane, block, &kubeconfig))
            .await;
        assert!(output.status.success(), "{output:?}");
        let there = world.sim.proxy(sample::PROXY).unwrap().actual_port;
        assert_eq!(there, port, "round {round}: {output:?}");
    }
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c04_both_ways_to_install_the_health_script_add_it_and_leave_the_rest_alone() {
    let world = World::start(options(Mode::M2)).await;
    let kubectl = |arguments: &[&str]| {
        let output = plane::kubectl(&world.plane, arguments);
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let before = "tests/fixtures/argocd/argocd-cm.yaml";
    kubectl(&["create", "namespace", "argocd"]);
    kubectl(&["apply", "-n", "argocd", "-f", before]);
    let install = blocks(DOCS)
        .find(|block| block.contains("argocd-cm"))
        .unwrap();
    let output = run(&world.plane, install, &kubeconfig(&world.plane, "default")).await;
    assert!(output.status.success(), "{output:?}");
    let installed = kubectl(&[
        "get",
        "configmap",
        "argocd-cm",
        "-n",
        "argocd",
        "-o",
        "json",
    ]);
    let installed: serde_json::Value = serde_json::from_slice(&installed).unwrap();
    let rendered = kubectl(&["kustomize", "tests/fixtures/argocd"]);
    let rendered: serde_json::Value =
        serde_saphyr::from_str(&String::from_utf8(rendered).unwrap()).unwrap();
    assert_eq!(installed["data"], rendered["data"]);
    let data = installed["data"].as_object().unwrap();
    assert_eq!(data.len(), 3, "two that were there, and ours: {data:?}");
    let ours = "resource.customizations.health.taurusdb.huaweicloud.com_TaurusProxyPort";
    assert_eq!(
        data[ours],
        include_str!("../../../deploy/argocd/health.lua")
    );
    world.finish().await;
}
