//! What may be published, in each situation in which it once was the wrong thing.

use std::{sync::LazyLock, time::Duration};

use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::{
    cloud::{CloudError, Meaning, ProxyStatus, Task},
    crd::Phase,
    fleet::claims::Opening,
    model::{ChangeId, JobId, JobState, Moment, ProxyId},
    plan::{facts::Trouble, record::Change, settle},
    publish::wanted::{Address, AddressError},
};

const ADDRESS: &str = "192.0.2.7";

static ANY: LazyLock<Networks> = LazyLock::new(Networks::any);

static WAITING: Step = Step::Hold(Cause::TakingOver(Opening::Before), Duration::ZERO);

static BUSY: Step = Step::Hold(Cause::FirstLook, Duration::ZERO);

fn list(port: u16) -> Observed {
    list_of(Some(port), Some(ADDRESS))
}

fn list_of(port: Option<u16>, address: Option<&str>) -> Observed {
    let proxy = Proxy {
        id: ProxyId::parse(&format!("{}po01", "a".repeat(32))).unwrap(),
        name: "orders".to_owned(),
        status: ProxyStatus::Active,
        address: address.map(str::to_owned),
        port,
    };
    Observed {
        proxy: Seen::Known(Some(proxy)),
        ..Observed::default()
    }
}

fn unread() -> Observed {
    let error = CloudError::local(Meaning::Transient, "no");
    Observed {
        proxy: Seen::Unknown(Trouble::Cloud(error)),
        ..Observed::default()
    }
}

fn vetted(port: u16) -> Record {
    Record {
        vetted: true,
        port: Some(port),
        ..Record::default()
    }
}

fn observing(port: u16) -> Record {
    Record {
        vetted: false,
        ..vetted(port)
    }
}

fn changing(from: u16, to: u16) -> Record {
    let change = Change {
        id: ChangeId::recorded("c1"),
        plan: None,
        from,
        to,
        generation: 1,
        phase: Phase::Verifying,
        attempt: 1,
        job: None,
        intended_at: Timestamp::UNIX_EPOCH,
        submitted_at: None,
    };
    Record {
        change: Some(change),
        ..vetted(from)
    }
}

fn place(port: u16) -> Place {
    Place {
        address: Address::parse(ADDRESS).unwrap(),
        port,
    }
}

fn judged(record: &Record, observed: &Observed) -> Known {
    judged_as(record, observed, |_| {})
}

fn judged_as(record: &Record, observed: &Observed, but: impl Fn(&mut Ground<'_>)) -> Known {
    let mut ground = Ground {
        record,
        observed,
        step: &Step::Rest,
        observes: false,
        networks: &ANY,
        address: Some(ADDRESS),
        endpoint: Some("192.0.2.7:3306"),
        greeted: None,
        is_withdrawn: false,
        is_gone: false,
        left_lately: None,
        others: Others::None,
    };
    but(&mut ground);
    known(&ground)
}

#[test]
fn a_port_that_was_read_while_nothing_is_at_work_is_published() {
    assert_eq!(judged(&vetted(3306), &list(3306)), Known::At(place(3306)));
    let observes = |ground: &mut Ground<'_>| ground.observes = true;
    let known = judged_as(&observing(3308), &list(3308), observes);
    assert_eq!(known, Known::At(place(3308)));
}

#[test]
fn c1_what_was_published_stays_while_a_change_is_on_record_or_nothing_was_read() {
    let kept = Known::Keep(Some(place(3306)));
    for observed in [list(3306), list(3307), unread(), Observed::default()] {
        let known = judged(&changing(3306, 3307), &observed);
        assert_eq!(known, kept, "{observed:?}");
    }
    for observed in [unread(), Observed::default()] {
        assert_eq!(judged(&vetted(3306), &observed), kept);
    }
    let recalled = Observed {
        is_recalled: true,
        ..list(3306)
    };
    assert_eq!(judged(&vetted(3306), &recalled), kept);
    let fallen_back = list(3305);
    assert_eq!(judged(&vetted(3306), &fallen_back), kept);
}

#[test]
fn nothing_is_published_for_the_first_time_by_what_was_read_long_ago() {
    let new = |ground: &mut Ground<'_>| ground.endpoint = None;
    let first = |record: &Record, observed: &Observed| judged_as(record, observed, new);
    assert_eq!(first(&vetted(3306), &unread()), Known::Keep(None));
    let during = first(&changing(3306, 3307), &Observed::default());
    assert_eq!(during, Known::Keep(Some(place(3306))));
    assert_eq!(first(&vetted(3306), &list(3306)), Known::At(place(3306)));
}

#[test]
fn c5_who_is_not_vetted_publishes_no_port_that_a_change_may_have_brought() {
    let new = |ground: &mut Ground<'_>| ground.endpoint = None;
    let known = judged_as(&observing(3307), &list(3307), new);
    assert_eq!(known, Known::Keep(None), "a newcomer");
    for waits in [false, true] {
        let seen = |port, others| {
            judged_as(&observing(port), &list(port), |ground| {
                ground.observes = !waits;
                if waits {
                    ground.step = &WAITING;
                }
                ground.others = others;
            })
        };
        let kept = Known::Keep(Some(place(3306)));
        assert_eq!(seen(3307, Others::AtWork), kept);
        assert_eq!(seen(3307, Others::Lately(None)), kept);
        assert_eq!(seen(3307, Others::Lately(Some(3306))), kept, "it failed");
        let at = Known::At(place(3307));
        assert_eq!(seen(3307, Others::Lately(Some(3307))), at);
        assert_eq!(seen(3307, Others::None), at);
    }
    let restored = Record {
        restored: true,
        ..observing(3307)
    };
    assert_eq!(judged(&restored, &list(3307)), Known::Keep(None));
}

#[test]
fn whatever_else_is_listed_applications_reach_the_port_that_is_in_place() {
    let task = Task {
        job: None,
        instance: None,
        state: JobState::Running("Running".to_owned()),
        created: None,
        ended: None,
    };
    let busy = Observed {
        tasks: Seen::Known(Some(task)),
        ..list(3308)
    };
    let at = Known::At(place(3308));
    assert_eq!(judged(&vetted(3308), &busy), at);
    let held = |ground: &mut Ground<'_>| ground.step = &BUSY;
    assert_eq!(judged_as(&vetted(3308), &busy, held), at, "drift");
    let waits = |ground: &mut Ground<'_>| ground.step = &WAITING;
    assert_eq!(judged_as(&observing(3308), &busy, waits), at);
    // It may be a change of ours that is on no record.
    let unknown = judged_as(&observing(3308), &busy, |ground| {
        waits(ground);
        ground.others = Others::AtWork;
    });
    assert_eq!(unknown, Known::Keep(Some(place(3306))), "by its endpoint");
}

#[test]
fn a_port_that_is_none_of_a_change_that_has_just_ended_may_be_from_before_it() {
    let lately = |ground: &mut Ground<'_>| {
        ground.step = &BUSY;
        ground.left_lately = Some(3309);
    };
    let known = |port| judged_as(&vetted(port), &list(port), lately);
    assert_eq!(known(3309), Known::At(place(3309)));
    assert_eq!(known(3307), Known::Keep(Some(place(3306))));
    let first = judged_as(&vetted(3307), &list(3307), |ground| {
        lately(ground);
        ground.endpoint = None;
    });
    assert_eq!(first, Known::Keep(None), "nor is it published anew");
    let rests = judged_as(&vetted(3307), &list(3307), |ground| {
        lately(ground);
        ground.step = &Step::Rest;
    });
    assert_eq!(rests, Known::At(place(3307)), "as Ready says");
}

#[test]
fn where_a_service_led_before_the_last_change_nothing_is_led_again() {
    let after = |to| Record {
        last: Some(settle::ended(
            changing(3305, to).change.as_ref().unwrap(),
            Outcome::Succeeded,
            None,
            Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO),
        )),
        ..observing(to)
    };
    assert_eq!(
        judged(&after(3306), &unread()),
        Known::Keep(Some(place(3306)))
    );
    assert_eq!(judged(&after(3307), &unread()), Known::Keep(None));
}

#[test]
fn h2_what_was_withdrawn_comes_back_by_a_read_alone() {
    let withdrawn = |ground: &mut Ground<'_>| ground.is_withdrawn = true;
    for (record, observed) in [
        (vetted(3306), unread()),
        (vetted(3306), Observed::default()),
        (changing(3306, 3307), Observed::default()),
        (observing(3306), list(3306)),
    ] {
        let known = judged_as(&record, &observed, withdrawn);
        assert_eq!(known, Known::Withdrawn, "{observed:?}");
    }
    let known = judged_as(&vetted(3306), &list(3306), withdrawn);
    assert_eq!(known, Known::At(place(3306)));
    let gone = |ground: &mut Ground<'_>| ground.is_gone = true;
    let missing = Observed {
        proxy: Seen::Known(None),
        ..Observed::default()
    };
    assert_eq!(
        judged(&vetted(3306), &missing),
        Known::Keep(Some(place(3306)))
    );
    assert_eq!(judged_as(&vetted(3306), &missing, gone), Known::Gone);
}

#[test]
fn h3_a_row_without_an_address_leaves_the_address_as_it_was() {
    let row = list_of(Some(3307), None);
    assert_eq!(judged(&vetted(3307), &row), Known::At(place(3307)));
    let none = |ground: &mut Ground<'_>| ground.address = None;
    let known = judged_as(&vetted(3307), &row, none);
    assert_eq!(known, Known::Keep(None));
    let row = list_of(Some(3307), Some("proxy.example.com"));
    let known = judged(&vetted(3307), &row);
    let expected = Known::Unusable("proxy.example.com".to_owned(), AddressError::NoIp);
    assert_eq!(known, expected);
}

#[test]
fn a_greeting_during_our_job_leads_to_the_new_port_and_another_one_back() {
    let mut record = changing(3306, 3307);
    let change = record.change.as_mut().unwrap();
    change.job = JobId::parse("job-1");
    let greeted = |ground: &mut Ground<'_>| ground.greeted = Some(place(3307));
    for observed in [list(3306), list(3307), unread()] {
        assert_eq!(
            judged_as(&record, &observed, greeted),
            Known::At(place(3307))
        );
    }
    let back = |ground: &mut Ground<'_>| {
        ground.greeted = Some(place(3306));
        ground.endpoint = Some("192.0.2.7:3307");
    };
    assert_eq!(
        judged_as(&record, &list(3306), back),
        Known::At(place(3306))
    );
    // A process that starts then has heard no greeting.
    let ahead = |ground: &mut Ground<'_>| ground.endpoint = Some("192.0.2.7:3307");
    let known = judged_as(&record, &list(3306), ahead);
    assert_eq!(known, Known::Keep(Some(place(3307))));
    let verified = |ground: &mut Ground<'_>| ground.endpoint = None;
    let known = judged_as(&record, &list(3306), verified);
    assert_eq!(known, Known::Keep(Some(place(3306))));
    // Without a job of ours it may be of another change.
    record.change.as_mut().unwrap().job = None;
    let known = judged_as(&record, &list(3306), ahead);
    assert_eq!(known, Known::Keep(Some(place(3306))));
    // Once the change is over, and lists have caught up, they decide.
    let failed = vetted(3306);
    assert_eq!(
        judged_as(&failed, &list(3306), greeted),
        Known::At(place(3306))
    );
}

#[test]
fn no_list_leads_back_from_a_greeting_while_it_may_lag_behind_the_end_of_a_job_that_failed() {
    let failed = |port| Record {
        last: Some(settle::ended(
            changing(3306, 3307).change.as_ref().unwrap(),
            Outcome::Failed,
            None,
            Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO),
        )),
        ..vetted(port)
    };
    let ahead = |ground: &mut Ground<'_>| {
        ground.step = &BUSY;
        ground.endpoint = Some("192.0.2.7:3307");
    };
    let lately = |ground: &mut Ground<'_>| {
        ahead(ground);
        ground.left_lately = Some(3306);
    };
    let kept = Known::Keep(Some(place(3307)));
    for observed in [list(3306), unread(), Observed::default()] {
        assert_eq!(judged_as(&failed(3306), &observed, lately), kept);
    }
    for observed in [list(3306), unread()] {
        let back = judged_as(&failed(3306), &observed, |ground| {
            lately(ground);
            ground.greeted = Some(place(3306));
        });
        assert_eq!(back, Known::At(place(3306)), "it greets there");
    }
    let moved = judged_as(&failed(3307), &list(3307), lately);
    assert_eq!(moved, Known::At(place(3307)), "it was moved all the same");
    let known = judged_as(&failed(3306), &list(3306), ahead);
    assert_eq!(known, Known::At(place(3306)), "lists have caught up");
    let behind = judged_as(&failed(3306), &list(3306), |ground| {
        lately(ground);
        ground.endpoint = Some("192.0.2.7:3306");
    });
    assert_eq!(behind, Known::At(place(3306)), "nobody was led ahead");
}

#[test]
fn what_only_a_greeting_tells_is_known_to_be_no_verified_place() {
    let is_by_greeting = |record: &Record, left_lately, known: &Known| {
        let observed = unread();
        let ground = Ground {
            record,
            observed: &observed,
            step: &BUSY,
            observes: false,
            networks: &ANY,
            address: Some(ADDRESS),
            endpoint: Some("192.0.2.7:3307"),
            greeted: None,
            is_withdrawn: false,
            is_gone: false,
            left_lately,
            others: Others::None,
        };
        is_by_greeting(&ground, known)
    };
    let (at, keep) = (
        |port| Known::At(place(port)),
        |port| Known::Keep(Some(place(port))),
    );
    let record = changing(3306, 3307);
    assert!(is_by_greeting(&record, None, &at(3307)));
    assert!(is_by_greeting(&record, None, &keep(3307)));
    assert!(!is_by_greeting(&record, None, &at(3306)));
    let failed = Record {
        last: Some(settle::ended(
            record.change.as_ref().unwrap(),
            Outcome::Void,
            None,
            Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO),
        )),
        ..vetted(3306)
    };
    assert!(is_by_greeting(&failed, Some(3306), &keep(3307)));
    let listed = Record {
        port: Some(3307),
        ..failed.clone()
    };
    assert!(!is_by_greeting(&listed, Some(3306), &at(3307)), "a list");
    assert!(!is_by_greeting(&failed, None, &keep(3306)));
}

/// Whoever chooses the subnets of a project in the cloud chooses no address of the cluster.
#[test]
fn nobody_is_led_out_of_the_networks_of_proxies() {
    static ONLY: LazyLock<Networks> = LazyLock::new(|| Networks::parse("10.20.0.0/16").unwrap());
    let judged = |record: &Record, observed: &Observed| {
        judged_as(record, observed, |ground| ground.networks = &ONLY)
    };
    let elsewhere = Known::Unusable(ADDRESS.to_owned(), AddressError::Elsewhere);
    assert_eq!(judged(&vetted(3306), &list(3306)), elsewhere);
    for record in [vetted(3306), observing(3306), changing(3306, 3307)] {
        // Nor by what stands in a status.
        assert_eq!(judged(&record, &unread()), Known::Keep(None));
    }
}

#[test]
fn the_record_of_a_resource_at_rest_alone_goes_before_what_somebody_else_has_written() {
    let firm_of = |record: &Record| firm(record, &judged(record, &unread()));
    assert_eq!(firm_of(&vetted(3306)), Some(place(3306)));
    assert_eq!(firm_of(&observing(3306)), None);
    assert_eq!(firm_of(&changing(3306, 3307)), None);
    let restored = Record {
        restored: true,
        ..vetted(3306)
    };
    assert_eq!(firm_of(&restored), None);
    // What was read needs no record.
    let read = judged(&vetted(3306), &list(3306));
    assert_eq!(firm(&vetted(3306), &read), None);
    // The Service led elsewhere than the record says.
    let kept = Known::Keep(Some(place(3307)));
    assert_eq!(firm(&vetted(3306), &kept), None);
}
