//! Credentials under many callers at once: what is shared, what is renewed, and that nothing is ever locked by us.

use super::*;

/// As many as the operator works on at once.
const CALLERS: usize = 16;

async fn lists(cloud: &Arc<dyn Cloud>) -> Vec<Result<usize, CloudError>> {
    let instance = instance();
    let lists = (0..CALLERS).map(|_| cloud.list_proxies(&instance));
    let lists = join_all(lists).await.into_iter();
    lists
        .map(|list| list.map(|proxies| proxies.len()))
        .collect()
}

/// How many requests were refused for their credential.
fn refused(simulator: &Simulator, operation: Operation) -> usize {
    let entries = simulator.entries(&Filter::on(operation));
    let refused = entries.iter().filter(|entry| entry.status() == Some(401));
    refused.count()
}

#[tokio::test]
async fn many_first_calls_with_a_wrong_credential_at_once_are_one_try() {
    let simulator = simulator().await;
    let wrong_key = [("accessKey", sample::ACCESS_KEY), ("secretKey", "wrong")];
    let wrong_password = [
        ("username", sample::USER),
        ("password", "wrong"),
        ("domainName", sample::DOMAIN),
    ];
    for (credential, operation) in [
        (&wrong_key[..], Operation::List),
        (&wrong_password[..], Operation::Token),
        (&[("token", "invented")][..], Operation::List),
    ] {
        simulator.clear_journal();
        let cloud = connect(&simulator.url(), credential);
        for _ in 0..4 {
            for error in lists(&cloud).await {
                assert_eq!(error.unwrap_err().meaning, Meaning::Unauthenticated);
            }
            assert_eq!(refused(&simulator, operation), 1, "{operation:?}");
        }
    }
    assert_eq!(simulator.blocked_until(sample::ACCESS_KEY), None);
    let right = connect(&simulator.url(), &USER);
    right.list_proxies(&instance()).await.unwrap();
}

#[tokio::test]
async fn many_first_calls_with_a_right_credential_at_once_all_come_through() {
    let simulator = simulator().await;
    for credential in credentials() {
        simulator.clear_journal();
        let cloud = connect(&simulator.url(), &credential);
        for list in lists(&cloud).await {
            list.unwrap();
        }
        assert_eq!(simulator.count(&Filter::on(Operation::List)), CALLERS);
        let tokens = simulator.count(&Filter::on(Operation::Token));
        assert!(tokens <= 1, "{tokens}");
    }
}

#[tokio::test]
async fn a_key_that_is_taken_away_under_many_calls_is_refused_to_few_of_them() {
    let simulator = simulator().await;
    let cloud = connect(&simulator.url(), &KEYS);
    for list in lists(&cloud).await {
        list.unwrap();
    }
    // The same key with another secret: refusals would lock it.
    simulator.set_access_key(sample::ACCESS_KEY, "another secret");
    for _ in 0..4 {
        for list in lists(&cloud).await {
            assert_eq!(list.unwrap_err().meaning, Meaning::Unauthenticated);
        }
    }
    let refused = refused(&simulator, Operation::List);
    assert!((1..=4).contains(&refused), "{refused}");
    assert_eq!(simulator.blocked_until(sample::ACCESS_KEY), None);
}

#[tokio::test]
async fn a_token_that_is_revoked_under_many_calls_is_renewed_once_and_all_of_them_succeed() {
    let simulator = simulator().await;
    let cloud = connect(&simulator.url(), &USER);
    for round in 1..=5 {
        for list in lists(&cloud).await {
            list.unwrap();
        }
        assert_eq!(simulator.count(&Filter::on(Operation::Token)), round);
        simulator.revoke_tokens(None);
    }
}

#[tokio::test]
async fn a_token_that_ends_while_a_job_is_waited_for_is_renewed_before_and_no_poll_fails() {
    let simulator = simulator().await;
    let shift = Shift::forever();
    let clock = Clock::start().shifted(shift);
    simulator.configure(|behaviour| behaviour.token_lifetime = Duration::from_mins(10));
    let plan = JobPlan::lasting(Duration::from_hours(1)).visible_after(Duration::ZERO);
    let job = simulator
        .start_job(sample::INSTANCE, "Backup", plan)
        .unwrap();
    let job = JobId::parse(&job).unwrap();
    let cloud = connect_with(&simulator.url(), &USER, |policy| policy.clock = clock);
    for _ in 0..30 {
        assert!(!cloud.job(&job).await.unwrap().state.is_finished());
        simulator.advance(Duration::from_mins(1)).unwrap();
        shift.pass(Duration::from_mins(1));
    }
    assert_eq!(refused(&simulator, Operation::Job), 0);
    let tokens = simulator.count(&Filter::on(Operation::Token));
    assert!((4..=7).contains(&tokens), "{tokens}");
}

#[tokio::test]
async fn e07_each_request_is_signed_with_the_date_of_its_own() {
    let simulator = simulator().await;
    let shift = Shift::forever();
    let clock = Clock::start().shifted(shift);
    let cloud = connect_with(&simulator.url(), &KEYS, |policy| policy.clock = clock);
    for minute in 0..=60 {
        simulator.configure(|behaviour| {
            behaviour.clock_skew = jiff::SignedDuration::from_mins(minute);
        });
        cloud.list_proxies(&instance()).await.unwrap();
        shift.pass(Duration::from_mins(1));
    }
    assert_eq!(refused(&simulator, Operation::List), 0);
    // The simulator does look at the date.
    shift.pass(Duration::from_mins(20));
    cloud.list_proxies(&instance()).await.unwrap_err();
    assert_eq!(refused(&simulator, Operation::List), 1);
}
