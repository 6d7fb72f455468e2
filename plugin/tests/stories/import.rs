//! From proxies in the cloud to resources that observe them, and back to nothing to import.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use kube::api::ListParams;
use serde_json::json;
use taurus_sim::{Effect, ErrorShape, Fault, Filter, Fleet, Operation, Options, Simulator, sample};

use crate::{fleet::operated, plane::Place};

const PROXIES: usize = 300;

/// Credentials in the environment, and the simulator as the cloud.
fn arguments<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = [
        "import",
        "--project",
        sample::PROJECT,
        "--endpoint",
        url,
        "--allow-http",
        "--calls-per-minute",
        "60000",
    ];
    [&fixed, more].concat()
}

const KEYS: [(&str, &str); 2] = [
    ("HW_ACCESS_KEY", sample::ACCESS_KEY),
    ("HW_SECRET_KEY", sample::SECRET_KEY),
];

#[taurus_needs::test(flavor = "multi_thread")]
async fn three_hundred_proxies_are_imported_observed_and_never_changed() {
    let place = Place::new().await;
    let fleet = Fleet::new().project(sample::PROJECT).numbered(PROXIES);
    let simulator = Simulator::start(Options::stepped().fleet(fleet))
        .await
        .unwrap();
    let url = simulator.url();
    let folder = tempfile::tempdir().unwrap();
    let split = folder.path().join("proxies");
    let split_to = split.to_str().unwrap();
    let import = |more: &[&str]| {
        let more = [&["--credentials-ref", "taurus-credentials"], more].concat();
        place.plugin_with(place.plane.kubeconfig(), &arguments(&url, &more), "", &KEYS)
    };

    let first = import(&["--split", split_to]);
    assert_eq!((first.code, first.out.as_str()), (0, ""), "{}", first.err);
    assert!(
        first
            .err
            .contains("300 proxies on 300 instances: 0 managed, 300 not; 300 on port 3306"),
        "{}",
        first.err
    );
    // The least: a call for each instance, and one for each page of their list.
    let least = PROXIES + PROXIES / 100;
    let calls = simulator.journal().len();
    assert!(
        calls * 10 <= least * 11,
        "{calls} calls, {least} are needed"
    );
    assert_eq!(simulator.count(&Filter::on(Operation::Change)), 0);

    let linted = place.plugin(&["lint", split_to]);
    assert_eq!(
        (linted.code, linted.out.as_str()),
        (0, ""),
        "{}",
        linted.err
    );
    place.kubectl(&[
        "create",
        "secret",
        "generic",
        "taurus-credentials",
        &format!("--from-literal=accessKey={}", sample::ACCESS_KEY),
        &format!("--from-literal=secretKey={}", sample::SECRET_KEY),
    ]);
    place.kubectl(&["apply", "--server-side", "-k", split_to]);

    // The namespace of the command line stands in the manifests; the operator only observes.
    let settled = async {
        loop {
            let all = place.api().list(&ListParams::default()).await.unwrap();
            let ready = all.iter().filter(|one| {
                let main = one
                    .status
                    .as_ref()
                    .and_then(|status| status.main_condition());
                main.is_some_and(|main| main.type_ == "Ready" && main.reason == "Observed")
            });
            if ready.count() == PROXIES {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let settled = tokio::time::timeout(crate::plane::PATIENCE, settled);
    Box::pin(operated(&place, &url, settled)).await.unwrap();
    assert_eq!(
        simulator.count(&Filter::on(Operation::Change)),
        0,
        "nothing was changed"
    );
    let shown = place.plugin(&["status"]).good();
    assert!(shown.starts_with("300 resources: 300 ready\n"), "{shown}");

    // Nothing is left to import, and nothing is written anew.
    let second = import(&["--split", split_to]);
    assert!(second.err.contains("300 managed, 0 not"), "{}", second.err);
    assert!(
        second.err.contains("0 files are new, 0 are as before"),
        "{}",
        second.err
    );
    let kustomization = std::fs::read_to_string(split.join("kustomization.yaml")).unwrap();
    assert_eq!(
        kustomization.matches("  - ").count(),
        PROXIES,
        "those of the first run stay listed"
    );
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn a_secret_of_the_cluster_and_a_password_serve_as_well() {
    let place = Place::new().await;
    let simulator = Simulator::start(Options::stepped()).await.unwrap();
    let url = simulator.url();
    place.kubectl(&[
        "create",
        "secret",
        "generic",
        "user",
        &format!("--from-literal=username={}", sample::USER),
        &format!("--from-literal=password={}", sample::PASSWORD),
        &format!("--from-literal=domainName={}", sample::DOMAIN),
    ]);
    let more = ["--iam-endpoint", &url, "--secret", "user", "-o", "json"];
    let imported = place.plugin(&arguments(&url, &more)).json();
    assert_eq!(imported["manifests"].as_array().unwrap().len(), 2);
    let spec = &imported["manifests"][0]["spec"];
    assert_eq!(spec["credentialsRef"], json!({"name": "user"}));
    assert_eq!(
        (&spec["managementPolicy"], &spec["port"]),
        (&json!("Observe"), &json!(3306))
    );
    let labels = |manifest: usize| imported["manifests"][manifest]["metadata"]["labels"].clone();
    assert_eq!(
        [labels(0), labels(1)],
        [
            json!({"tags.taurusdb.huaweicloud.com/team": "orders"}),
            json!(null)
        ]
    );
    let tagged = ["--iam-endpoint", &url, "--secret", "user", "-o", "name"];
    let with = |tags: &[&str]| {
        let printed = place.plugin(&arguments(&url, &[&tagged, tags].concat()));
        printed.good().lines().count()
    };
    assert_eq!(
        with(&["--tag", "team=orders", "--tag", "cost center=0042"]),
        1
    );
    assert_eq!(with(&["--tag", "team=orders", "--tag", "cost center=1"]), 0);
    let one = place.plugin(&arguments(
        &url,
        &[
            "--iam-endpoint",
            &url,
            "--secret",
            "user",
            "--instance",
            sample::INSTANCE,
            "-o",
            "name",
        ],
    ));
    assert_eq!(one.good().lines().count(), 1);
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn a_run_that_breaks_off_tells_and_the_next_one_goes_on() {
    let place = Place::new().await;
    let fleet = Fleet::new().project(sample::PROJECT).numbered(20);
    let simulator = Simulator::start(Options::stepped().fleet(fleet))
        .await
        .unwrap();
    let url = simulator.url();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("progress.json");
    let run = || {
        let more = [
            "--credentials-ref",
            "keys",
            "--resume",
            file.to_str().unwrap(),
            "--no-cluster",
            "-o",
            "name",
        ];
        place.plugin_with(
            std::path::Path::new("/none"),
            &arguments(&url, &more),
            "",
            &KEYS,
        )
    };
    let gone = Fleet::numbered_instance(7);
    simulator.set_instance_present(&gone, false).unwrap();
    let effect = Effect::error(404, "DBS.200002", ErrorShape::Service);
    let fault = Fault::on(Operation::List, effect);
    simulator.inject(fault.instance(&Fleet::numbered_instance(8)).once());
    let first = run();
    assert_eq!(first.code, 1, "{first:?}");
    assert!(
        first.err.contains(&Fleet::numbered_instance(8)),
        "{}",
        first.err
    );
    assert_eq!(first.out.lines().count(), 18);
    let before = simulator.count(&Filter::on(Operation::List));
    let second = run();
    assert_eq!(
        (second.code, second.out.lines().count()),
        (0, 19),
        "{second:?}"
    );
    assert_eq!(
        simulator.count(&Filter::on(Operation::List)),
        before + 1,
        "only the missing one was read"
    );
    assert!(
        second.err.contains("18 instances were read ") && second.err.contains("before the break"),
        "{}",
        second.err
    );
    assert!(!first.err.contains("before the break"), "{}", first.err);
    assert!(!file.exists());
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn a_run_that_is_interrupted_says_how_far_it_came() {
    let fleet = Fleet::new().project(sample::PROJECT).numbered(40);
    let simulator = Simulator::start(Options::stepped().fleet(fleet))
        .await
        .unwrap();
    let url = simulator.url();
    // With so few calls a minute it is not over before it is interrupted.
    let fixed = ["import", "--project", sample::PROJECT, "--endpoint", &url];
    let more = ["--allow-http", "--calls-per-minute", "10", "--no-cluster"];
    let child = Command::new(env!("CARGO_BIN_EXE_kubectl-taurus_port"))
        .args(fixed)
        .args(more)
        .args(["--credentials-ref", "keys"])
        .envs(KEYS)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = async {
        while simulator.count(&Filter::on(Operation::List)) == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let begun = tokio::time::timeout(crate::plane::PATIENCE, begun);
    begun.await.unwrap();
    let kill = format!("kill -INT {}", child.id());
    let killed = Command::new("bash").args(["-c", &kill]).status().unwrap();
    assert!(killed.success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(
        said.contains("error: interrupted: ")
            && said.contains(" of 40 instances were read, and nothing was written; --resume FILE"),
        "{said}"
    );
    assert!(ended.stdout.is_empty());
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn a_refused_key_ends_the_run_at_once_and_is_not_shown() {
    let place = Place::new().await;
    let simulator = Simulator::start(Options::stepped()).await.unwrap();
    let wrong = [
        ("HW_ACCESS_KEY", sample::ACCESS_KEY),
        ("HW_SECRET_KEY", "a-wrong-secret-key"),
    ];
    let url = simulator.url();
    let refused = place.plugin_with(
        place.plane.kubeconfig(),
        &arguments(&url, &["--credentials-ref", "keys"]),
        "",
        &wrong,
    );
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(
        refused.err.contains(sample::PROJECT) && !refused.err.contains("a-wrong-secret-key"),
        "{}",
        refused.err
    );
    assert!(
        simulator.journal().len() <= 2,
        "a key is locked after few refusals"
    );
}

const OTHER_PROJECT: &str = "9d2b7c01e84f4a6fb3150a7d6c8e42f0";

/// The sample's two instances, each in a project of its own.
fn two_projects() -> Fleet {
    Fleet::new()
        .project(sample::PROJECT)
        .instance(sample::INSTANCE)
        .proxy(sample::PROXY, sample::PORT)
        .project(OTHER_PROJECT)
        .instance(sample::OTHER_INSTANCE)
        .proxy(sample::OTHER_PROXY, sample::PORT)
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn an_instance_is_looked_for_in_all_projects_and_a_denied_project_holds_up_no_other() {
    let place = Place::new().await;
    let simulator = Simulator::start(Options::stepped().fleet(two_projects()))
        .await
        .unwrap();
    let url = simulator.url();
    let import = |more: &[&str]| {
        let both = [
            "--project",
            OTHER_PROJECT,
            "--credentials-ref",
            "keys",
            "--no-cluster",
            "-o",
            "name",
        ];
        let more = arguments(&url, &[&both, more].concat());
        place.plugin_with(std::path::Path::new("/none"), &more, "", &KEYS)
    };
    let beginning = |proxy: &str| proxy[..8].to_owned();
    let one = import(&["--instance", sample::OTHER_INSTANCE]);
    assert_eq!((one.code, one.out.lines().count()), (0, 1), "{one:?}");
    assert!(one.out.contains(&beginning(sample::OTHER_PROXY)), "{one:?}");

    let nowhere = Fleet::numbered_instance(7);
    let missing = import(&["--instance", sample::INSTANCE, "--instance", &nowhere]);
    assert_eq!(
        (missing.code, missing.out.lines().count()),
        (1, 1),
        "{missing:?}"
    );
    let told = format!("not read: {nowhere}: it is in none of the projects\n");
    assert!(missing.err.contains(&told), "{}", missing.err);

    let effect = Effect::error(403, "DBS.200010", ErrorShape::Service);
    simulator.inject(Fault::on(Operation::Instances, effect).once());
    let denied = import(&[]);
    assert_eq!(
        (denied.code, denied.out.lines().count()),
        (1, 1),
        "{denied:?}"
    );
    assert!(
        denied.out.contains(&beginning(sample::OTHER_PROXY)),
        "{denied:?}"
    );
    let told = format!("not read: project {}: ", sample::PROJECT);
    assert!(
        denied.err.contains(&told) && denied.err.contains("docs/adopt.md"),
        "{}",
        denied.err
    );
    assert_eq!(import(&[]).good().lines().count(), 2);

    // The right to list the proxies of an instance is enough for one that is named.
    let effect = Effect::error(403, "DBS.200010", ErrorShape::Service);
    simulator.inject(Fault::on(Operation::Instances, effect));
    let named = import(&["--instance", sample::OTHER_INSTANCE]);
    assert_eq!(named.good().lines().count(), 1);
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_checked_before_the_first_call() {
    let place = Place::new().await;
    let simulator = Simulator::start(Options::stepped()).await.unwrap();
    let url = simulator.url();
    let import =
        |words: &[&str]| place.plugin_with(std::path::Path::new("/none"), words, "", &KEYS);
    let rest = ["--no-cluster", "--credentials-ref"];
    let plain = ["import", "--project", sample::PROJECT, "--endpoint", &url];
    let refused = import(&[&plain[..], &rest, &["keys"]].concat());
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("--allow-http"), "{}", refused.err);
    let refused = import(&arguments(&url, &[&rest[..], &["Bad Name"]].concat()));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.err.contains("--credentials-ref: "),
        "{}",
        refused.err
    );
    assert_eq!(simulator.journal().len(), 0, "nothing was called");

    let with_slash = format!("{url}/");
    let folder = tempfile::tempdir().unwrap();
    let split = folder.path().join("ports");
    let more = ["keys", "-o", "json", "--split", split.to_str().unwrap()];
    let imported = import(&arguments(&with_slash, &[&rest[..], &more].concat())).json();
    assert_eq!(imported["manifests"].as_array().unwrap().len(), 2);
    assert_eq!(imported["manifests"][0]["spec"]["endpoint"], json!(url));
    assert_eq!(imported["report"]["written"]["new"], json!(2));
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn who_may_list_one_namespace_reads_that_no_other_was_looked_at() {
    let place = Place::new().await;
    let namespace = place.namespace.as_str();
    let simulator = Simulator::start(Options::stepped()).await.unwrap();
    let url = simulator.url();
    place.kubectl(&["create", "serviceaccount", "importer"]);
    let kind = "--resource=taurusproxyports.taurusdb.huaweicloud.com";
    place.kubectl(&["create", "role", "importer", "--verb=list", kind]);
    let subject = format!("--serviceaccount={namespace}:importer");
    let binding = [
        "create",
        "rolebinding",
        "importer",
        "--role=importer",
        &subject,
    ];
    place.kubectl(&binding);
    let text = place
        .plane
        .service_account_kubeconfig(namespace, "importer")
        .await
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let more = ["--credentials-ref", "keys", "-o", "json"];
    let imported = place.plugin_with(file.path(), &arguments(&url, &more), "", &KEYS);
    let told =
        format!("0 managed by resources of namespace {namespace}; 2 not there, and not known");
    assert!(imported.err.contains(&told), "{}", imported.err);
    let report = imported.json()["report"].clone();
    assert_eq!(
        (&report["onlyNamespace"], &report["clusterWasRead"]),
        (&json!(namespace), &json!(false))
    );
}

#[taurus_needs::test]
async fn a_terraform_state_of_modules_and_counts_becomes_manifests_that_lint_takes() {
    let place = Place::new().await;
    // Written by hand in the shapes of `terraform show -json` and of the state file; no provider has made them.
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/terraform");
    let mut made = Vec::new();
    for state in ["show.json", "state.json"] {
        let folder = tempfile::tempdir().unwrap();
        let split = folder.path().join("ports");
        let split_to = split.to_str().unwrap();
        let file = format!("{fixtures}/{state}");
        let imported = place.plugin(&[
            "import",
            "--project",
            sample::PROJECT,
            "--from-tfstate",
            &file,
            "--credentials-ref",
            "taurus-credentials",
            "--split",
            split_to,
        ]);
        assert_eq!(imported.code, 0, "{state}: {imported:?}");
        assert!(!imported.err.contains("not-a-password"), "{imported:?}");
        assert!(
            imported.err.contains("3 proxies on 3 instances")
                && imported.err.contains("1 on port 3306"),
            "{state}: {imported:?}"
        );
        place.plugin(&["lint", split_to]).good();
        place.kubectl(&["apply", "--dry-run=server", "-k", split_to]);
        let rendered = place.kubectl(&["kustomize", split_to]);
        for (port, count) in [
            ("port: 3306\n", 1),
            ("port: 3307\n", 2),
            ("port: 3309\n", 0),
        ] {
            assert_eq!(rendered.matches(port).count(), count, "{state}: {rendered}");
        }
        assert!(!rendered.contains("not-a-password"), "{rendered}");
        made.push(rendered);
    }
    assert_eq!(made[0], made[1], "both shapes say the same");
}
