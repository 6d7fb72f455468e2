//! A resource that is in order costs nothing and says nothing new.

use std::time::Duration;

use serde_json::json;
use taurus_sim::{Answer, Effect, Fault, Filter, Mode, Operation, Options, sample};

use crate::world::{World, in_all_modes, is_ready, operator::Setup, options};

/// Short, so that several go by.
const RESYNC: Duration = Duration::from_secs(1);

in_all_modes! {
    b14_what_differs_only_in_ways_that_do_not_matter_is_left_alone: odd_lists;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_a_settled_resource_is_never_written_and_read_only_at_its_pace() {
    let world = with_resyncs(options(Mode::M1)).await;
    world.want(3307).await;
    let ready = world.until_ready(3307).await;
    let filter = Filter::on(Operation::List).instance(sample::INSTANCE);
    let before = world.sim.count(&filter);
    world.until_more(Operation::List, 6).await;
    assert_eq!(
        world.get().await.metadata.resource_version,
        ready.metadata.resource_version
    );
    let lists = world.sim.entries(&filter);
    let times: Vec<Duration> = lists[before..].iter().map(|entry| entry.after).collect();
    // The first one meets the beat of the instance; from then on they keep it.
    for pair in times.windows(2) {
        assert!(pair[1].saturating_sub(pair[0]) >= RESYNC / 2, "{times:?}");
    }
    let took = times[times.len() - 1].saturating_sub(times[1]);
    let periods = u32::try_from(times.len() - 2).unwrap();
    assert!(took >= RESYNC * periods * 9 / 10, "{times:?}");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a21_times_of_conditions_move_only_with_their_statuses() {
    let world = with_resyncs(options(Mode::M2)).await;
    world.want(3307).await;
    world.until_change(1).await;
    world.until_more(Operation::Job, 10).await;
    world.pass(60);
    world.until_ready(3307).await;
    world.until_more(Operation::List, 5).await;
    assert_eq!(world.asked_for(), [3307]);
    // Held over every version by the rules.
    world.finish().await;
}

async fn odd_lists(mode: Mode) {
    let world = with_resyncs(options(mode)).await;
    world.want(sample::PORT).await;
    let ready = world.until_ready(sample::PORT).await;
    let row = |id: &str, name: &str| {
        json!({"proxy": {"pool_id": id, "name": name, "status": "Active", "port": sample::PORT, "address": "10.20.30.40",
            "brand_new": [{"x": 1}], "vcpus": 8, "transaction_split": true}, "readonly_nodes": {}, "colour": null})
    };
    let (upper, other) = (sample::PROXY.to_uppercase(), "f".repeat(32) + "po01");
    let lists = [
        json!({"proxy_list": [row(&other, "x"), row(&upper, "Y")], "more": {}}),
        json!({"hint": "x", "proxy_list": [row(sample::PROXY, "y"), row(&other, "X")]}),
    ];
    for list in lists.iter().cycle().take(6) {
        let list = Effect::respond(Answer::json(200, list));
        let fault = Fault::on(Operation::List, list);
        world.sim.inject(fault.instance(sample::INSTANCE).once());
    }
    world.until_more(Operation::List, 7).await;
    let versions = world.recorder.versions_of("orders");
    let since = versions
        .iter()
        .skip_while(|object| object.metadata.resource_version != ready.metadata.resource_version);
    assert!(
        since.clone().all(is_ready),
        "{:#?}",
        since.collect::<Vec<_>>()
    );
    assert!(world.asked_for().is_empty());
    world.finish().await;
}

async fn with_resyncs(options: Options) -> World {
    World::start_with(
        options,
        Setup {
            resync: RESYNC,
            ..Setup::default()
        },
    )
    .await
}
