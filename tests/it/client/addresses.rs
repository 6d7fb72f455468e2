//! Which addresses are called: only those that the operator was told of, however others are written.

use std::{
    net::TcpListener as Listener,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::net::TcpListener;

use super::*;

/// A place that must never be called. It counts who comes all the same.
struct Trap {
    port: u16,
    visitors: Arc<AtomicUsize>,
}

impl Trap {
    fn new() -> Self {
        let listener = Listener::bind("0.0.0.0:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let visitors = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&visitors);
        let listener = TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, visitors }
    }

    fn visitors(&self) -> usize {
        self.visitors.load(Ordering::SeqCst)
    }
}

/// Hosts, written in many ways, that lead to this machine, to the metadata of a cloud's machines, or to strangers.
const FOREIGN: &[&str] = &[
    // This machine, by its number in each notation that is understood somewhere.
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.01",
    "127.0.0.1.",
    "127.8.8.8",
    "0.0.0.0",
    "0",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "１２７.0.0.1",
    "127。0。0。1",
    "%31%32%37.0.0.1",
    // This machine, by a name that leads to it.
    "localhost",
    "LOCALHOST",
    "localhost.",
    "ip6-localhost",
    "localhost.localdomain",
    "127.0.0.1.nip.io",
    "localtest.me",
    // The metadata service.
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
    "[fe80::a9fe:a9fe]",
    "[fd00:ec2::254]",
    // The cluster.
    "kubernetes.default.svc",
    "10.247.0.1",
    // Strangers that look like the cloud.
    "cloud.example.test",
    "gaussdb.cn-north-4.myhuaweicloud.com.example.test",
    "example.test.gaussdb.cn-north-4.myhuaweicloud.com",
    "bucket.obs.cn-north-4.myhuaweicloud.com",
    "gaussdb.cn-north-4.myhuaweicloud.com..",
    "gaussdb.cn-north-4.myhuaweicl\u{43e}ud.com",
    "gaussdb.cn-north-4.xn--myhuaweiclud-2ih.com",
    "gaussdb.cn-north-4\u{2024}myhuaweicloud.com.example.test",
    "gaussdb.cn-north-4.myhuaweicloud.com@127.0.0.1",
    "127.0.0.1#@gaussdb.cn-north-4.myhuaweicloud.com",
    "127.0.0.1\\@gaussdb.cn-north-4.myhuaweicloud.com",
    "user:hunter2@gaussdb.cn-north-4.myhuaweicloud.com",
    "",
    " ",
];

fn place(endpoint: &str, iam_endpoint: &str) -> Subject {
    Subject {
        endpoint: Some(endpoint.to_owned()),
        iam_endpoint: Some(iam_endpoint.to_owned()),
        ..subject("unused")
    }
}

/// Connects, and makes each kind of call if that is possible.
async fn try_all(connector: &Connector, subject: &Subject, pairs: &[(&str, &str)]) -> CloudError {
    let cloud = match connector.connect(subject, credential(pairs)) {
        Ok(cloud) => cloud,
        Err(error) => return error,
    };
    let line = cloud.open_line().await.err();
    let list = cloud.list_proxies(&instance()).await.err();
    panic!("{subject:?} was called: {line:?} {list:?}");
}

#[tokio::test]
async fn no_foreign_address_is_called_however_it_is_written() {
    let simulator = simulator().await;
    let trap = Trap::new();
    let connector = Connector::new(policy(&simulator.url(), |_| ())).unwrap();
    let mut tried = 0;
    for host in FOREIGN {
        for address in [
            format!("http://{host}:{}", trap.port),
            format!("https://{host}:{}", trap.port),
            format!("http://{host}"),
            format!("//{host}:{}", trap.port),
            format!("file://{host}/etc/passwd"),
        ] {
            for (subject, pairs) in [
                (place(&address, &simulator.url()), &KEYS[..]),
                (place(&address, &simulator.url()), &USER),
                (place(&simulator.url(), &address), &USER),
            ] {
                let error = try_all(&connector, &subject, pairs).await;
                assert_eq!(
                    error.meaning,
                    Meaning::EndpointNotAllowed,
                    "{address}: {error}"
                );
                assert!(!error.text.contains("hunter2"), "{error}");
                tried += 1;
            }
        }
    }
    assert!(tried > 700, "{tried}");
    assert_eq!(trap.visitors(), 0);
    assert!(simulator.journal().is_empty());
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_called_only_where_it_is_allowed_by_that_name() {
    let simulator = simulator().await;
    let port = simulator.address().port();
    let by_name = format!("http://localhost:{port}");
    let by_number = format!("http://127.0.0.1:{port}");
    for (allowed, refused) in [(&by_name, &by_number), (&by_number, &by_name)] {
        let connector = Connector::new(policy(allowed, |_| ())).unwrap();
        let connected = connector.connect(&subject(allowed), credential(&KEYS));
        connected.unwrap().list_proxies(&instance()).await.unwrap();
        let error = connector
            .connect(&subject(refused), credential(&KEYS))
            .err();
        assert_eq!(error.unwrap().meaning, Meaning::EndpointNotAllowed);
    }
}

#[tokio::test]
async fn redirects_are_followed_nowhere_and_take_no_credential_along() {
    let simulator = simulator().await;
    let trap = Trap::new();
    for status in [301, 302, 303, 307, 308] {
        for location in [
            format!("http://127.0.0.1:{}/login", trap.port),
            format!("//127.0.0.1:{}/login", trap.port),
            format!("http://user:hunter2@127.0.0.1:{}/", trap.port),
            format!("{}/elsewhere", simulator.url()),
        ] {
            let answer = Answer::new(status, "").header("Location", &location);
            simulator.inject(Fault::everywhere(Effect::respond(answer)));
            for pairs in credentials() {
                let cloud = connect(&simulator.url(), &pairs);
                let error = cloud.list_proxies(&instance()).await.unwrap_err();
                assert_eq!(error.meaning, Meaning::Transient, "{error}");
                assert!(!error.text.contains("hunter2"), "{error}");
            }
            simulator.clear_faults();
        }
    }
    assert_eq!(trap.visitors(), 0);
    let elsewhere = |entry: &taurus_sim::Entry| entry.path.ends_with("elsewhere");
    assert!(!simulator.journal().iter().any(elsewhere));
}

#[tokio::test]
async fn d13_endpoints_are_brought_into_one_form_or_refused() {
    let simulator = simulator().await;
    let port = simulator.address().port();
    let allowed = format!("http://localhost:{port}");
    let connector = Connector::new(policy(&allowed, |_| ())).unwrap();
    for address in [
        format!("http://localhost:{port}"),
        format!("http://localhost:{port}/"),
        format!("HTTP://LocalHost:{port}/"),
        format!("http://localhost.:{port}"),
    ] {
        let subject = place(&address, &address);
        for pairs in [&KEYS[..], &USER] {
            let cloud = connector.connect(&subject, credential(pairs)).unwrap();
            cloud.list_proxies(&instance()).await.unwrap();
        }
    }
    let base = format!(
        "/v3/{}/instances/{}/proxies",
        sample::PROJECT,
        sample::INSTANCE
    );
    for entry in simulator.journal() {
        assert!(
            [base.as_str(), "/v3/auth/tokens"].contains(&entry.path.as_str()),
            "{entry}"
        );
        assert_eq!(
            entry.headers["host"],
            format!("localhost:{port}"),
            "{entry}"
        );
    }
    for address in [
        format!("localhost:{port}"),
        "localhost".to_owned(),
        format!("http://localhost:{port}/v3"),
        format!("http://localhost:{port}//"),
        format!("http://localhost:{port}?x=1"),
        format!("http://localhost:{port}/#x"),
        "http://localhost".to_owned(),
        "https://private.cloud.example.test".to_owned(),
        "http://gaussdb.cn-north-4.myhuaweicloud.com".to_owned(),
    ] {
        let error = connector
            .connect(&place(&address, &allowed), credential(&KEYS))
            .err();
        assert_eq!(
            error.unwrap().meaning,
            Meaning::EndpointNotAllowed,
            "{address}"
        );
    }
    // A private cloud is allowed by its host, with any port, and plain http only where that is allowed too.
    let private = |allow_http| {
        let hosts = ["private.cloud.example.test".to_owned()];
        let allow = AllowList::new(hosts, allow_http);
        Connector::new(policy(&allowed, |policy| policy.allow = allow)).unwrap()
    };
    let may = |connector: &Connector, address: &str| {
        let connected = connector.connect(&place(address, address), credential(&USER));
        connected.is_ok()
    };
    for (address, plain) in [
        ("https://private.cloud.example.test", false),
        ("https://private.cloud.example.test.:8443/", false),
        ("http://private.cloud.example.test", true),
    ] {
        assert_eq!(may(&private(false), address), !plain, "{address}");
        assert!(may(&private(true), address), "{address}");
    }
}

/// With an endpoint the region is needed for nothing but IAM: nobody has to create the resource anew for it.
#[tokio::test]
async fn a_password_without_an_address_of_iam_asks_for_that_address_alone() {
    let url = "https://private.cloud.example.test";
    let connector = Connector::new(policy(url, |_| ())).unwrap();
    for region in [None, Some("eu-west-101")] {
        let place = Subject {
            region: region.map(str::to_owned),
            iam_endpoint: None,
            ..place(url, url)
        };
        let error = connector.connect(&place, credential(&USER)).err().unwrap();
        assert_eq!(error.meaning, Meaning::RegionUnknown);
        assert!(error.text.ends_with("set spec.iamEndpoint"), "{error}");
    }
}
