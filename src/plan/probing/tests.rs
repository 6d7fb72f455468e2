//! When probes are made, what is said of them, and what they hold up.

use std::sync::LazyLock;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;
use crate::{crd::LastChange, model::JobId, publish::wanted::Address};

static REST: Step = Step::Rest;

static ANY: LazyLock<Networks> = LazyLock::new(Networks::any);

const RESYNC: Duration = Duration::from_mins(10);

fn wall() -> Timestamp {
    "2026-03-02T08:40:00Z".parse().unwrap()
}

fn now() -> Moment {
    Moment::new(wall(), Duration::ZERO)
}

fn place(port: u16) -> Place {
    let address = Address::parse("10.20.0.1").unwrap();
    Place { address, port }
}

/// A change from 3306 to 3307 is at work.
fn changing() -> Record {
    Record {
        port: Some(3306),
        change: Some(Change {
            id: ChangeId::from_bits(1),
            plan: None,
            from: 3306,
            to: 3307,
            generation: 2,
            phase: Phase::Submitted,
            attempt: 1,
            job: JobId::parse("job-1"),
            intended_at: wall(),
            submitted_at: Some(wall()),
        }),
        ..Record::default()
    }
}

/// It has ended.
fn changed() -> Record {
    Record {
        port: Some(3307),
        last: Some(LastChange {
            id: "1".to_owned(),
            from_port: 3306,
            to_port: 3307,
            job_id: Some("job-1".to_owned()),
            outcome: Ended::Succeeded,
            started_at: Time(wall()),
            finished_at: Time(wall()),
            message: None,
        }),
        ..Record::default()
    }
}

fn running() -> Step {
    let job = JobId::parse("job-1").unwrap();
    Step::Hold(Cause::JobRunning(job, None), Duration::from_secs(15))
}

fn at_work<'a>(record: &'a Record, step: &'a Step) -> Ground<'a> {
    Ground {
        mode: ProbeMode::Report,
        serves: true,
        record,
        step,
        networks: &ANY,
        address: Some("10.20.0.1"),
        endpoint: Some("10.20.0.1:3306"),
        said: Some(Reason::GreetingRead),
        request: None,
        is_asked: false,
        is_lately: false,
    }
}

fn after(record: &Record) -> Ground<'_> {
    Ground {
        said: Some(Reason::Probing),
        mode: ProbeMode::Require,
        ..at_work(record, &REST)
    }
}

fn aim(stage: Stage) -> (Aim, Place) {
    match stage {
        Stage::Probes(aim, place) => (aim, place),
        other => panic!("{other:?}"),
    }
}

fn row(ground: &Ground<'_>) -> Row {
    let (aim, place) = aim(stage(ground));
    let mut row = Row::default();
    row.turn_to(&aim, place, Before::of(ground), now(), &Pace::real());
    row
}

#[test]
fn the_new_port_is_probed_only_while_a_job_sets_it_for_a_service() {
    let (record, step) = (changing(), running());
    let ground = at_work(&record, &step);
    let (aim, probed) = aim(stage(&ground));
    assert_eq!(
        (aim, probed),
        (
            Aim::AtWork {
                change: ChangeId::from_bits(1),
                from: 3306
            },
            place(3307)
        )
    );
    let with = |change: fn(&mut Change)| {
        let mut record = changing();
        change(record.change.as_mut().unwrap());
        record
    };
    let verifying = with(|change| change.phase = Phase::Verifying);
    let intended = with(|change| change.job = None);
    let overdue = Cause::JobOverdue {
        job: None,
        since: None,
    };
    let overdue = Step::Hold(overdue, Duration::ZERO);
    for ground in [
        Ground {
            mode: ProbeMode::Never,
            ..ground
        },
        Ground {
            serves: false,
            ..ground
        },
        Ground {
            record: &verifying,
            ..ground
        },
        Ground {
            record: &intended,
            ..ground
        },
        Ground {
            step: &overdue,
            ..ground
        },
        Ground {
            address: None,
            ..ground
        },
    ] {
        assert_eq!(stage(&ground), Stage::Rest, "{ground:?}");
    }
}

#[test]
fn greetings_tell_which_port_is_in_place_after_a_job_that_failed_while_lists_may_lag() {
    let record = Record {
        vetted: true,
        port: Some(3306),
        last: changed().last.map(|last| LastChange {
            outcome: Ended::Failed,
            ..last
        }),
        ..Record::default()
    };
    let waits = Step::Hold(Cause::Suspended, Duration::ZERO);
    let ground = Ground {
        endpoint: Some("10.20.0.1:3307"),
        is_lately: true,
        ..at_work(&record, &waits)
    };
    let mut row = row(&ground);
    assert_eq!(said(&ground, &row, None), Some(Said::NotProbed));
    assert_eq!(holds(&ground, &row), None);
    row.ends(place(3307), Outcome::Refused, wall());
    row.ends(place(3306), Outcome::Greeted, wall());
    let (of, led) = row.leads().unwrap();
    assert_eq!((of.as_str(), led), ("1", place(3306)));
    let listed = Record {
        port: Some(3307),
        ..record.clone()
    };
    for ground in [
        Ground {
            is_lately: false,
            ..ground
        },
        Ground {
            serves: false,
            ..ground
        },
        Ground {
            endpoint: Some("10.20.0.1:3306"),
            ..ground
        },
        Ground {
            record: &listed,
            ..ground
        },
    ] {
        assert_eq!(stage(&ground), Stage::Rest, "{ground:?}");
    }
}

#[test]
fn the_port_in_place_is_probed_only_after_a_change_has_set_it() {
    let record = changed();
    let ground = after(&record);
    assert_eq!(
        aim(stage(&ground)),
        (Aim::After("1".to_owned(), None), place(3307))
    );
    let mut failed = changed();
    failed.last.as_mut().unwrap().outcome = Ended::Failed;
    let drifted = Record {
        port: Some(3399),
        ..changed()
    };
    let never = Record {
        last: None,
        ..changed()
    };
    let claimed = Step::Hold(
        Cause::TakingOver(crate::fleet::claims::Opening::Before),
        Duration::ZERO,
    );
    let gone = Step::Hold(Cause::ProxyNotFound, Duration::ZERO);
    for ground in [
        Ground {
            mode: ProbeMode::Never,
            ..ground
        },
        Ground {
            record: &failed,
            ..ground
        },
        Ground {
            record: &drifted,
            ..ground
        },
        Ground {
            record: &never,
            ..ground
        },
        Ground {
            step: &claimed,
            ..ground
        },
        Ground {
            step: &gone,
            ..ground
        },
        Ground {
            said: None,
            ..ground
        },
        Ground {
            said: Some(Reason::NotProbed),
            ..ground
        },
        Ground {
            said: Some(Reason::GreetingRead),
            ..ground
        },
    ] {
        assert_eq!(stage(&ground), Stage::Rest, "{ground:?}");
        assert_eq!(holds(&ground, &Row::default()), None);
    }
}

#[test]
fn the_port_in_place_is_probed_whatever_a_new_wish_waits_for() {
    let record = changed();
    let waits = Step::Hold(Cause::Suspended, Duration::ZERO);
    for step in [&REST, &waits] {
        let ground = Ground {
            step,
            ..after(&record)
        };
        let (aim, probed) = aim(stage(&ground));
        assert_eq!(
            (aim, probed),
            (Aim::After("1".to_owned(), None), place(3307))
        );
        assert_eq!(is_awaited(&ground), *step == REST);
        let waiting = Said::Waiting(place(3307), None);
        assert_eq!(said(&ground, &Row::default(), None), Some(waiting));
    }
    let reports = Ground {
        mode: ProbeMode::Report,
        ..after(&record)
    };
    assert!(!is_awaited(&reports));
}

#[test]
fn an_address_that_is_not_published_is_not_connected_to() {
    let record = changed();
    for address in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "db.example",
    ] {
        let ground = Ground {
            address: Some(address),
            ..after(&record)
        };
        assert!(matches!(stage(&ground), Stage::Unusable(..)), "{address}");
        assert!(matches!(
            holds(&ground, &Row::default()),
            Some(Cause::NotReachable { .. })
        ));
    }
    let elsewhere = Networks::parse("10.21.0.0/16").unwrap();
    let ground = Ground {
        networks: &elsewhere,
        ..after(&record)
    };
    let refused = Stage::Unusable("10.20.0.1".to_owned(), AddressError::Elsewhere);
    assert_eq!(stage(&ground), refused);
}

#[test]
fn ready_waits_where_the_cloud_has_given_no_address() {
    let record = changed();
    let ground = Ground {
        address: None,
        ..after(&record)
    };
    assert_eq!(stage(&ground), Stage::NoAddress(3307));
    let none = Row::default();
    let cause = holds(&ground, &none).unwrap();
    assert_eq!(cause.reason(), Reason::NotReachable);
    let told = said(&ground, &none, None);
    assert_eq!(told, Some(Said::NoAddress(3307)));
    let reports = Ground {
        mode: ProbeMode::Report,
        ..ground
    };
    assert_eq!(holds(&reports, &none), None, "it only reports");
}

/// When probes begin, in seconds, each of which takes so long and fails.
fn times(is_awaited: bool, ground: &Ground<'_>, takes: u64, count: usize) -> Vec<u64> {
    let mut row = row(ground);
    let mut uptime = Duration::from_secs(100);
    let mut times = Vec::new();
    while times.len() < count
        && let Some(due) = row.due(is_awaited, uptime, &Pace::real(), RESYNC)
    {
        uptime += due;
        times.push(uptime.as_secs() - 100);
        row.begins(uptime);
        uptime += Duration::from_secs(takes);
        row.ends(row.target().unwrap(), Outcome::Refused, wall());
    }
    times
}

#[test]
fn probes_are_two_seconds_apart_while_a_job_is_at_work() {
    let (record, step) = (changing(), running());
    let ground = at_work(&record, &step);
    assert_eq!(times(false, &ground, 0, 4), [0, 2, 4, 6]);
    assert_eq!(times(false, &ground, 8, 3), [0, 8, 16], "never two at once");
}

#[test]
fn probes_become_fewer_while_a_job_takes_long() {
    let (record, step) = (changing(), running());
    let times = times(false, &at_work(&record, &step), 0, 400);
    let gaps = || times.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(gaps().take(64).all(|gap| gap == 2), "two minutes long");
    assert_eq!(gaps().next_back(), Some(60), "once a minute in the end");
}

#[test]
fn who_takes_connections_without_a_greeting_is_asked_ever_more_rarely() {
    let (record, step) = (changing(), running());
    let ground = at_work(&record, &step);
    let pace = Pace::real();
    for outcome in [Outcome::Error(1129), Outcome::Error(1040), Outcome::Closed] {
        let mut row = row(&ground);
        let gaps: Vec<u64> = (0..6)
            .map(|_| {
                row.begins(Duration::ZERO);
                let target = row.target().unwrap();
                row.ends(target, outcome.clone(), wall());
                let due = row.due(false, Duration::ZERO, &pace, RESYNC);
                due.unwrap().as_secs()
            })
            .collect();
        assert_eq!(gaps, [4, 8, 16, 32, 60, 60], "{outcome:?}");
        row.ends(place(3307), Outcome::Refused, wall());
        let due = row.due(false, Duration::ZERO, &pace, RESYNC);
        assert_eq!(due, Some(pace.probe_gap));
    }
}

#[test]
fn a_greeting_leads_ahead_and_the_ports_are_probed_on() {
    let (record, step) = (changing(), running());
    let ground = at_work(&record, &step);
    let pace = Pace::real();
    let mut row = row(&ground);
    let probe = |row: &mut Row, outcome| {
        let target = row.target().unwrap();
        row.begins(Duration::ZERO);
        row.ends(target, outcome, wall());
        target.port
    };
    let due = |row: &Row| row.due(false, Duration::ZERO, &pace, RESYNC);
    let led = |row: &Row| row.leads().map(|(_, there)| there);
    assert_eq!(probe(&mut row, Outcome::Refused), 3307);
    assert_eq!((led(&row), due(&row)), (None, Some(pace.probe_gap)));
    assert_eq!(probe(&mut row, Outcome::Greeted), 3306);
    let moving = Said::Moving(3307, None);
    assert_eq!(said(&ground, &row, led(&row)), Some(moving));
    assert_eq!(probe(&mut row, Outcome::Greeted), 3307);
    assert_eq!(led(&row), Some(place(3307)));
    assert_eq!(due(&row), Some(5 * pace.probe_gap));
    assert_eq!(probe(&mut row, Outcome::Refused), 3307);
    assert_eq!(due(&row), Some(pace.probe_gap));
    assert_eq!(probe(&mut row, Outcome::Greeted), 3306);
    assert_eq!(led(&row), Some(place(3306)));
}

#[test]
fn a_process_that_starts_during_a_change_goes_on_where_applications_are_led() {
    let (record, step) = (changing(), running());
    let ground = Ground {
        endpoint: Some("10.20.0.1:3307"),
        ..at_work(&record, &step)
    };
    let mut row = row(&ground);
    assert_eq!(row.leads(), None, "it has read nothing itself");
    row.ends(place(3307), Outcome::Refused, wall());
    assert_eq!(row.target(), Some(place(3306)));
    row.ends(place(3306), Outcome::Greeted, wall());
    assert_eq!(row.leads().unwrap().1, place(3306));
}

#[test]
fn five_follow_a_change_and_then_one_at_each_look_where_ready_waits() {
    let record = changed();
    let ground = after(&record);
    assert_eq!(times(false, &ground, 0, 99), [0, 2, 6, 14, 30]);
    assert_eq!(times(true, &ground, 0, 7), [0, 2, 6, 14, 30, 630, 1230]);
    let longest = longest(&Pace::real());
    assert_eq!(longest.as_secs(), 72, "as docs/operations.md says");
    let slow = times(false, &ground, 8, 99);
    assert!(
        Duration::from_secs(slow[4] + 8) <= longest,
        "{slow:?}, {longest:?}"
    );
}

#[test]
fn who_takes_connections_without_a_greeting_meets_few_a_day_where_ready_waits() {
    const DAY: Duration = Duration::from_hours(24);
    let record = changed();
    let ground = after(&record);
    let pace = Pace::real();
    for resync in [Duration::from_mins(1), RESYNC, Duration::from_hours(2)] {
        for outcomes in [
            [Outcome::Silent, Outcome::Silent],
            [Outcome::Closed, Outcome::Refused],
            [Outcome::Error(1129), Outcome::TimedOut],
        ] {
            let mut row = row(&ground);
            let (mut uptime, mut counted) = (Duration::ZERO, 0);
            for outcome in outcomes.iter().cycle() {
                uptime += row.due(true, uptime, &pace, resync).unwrap();
                if uptime >= DAY {
                    break;
                }
                row.begins(uptime);
                row.ends(place(3307), outcome.clone(), wall());
                counted += u32::from(outcome.is_counted());
            }
            assert!((5..40).contains(&counted), "{outcomes:?}: {counted}");
        }
    }
}

#[test]
fn a_start_of_the_operator_is_no_reason_to_probe_again() {
    let record = changed();
    let require = Ground {
        said: Some(Reason::NoGreeting),
        ..after(&record)
    };
    let report = Ground {
        mode: ProbeMode::Report,
        ..require
    };
    assert_eq!(stage(&report), Stage::Rest);
    assert_eq!(said(&report, &Row::default(), None), None, "it stands");
    // Ready waits for it: it is tried at each look, as before.
    assert_eq!(times(true, &require, 0, 2), [RESYNC.as_secs() - 100, 1100]);
    for row in [Row::default(), row(&require)] {
        assert_eq!(said(&require, &row, None), None, "it stands");
    }
    let cause = holds(&require, &row(&require)).unwrap();
    assert_eq!(cause.reason(), Reason::NotReachable);
    // A person asks for it.
    for ground in [require, report] {
        let asked = Ground {
            request: Some("now"),
            is_asked: true,
            ..ground
        };
        assert_eq!(times(false, &asked, 0, 99).len(), 5);
        let waits = Said::Waiting(place(3307), None);
        assert_eq!(said(&asked, &row(&asked), None), Some(waits));
    }
    // One that was interrupted begins anew.
    assert_eq!(times(false, &after(&record), 0, 99).len(), 5);
}

#[test]
fn a_new_row_keeps_its_distance_from_the_one_before() {
    let (record, step) = (changing(), running());
    let mut row = row(&at_work(&record, &step));
    let pace = Pace::real();
    let now = Duration::from_secs(50);
    row.begins(now);
    row.ends(place(3307), Outcome::Greeted, wall());
    let record = changed();
    let (aim, there) = aim(stage(&after(&record)));
    row.turn_to(&aim, there, Before::default(), self::now(), &pace);
    let due = row.due(false, now, &pace, RESYNC);
    assert_eq!(due, Some(pace.probe_gap));
    // The same again changes nothing.
    row.begins(now);
    row.turn_to(&aim, there, Before::default(), self::now(), &pace);
    assert_eq!(row.made, 1);
    row.ends(there, Outcome::Greeted, wall());
    let due = row.due(false, now, &pace, RESYNC);
    assert_eq!(due, None, "it was greeted");
}

#[test]
fn ready_waits_for_a_greeting_and_stalls_once_the_row_is_over() {
    let record = changed();
    let ground = after(&record);
    let mut row = row(&ground);
    let waits = |row: &Row| matches!(holds(&ground, row), Some(Cause::Probing { .. }));
    assert!(waits(&Row::default()) && waits(&row));
    for _ in 1..MOST {
        row.begins(Duration::ZERO);
        row.ends(place(3307), Outcome::Silent, wall());
        assert!(waits(&row));
        let said = said(&ground, &row, None);
        assert_eq!(
            said,
            Some(Said::Waiting(place(3307), Some(Outcome::Silent)))
        );
    }
    row.begins(Duration::ZERO);
    assert!(waits(&row), "the fifth one is under way");
    row.ends(place(3307), Outcome::Silent, wall());
    assert!(matches!(
        holds(&ground, &row),
        Some(Cause::NotReachable { .. })
    ));
    let told = said(&ground, &row, None);
    assert_eq!(told, Some(Said::Told(place(3307), Outcome::Silent, wall())));
    let reports = Ground {
        mode: ProbeMode::Report,
        ..ground
    };
    assert_eq!(holds(&reports, &row), None, "it only reports");
    row.begins(Duration::ZERO);
    row.ends(place(3307), Outcome::Greeted, wall());
    assert_eq!(holds(&ground, &row), None);
}

#[test]
fn what_was_told_stands_until_a_change_is_accepted() {
    let mut change = changing().change.unwrap();
    assert_eq!(begun(&change), Some(Said::Moving(3307, None)));
    change.job = None;
    assert_eq!(begun(&change), None, "it may be refused");
}

#[test]
fn what_was_told_stands_for_as_long_as_the_port_does() {
    let record = changed();
    let at_rest = Ground {
        said: Some(Reason::GreetingRead),
        ..after(&record)
    };
    assert_eq!(said(&at_rest, &Row::default(), None), None);
    let drifted = Record {
        port: Some(3399),
        ..changed()
    };
    let drifted = Ground {
        record: &drifted,
        ..at_rest
    };
    assert_eq!(said(&drifted, &Row::default(), None), Some(Said::NotProbed));
    let new = Ground {
        said: None,
        ..at_rest
    };
    assert_eq!(said(&new, &Row::default(), None), Some(Said::NotProbed));
    let moving = changing();
    let moving = Ground {
        record: &moving,
        ..at_rest
    };
    let greeted = Some(place(3307));
    assert_eq!(
        said(&moving, &Row::default(), greeted),
        Some(Said::Moving(3307, greeted))
    );
}
