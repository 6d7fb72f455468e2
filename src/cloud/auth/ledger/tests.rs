//! Tables, and a world of tenants with right and wrong secrets of one key.

use proptest::prelude::*;

use super::*;

const WINDOW: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_mins(16);

fn ledger() -> Ledger {
    Ledger::new(Limits {
        window: WINDOW,
        pause: PAUSE,
    })
}

fn pair(number: u8) -> Fingerprint {
    Fingerprint::of([&[number][..]])
}

fn refusal() -> CloudError {
    CloudError {
        meaning: Meaning::Unauthenticated,
        code: None,
        status: Some(401),
        text: "no".to_owned(),
        retry_after: None,
    }
}

fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

/// A caller that has to wait for nobody.
fn admit(ledger: &mut Ledger, number: u8, second: u64) -> Result<Leave, CloudError> {
    let (pair, uptime) = (pair(number), at(second));
    let arrival = ledger.arrive(pair);
    let lanes = ledger.lanes(pair, uptime);
    ledger.admit(pair, arrival, (lanes, true), uptime)
}

/// A call that is answered at once; whether it was made.
fn call(ledger: &mut Ledger, number: u8, second: u64, right: bool) -> bool {
    if admit(ledger, number, second) != Ok(Leave::Go) {
        return false;
    }
    if right {
        ledger.accepted(pair(number));
    } else {
        ledger.pair_refused(pair(number), &refusal(), at(second));
    }
    ledger.ended(pair(number));
    true
}

fn of(pairs: u8) -> Ledger {
    let mut ledger = ledger();
    (0..pairs).for_each(|number| ledger.join(pair(number)));
    ledger
}

#[test]
fn a_wrong_pair_is_tried_again_after_the_window_and_then_once_after_each_long_pause() {
    let mut ledger = of(1);
    let tried: Vec<u64> = (0..6000)
        .filter(|second| call(&mut ledger, 0, *second, false))
        .collect();
    let pause = PAUSE.as_secs();
    let after = |times: u64| 300 + times * pause;
    assert_eq!(
        tried,
        [0, 300, after(1), after(2), after(3), after(4), after(5)]
    );
    let held = admit(&mut ledger, 0, 6000).unwrap_err();
    assert_eq!(held.retry_after, Some(at(after(6) - 6000)));
    assert_eq!(
        (held.meaning, &*held.text),
        (Meaning::Unauthenticated, "no")
    );
}

#[test]
fn a_changed_secret_is_tried_at_once_as_long_as_fewer_than_four_refusals_lie_in_the_window() {
    let mut ledger = of(6);
    for number in 0..4 {
        assert!(call(&mut ledger, number, u64::from(number), false));
    }
    let held = admit(&mut ledger, 4, 4).unwrap_err();
    assert_eq!(held.meaning, Meaning::Locked);
    assert_eq!(
        held.retry_after,
        Some(at(296)),
        "until the first one is over"
    );
    assert!(!call(&mut ledger, 4, 299, true));
    assert!(call(&mut ledger, 4, 300, true), "mended");
}

#[test]
fn unproven_pairs_share_one_repeated_try() {
    let mut ledger = of(3);
    for number in 0..3 {
        assert!(call(&mut ledger, number, 0, false));
    }
    assert!((0..3).all(|number| !call(&mut ledger, number, 299, false)));
    let tried = (0..3).filter(|number| call(&mut ledger, *number, 300, false));
    assert_eq!(tried.count(), 1);
}

#[test]
fn a_pair_that_was_believed_is_not_held_back_and_those_who_guess_get_three_tries() {
    let mut ledger = of(20);
    assert!(call(&mut ledger, 0, 0, true));
    let guesses = (1..20).filter(|number| call(&mut ledger, *number, 1, false));
    assert_eq!(guesses.count(), 3);
    assert!(call(&mut ledger, 0, 2, true));
    // The cloud has forgotten the guesses, but the window has not.
    assert!((1..20).all(|number| !call(&mut ledger, number, 3, false)));
    // Without a call that was believed between them, the cloud doesn't forget: no further guess, however long it takes.
    let guesses = (1..20).filter(|number| call(&mut ledger, *number, 301, false));
    assert_eq!(guesses.count(), 3);
    assert!((1..20).all(|number| !call(&mut ledger, number, 9000, false)));
    assert!(call(&mut ledger, 0, 9001, true));
    assert!((1..20).any(|number| call(&mut ledger, number, 9002, false)));
}

#[test]
fn the_more_was_refused_the_fewer_calls_of_a_believed_pair_are_under_way() {
    let mut ledger = of(5);
    assert!(call(&mut ledger, 0, 0, true));
    for number in 1..4 {
        assert_eq!(ledger.lanes(pair(0), at(1)), u32::from(number));
        assert!(call(&mut ledger, number, 1, false));
    }
    assert_eq!(ledger.lanes(pair(0), at(1)), MOST);
    let arrival = ledger.arrive(pair(0));
    let narrow = ledger.admit(pair(0), arrival, (1, false), at(1));
    assert_eq!(narrow, Ok(Leave::Again));
    // Four calls under way leave no room for a guess.
    let mut ledger = of(2);
    assert!(call(&mut ledger, 0, 0, true));
    for _ in 0..4 {
        assert_eq!(admit(&mut ledger, 0, 1), Ok(Leave::Go));
    }
    assert!(admit(&mut ledger, 1, 1).is_err());
    (0..4).for_each(|_| ledger.ended(pair(0)));
    assert_eq!(admit(&mut ledger, 1, 1), Ok(Leave::Go));
    assert_eq!(ledger.lanes(pair(0), at(1)), 2);
}

#[test]
fn one_refusal_of_a_believed_pair_is_followed_by_one_more_try_and_two_by_none() {
    let mut ledger = of(1);
    assert!(call(&mut ledger, 0, 0, true));
    assert!(call(&mut ledger, 0, 1, false));
    assert_eq!(ledger.lanes(pair(0), at(2)), MOST, "alone");
    assert!(ledger.is_proven(pair(0)) && call(&mut ledger, 0, 2, false));
    assert!(!ledger.is_proven(pair(0)) && !call(&mut ledger, 0, 3, false));
}

#[test]
fn who_waited_while_a_call_was_refused_is_refused_with_it() {
    let mut ledger = of(1);
    let waiting = ledger.arrive(pair(0));
    assert!(call(&mut ledger, 0, 0, false));
    let heard = ledger.admit(pair(0), waiting, (1, true), at(400));
    assert_eq!(heard.unwrap_err().retry_after, None);
    assert!(call(&mut ledger, 0, 400, true));
    let waiting = ledger.arrive(pair(0));
    ledger.token_refused(pair(0), &refusal(), at(401));
    let go = ledger.admit(pair(0), waiting, (MOST, false), at(401));
    assert_eq!(go, Ok(Leave::Go), "a token can be had anew");
}

#[test]
fn nothing_is_kept_of_pairs_that_nobody_uses_once_their_refusals_no_longer_count() {
    let mut ledger = of(3);
    assert!(call(&mut ledger, 0, 0, false) && call(&mut ledger, 1, 0, true));
    (0..3).for_each(|number| ledger.leave(pair(number), at(1)));
    assert_eq!(ledger.pairs.len(), 1, "the refused one");
    assert!(!ledger.is_empty(at(1)));
    assert!(ledger.is_empty(PAUSE));
}

/// What happens in the tenants' world.
#[derive(Debug, Clone)]
enum Event {
    /// A resource with this pair wants to call.
    Ask(u8),
    /// The oldest call under way but so many is answered.
    Answer(usize),
    /// So many seconds pass.
    Pass(u64),
    /// The key gets another secret in the cloud.
    Rotate(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..6_u8).prop_map(Event::Ask),
        6 => (0..6_usize).prop_map(Event::Answer),
        2 => (0..400_u64).prop_map(Event::Pass),
        1 => (0..6_u8).prop_map(Event::Rotate),
    ]
}

/// One key in the cloud, with all that is under way to it from one endpoint.
struct World {
    ledger: Ledger,
    right: u8,
    now: u64,
    /// Calls: by which pair, with which lanes, and whether as a try.
    under_way: Vec<(u8, u32, bool)>,
    refused_at: Vec<u64>,
    /// Refusals since the right secret was last believed, as the cloud counts them.
    in_a_row: u32,
    since_rotation: u32,
}

impl World {
    fn ask(&mut self, number: u8) {
        let pair = pair(number);
        let alone = !self.ledger.is_proven(pair);
        let lanes = self.ledger.lanes(pair, at(self.now));
        let calls = self.under_way.iter();
        let taken: u32 = calls
            .filter(|(other, ..)| *other == number)
            .map(|(_, lanes, _)| lanes)
            .sum();
        let probing = self.under_way.iter().any(|(.., probe)| *probe);
        if taken + lanes > MOST || (alone && probing) {
            return;
        }
        let arrival = self.ledger.arrive(pair);
        let leave = self
            .ledger
            .admit(pair, arrival, (lanes, alone), at(self.now));
        if leave == Ok(Leave::Go) {
            self.under_way.push((number, lanes, alone));
        }
    }

    fn answer(&mut self, nth: usize) {
        if self.under_way.is_empty() {
            return;
        }
        let nth = nth % self.under_way.len();
        let (number, ..) = self.under_way.remove(nth);
        if number == self.right {
            self.ledger.accepted(pair(number));
            self.in_a_row = 0;
        } else {
            let uptime = at(self.now);
            self.ledger.pair_refused(pair(number), &refusal(), uptime);
            self.refused_at.push(self.now);
            self.in_a_row += 1;
        }
        self.ledger.ended(pair(number));
    }

    fn within_the_window(&self) -> usize {
        let window = WINDOW.as_secs();
        let recent = self.refused_at.iter();
        recent.filter(|second| self.now - **second < window).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn never_are_more_than_four_calls_of_a_key_refused_in_five_minutes(events in prop::collection::vec(event(), 1..200)) {
        let mut world = World {
            ledger: of(6),
            right: 0,
            now: 0,
            under_way: Vec::new(),
            refused_at: Vec::new(),
            in_a_row: 0,
            since_rotation: 0,
        };
        for event in events {
            match event {
                Event::Ask(number) => world.ask(number),
                Event::Answer(nth) => world.answer(nth),
                Event::Pass(seconds) => world.now += seconds,
                Event::Rotate(number) => {
                    world.right = number;
                    world.since_rotation = world.in_a_row;
                }
            }
            prop_assert!(world.within_the_window() <= MOST as usize, "{:?}", world.refused_at);
            // As long as the right pair is believed, guesses alone never make up a lock.
            if world.ledger.is_proven(pair(world.right)) {
                prop_assert!(world.in_a_row <= world.since_rotation + MOST);
            }
        }
    }

    #[test]
    fn the_right_pair_is_believed_within_a_pause_however_many_guess(guesses in prop::collection::vec(1..6_u8, 0..50)) {
        let mut ledger = of(6);
        for (second, number) in guesses.into_iter().enumerate() {
            call(&mut ledger, number, second as u64, false);
        }
        let believed = (50..50 + WINDOW.as_secs()).any(|second| call(&mut ledger, 0, second, true));
        prop_assert!(believed);
    }
}
