//! Callers of many credentials at one endpoint, some of whom need a token first.

use std::{pin::pin, sync::Arc, time::Duration};

use secrecy::SecretString;

use super::{entrance::Place, guard::Guards, ledger, secret::Credential, sign_in::SignIn, *};
use crate::{
    clock::{self, Clock},
    cloud::{
        authorities::Authorities,
        budget::{CallLimit, Urgency},
        dial::Dialer,
        egress::Egress,
        lanes::Lanes,
        names::Names,
        reads::Reads,
        throttle::Throttle,
        trust::Trust,
    },
    pace::LockOut,
};

const SECOND: Duration = Duration::from_secs(1);

/// What all credentials of a process share, and one lane to the endpoint.
struct Office {
    guards: Guards,
    place: Place,
    reads: Reads,
    clock: Clock,
}

impl Office {
    fn new() -> Self {
        // An error means that another test was quicker.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Clock::start();
        let lock_out = LockOut {
            key_window: Duration::from_mins(5),
            user_window: Duration::from_mins(15),
            pause: Duration::from_mins(16),
        };
        let trust = Trust::new(Authorities::none(), clock).unwrap();
        let dialer = Dialer::new(
            Egress::direct(),
            trust,
            Names::of_the_system(),
            (SECOND, SECOND),
        );
        Self {
            guards: Guards::new(lock_out, 3 * SECOND, clock),
            place: Place {
                lanes: Lanes::new(1, 3 * SECOND, clock),
                throttle: Arc::new(Throttle::new((SECOND, SECOND))),
            },
            reads: Reads::new(dialer, clock, 30 * SECOND, Arc::new(())),
            clock,
        }
    }

    fn access(&self, credential: Credential, limit: CallLimit) -> Access {
        let guard = self.guards.guard(&credential, "https://iam");
        let budget = Budget::new(limit, self.clock, Arc::new(()));
        let lanes = Lanes::new(ledger::MOST as usize, 3 * SECOND, self.clock);
        let place = self.place.clone();
        let entrance = Entrance::new(guard, budget, lanes, place, self.clock);
        let means = match credential {
            Credential::AccessKey {
                access_key,
                secret_key,
                security_token,
            } => Means::Keys(Keys {
                access_key,
                secret_key,
                security_token,
            }),
            Credential::Password {
                username,
                password,
                domain_name,
            } => {
                let lanes = Lanes::new(1, 3 * SECOND, self.clock);
                let sign_in = SignIn::Password {
                    // Nobody is there.
                    iam: "http://127.0.0.1:1".to_owned(),
                    project: "project".to_owned(),
                    username,
                    password,
                    domain_name,
                };
                let source = TokenSource::new(self.reads.clone(), lanes, sign_in);
                Means::Fetched(Box::new(source))
            }
            other => panic!("no test has {other:?}"),
        };
        Access::new(means, entrance)
    }
}

fn user(name: &str) -> Credential {
    let [username, password, domain_name] = [name, "password", "domain"].map(SecretString::from);
    Credential::Password {
        username,
        password,
        domain_name,
    }
}

fn key(access_key: &str) -> Credential {
    Credential::AccessKey {
        access_key: access_key.into(),
        secret_key: "SK".into(),
        security_token: None,
    }
}

/// What came of asking for a turn that is given back at once.
async fn turn(access: &Access) -> Result<(), CloudError> {
    let allowance = access.budget().open(Urgency::Job);
    access.pass(&allowance).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn who_is_held_back_or_makes_no_call_leaves_the_one_try_after_a_pause_to_others() {
    let office = Office::new();
    let [held, other] = ["held", "other"].map(|name| {
        let access = office.access(key(name), CallLimit::unfelt());
        access.accepted();
        access
    });
    let refusal = CloudError::local(Meaning::Unauthenticated, "no");
    for _ in 0..2 {
        held.failed(&Pass::Signature, &refusal);
    }
    let too_many = CloudError {
        status: Some(429),
        ..CloudError::local(Meaning::Throttled, "too many")
    };
    other.failed(&Pass::Signature, &too_many);
    let meaning = |refused: Result<(), CloudError>| refused.unwrap_err().meaning;
    assert_eq!(meaning(turn(&other).await), Meaning::Throttled);
    clock::pause(2 * SECOND).await;
    assert_eq!(meaning(turn(&held).await), Meaning::Unauthenticated);
    turn(&other).await.unwrap();
    // It was not called after all.
    turn(&other).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn n01_who_waits_for_the_call_of_a_token_takes_no_lane_from_others() {
    let office = Office::new();
    let scarce = CallLimit {
        calls: 10,
        per: Duration::from_mins(1),
        is_even: false,
    };
    let slow = office.access(user("slow"), scarce);
    let quick = office.access(key("AK"), CallLimit::unfelt());
    let allowance = slow.budget().open(Urgency::Job);
    let mut waiting = pin!(slow.pass(&allowance));
    // Its own call comes after a few seconds, the one for its token as long after that.
    let until = async {
        loop {
            clock::pause(SECOND / 2).await;
            let began = office.clock.now().uptime;
            let allowance = quick.budget().open(Urgency::Job);
            quick.pass(&allowance).await.unwrap();
            let took = office.clock.now().elapsed(began);
            assert!(took < SECOND, "{took:?}");
        }
    };
    tokio::select! {
        got = &mut waiting => assert!(got.is_err(), "nobody gives tokens"),
        () = until => {}
    }
}
