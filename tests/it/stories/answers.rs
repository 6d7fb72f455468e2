//! What the cloud, and what lies between, answers to the one request that must not be repeated.

use serde_json::Value;
use taurus_sim::{Answer, Effect, Fault, Filter, Loss, Mode, Operation, SamePort, sample};

use crate::world::{World, condition, in_all_modes, is_ready, message, options, reason};

in_all_modes! {
    b31_a_change_whose_answer_got_lost_is_not_sent_again: lost_answers;
    e01_a_port_that_stands_there_already_has_no_job: stands_there_already;
    e03_other_work_on_the_instance_is_waited_for: busy;
}

async fn lost_answers(mode: Mode) {
    let gateway = |status| Answer::html(status, "<html><body>gateway</body></html>");
    let losses = [
        Effect::lose_answer(Loss::Silence),
        Effect::respond_after_work(gateway(502)),
        Effect::lose_answer(Loss::Reset),
        Effect::respond_after_work(gateway(504)),
    ];
    for loss in losses {
        let world = World::start(options(mode)).await;
        let fault = Fault::on(Operation::Change, loss.clone());
        world.sim.inject(fault.proxy(sample::PROXY).once());
        world.want(3307).await;
        world.until_change(1).await;
        let unknown = world
            .until("of unknown outcome", |object| {
                reason(object) == "OutcomeUnknown"
            })
            .await;
        assert!(!is_ready(&unknown), "{loss:?}");
        world.until_ready(3307).await;
        assert_eq!(world.asked_for(), [3307], "{loss:?}");
        world.finish().await;
    }
}

async fn stands_there_already(mode: Mode) {
    for same_port in [SamePort::Absent, SamePort::Null, SamePort::Empty] {
        let world = World::start(options(mode)).await;
        world
            .sim
            .configure(|behaviour| behaviour.same_port = same_port);
        let held = Fault::on(Operation::Change, Effect::hold_before());
        world.sim.inject(held.proxy(sample::PROXY).once());
        world.want(3307).await;
        world.until_change(1).await;
        // Somebody else is quicker, between the look and the request.
        world.sim.set_port(sample::PROXY, 3307).unwrap();
        world.sim.release_all();
        world.until_ready(3307).await;
        assert_eq!(world.asked_for(), [3307], "{same_port:?}");
        let jobs = Filter::on(Operation::Job).credential(sample::ACCESS_KEY);
        assert_eq!(
            world.sim.count(&jobs),
            0,
            "{same_port:?}: there is no job to ask for"
        );
        world.finish().await;
    }
}

async fn busy(mode: Mode) {
    let codes = ["200019", "201014", "201015", "200047", "05000084", "212033"];
    let world = World::start(options(mode)).await;
    for code in codes {
        let fault = Fault::on(Operation::Change, Effect::busy(&format!("DBS.{code}")));
        world.sim.inject(fault.proxy(sample::PROXY).times(2));
    }
    world.want(3307).await;
    let busy = world
        .until("told that it is busy", |object| {
            reason(object) == "ProxyBusy"
        })
        .await;
    assert!(message(&busy).contains("DBS.200019"), "{}", message(&busy));
    world.until_change(13).await;
    world.until_ready(3307).await;
    for object in world.recorder.versions_of("orders") {
        assert_ne!(condition(&object, "Stalled"), "True", "{object:#?}");
    }
    assert_eq!(world.accepted(), [3307]);
    assert_eq!(world.asked_for(), [3307; 13]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e30_connections_that_break_stop_reads_for_a_while_and_never_double_the_change() {
    let world = World::start(options(Mode::M2)).await;
    let cut = |operation| {
        Fault::on(operation, Effect::CutBody { after: Some(20) })
            .credential(sample::ACCESS_KEY)
            .times(3)
    };
    world.sim.inject(cut(Operation::List));
    world.sim.inject(cut(Operation::Job));
    world.want(3307).await;
    // Connections that reads have left open are closed under the operator while it is about to send the change.
    world.until_more(Operation::Tasks, 1).await;
    world.sim.close_idle_connections();
    world.until_change(1).await;
    world.until_more(Operation::Job, 4).await;
    world.pass(60);
    world.until_ready(3307).await;
    for object in world.recorder.versions_of("orders") {
        assert_ne!(condition(&object, "Stalled"), "True", "{object:#?}");
    }
    assert_eq!(world.asked_for(), [3307]);
    let changes = world
        .sim
        .entries(&Filter::on(Operation::Change).proxy(sample::PROXY));
    let body: Value = serde_json::from_str(&changes[0].body).unwrap();
    assert_eq!(body, serde_json::json!({"port": 3307}));
    world.finish().await;
}
