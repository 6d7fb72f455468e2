//! Failures in a row, and the halt.

use crate::permits::tests::*;

fn halted(ledger: &Ledger, second: u64) -> bool {
    ledger.figures(at(second)).halted_until.is_some()
}

#[test]
fn exactly_three_failures_in_a_row_on_different_proxies_halt_for_half_an_hour() {
    let mut ledger = ledger(5, 60);
    ledger.fails(1, 0);
    ledger.fails(2, 10);
    ledger.fails(2, 20);
    ledger.fails(1, 30);
    assert!(!halted(&ledger, 30), "two proxies");
    ledger.fails(3, 40);
    assert_eq!(
        ledger.ask(4, 50),
        Err(Refusal::Limit(Limit::Halted {
            failed: 3,
            own: ["proxy-1", "proxy-2", "proxy-3"].map(str::to_owned).into(),
            until: at(1840).wall,
        }))
    );
    assert_eq!(ledger.next_call(at(50)), Some(at(1840).uptime));
    assert!(called(&mut ledger, 1839).is_empty());
    assert_eq!(called(&mut ledger, 1840), ["4"]);
    ledger.fails(4, 1900);
    assert!(!halted(&ledger, 1900), "a new row has begun");
}

#[test]
fn one_that_succeeds_breaks_the_row_and_a_void_one_does_not() {
    let mut ledger = ledger(5, 60);
    for (number, outcome) in [
        (1, Outcome::Failed),
        (2, Outcome::Failed),
        (3, Outcome::Succeeded),
        (4, Outcome::Failed),
        (5, Outcome::Void),
        (6, Outcome::Failed),
    ] {
        let (change, of) = (number.to_string(), proxy("shop", number));
        ledger.ended(&change, outcome, of, at(0).wall, at(0));
    }
    assert!(!halted(&ledger, 0));
    ledger.fails(7, 1);
    assert!(halted(&ledger, 1));
}

#[test]
fn who_was_under_way_when_the_halt_began_counts_for_the_next_row() {
    let mut ledger = ledger(5, 60);
    for number in 1..=5 {
        ledger.fails(number, number.try_into().unwrap());
    }
    assert!(halted(&ledger, 1802) && !halted(&ledger, 1803));
    ledger.fails(6, 2000);
    assert!(halted(&ledger, 2000));
}

#[test]
fn names_of_other_namespaces_are_told_to_nobody() {
    let mut ledger = ledger(5, 60);
    for (namespace, number) in [("shop", 1), ("bank", 2), ("bank", 3)] {
        let (change, of) = (number.to_string(), proxy(namespace, number));
        ledger.ended(&change, Outcome::Failed, of, at(0).wall, at(0));
    }
    let mut told = |namespace: &str| match ledger.acquire(&asker(namespace, 9), &instance(9), at(1))
    {
        Err(Refusal::Limit(Limit::Halted { failed, own, .. })) => (failed, own.join(" ")),
        other => panic!("{other:?}"),
    };
    assert_eq!(told("shop"), (3, "proxy-1".to_owned()));
    assert_eq!(told("bank"), (3, "proxy-2 proxy-3".to_owned()));
    assert_eq!(told("else"), (3, String::new()));
}

#[test]
fn a_halt_from_before_the_start_lasts_until_it_would_have_and_one_in_the_future_begins_now() {
    for (ended, now, lasts_until) in [(0, 600, 1800), (90_000, 600, 2400)] {
        let mut ledger = ledger(5, 60);
        for number in 1..=3 {
            let (change, of) = (number.to_string(), proxy("shop", number));
            ledger.ended(&change, Outcome::Failed, of, at(ended).wall, at(now));
        }
        assert!(halted(&ledger, lasts_until - 1), "{ended}");
        assert!(!halted(&ledger, lasts_until), "{ended}");
    }
}

#[test]
fn an_end_counts_once_whoever_tells_of_it() {
    let mut ledger = ledger(5, 60);
    let id = |number: usize| format!("c{number}");
    for number in 1..=3 {
        let (uid, id) = (number.to_string(), id(number));
        let change = Some((&*id, Some(&instance(number))));
        assert_eq!(ledger.note(&uid, change, at(0)), None);
        assert_eq!(ledger.note(&uid, change, at(1)), None, "still on record");
    }
    let mut end = |number, second| {
        let of = proxy("shop", number);
        let is_new = ledger.ended(
            &id(number),
            Outcome::Failed,
            of,
            at(second).wall,
            at(second),
        );
        (is_new, ledger.figures(at(second)).halted_until)
    };
    // The watch is quicker than the answer to the write, or that is lost.
    assert_eq!(end(1, 10), (true, None));
    assert_eq!(end(1, 11), (false, None));
    assert_eq!(end(2, 20), (true, None));
    let until = Some(at(1830).wall);
    assert_eq!(end(3, 30), (true, until));
    assert_eq!(end(3, 2000), (false, None), "no new row begins");
    assert_eq!(ledger.note("1", None, at(40)), Some(id(1)));
    assert_eq!(ledger.note("1", None, at(41)), None);
    let other = Some(("c4", Some(&instance(2))));
    assert_eq!(ledger.note("2", other, at(42)), Some(id(2)));
}
