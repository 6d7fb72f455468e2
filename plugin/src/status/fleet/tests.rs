use jiff::SignedDuration;

use serde_json::{Value, json};

use super::*;
use crate::{described::describes, format::resource_line, resource::Due};

fn now() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn summary(name: &str, state: State, reason: &str) -> Summary {
    Summary {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        state,
        wanted: Some("3307".to_owned()),
        actual: Some(
            if state == State::Ready {
                "3307"
            } else {
                "3306"
            }
            .to_owned(),
        ),
        changing_to: (reason == "JobRunning").then(|| "3307".to_owned()),
        reason: Some(reason.to_owned()),
        since: Some(now() - SignedDuration::from_mins(12)),
        message: Some(
            "the operator says so, in a sentence that is longer than a narrow terminal".to_owned(),
        ),
        policy: "Enforce".to_owned(),
        suspended: reason == "Suspended",
        edited: reason == "ProxyBusy",
        plan: (reason == "WaitingForApproval").then(|| Due {
            id: "00112233aabbccdd".to_owned(),
            waits_for: vec!["Window".to_owned(), "Approval".to_owned()],
            not_before: Some(now() + SignedDuration::from_hours(14)),
        }),
        address: Some("10.0.0.7".to_owned()),
        instance: Some("e80a4b6f13c2457d9ab05c7712f4d3e6in07".to_owned()),
    }
}

fn mixed() -> Fleet {
    let resources = vec![
        summary("orders", State::Ready, "Settled"),
        summary("users", State::Reconciling, "JobRunning"),
        summary("stock", State::Stalled, "PortRejected"),
        summary("carts", State::Reconciling, "ProxyBusy"),
        summary("mails", State::Reconciling, "Suspended"),
    ];
    Fleet::new(resources, Installed::default())
}

fn view(columns: Option<usize>) -> View {
    View {
        everywhere: true,
        all: false,
        wide: false,
        terminal: Terminal {
            columns,
            ..Terminal::default()
        },
        now: now(),
    }
}

#[test]
fn what_is_not_settled_comes_first() {
    insta::assert_snapshot!("fleet-80", mixed().shown(&view(Some(80))));
}

#[test]
fn a_wide_terminal_shows_whole_messages() {
    insta::assert_snapshot!("fleet-200", mixed().shown(&view(Some(200))));
}

#[test]
fn plans_that_wait_are_counted_by_what_they_wait_for() {
    let resources = vec![
        summary("users", State::Reconciling, "WaitingForApproval"),
        summary("stock", State::Reconciling, "WaitingForApproval"),
        summary("orders", State::Ready, "Settled"),
    ];
    let text = Fleet::new(resources, Installed::default()).shown(&view(None));
    for part in [
        "3 resources: 2 reconciling, 1 ready, 2 planned\n",
        "  Plans wait for: Window+Approval 2; the first not before 2026-03-03T02:00:00Z\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn nothing_is_told_as_nothing() {
    let fleet = Fleet::new(Vec::new(), Installed::default());
    assert!(fleet.shown(&view(None)).starts_with("no resources\n"));
}

#[test]
fn of_a_large_fleet_those_in_order_are_counted_and_the_others_listed() {
    let mut resources = vec![summary("stock", State::Stalled, "PortRejected")];
    resources.extend(
        (0..9_999).map(|number| summary(&format!("orders-{number}"), State::Ready, "Settled")),
    );
    let fleet = Fleet::new(resources, Installed::default());
    let text = fleet.shown(&view(Some(80)));
    assert!(
        text.starts_with("10,000 resources: 1 stalled, 9,999 ready\n"),
        "{text}"
    );
    assert!(
        text.ends_with("9,999 more are in order; --all lists them\n"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 8, "{text}");
    let all = fleet.shown(&View {
        all: true,
        ..view(Some(80))
    });
    assert_eq!(all.lines().count(), 10_000 + 5);
}

#[test]
fn what_is_only_observed_with_another_port_or_suspended_is_not_in_order() {
    let mut resources: Vec<Summary> = (0..LISTED)
        .map(|number| summary(&format!("orders-{number}"), State::Ready, "Settled"))
        .collect();
    let mut observed = summary("stock", State::Ready, "Observed");
    observed.policy = "Observe".to_owned();
    observed.actual = Some("3399".to_owned());
    let suspended = summary("users", State::Ready, "Suspended");
    resources.extend([observed, suspended]);
    let fleet = Fleet::new(resources, Installed::default());
    assert_eq!((fleet.counts().differing, fleet.counts().suspended), (1, 1));
    let text = fleet.shown(&view(None));
    assert!(
        text.starts_with("52 resources: 52 ready, 1 of these with another port, 1 suspended\n"),
        "{text}"
    );
    assert!(
        text.contains(" stock ") && text.contains(" users "),
        "{text}"
    );
    assert!(
        text.ends_with("50 more are in order; --all lists them\n"),
        "{text}"
    );
    let all = fleet.names();
    assert!(all.starts_with(&resource_line("stock")), "{all}");
}

#[test]
fn colours_change_no_other_character() {
    let mut coloured = view(Some(80));
    coloured.terminal.colours = true;
    let text = mixed().shown(&coloured);
    assert!(text.contains('\u{1b}'));
    assert_eq!(
        console::strip_ansi_codes(&text),
        mixed().shown(&view(Some(80)))
    );
}

#[test]
fn the_schema_takes_what_is_printed_and_nothing_else() {
    let is_valid = |value: &Value| describes(include_str!("../../../schemas/status.json"), value);
    let mut resources = vec![
        summary("orders", State::Ready, "Settled"),
        summary("users", State::Reconciling, "WaitingForApproval"),
        summary("stock", State::Reconciling, "JobRunning"),
    ];
    resources[0].message = None;
    let fleet = Fleet::new(resources, Installed::default());
    let whole = serde_json::to_value(&fleet).unwrap();
    assert!(is_valid(&whole), "{whole:#}");
    assert_eq!(whole["resources"][0]["changingTo"], json!(3307));
    for (place, value) in [
        ("/counts/ready", json!("1")),
        ("/operator/image", json!("here")),
        ("/resources/0/state", json!("Fine")),
        ("/resources/0/wanted", json!(true)),
        ("/resources/0/since", json!("yesterday")),
    ] {
        let mut wrong = whole.clone();
        *wrong.pointer_mut(place).unwrap() = value;
        assert!(!is_valid(&wrong), "{place}");
    }
    let mut more = whole;
    more["resources"][0]["surprise"] = json!(1);
    assert!(!is_valid(&more), "a field that nobody has described");
}
