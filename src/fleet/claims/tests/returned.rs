//! Owners that are made anew, and resources of which none has managed the proxy.

use super::*;

/// An owner and a rival of another namespace that wants another port and was made at this second.
fn settled(rival_made: i64) -> (Claims, TaurusProxyPort) {
    let claims = Claims::default();
    let owner = object("orders", 100, |_| ());
    note(&claims, &owner, 0);
    assert_eq!(looks(&claims, &owner, true, 0), Standing::Owner);
    let rival = elsewhere(wanting("rival", rival_made, 3308));
    note(&claims, &rival, 1);
    assert!(is_claimed(&looks(&claims, &rival, true, 1)));
    (claims, rival)
}

/// The owner, made anew under its name.
fn again() -> TaurusProxyPort {
    object("again", 300, |value| {
        value["metadata"]["name"] = json!("orders");
    })
}

#[test]
fn h15_an_owner_that_is_made_anew_gets_its_proxy_back() {
    for rival_made in [50, 100, 200, 400] {
        for back_after in [0, 1, 60, 119, 125] {
            let (claims, rival) = settled(rival_made);
            claims.forget("orders", at(1000));
            if back_after > 0 {
                assert_eq!(
                    standing(&claims, &rival, 1000),
                    Standing::Open(PATIENCE),
                    "the rival waits out the time"
                );
            }
            let back = 1000 + back_after;
            note(&claims, &again(), back);
            assert!(
                is_claimed(&standing(&claims, &rival, back)),
                "{rival_made} {back_after}"
            );
            assert_eq!(looks(&claims, &again(), true, back), Standing::Owner);
            assert!(is_claimed(&standing(&claims, &rival, back + 9000)));
            assert_eq!(standing(&claims, &again(), back + 9000), Standing::Owner);
        }
    }
}

#[test]
fn h15_the_rival_takes_over_when_nobody_came_back_and_keeps_it() {
    let (claims, rival) = settled(200);
    claims.forget("orders", at(1000));
    assert_eq!(standing(&claims, &rival, 1119), Standing::Open(at(1)));
    assert_eq!(standing(&claims, &rival, 1120), Standing::Owner);
    note(&claims, &again(), 1121);
    assert!(is_claimed(&looks(&claims, &again(), true, 1121)));
    assert_eq!(standing(&claims, &rival, 1121), Standing::Owner);
}

#[test]
fn h15_who_comes_back_without_credentials_keeps_its_proxy_until_it_goes() {
    let (claims, rival) = settled(200);
    claims.forget("orders", at(1000));
    note(&claims, &again(), 1060);
    // No time is named until which it waits: nobody knows when the other one's credentials are accepted.
    for second in [1061, 9000] {
        assert!(is_claimed(&standing(&claims, &rival, second)), "{second}");
    }
    claims.looked("again", false, at(9000));
    note(
        &claims,
        &object("another", 50_000, |value| {
            value["spec"]["proxyID"] = json!(format!("{HEX}po02"));
        }),
        50_000,
    );
    claims.forget("another", at(50_000));
    assert!(is_claimed(&standing(&claims, &rival, 50_000)));
    assert_eq!(names(claims.forget("again", at(50_010))), ["rival"]);
    assert_eq!(standing(&claims, &rival, 50_010), Standing::Open(PATIENCE));
    assert_eq!(standing(&claims, &rival, 50_130), Standing::Owner);
}

#[test]
fn h15_an_owner_is_known_by_its_record_after_a_restart() {
    for (owner_made, rival_made) in [(100, 50), (100, 100), (100, 200)] {
        let claims = Claims::default();
        let owner = saying(object("orders", owner_made, |_| ()), "Settled", true);
        let rival = saying(wanting("a-rival", rival_made, 3308), "ProxyClaimed", false);
        note(&claims, &owner, 0);
        note(&claims, &rival, 0);
        claims.looked("a-rival", true, at(0));
        assert!(is_claimed(&standing(&claims, &rival, 500)));
        assert_eq!(standing(&claims, &owner, 0), Standing::Owner);
        claims.forget("orders", at(600));
        assert_eq!(standing(&claims, &rival, 600), Standing::Open(PATIENCE));
    }
}

#[test]
fn h15_an_owner_that_goes_before_it_was_looked_at_is_remembered() {
    let claims = Claims::default();
    let owner = saying(object("orders", 100, |_| ()), "Settled", true);
    let rival = saying(wanting("rival", 50, 3308), "ProxyClaimed", false);
    note(&claims, &owner, 0);
    note(&claims, &rival, 0);
    claims.forget("orders", at(200));
    claims.looked("rival", true, at(0));
    assert_eq!(standing(&claims, &rival, 210), Standing::Open(at(110)));
    note(&claims, &again(), 220);
    assert_eq!(looks(&claims, &again(), true, 220), Standing::Owner);
    assert!(is_claimed(&standing(&claims, &rival, 9000)));
}

#[test]
fn h15_who_waited_before_a_restart_waits_for_one_that_may_be_made_anew() {
    // The owner was deleted while no process ran, or is being made anew right now.
    for judged in [false, true] {
        let claims = Claims::default();
        let rival = saying(wanting("rival", 50, 3308), "ProxyClaimed", judged);
        note(&claims, &rival, 10);
        claims.looked("rival", true, at(0));
        assert_eq!(standing(&claims, &rival, 10), Standing::Open(PATIENCE));
        assert_eq!(standing(&claims, &rival, 130), Standing::Owner);
    }
}

#[test]
fn h15_of_two_owners_on_record_the_one_counts_that_wants_what_is_there() {
    // The older one observed it for long, and the younger one has it since then.
    for reason in [
        "CloudUnreachable",
        "CredentialsInvalid",
        "ReadingCloud",
        "Suspended",
        "Settled",
    ] {
        for older_looks_first in [false, true] {
            let claims = Claims::default();
            let old = saying(wanting("old", 100, 3307), reason, true);
            let young = saying(wanting("young", 200, 3306), "Settled", true);
            note(&claims, &old, 0);
            note(&claims, &young, 0);
            for one in [&old, &young] {
                let unread = claims.standing(&one.uid().unwrap(), None, at(0), PATIENCE);
                assert_ne!(unread, Standing::Owner, "the port is not known");
            }
            if older_looks_first {
                assert!(is_claimed(&standing(&claims, &old, 1)), "{reason}");
            }
            assert_eq!(standing(&claims, &young, 2), Standing::Owner);
            assert!(is_claimed(&standing(&claims, &old, 9000)));
        }
    }
}

#[test]
fn h15_of_two_owners_on_record_none_counts_where_neither_wants_what_is_there() {
    let claims = Claims::default();
    let old = saying(wanting("old", 100, 3307), "Settled", true);
    let young = saying(wanting("young", 200, 3308), "Settled", true);
    note(&claims, &old, 0);
    note(&claims, &young, 0);
    for one in [&old, &young] {
        assert!(matches!(
            standing(&claims, one, 9000),
            Standing::Contested(_)
        ));
    }
}

#[test]
fn h15_of_two_owners_on_record_the_older_one_counts_where_they_agree() {
    let claims = Claims::default();
    let [one, other] = [("one", 100), ("other", 200)]
        .map(|(uid, made)| saying(object(uid, made, |_| ()), "Settled", true));
    note(&claims, &other, 0);
    note(&claims, &one, 0);
    assert!(is_claimed(&standing(&claims, &other, 0)));
    assert_eq!(standing(&claims, &one, 0), Standing::Owner);
}

#[test]
fn h15_among_resources_without_a_past_the_one_counts_that_wants_what_is_there() {
    for (in_place, mover) in [
        (("a", 100), ("b", 100)),
        (("b", 100), ("a", 100)),
        (("a", 200), ("b", 100)),
    ] {
        for mover_looks_first in [false, true] {
            let claims = Claims::default();
            let keeper = wanting(in_place.0, in_place.1, 3306);
            let mover = elsewhere(wanting(mover.0, mover.1, 3307));
            note(&claims, &mover, 0);
            note(&claims, &keeper, 0);
            if mover_looks_first {
                assert_eq!(
                    looks(&claims, &mover, true, 0),
                    Standing::Open(at(3600)),
                    "the other one wants what is there and was not looked for yet"
                );
            }
            assert_eq!(looks(&claims, &keeper, true, 1), Standing::Owner);
            assert!(is_claimed(&looks(&claims, &mover, true, 1)));
            assert!(is_claimed(&standing(&claims, &mover, 9000)));
        }
    }
}

#[test]
fn h15_where_nobody_wants_what_is_there_nobody_moves_it_until_one_goes() {
    let claims = Claims::default();
    let (one, other) = (
        wanting("one", 100, 3307),
        elsewhere(wanting("other", 100, 3308)),
    );
    note(&claims, &one, 0);
    note(&claims, &other, 0);
    assert_eq!(looks(&claims, &one, true, 0), Standing::Open(PATIENCE));
    for second in [1, 9000] {
        for contender in [&other, &one] {
            let stands = looks(&claims, contender, true, second);
            assert_eq!(stands, Standing::Contested(Rival::default()), "{second}");
        }
    }
    let owned = |second| standing(&claims, &one, second) == Standing::Owner;
    assert_eq!(names(claims.forget("other", at(9100))), ["one"]);
    assert!(
        owned(9100),
        "nobody managed it: there is nothing to wait for"
    );
}

#[test]
fn h15_contenders_that_agree_after_all_leave_it_to_the_older_one() {
    let claims = Claims::default();
    let (one, other) = (wanting("one", 100, 3307), wanting("other", 200, 3308));
    note(&claims, &one, 0);
    note(&claims, &other, 0);
    looks(&claims, &one, true, 0);
    assert!(matches!(
        looks(&claims, &other, true, 0),
        Standing::Contested(_)
    ));
    let agreed = wanting("other", 200, 3307);
    assert_eq!(note(&claims, &agreed, 1), ["one"]);
    assert!(is_claimed(&standing(&claims, &agreed, 1)));
    assert_eq!(standing(&claims, &one, 1), Standing::Owner);
}

#[test]
fn who_comes_again_and_again_holds_nobody_up_for_longer_than_the_patience_twice() {
    let claims = Claims::default();
    let victim = wanting("victim", 100, 3307);
    note(&claims, &victim, 0);
    claims.looked("victim", true, at(0));
    let mut second = 0;
    for number in 0..100 {
        let stranger = elsewhere(wanting(&format!("stranger-{number}"), 200, 3308));
        note(&claims, &stranger, second);
        if standing(&claims, &victim, second) == Standing::Owner {
            break;
        }
        second += 5;
    }
    assert!(second <= 240, "{second}");
}

#[test]
fn h15_whose_credentials_fail_for_a_while_loses_no_proxy_to_one_that_has_managed_none() {
    let claims = Claims::default();
    let rival = wanting("a", 100, 3308);
    let in_place = wanting("b", 200, 3306);
    note(&claims, &rival, 0);
    note(&claims, &in_place, 0);
    looks(&claims, &in_place, false, 10);
    // It waits for another look.
    assert_eq!(looks(&claims, &rival, true, 130), Standing::Open(at(3600)));
    assert_eq!(looks(&claims, &in_place, true, 131), Standing::Owner);
    assert!(is_claimed(&standing(&claims, &rival, 132)));

    // It is on record: it stays.
    let claims = Claims::default();
    let rival = saying(wanting("a", 100, 3308), "BackingOff", true);
    note(&claims, &rival, 0);
    note(&claims, &in_place, 0);
    looks(&claims, &in_place, false, 10);
    assert_eq!(looks(&claims, &rival, true, 130), Standing::Owner);
    assert!(is_claimed(&looks(&claims, &in_place, true, 131)));
}

#[test]
fn h15_one_that_wants_the_port_in_place_and_waits_for_its_first_look_loses_no_proxy() {
    let claims = Claims::default();
    let rival = wanting("a", 100, 3308);
    let in_place = wanting("b", 200, 3306);
    note(&claims, &rival, 0);
    note(&claims, &in_place, 0);
    // Hundreds of its own kind are looked at before it.
    assert_eq!(looks(&claims, &rival, true, 2), Standing::Open(at(3598)));
    assert_eq!(standing(&claims, &rival, 600), Standing::Open(at(3000)));
    assert_eq!(looks(&claims, &in_place, true, 700), Standing::Owner);
    assert!(is_claimed(&standing(&claims, &rival, 701)));

    // Its look failed, and nobody knows for how long; and then it waits for calls again.
    let claims = Claims::default();
    note(&claims, &rival, 0);
    note(&claims, &in_place, 0);
    looks(&claims, &rival, true, 2);
    assert_eq!(names(claims.tried("b", at(700))), ["a"]);
    assert_eq!(standing(&claims, &rival, 701), Standing::Open(at(119)));
    claims.queued("b");
    assert_eq!(standing(&claims, &rival, 800), Standing::Open(at(2800)));
    assert!(claims.tried("b", at(900)).contains(&name(&rival)));
    assert_eq!(standing(&claims, &rival, 1020), Standing::Owner);
}

#[test]
fn h15_rivals_whose_credentials_were_gone_together_look_again_before_either_acts() {
    let claims = Claims::default();
    let in_place = wanting("in-place", 100, 3306);
    let mover = wanting("mover", 100, 3307);
    for object in [&in_place, &mover] {
        note(&claims, object, 0);
        claims.looked(&object.uid().unwrap(), false, at(10));
    }
    // The Secret of both is back, and the one that would move the port looks first.
    assert_eq!(names(claims.looked("mover", true, at(4000))), ["in-place"]);
    assert_eq!(standing(&claims, &mover, 4000), Standing::Open(at(3600)));
    // Its look waits for calls, as at its first.
    claims.queued("in-place");
    assert_eq!(standing(&claims, &mover, 4300), Standing::Open(at(3300)));
    claims.looked("in-place", true, at(4305));
    assert_eq!(standing(&claims, &in_place, 4305), Standing::Owner);
    assert!(is_claimed(&standing(&claims, &mover, 9000)));
}

#[test]
fn h15_rivals_whose_credentials_come_back_together_contest_the_proxy_as_they_would_have_at_first() {
    let claims = Claims::default();
    let (one, other) = (wanting("one", 100, 3307), wanting("other", 100, 3308));
    for object in [&one, &other] {
        note(&claims, object, 0);
        claims.looked(&object.uid().unwrap(), false, at(1));
    }
    assert_eq!(looks(&claims, &one, true, 180), Standing::Open(PATIENCE));
    for object in [&other, &one] {
        let stands = looks(&claims, object, true, 181);
        assert!(matches!(stands, Standing::Contested(_)), "{stands:?}");
    }
}

#[test]
fn h15_one_that_came_with_its_secret_waits_for_those_that_had_waited_for_it() {
    let claims = Claims::default();
    let (in_place, mover) = (wanting("in-place", 100, 3306), wanting("mover", 900, 3307));
    note(&claims, &in_place, 0);
    claims.looked("in-place", false, at(1));
    note(&claims, &mover, 800);
    assert_eq!(looks(&claims, &mover, true, 801), Standing::Open(at(3600)));
    assert_eq!(looks(&claims, &in_place, true, 802), Standing::Owner);
}

#[test]
fn h15_a_stranger_without_credentials_lets_no_late_owner_take_back_what_was_taken_over() {
    let (claims, rival) = settled(200);
    let stranger = elsewhere(wanting("stranger", 400, 3309));
    note(&claims, &stranger, 500);
    claims.looked("stranger", false, at(500));
    claims.forget("orders", at(1000));
    assert_eq!(standing(&claims, &rival, 1120), Standing::Owner);
    let rival = saying(rival, "Settled", true);
    note(&claims, &rival, 1121);
    note(&claims, &again(), 1180);
    assert!(
        is_claimed(&looks(&claims, &again(), true, 1180)),
        "it was away for too long"
    );
    assert_eq!(standing(&claims, &rival, 1180), Standing::Owner);
}

#[test]
fn h15_a_rival_whose_credentials_stay_gone_holds_nobody_up() {
    let claims = Claims::default();
    let stranger = elsewhere(wanting("stranger", 100, 3306));
    let mover = wanting("mover", 100, 3307);
    for object in [&stranger, &mover] {
        note(&claims, object, 0);
        claims.looked(&object.uid().unwrap(), false, at(10));
    }
    claims.looked("mover", true, at(4000));
    assert_eq!(names(claims.looked("stranger", false, at(4001))), ["mover"]);
    assert_eq!(standing(&claims, &mover, 4001), Standing::Owner);
    // Nor does it again when the mover has looked once more.
    claims.looked("mover", true, at(5000));
    assert_eq!(standing(&claims, &mover, 5000), Standing::Owner);
}
