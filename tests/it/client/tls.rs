//! Certificates: who is believed, and what is said of who is not.

use super::*;
use crate::world::front::{Authority, Front, Identity};

const AUTHORITY: &str = "private authority of a test";

/// What a read and a line hear of a server with such a certificate, with these further authorities.
async fn tried(identity: Identity, extra: &[&Authority]) -> [Result<(), CloudError>; 2] {
    let simulator = simulator().await;
    let front = Front::with_tls(identity, simulator.address());
    let url = format!("https://localhost:{}", front.port());
    let cloud = connect_with(&url, &KEYS, |policy| {
        policy.call_timeout = Duration::from_secs(10);
        let extra = extra.iter().map(|authority| authority.der()).collect();
        policy.extra_authorities = Authorities::of(extra);
    });
    let read = cloud.list_proxies(&instance()).await.map(|_| ());
    let line = cloud.open_line().await.map(|_| ());
    let asked = simulator.count(&Filter::on(Operation::List));
    assert_eq!(
        asked,
        usize::from(read.is_ok()),
        "nothing is sent to strangers"
    );
    [read, line]
}

#[tokio::test]
async fn a_private_authority_is_believed_once_it_is_named() {
    plane::prepare();
    let (other, authority) = (Authority::new("another"), Authority::new(AUTHORITY));
    let identity = authority.vouch_for("localhost", |_| ());
    for result in tried(identity, &[&other, &authority]).await {
        result.unwrap();
    }
}

#[tokio::test]
async fn an_authority_that_nobody_knows_is_named() {
    plane::prepare();
    let (other, authority) = (Authority::new("another"), Authority::new(AUTHORITY));
    for extra in [&[][..], &[&other]] {
        let identity = authority.vouch_for("localhost", |_| ());
        for result in tried(identity, extra).await {
            let error = result.unwrap_err();
            assert_eq!(error.meaning, Meaning::TlsFailed, "{error}");
            assert!(error.text.contains(AUTHORITY), "{error}");
            assert!(error.text.contains("--extra-ca"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_has_expired_or_is_of_the_future_is_told_with_its_date() {
    plane::prepare();
    let authority = Authority::new(AUTHORITY);
    for (years, said) in [
        ([2020, 2021], "has expired, 2021-01-01T00:00:00Z"),
        ([2120, 2121], "not valid before 2120-01-01T00:00:00Z"),
    ] {
        let [from, to] = years.map(|year| rcgen::date_time_ymd(year, 1, 1));
        let identity = authority.vouch_for("localhost", |params| {
            (params.not_before, params.not_after) = (from, to);
        });
        for result in tried(identity, &[&authority]).await {
            let error = result.unwrap_err();
            assert_eq!(error.meaning, Meaning::TlsFailed, "{error}");
            assert!(error.text.contains(said), "{error}");
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_told_with_both_names() {
    plane::prepare();
    let authority = Authority::new(AUTHORITY);
    let identity = authority.vouch_for("elsewhere.example.test", |_| ());
    for result in tried(identity, &[&authority]).await {
        let error = result.unwrap_err();
        assert_eq!(error.meaning, Meaning::TlsFailed, "{error}");
        for name in ["localhost", "elsewhere.example.test"] {
            assert!(error.text.contains(name), "{error}");
        }
    }
}

#[tokio::test]
async fn an_authority_is_no_server_and_a_server_without_tls_is_none_for_https() {
    plane::prepare();
    let simulator = simulator().await;
    let url = format!("https://{}", simulator.address());
    let cloud = connect(&url, &KEYS);
    let read = cloud.list_proxies(&instance()).await.unwrap_err();
    let line = cloud.open_line().await.err().unwrap();
    for error in [read, line] {
        assert_eq!(error.meaning, Meaning::TlsFailed, "{error}");
    }
    assert!(simulator.journal().is_empty());
}

#[tokio::test]
async fn h14_a_rotated_authority_counts_without_a_new_start_for_reads_and_for_the_change() {
    let simulator = simulator().await;
    let (old, new) = (
        Authority::new("the old authority"),
        Authority::new(AUTHORITY),
    );
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.pem");
    std::fs::write(&bundle, old.pem()).unwrap();
    let front = Front::with_tls(new.vouch_for("localhost", |_| ()), simulator.address());
    let url = format!("https://localhost:{}", front.port());
    let shift = Shift::forever();
    let cloud = connect_with(&url, &KEYS, |policy| {
        policy.call_timeout = Duration::from_secs(10);
        policy.clock = Clock::start().shifted(shift);
        policy.extra_authorities = Authorities::read(bundle.to_str().unwrap()).unwrap();
    });
    let read = cloud.list_proxies(&instance()).await.map(|_| ());
    let line = cloud.open_line().await.map(|_| ());
    for error in [read.unwrap_err(), line.unwrap_err()] {
        assert_eq!(error.meaning, Meaning::TlsFailed, "{error}");
        for said in [AUTHORITY, "bundle.pem", "is read again"] {
            assert!(error.text.contains(said), "{error}");
        }
    }
    std::fs::write(&bundle, new.pem()).unwrap();
    shift.pass(Duration::from_secs(10));
    cloud.list_proxies(&instance()).await.unwrap();
    cloud.open_line().await.map(|_| ()).unwrap();
}
