//! Probes: when they are made, what they lead applications to, and what they hold up.

use taurus_port_operator::crd::ProbeMode;
use taurus_schedules::Stage;

const SERVICE: &str = "orders-db";

async fn stage(seed: u64, mode: ProbeMode) -> Stage {
    let stage = Stage::set(seed).await;
    stage.edit(|object| object.spec.probe = Some(mode));
    stage.publish(SERVICE);
    stage.pass(30).await;
    assert_eq!(stage.led_to(SERVICE), Some(3306), "{}", stage.told());
    stage
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn is(stage: &Stage, kind: &str, status: &str, reason: &str) {
    let condition = stage.condition(kind).unwrap();
    assert_eq!(
        condition[..2],
        [status, reason],
        "{condition:?}\n{}",
        stage.told()
    );
}

/// Waits until this holds, for so many seconds at most.
async fn until(stage: &Stage, seconds: u64, holds: impl Fn() -> bool) {
    for _ in 0..seconds * 10 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(holds(), "{}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn at_rest_nothing_is_connected_to() {
    for mode in [ProbeMode::Report, ProbeMode::Require] {
        let stage = stage(1, mode).await;
        stage.pass(3 * 3600).await;
        assert!(stage.probes().is_empty(), "{}", stage.told());
        assert!(stage.is_ready());
        is(&stage, "Reachable", "Unknown", "NotProbed");
    }
}

/// How often the cloud is read for the same change where nothing is connected to.
async fn reads_without_probes(seed: u64) -> u64 {
    let stage = stage(seed, ProbeMode::Never).await;
    stage.next_job(1_000, 100, true);
    let began = stage.reads();
    stage.want(3307);
    until(&stage, 150, || stage.is_ready()).await;
    stage.pass(10).await;
    assert!(stage.probes().is_empty(), "{}", stage.told());
    stage.reads() - began
}

#[tokio::test(start_paused = true)]
async fn a_greeting_leads_applications_to_the_new_port_before_the_job_has_ended() {
    for seed in 0..10 {
        let stage = stage(seed, ProbeMode::Report).await;
        stage.listens_early(30_000);
        stage.next_job(1_000, 100, true);
        let usual = reads_without_probes(seed).await;
        let began = stage.reads();
        stage.want(3307);
        until(&stage, 90, || stage.led_to(SERVICE) == Some(3307)).await;
        assert_eq!(stage.port(), 3306, "the job is at work: {}", stage.told());
        assert_eq!(stage.reason(), "JobRunning");
        let map = stage.object().status.unwrap();
        assert_eq!(map.port, Some(3306), "not verified yet");
        let says_so = |condition: [String; 3]| condition[2].contains("3307");
        until(&stage, 5, || {
            stage.condition("ServicePublished").is_some_and(says_so)
        })
        .await;
        // The slice follows within a probe's distance.
        let probes = stage.probes();
        let gaps = probes.windows(2).map(|pair| pair[1].0 - pair[0].0);
        assert!(
            gaps.clone().all(|gap| (2_000..2_600).contains(&gap)),
            "{probes:?}"
        );
        until(&stage, 60, || stage.is_ready()).await;
        stage.pass(10).await;
        assert!(stage.is_ready(), "{}", stage.told());
        is(&stage, "Reachable", "True", "GreetingRead");
        assert_eq!(stage.led_to(SERVICE), Some(3307));
        assert_eq!((stage.requests(), stage.breaches()), (1, Vec::new()));
        // Seldom from then on, once more at the end, and then no more; and no probe has cost a call.
        let (made, ahead) = (stage.probes().len(), probes.len());
        assert!((ahead + 1..=ahead + 5).contains(&made), "{made}, {ahead}");
        let reads = stage.reads() - began;
        stage.pass(3600).await;
        assert_eq!(stage.probes().len(), made);
        // Polls of the job fall on other moments; there are a few more or less.
        assert!(
            reads < usual + made as u64 / 4,
            "{reads} reads, {usual} without {made} probes"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_after_a_greeting_leads_back_once_the_old_port_greets() {
    let stage = stage(3, ProbeMode::Report).await;
    stage.next_job(1_000, 60, false);
    stage.want(3307);
    stage.listens_ahead(10, 300);
    until(&stage, 50, || stage.led_to(SERVICE) == Some(3307)).await;
    stage.crash();
    stage.pass(25).await;
    assert_eq!(
        stage.led_to(SERVICE),
        Some(3307),
        "not back while it greets there: {}",
        stage.told()
    );
    // Sooner than a list is believed.
    until(&stage, 90, || stage.led_to(SERVICE) == Some(3306)).await;
    assert_eq!((stage.port(), stage.breaches()), (3306, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn no_list_that_lags_leads_back_where_a_job_fails_and_has_moved_the_port() {
    for seed in 0..10 {
        let stage = stage(seed, ProbeMode::Report).await;
        stage.list_lags(60_000);
        stage.next_job_moves_and_fails(60);
        stage.want(3307);
        stage.listens_ahead(10, 300);
        until(&stage, 50, || stage.led_to(SERVICE) == Some(3307)).await;
        for _ in 0..400 {
            stage.pass(1).await;
            assert_eq!(stage.led_to(SERVICE), Some(3307), "{}", stage.told());
        }
        assert_eq!(stage.port(), 3307);
        assert_eq!(stage.breaches(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_goes_again_leads_back_by_a_greeting_at_the_old_port() {
    for crashes in [false, true] {
        let stage = stage(8, ProbeMode::Report).await;
        stage.next_job(1_000, 3_600, true);
        stage.want(3307);
        until(&stage, 60, || stage.reason() == "JobRunning").await;
        stage.listens_ahead(20, 10);
        until(&stage, 30, || stage.led_to(SERVICE) == Some(3307)).await;
        if crashes {
            stage.crash();
        }
        until(&stage, 90, || stage.led_to(SERVICE) == Some(3306)).await;
        assert_eq!(stage.port(), 3306);
        stage.pass(600).await;
        assert_eq!(stage.led_to(SERVICE), Some(3306), "{}", stage.told());
        until(&stage, 3_600, || stage.led_to(SERVICE) == Some(3307)).await;
        assert_eq!((stage.port(), stage.breaches()), (3307, Vec::new()));
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_who_listened_there_before_the_job_leads_nobody() {
    for has_early in [false, true] {
        let stage = stage(9, ProbeMode::Report).await;
        stage.somebody_listens(3307);
        if has_early {
            stage.listens_early(30_000);
        }
        stage.next_job(1_000, 100, true);
        stage.want(3307);
        until(&stage, 60, || stage.reason() == "JobRunning").await;
        stage.pass(40).await;
        assert_eq!(stage.led_to(SERVICE), Some(3306), "{}", stage.told());
        until(&stage, 120, || stage.led_to(SERVICE) == Some(3307)).await;
        // The old port is silent once the proxy has left it: then the new one is the proxy's.
        assert_eq!(stage.port() == 3306, has_early, "{}", stage.told());
        assert_eq!(stage.breaches(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn ready_waits_for_a_greeting_where_it_is_required_and_nothing_is_changed_twice() {
    for seed in 0..10 {
        let stage = stage(seed, ProbeMode::Require).await;
        stage.is_deaf(900);
        stage.next_job(1_000, 20, true);
        stage.want(3307);
        until(&stage, 60, || stage.reason() == "Probing").await;
        let status = stage.object().status.unwrap();
        assert_eq!((status.port, status.applied_port), (Some(3307), Some(3307)));
        assert_eq!(stage.led_to(SERVICE), Some(3307), "a list has shown it");
        let before = stage.probes().len();
        until(&stage, 60, || stage.reason() == "NotReachable").await;
        is(&stage, "Stalled", "True", "NotReachable");
        is(&stage, "Reachable", "False", "NoGreeting");
        assert!(stage.probes().len() - before <= 5, "{}", stage.told());
        let (writes, probes) = (stage.writes(), stage.probes().len());
        stage.pass(300).await;
        assert_eq!(stage.writes(), writes, "nothing is written at rest");
        assert!(stage.probes().len() <= probes + 1);
        // A look later somebody listens.
        until(&stage, 1800, || stage.is_ready()).await;
        is(&stage, "Reachable", "True", "GreetingRead");
        assert_eq!(stage.requests(), 1, "{}", stage.told());
        assert_eq!(
            stage.object().status.unwrap().last_change.unwrap().to_port,
            3307
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_ready_waits_for_is_known_after_a_crash_and_asked_for_by_people() {
    let stage = stage(5, ProbeMode::Require).await;
    stage.is_deaf(100_000);
    stage.next_job(1_000, 20, true);
    stage.want(3307);
    until(&stage, 60, || stage.reason() == "Probing").await;
    stage.crash();
    stage.pass(200).await;
    is(&stage, "Ready", "False", "NotReachable");
    stage.is_deaf(0);
    stage.edit(|object| {
        use kube::ResourceExt as _;
        let key = taurus_port_operator::crd::REQUESTED_AT.to_owned();
        object.annotations_mut().insert(key, "now".to_owned());
    });
    until(&stage, 60, || stage.is_ready()).await;
    assert_eq!(stage.requests(), 1, "{}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn a_report_holds_nothing_up_and_ends_after_five() {
    let stage = stage(6, ProbeMode::Report).await;
    stage.edit(|object| object.spec.service = None);
    stage.is_deaf(100_000);
    stage.next_job(1_000, 20, true);
    stage.want(3307);
    until(&stage, 60, || stage.is_ready()).await;
    assert!(
        stage.probes().len() <= 1,
        "without a Service none is made during a change"
    );
    stage.pass(3600).await;
    assert_eq!(stage.probes().len(), 5, "{}", stage.told());
    is(&stage, "Reachable", "False", "NoGreeting");
    assert!(stage.is_ready());
    // The next change begins anew.
    stage.is_deaf(0);
    stage.next_job(1_000, 20, true);
    stage.want(3308);
    stage.pass(120).await;
    is(&stage, "Reachable", "True", "GreetingRead");
    stage.edit(|object| object.spec.probe = None);
    stage.pass(30).await;
    assert_eq!(stage.condition("Reachable"), None);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_refused_leaves_what_was_read_and_connects_to_nothing() {
    for mode in [ProbeMode::Report, ProbeMode::Require] {
        let stage = stage(7, mode).await;
        stage.next_job(1_000, 20, true);
        stage.want(3307);
        until(&stage, 120, || stage.is_ready()).await;
        until(&stage, 60, || {
            stage
                .condition("Reachable")
                .is_some_and(|one| one[0] == "True")
        })
        .await;
        let probes = stage.probes().len();
        stage.refuse_next(1_000);
        stage.want(3308);
        until(&stage, 300, || stage.requests() > 1).await;
        stage.pass(60).await;
        is(&stage, "Reachable", "True", "GreetingRead");
        // The wish is taken back: nothing was set since it was greeted.
        stage.want(3307);
        until(&stage, 60, || stage.is_ready()).await;
        is(&stage, "Reachable", "True", "GreetingRead");
        assert_eq!(stage.probes().len(), probes, "{}", stage.told());
    }
}

#[tokio::test(start_paused = true)]
async fn the_port_in_place_is_probed_though_the_next_wish_has_to_wait() {
    let stage = stage(10, ProbeMode::Require).await;
    stage.next_job(1_000, 60, true);
    stage.want(3307);
    until(&stage, 60, || stage.reason() == "JobRunning").await;
    stage.edit(|object| {
        object.spec.suspend = Some(true);
        object.spec.port = 3308;
    });
    until(&stage, 120, || stage.reason() == "Suspended").await;
    stage.pass(10).await;
    assert_eq!(stage.port(), 3307);
    is(&stage, "Reachable", "True", "GreetingRead");
    let probes = stage.probes();
    assert_eq!(probes.last().map(|probe| probe.1), Some(3307));
    stage.pass(3_600).await;
    assert_eq!(stage.probes(), probes, "none at rest");
    assert_eq!(stage.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_start_of_the_operator_connects_to_no_proxy_that_was_probed() {
    for (mode, is_deaf) in [
        (ProbeMode::Require, false),
        (ProbeMode::Report, true),
        (ProbeMode::Require, true),
    ] {
        let stage = stage(11, mode).await;
        stage.edit(|object| object.spec.service = None);
        if is_deaf {
            stage.is_deaf(100_000);
        }
        stage.next_job(1_000, 20, true);
        stage.want(3307);
        let said = if is_deaf {
            "NoGreeting"
        } else {
            "GreetingRead"
        };
        until(&stage, 300, || {
            stage
                .condition("Reachable")
                .is_some_and(|one| one[1] == said)
        })
        .await;
        stage.pass(5).await;
        let (probes, ready) = (stage.probes(), stage.condition("Ready"));
        for _ in 0..3 {
            stage.crash();
            stage.pass(120).await;
            let reason = |ready: Option<[String; 3]>| ready.map(|ready| ready[1].clone());
            let now = stage.condition("Ready");
            assert_eq!(reason(now), reason(ready.clone()), "{}", stage.told());
            assert_eq!(stage.probes(), probes, "{mode:?}: {}", stage.told());
        }
    }
}
