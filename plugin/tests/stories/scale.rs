//! How long `status` takes for a large fleet, and how much memory it needs; and how long it takes until proxies are managed that nobody
//! managed before, as shipped. Both take minutes, so `make plugin-scale` runs them, also as a part of `make nightly`.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use kube::api::ListParams;
use serde_json::json;
use taurus_sim::{Filter, Fleet, Operation, Options, Simulator, sample};

use crate::{
    fleet::operated_as_shipped,
    plane::{Place, status},
    screen::Screen,
};

/// What the cloud allows.
const CALLS_A_MINUTE: u32 = 60;

const RESOURCES: usize = 10_000;
const WITHIN: Duration = Duration::from_secs(2);
const MOST_KIB: u64 = 100 * 1024;

#[taurus_needs::test(flavor = "multi_thread")]
#[ignore = "fills an API server with 10,000 objects"]
async fn ten_thousand_resources_are_shown_within_two_seconds_and_100_mib() {
    let place = Place::new().await;
    let place = &place;
    let proxy = |number: usize| format!("{number:032x}po01");
    stream::iter(0..RESOURCES)
        .for_each_concurrent(16, |number| async move {
            let spec = json!({"proxyID": proxy(number)});
            let said = if number % 100 == 0 {
                status("Stalled", "PortRejected", 3306)
            } else {
                status("Ready", "Settled", 3307)
            };
            place.make(&format!("orders-{number}"), spec, said).await;
        })
        .await;
    let mut faults = Vec::new();
    let plugin = Path::new(env!("CARGO_BIN_EXE_kubectl-taurus_port"));
    for arguments in [
        &["status"][..],
        &["status", "--all"],
        &["status", "orders-77"],
    ] {
        let began = Instant::now();
        let output = Command::new("/usr/bin/env")
            .args(["bash", "-c", "\"$@\" > /dev/null & pid=$!; peak=0; while kill -0 $pid 2>/dev/null; do \
                now=$(sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$pid/status 2>/dev/null); peak=${now:-$peak}; sleep 0.05; done; wait $pid; \
                code=$?; echo $peak; exit $code", "bash"])
            .arg(plugin)
            .args(arguments)
            .args(["-n", &place.namespace])
            .env("KUBECONFIG", place.plane.kubeconfig())
            .output()
            .unwrap();
        let took = began.elapsed();
        assert!(output.status.success(), "{output:?}");
        let peak: u64 = String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        println!("{arguments:?}: {took:?}, {} MiB", peak / 1024);
        if took > WITHIN || peak > MOST_KIB {
            faults.push(format!("{arguments:?}: {took:?}, {peak} KiB"));
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
    for columns in [80, 200] {
        let screen = Screen::with(place, columns, "status");
        let text = screen.until("9,900 more are in order");
        // More are stalled than a screen has lines: it ends with them.
        assert!(text.contains("orders-"), "{text}");
        screen.fits();
    }
}

/// From nothing to manifests in files, and from those to resources that are all Ready: both at the shipped pace, one after the other.
#[taurus_needs::test(flavor = "multi_thread")]
#[ignore = "takes eleven minutes, most of which it waits for calls"]
async fn three_hundred_proxies_are_managed_within_eleven_tenths_of_the_time_of_their_calls() {
    const PROXIES: usize = 300;
    let place = Place::new().await;
    let fleet = Fleet::new().project(sample::PROJECT).numbered(PROXIES);
    let simulator = Simulator::start(Options::default().fleet(fleet))
        .await
        .unwrap();
    let url = simulator.url();
    place.kubectl(&[
        "create",
        "secret",
        "generic",
        "taurus-credentials",
        &format!("--from-literal=accessKey={}", sample::ACCESS_KEY),
        &format!("--from-literal=secretKey={}", sample::SECRET_KEY),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let split = folder.path().join("proxies");
    let keys = [
        ("HW_ACCESS_KEY", sample::ACCESS_KEY),
        ("HW_SECRET_KEY", sample::SECRET_KEY),
    ];
    let import = [
        &["import", "--project", sample::PROJECT][..],
        &["--endpoint", &url, "--allow-http"],
        &["--credentials-ref", "taurus-credentials"],
        &["--split", split.to_str().unwrap()],
    ]
    .concat();
    let began = Instant::now();
    let imported = place.plugin_with(place.plane.kubeconfig(), &import, "", &keys);
    assert_eq!(imported.code, 0, "{}", imported.err);
    let (import_calls, import_took) = (simulator.journal().len(), began.elapsed());
    place.kubectl(&["apply", "--server-side", "-k", split.to_str().unwrap()]);
    let ready = async {
        let is_ready = |one: &taurus_port_operator::crd::TaurusProxyPort| {
            let status = one.status.as_ref();
            let main = status.and_then(|status| status.main_condition());
            main.is_some_and(|main| main.type_ == "Ready" && main.reason == "Observed")
        };
        loop {
            let all = place.api().list(&ListParams::default()).await.unwrap();
            if all.iter().filter(|one| is_ready(one)).count() == PROXIES {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let ready = Box::pin(ready);
    Box::pin(operated_as_shipped(&place, &url, CALLS_A_MINUTE, ready)).await;
    let took = began.elapsed();
    let calls = simulator.journal().len();
    assert_eq!(simulator.count(&Filter::on(Operation::Change)), 0);
    // Both have to read each instance's proxies, and the import also each page of their list.
    let least = 2 * PROXIES + PROXIES / 100;
    let alone = Duration::from_mins(1) * u32::try_from(least).unwrap() / CALLS_A_MINUTE;
    let tenths = took.as_secs_f64() / alone.as_secs_f64();
    println!(
        "{PROXIES} proxies: {calls} calls ({import_calls} of the import in {import_took:.1?}) in {took:.1?}, which is {tenths:.2} times {alone:?}"
    );
    assert!(tenths <= 1.1, "{tenths:.2}");
}
