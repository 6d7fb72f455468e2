//! Whose turn it is.

use crate::permits::tests::*;

/// A full house, and so many who wait for it: two lists of namespace and number.
fn full(waiting: &[(&str, usize)]) -> Ledger {
    let mut ledger = ledger(1, 60);
    ledger.start(1000, 0);
    for (namespace, number) in waiting {
        let refused = ledger.acquire(&asker(namespace, *number), &instance(*number), at(1));
        assert!(refused.is_err());
    }
    ledger
}

/// Lets one end and the next begin, so many times; the numbers of those that began.
fn order(ledger: &mut Ledger, namespaces: impl Fn(usize) -> &'static str) -> Vec<usize> {
    let mut running = 1000;
    let mut order = Vec::new();
    loop {
        ledger.release(&instance(running));
        let next = called(ledger, 2);
        let [next] = next.as_slice() else {
            assert!(next.is_empty(), "{next:?}");
            return order;
        };
        running = next.parse().unwrap();
        let asker = asker(namespaces(running), running);
        ledger.acquire(&asker, &instance(running), at(2)).unwrap();
        order.push(running);
    }
}

#[test]
fn namespaces_take_turns_and_within_one_the_longest_wait_comes_first() {
    let mut ledger = full(&[
        ("a", 1),
        ("a", 2),
        ("a", 3),
        ("b", 11),
        ("c", 21),
        ("b", 12),
    ]);
    let order = order(&mut ledger, |number| match number {
        ..10 => "a",
        10..20 => "b",
        _ => "c",
    });
    assert_eq!(order, [1, 11, 21, 2, 12, 3]);
}

#[test]
fn one_among_hundreds_of_another_namespace_is_second_at_the_latest() {
    let mut waiting: Vec<_> = (0..500).map(|number| ("large", number)).collect();
    waiting.push(("small", 900));
    let mut ledger = full(&waiting);
    let order = order(
        &mut ledger,
        |number| {
            if number == 900 { "small" } else { "large" }
        },
    );
    assert_eq!(order[..3], [0, 900, 1]);
    assert_eq!(order.len(), 501);
}

#[test]
fn who_waits_keeps_its_place_however_often_it_asks() {
    let mut ledger = full(&[("a", 1), ("a", 2)]);
    ledger
        .acquire(&asker("a", 1), &instance(1), at(3))
        .unwrap_err();
    ledger.release(&instance(1000));
    assert_eq!(called(&mut ledger, 4), ["1"]);
}

#[test]
fn room_is_kept_for_who_was_called_and_given_to_the_next_if_it_does_not_come() {
    let mut ledger = full(&[("a", 1), ("a", 2)]);
    ledger.release(&instance(1000));
    assert_eq!(called(&mut ledger, 10), ["1"]);
    assert!(called(&mut ledger, 20).is_empty(), "it is called once");
    assert!(ledger.ask(7, 20).is_err(), "nobody slips in before it");
    assert_eq!(ledger.next_call(at(20)), Some(at(70).uptime));
    assert_eq!(called(&mut ledger, 70), ["2"]);
    assert!(
        ledger
            .acquire(&asker("a", 1), &instance(1), at(71))
            .is_err(),
        "its turn is over"
    );
}

#[test]
fn who_no_longer_waits_holds_nobody_up() {
    let mut ledger = full(&[("a", 1), ("b", 2), ("c", 3)]);
    ledger.leave("1");
    ledger.release(&instance(1000));
    assert_eq!(called(&mut ledger, 10), ["2"]);
    ledger.leave("2");
    assert_eq!(called(&mut ledger, 11), ["3"]);
    ledger.leave("3");
    assert_eq!(ledger.next_call(at(11)), None);
}

#[test]
fn who_waits_for_a_taken_instance_holds_up_nobody_else_and_two_for_one_are_not_called_together() {
    let mut ledger = ledger(2, 60);
    ledger.start(1, 0);
    ledger.start(2, 0);
    for number in [10, 11, 12] {
        let on = if number == 12 { 3 } else { 1 };
        let asked = ledger.acquire(&asker("a", number), &instance(on), at(1));
        assert!(asked.is_err());
    }
    ledger.release(&instance(2));
    assert_eq!(called(&mut ledger, 2), ["12"]);
    ledger.leave("12");
    ledger.release(&instance(1));
    assert_eq!(called(&mut ledger, 3), ["10"]);
}
