//! The commands of `docs/first-run.md`, as they are written, with the simulator in place of a real account.

use std::{process::Command, time::Duration};

use taurus_sim::{Filter, JobPlan, Operation, Options, Simulator, sample};

use crate::{
    adopt::commands,
    fleet::operated,
    plane::{PATIENCE, Place, with_plugin},
};

#[taurus_needs::test(flavor = "multi_thread")]
async fn the_checklist_of_the_first_run_reads_and_observes_and_then_changes_one_port_once() {
    let place = Place::new().await;
    let job = JobPlan::lasting(Duration::from_secs(1)).visible_after(Duration::ZERO);
    let simulator = Simulator::start(Options::default().job(job)).await.unwrap();
    let url = simulator.url();
    let page = include_str!("../../../docs/first-run.md");
    let (looking, changing) = page.split_once("## 4. ").unwrap();
    // The page names the resource once; a person goes on in the same shell.
    let mut names = page.lines().filter(|line| line.starts_with("NAME="));
    let name = names.next().unwrap();
    assert_eq!(names.next(), None);

    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::copy(place.plane.kubeconfig(), &kubeconfig).unwrap();
    let namespace = format!(
        "kubectl config set-context --current --namespace={} > /dev/null\n",
        place.namespace
    );
    let here = format!("--endpoint {url}/ --allow-http");
    let run = async |script: &str| {
        let script = script
            .replace("--region \"$REGION\"", &here)
            .replace("--calls-per-minute 10", "--calls-per-minute 60000");
        let mut shell = Command::new("bash");
        with_plugin(&mut shell, &place.plane)
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(folder.path())
            .env("KUBECONFIG", &kubeconfig)
            .env("PROJECT", sample::PROJECT)
            .env("INSTANCE", sample::INSTANCE)
            .env("HW_ACCESS_KEY", sample::ACCESS_KEY)
            .env("HW_SECRET_KEY", sample::SECRET_KEY);
        let running = tokio::task::spawn_blocking(move || shell.output().unwrap());
        let output = tokio::time::timeout(PATIENCE, running).await;
        let output = output.expect("the commands end").unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let changes = Filter::on(Operation::Change);
    let story = async {
        let shown = run(&format!("{namespace}{}", commands(looking))).await;
        assert!(shown.contains("Observed"), "{shown}");
        assert_eq!(simulator.count(&changes), 0, "so far it only looks");
        run(&format!("{name}\n{}", commands(changing))).await
    };
    let history = Box::pin(operated(&place, &url, story)).await;
    assert!(history.contains("3307"), "{history}");
    assert_eq!(simulator.count(&changes), 1);
    let proxy = simulator.proxy(sample::PROXY).unwrap();
    assert_eq!(proxy.actual_port, 3307);
}
