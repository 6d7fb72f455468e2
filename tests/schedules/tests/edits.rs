//! What people do to a resource while its turn is under way, told step by step in virtual time.

use taurus_schedules::Stage;

/// What somebody does, by its name.
type Deed = (&'static str, fn(&Stage));

/// What takes its wish away from a resource and leaves it there.
const TAKES_THE_WISH: [Deed; 3] = [
    ("deleted", Stage::mark_deleted),
    ("refused", refuse),
    ("undecodable", Stage::make_undecodable),
];

/// A port that no process takes for one.
fn refuse(stage: &Stage) {
    stage.edit(|object| object.spec.port = 80);
}

async fn until_requested(stage: &Stage) {
    while stage.requests() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_interrupted_before_its_change_leaves_the_instance_to_others() {
    for (what, take) in TAKES_THE_WISH {
        let stage = Stage::set(1).await;
        stage.create_neighbour();
        stage.pass(60).await;
        stage.reads_take(10_000);
        stage.want(3307);
        stage.pass(2).await;
        take(&stage);
        stage.pass(2).await;
        stage.reads_take(0);
        stage.want_of_neighbour(3307);
        stage.pass(300).await;
        assert_eq!(stage.requests(), 0, "{what}\n{}", stage.told());
        assert_eq!(stage.port_of_neighbour(), 3307, "{what}\n{}", stage.told());
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_deleted_resource_that_can_not_be_read_holds_its_instance() {
    for (what, take) in &TAKES_THE_WISH[1..] {
        let stage = Stage::set(1).await;
        stage.next_job(119_000, 300, true);
        stage.want(3307);
        until_requested(&stage).await;
        stage.pass(3).await;
        take(&stage);
        stage.pass(5).await;
        stage.delete();
        stage.pass(1).await;
        stage.create(None);
        stage.want(3308);
        stage.pass(105).await;
        assert_eq!(stage.requests(), 1, "{what}\n{}", stage.told());
        stage.pass(1200).await;
        assert_eq!(stage.collisions(), [""; 0], "{what}\n{}", stage.told());
        assert_eq!(stage.requests(), 2, "{what}\n{}", stage.told());
        assert!(stage.is_ready(), "{what}\n{}", stage.told());
    }
}

#[tokio::test(start_paused = true)]
async fn the_change_of_a_resource_that_can_not_be_read_any_more_ends_with_its_record_for_others() {
    for (what, take) in &TAKES_THE_WISH[1..] {
        let stage = Stage::set(1).await;
        stage.create_neighbour();
        stage.pass(60).await;
        stage.want(3307);
        until_requested(&stage).await;
        stage.pass(3).await;
        take(&stage);
        stage.pass(60).await;
        stage.want_of_neighbour(3307);
        stage.pass(60).await;
        assert_eq!(stage.port_of_neighbour(), 3306, "{what}\n{}", stage.told());
        stage.edit(|object| object.status.as_mut().unwrap().change = None);
        stage.pass(1200).await;
        assert_eq!(stage.port_of_neighbour(), 3307, "{what}\n{}", stage.told());
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_followed_whatever_people_edit_meanwhile() {
    let stage = Stage::set(1).await;
    stage.next_job(1000, 300, true);
    stage.want(3307);
    until_requested(&stage).await;
    stage.pass(1).await;
    stage.reads_take(3_000);
    let before = stage.reads();
    for minutes in 30..150 {
        stage.edit(|object| object.spec.change_timeout = Some(format!("{minutes}m")));
        stage.pass(1).await;
    }
    let read = stage.reads() - before;
    assert!(read >= 10, "{read} reads\n{}", stage.told());
}

/// The intent of a change can't be put on record, again and again.
#[tokio::test(start_paused = true)]
async fn whose_status_cannot_be_written_keeps_nothing_that_others_could_use() {
    for seed in 0..5 {
        let stage = Stage::set(seed).await;
        stage.create_neighbour();
        stage.pass(200).await;
        stage.refuse_writes_of_it();
        stage.want(3307);
        stage.pass(1800).await;
        assert_eq!(stage.requests(), 0, "{}", stage.told());
        stage.want_of_neighbour(3307);
        stage.pass(60).await;
        assert_eq!(stage.port_of_neighbour(), 3307, "{}", stage.told());
    }
}

#[tokio::test(start_paused = true)]
async fn r05_a_change_whose_end_cannot_be_written_keeps_no_share_that_others_could_use() {
    for seed in 0..3 {
        let stage = Stage::set(seed).await;
        stage.create_neighbour();
        stage.pass(200).await;
        stage.want(3307);
        until_requested(&stage).await;
        let shares = || stage.figure("taurus_changes_under_way");
        assert_eq!(shares(), Some(1), "{}", stage.told());
        stage.refuse_writes_of_it();
        // Its job ends, and that can't be put on record.
        stage.pass(300).await;
        assert_eq!(shares(), Some(0), "{}", stage.told());
        assert!(!stage.is_ready(), "{}", stage.told());
    }
}

#[tokio::test(start_paused = true)]
async fn n01_suspend_is_seen_while_the_connection_for_a_change_opens() {
    let stage = Stage::set(3).await;
    stage.pass(200).await;
    stage.opening_takes(29_000);
    stage.want(3307);
    // The look before the change is over by then.
    stage.pass(8).await;
    stage.edit(|object| object.spec.suspend = Some(true));
    stage.pass(1).await;
    assert_eq!(stage.reason(), "Suspended", "{}", stage.told());
    stage.pass(120).await;
    assert_eq!(stage.requests(), 0, "{}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn n01_a_slow_write_of_one_resource_holds_up_no_other_one_that_wants_the_same_list() {
    let stage = Stage::set(1).await;
    stage.create_neighbour();
    stage.pass(60).await;
    // Longer than a new wish goes unanswered: the neighbour says that it looks.
    stage.reads_take(6_000);
    stage.allow_neighbour("20m", 25_000);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    stage.edit(|object| object.spec.change_timeout = Some("20m".to_owned()));
    stage.pass(15).await;
    assert!(stage.is_ready(), "{}", stage.told());
}
