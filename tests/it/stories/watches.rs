//! What the watch of the resources may meet: positions that are too old, refusals, delays, and a view of the past.

use std::time::Duration;

use http::Request;
use taurus_sim::{Filter, Mode, Operation, sample};
use tokio::time::Instant;

use crate::world::{
    World, has_change, in_all_modes, job_id, options,
    program::Program,
    relay::{Call, Effect, Fault, Relay},
};

in_all_modes! {
    a08_a_view_that_is_late_starts_nothing_twice: late_view;
}

/// The pauses of a watch that fails grow from one to the next at least like this, in milliseconds.
const PAUSES: [u64; 5] = [800, 1_600, 3_200, 6_400, 12_800];

/// The longest pause, with all its jitter.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

fn grow(gaps: &[Duration]) {
    for (gap, pause) in gaps.iter().zip(PAUSES) {
        assert!(
            *gap >= Duration::from_millis(pause),
            "the pauses grow: {gaps:?}"
        );
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_a_watch_whose_position_is_too_old_again_and_again_reads_anew_ever_more_rarely() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    let relay = Relay::start(&world.plane).await;
    let expiring = relay.inject(Fault::on(&[Call::Watch], Effect::Expire).first(5));
    world.start_operator_with(relay.setup()).await;
    world
        .until_true("five faults", || relay.acted(expiring) == 5)
        .await;
    let last = Instant::now();
    world.want(3307).await;
    world.until_change(1).await;
    let took = last.elapsed();
    let most = LONGEST_PAUSE + world.slack().await;
    assert!(took < most, "{took:?} of {most:?}");
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    let lists = relay.gaps(&Call::List);
    assert_eq!(lists.len(), 5, "one list more for each fault: {lists:?}");
    grow(&lists);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_or_a_watch_that_is_cut_off_in_the_middle_is_begun_anew() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    let relay = Relay::start(&world.plane).await;
    relay.inject(Fault::on(&[Call::List], Effect::CutBody(200)).nth(1));
    relay.inject(Fault::on(&[Call::Watch], Effect::CutBody(200)).first(2));
    world.start_operator_with(relay.setup()).await;
    assert_eq!(relay.seen_of(&Call::List).len(), 2);
    world.want(3307).await;
    world.until_ready(3307).await;
    world.want_now(3308).await;
    world.until_ready(3308).await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    assert_eq!(relay.seen_of(&Call::Watch).len(), 3);
    world.finish().await;
}

/// Twenty minutes of outage are about one here, at the real pauses: the number of lines is held against that of the tries,
/// of which there are at most 45 in 20 minutes, since the longest pause is 30 s and more.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a03_an_api_server_that_refuses_and_then_is_away_is_asked_ever_more_rarely_and_in_few_lines()
 {
    let world = World::without_operator(options(Mode::M2)).await;
    let mut relay = Relay::start(&world.plane).await;
    let kubeconfig = relay.kubeconfig();
    let environment = [("KUBECONFIG", kubeconfig.as_str())];
    let mut program = Program::start_with(&world, &environment, &[]).await;
    world.until_neighbour_is_ready().await;
    let lines_before = program.lines().len();
    let lists_before = relay.seen_of(&Call::List).len();
    let refusing = Fault::on(&[Call::List, Call::Watch], Effect::refuse(403));
    let refusing = relay.inject(refusing);
    relay.cut_connections().await;
    world
        .until_true("refusals", || relay.acted(refusing) == 5)
        .await;
    let seen = relay.seen().into_iter();
    let refused = seen.filter(|seen| seen.answer == Some(403));
    let refused: Vec<_> = refused.map(|seen| seen.at).collect();
    let gaps: Vec<_> = refused.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps.len(), 4, "{gaps:?}");
    grow(&gaps);
    let failures = |program: &Program| {
        let lines = program.lines();
        let of_watch = lines
            .iter()
            .filter(|line| line["message"].to_string().contains("the watch"));
        of_watch.count()
    };
    let failed = failures(&program);
    relay.stop_listening().await;
    world
        .until_true("it can't connect", || failures(&program) > failed)
        .await;
    relay.remove(refusing);
    relay.listen().await;
    let healthy = Instant::now();
    world
        .until_true("the watch is back", || {
            let watches = relay.seen_of(&Call::Watch);
            watches.last().is_some_and(|it| it.answer == Some(200))
        })
        .await;
    let took = healthy.elapsed();
    let lines = program.lines().len() - lines_before;
    let tries = failures(&program);
    assert!(lines <= 2 * tries + 20, "{lines} lines of {tries} tries");
    assert!(relay.seen_of(&Call::List).len() >= lists_before);
    let most = LONGEST_PAUSE + Duration::from_secs(5) + world.slack().await;
    assert!(took < most, "{took:?} of {most:?}");
    world.want(3307).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    assert!(program.is_running());
    world.finish().await;
}

/// Thirty seconds of the case are 5 s here, which are five minutes at the pace of the stories: longer than the job.
async fn late_view(mode: Mode) {
    let mut world = World::without_operator(options(mode)).await;
    let relay = Relay::start(&world.plane).await;
    let late = Effect::DelayEvents(Duration::from_secs(5));
    relay.inject(Fault::on(&[Call::Watch], late));
    world.start_operator_with(relay.setup()).await;
    world.until_neighbour_is_ready().await;
    let mut jobs = Vec::new();
    for (nth, port) in [(1, 3307), (2, 3308)] {
        if nth == 1 {
            world.want(port).await;
        } else {
            // A job that ended just now would hold the next change back.
            world.pass(180);
            world.want_now(port).await;
        }
        world.until_change(nth).await;
        let following = world
            .until("following its job", |object| job_id(object).is_some())
            .await;
        jobs.extend(job_id(&following).map(str::to_owned));
        world.until_more(Operation::Job, 5).await;
        world.pass(60);
        world.until_ready(port).await;
    }
    assert_eq!(world.asked_for(), [3307, 3308]);
    let polls = Filter::on(Operation::Job).credential(sample::ACCESS_KEY);
    let polls = world.sim.entries(&polls);
    let asked = polls.iter().flat_map(|poll| &poll.query);
    let asked = asked.filter(|(name, _)| name == "id");
    let mut asked: Vec<_> = asked.map(|(_, id)| id.clone()).collect();
    asked.dedup();
    assert_eq!(asked, jobs, "each poll is of the job of its change");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn b28_a_first_list_of_the_past_changes_nothing() {
    let mut world = World::start(options(Mode::M3)).await;
    world.until_neighbour_is_ready().await;
    world.want(3307).await;
    world.until_ready(3307).await;
    let path = format!(
        "/apis/taurusdb.huaweicloud.com/v1alpha1/namespaces/{}/taurusproxyports",
        world.namespace
    );
    let list = Request::get(path).body(Vec::new()).unwrap();
    let old = world.client.request_text(list).await.unwrap();
    world.want_now(3308).await;
    let settled = world.until_ready(3308).await;
    world.stop_operator().await;

    let relay = Relay::start(&world.plane).await;
    relay.inject(Fault::on(&[Call::List], Effect::replay(old)));
    let never = Effect::DelayEvents(Duration::from_hours(1));
    relay.inject(Fault::on(&[Call::Watch], never));
    world.start_operator_with(relay.setup()).await;
    let reads = Call::Get("orders".to_owned());
    world
        .until_true("it reads anew", || !relay.seen_of(&reads).is_empty())
        .await;
    world.until_more(Operation::List, 4).await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    let shown = world.get().await;
    assert!(!has_change(&shown));
    assert_eq!(
        shown.metadata.resource_version, settled.metadata.resource_version,
        "nothing was written"
    );
    world.finish().await;
}
