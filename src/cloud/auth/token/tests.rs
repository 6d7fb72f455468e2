//! Tokens under many callers, failures and early renewal, with a fetch that the tests control.

use std::{
    future::{Future, ready},
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{Router, http::HeaderMap as Headers, response::IntoResponse, routing::post};
use futures::future::join_all;
use http::StatusCode;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use super::*;
use crate::{
    clock::{Clock, Shift},
    cloud::{
        Meaning,
        authorities::Authorities,
        budget::{Allowance, Budget, CallLimit, Urgency},
        dial::Dialer,
        egress::Egress,
        names::Names,
        observer::CallObserver,
        trust::Trust,
    },
    seats::{Called, Group, Seats},
};

/// What IAM is asked for how often, and what it answers to the nth request.
async fn iam<F, R>(
    answer: impl Fn(usize) -> F + Clone + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>)
where
    F: Future<Output = R> + Send + 'static,
    R: IntoResponse + 'static,
{
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let handler = move || answer(count.fetch_add(1, Ordering::SeqCst) + 1);
    let app = Router::new().route("/v3/auth/tokens", post(handler));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, asked)
}

/// A token that names its number and lives for a day.
fn token(number: usize) -> impl IntoResponse {
    let mut headers = Headers::new();
    headers.insert(
        "x-subject-token",
        format!("token-{number}").parse().unwrap(),
    );
    let body = r#"{"token": {"issued_at": "2026-03-02T08:00:00.000000Z", "expires_at": "2026-03-03T08:00:00.000000Z"}}"#;
    (StatusCode::CREATED, headers, body)
}

fn source(url: &str, clock: Clock) -> Arc<TokenSource> {
    // An error means that another test was quicker.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let timeout = Duration::from_secs(30);
    let trust = Trust::new(Authorities::none(), clock).unwrap();
    let dialer = Dialer::new(
        Egress::direct(),
        trust,
        Names::of_the_system(),
        (timeout, timeout),
    );
    let reads = Reads::new(dialer, clock, timeout, Arc::new(()));
    let [username, password, domain] = ["user", "password", "domain"].map(SecretString::from);
    let sign_in = SignIn::Password {
        iam: url.to_owned(),
        project: "project".to_owned(),
        username,
        password,
        domain_name: domain,
    };
    let lanes = Lanes::new(8, timeout, clock);
    Arc::new(TokenSource::new(reads, lanes, sign_in))
}

fn text(fetched: &Fetched) -> &str {
    let Granted::Token(token) = fetched.granted.as_ref() else {
        panic!("no token")
    };
    token.expose_secret()
}

fn allowance() -> Arc<Allowance> {
    let observer: Arc<dyn CallObserver> = Arc::new(());
    Budget::new(CallLimit::unfelt(), Clock::start(), observer).open(Urgency::Job)
}

#[test]
fn a_token_is_renewed_early_and_a_short_one_is_used_all_the_same() {
    const MINUTE: u64 = 60;
    for (life, used) in [
        (24 * 60 * MINUTE, 24 * 60 * MINUTE / 5 * 4),
        (60 * MINUTE, 48 * MINUTE),
        (20 * MINUTE, 15 * MINUTE),
        (10 * MINUTE, 5 * MINUTE),
        (2 * MINUTE, MINUTE),
        (0, 0),
    ] {
        let used = Duration::from_secs(used);
        assert_eq!(good_for(Duration::from_secs(life)), used, "{life}");
    }
}

#[tokio::test]
async fn a_thousand_callers_share_one_request() {
    let slow = |number| async move {
        tokio::task::yield_now().await;
        token(number)
    };
    let (url, asked) = iam(slow).await;
    let (source, allowance) = (source(&url, Clock::start()), allowance());
    let tokens = join_all((0..1000).map(|_| source.get(&allowance, ready(Ok(()))))).await;
    for fetched in tokens {
        assert_eq!(text(&fetched.unwrap()), "token-1");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_thousand_callers_share_one_failure_and_only_one_of_them_has_it_first_hand() {
    let (url, asked) = iam(|_| async {
        let body =
            r#"{"error": {"code": 401, "title": "Unauthorized", "message": "wrong password"}}"#;
        (StatusCode::UNAUTHORIZED, body)
    })
    .await;
    let (source, allowance) = (source(&url, Clock::start()), allowance());
    let tokens = join_all((0..1000).map(|_| source.get(&allowance, ready(Ok(()))))).await;
    let mut first_hand = 0;
    for failed in tokens {
        let failed = failed.unwrap_err();
        assert_eq!(failed.error.meaning, Meaning::Unauthenticated);
        first_hand += usize::from(!failed.heard_of);
    }
    assert_eq!((asked.load(Ordering::SeqCst), first_hand), (1, 1));
    // Who comes later doesn't live on old news.
    assert!(
        !source
            .get(&allowance, ready(Ok(())))
            .await
            .unwrap_err()
            .heard_of
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let (url, asked) = iam(|number| async move { token(number) }).await;
    let shift = Shift::forever();
    let (source, allowance) = (source(&url, Clock::start().shifted(shift)), allowance());
    for (passed, number) in [(0, 1), (19, 1), (1, 2), (19, 2), (1, 3)] {
        shift.pass(Duration::from_hours(passed));
        let fetched = source.get(&allowance, ready(Ok(()))).await.unwrap();
        assert_eq!(text(&fetched), format!("token-{number}"));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_token_that_was_refused_to_many_at_once_is_fetched_anew_once() {
    let (url, asked) = iam(|number| async move { token(number) }).await;
    let (source, allowance) = (source(&url, Clock::start()), allowance());
    let first = source.get(&allowance, ready(Ok(()))).await.unwrap();
    let news = (0..16).filter(|_| source.forget(&first)).count();
    assert_eq!(news, 1);
    let second = join_all((0..16).map(|_| source.get(&allowance, ready(Ok(()))))).await;
    for fetched in second {
        assert_eq!(text(&fetched.unwrap()), "token-2");
    }
    assert!(!source.forget(&first), "that is known");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn n01_who_waits_for_the_token_of_another_one_has_no_seat_meanwhile() {
    let (url, asked) = iam(|number| async move { token(number) }).await;
    let clock = Clock::start();
    let source = source(&url, clock);
    let limit = CallLimit {
        calls: 10,
        per: Duration::from_secs(1),
        is_even: false,
    };
    let budget = Budget::new(limit, clock, Arc::new(()));
    let seats = Seats::new(1);
    let turn = || async {
        let seat = loop {
            match seats.take(Group::default()) {
                Some(seat) => break seat,
                None => seats.freed().await,
            }
        };
        let allowance = budget.open(Urgency::Job);
        let got = seat.with(
            Called::not_before(Duration::ZERO),
            source.get(&allowance, ready(Ok(()))),
        );
        got.await.unwrap();
    };
    // The budget is empty: each waits for its call, and the seat is another one's meanwhile.
    let turns = join_all((0..8).map(|_| turn()));
    let within = Duration::from_secs(20);
    tokio::time::timeout(within, turns).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
