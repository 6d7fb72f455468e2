//! Who is woken when what it waits for may be over.

use super::*;

/// An owner and one that waits for it.
fn two() -> (Claims, TaurusProxyPort, TaurusProxyPort) {
    let claims = Claims::default();
    let (owner, waiting) = (
        object("orders", 100, |_| ()),
        object("orders-eu", 200, |_| ()),
    );
    note(&claims, &owner, 0);
    assert_eq!(looks(&claims, &owner, true, 0), Standing::Owner);
    assert_eq!(note(&claims, &waiting, 1), [""; 0]);
    assert_eq!(names(claims.looked("orders-eu", true, at(0))), [""; 0]);
    assert!(is_claimed(&standing(&claims, &waiting, 1)));
    (claims, owner, waiting)
}

#[test]
fn h03_who_waits_is_woken_when_the_owner_goes() {
    let (claims, _, waiting) = two();
    assert_eq!(names(claims.forget("orders", at(5))), ["orders-eu"]);
    assert_eq!(standing(&claims, &waiting, 5), Standing::Open(PATIENCE));
}

#[test]
fn h03_who_waits_is_woken_when_the_owner_lets_go_wants_another_port_or_shows_one() {
    type Change = fn(&mut Value);
    let table: [(Change, bool); 7] = [
        (
            |value| value["spec"]["managementPolicy"] = json!("Observe"),
            true,
        ),
        (
            |value| value["metadata"]["deletionTimestamp"] = json!("2026-03-02T16:40:05Z"),
            true,
        ),
        (|value| value["spec"]["port"] = json!(3308), true),
        (
            |value| value["spec"]["proxyID"] = json!(format!("{}po01", "9".repeat(32))),
            true,
        ),
        (
            |value| value["status"] = json!({"subjectUID": "orders", "port": 3306}),
            true,
        ),
        (|value| value["spec"]["suspend"] = json!(true), false),
        (
            |value| value["metadata"]["labels"] = json!({"team": "shop"}),
            false,
        ),
    ];
    for (number, (change, wakes)) in table.into_iter().enumerate() {
        let (claims, ..) = two();
        let woken = note(&claims, &object("orders", 100, change), 5);
        assert_eq!(woken == ["orders-eu"], wakes, "{number}: {woken:?}");
        let again = note(&claims, &object("orders", 100, change), 6);
        assert_eq!(again, [""; 0], "{number}: nothing is new");
    }
}

#[test]
fn n02_who_is_deleted_and_made_anew_is_never_waited_for_by_both() {
    let (claims, _, waiting) = two();
    claims.forget("orders", at(5));
    let again = object("again", 300, |value| {
        value["metadata"]["name"] = json!("orders");
    });
    note(&claims, &again, 6);
    let woken = names(claims.looked("again", true, at(0)));
    assert_eq!(woken, ["orders-eu"]);
    assert!(is_claimed(&standing(&claims, &waiting, 6)));
    assert_eq!(standing(&claims, &again, 6), Standing::Owner);

    // The same after the other one has taken over.
    claims.forget("again", at(1000));
    assert_eq!(standing(&claims, &waiting, 1120), Standing::Owner);
    note(&claims, &again, 1200);
    assert!(is_claimed(&looks(&claims, &again, true, 1200)));
    assert_eq!(standing(&claims, &waiting, 1200), Standing::Owner);
}

#[test]
fn a_stranger_that_cannot_see_the_proxy_wakes_no_owner() {
    let (claims, owner, _) = two();
    let stranger = elsewhere(wanting("stranger", 1, 3308));
    assert_eq!(note(&claims, &stranger, 5), [""; 0]);
    assert_eq!(names(claims.looked("stranger", false, at(0))), [""; 0]);
    assert_eq!(
        note(&claims, &elsewhere(wanting("stranger", 1, 3309)), 6),
        [""; 0]
    );
    assert_eq!(names(claims.forget("stranger", at(7))), [""; 0]);
    assert_eq!(standing(&claims, &owner, 7), Standing::Owner);
}

/// Anybody may make any number of resources for a proxy that nobody has.
#[test]
fn who_cannot_see_a_proxy_wakes_nobody_else_who_cannot() {
    let claims = Claims::default();
    let all: Vec<_> = (0..50)
        .map(|number| object(&format!("tpp-{number}"), 100, |_| ()))
        .collect();
    let mut woken = 0;
    for object in &all {
        woken += note(&claims, object, 0).len();
    }
    for object in &all {
        let uid = object.uid().unwrap();
        woken += names(claims.tried(&uid, at(1))).len();
        claims.queued(&uid);
        woken += names(claims.looked(&uid, false, at(2))).len();
    }
    for (object, port) in all.iter().zip(4000..) {
        let edited = wanting(&object.uid().unwrap(), 100, port);
        woken += note(&claims, &edited, 3).len();
    }
    assert_eq!(woken, 0);
    // Whoever does see it, and waits for them, hears of each once.
    let one = object("one-that-sees-it", 300, |_| ());
    note(&claims, &one, 4);
    claims.looked("one-that-sees-it", true, at(4));
    let late = object("late", 400, |_| ());
    note(&claims, &late, 6);
    assert_eq!(
        names(claims.looked("late", false, at(7))),
        ["one-that-sees-it"]
    );
}
