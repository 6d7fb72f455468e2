//! How long `status` takes for a large fleet, and how much memory it needs: measured by hand, since it takes minutes to fill the API
//! server: `cargo test --workspace --locked --test stories -- --ignored --nocapture scale::`.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use serde_json::json;

use crate::{
    plane::{Place, status},
    screen::Screen,
};

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
