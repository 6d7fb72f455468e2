//! Every setting that can't be used is refused, by flag and environment name.

use std::sync::Arc;

use clap::Parser as _;

use super::*;
use crate::{
    cli::{Cli, Command},
    clock::Clock,
    cloud::Connect as _,
    cloud::{
        Meaning,
        auth::secret::Credential,
        connector::{Connector, Policy},
        names::Names,
    },
    model::{ProjectId, ProxyId},
    place::{InstanceKey, Subject},
};

fn config(arguments: &[&str]) -> Result<Config, ConfigError> {
    let line = ["taurus-port-operator", "run"].iter().chain(arguments);
    let Command::Run(arguments) = Cli::try_parse_from(line).unwrap().command else {
        panic!("not the command that was given");
    };
    Config::new(&arguments)
}

fn given(text: &str) -> String {
    text.to_owned()
}

#[test]
fn without_flags_the_defaults_hold() {
    let config = config(&[]).unwrap();
    assert_eq!(config.namespace, None);
    assert_eq!(config.resync, Duration::from_mins(10));
    assert_eq!(config.concurrency, 16);
    assert_eq!(config.admin_address.to_string(), "[::]:8080");
    let lease = config.election.unwrap();
    assert_eq!(lease.lease, "taurus-port-operator");
    assert_eq!(lease.namespace, None, "its own");
    assert_eq!(config.pace, Pace::real());
    assert!(config.networks.address("10.20.0.1").is_ok());
    assert!(config.networks.address("192.0.2.7").is_err(), "public");
    assert!(config.networks.address("100.64.0.1").is_err(), "shared");
    assert_eq!(config.telemetry.logs.format, Format::Text);
    assert_eq!(config.telemetry.logs.filter.to_string(), "info");
    let region = "https://gaussdb.cn-north-4.myhuaweicloud.com";
    assert!(config.allow.check(region).is_ok());
    assert!(config.allow.check("http://127.0.0.1:9000").is_err());
}

#[test]
fn what_is_given_is_taken() {
    let config = config(&[
        "--namespace=shop",
        "--resync=1h30m",
        "--concurrency=1",
        "--allowed-endpoint=127.0.0.1:9000,cloud.example.test",
        "--allowed-endpoint=[::1]:9001",
        "--allow-http",
        "--proxy-networks=10.20.0.0/16, fd00:7::/32",
        "--admin-address=[::]:9090",
        "--log-format=json",
        "--log-level=info,kube=debug",
    ])
    .unwrap();
    assert_eq!(config.namespace.as_deref(), Some("shop"));
    assert_eq!(config.resync, Duration::from_mins(90));
    assert_eq!(config.concurrency, 1);
    assert_eq!(config.networks.to_string(), "10.20.0.0/16,fd00:7::/32");
    for address in [
        "http://127.0.0.1:9000",
        "http://[::1]:9001",
        "https://cloud.example.test",
        "https://gaussdb.cn-north-4.myhuaweicloud.com",
    ] {
        assert!(config.allow.check(address).is_ok(), "{address}");
    }
    assert_eq!(config.admin_address.to_string(), "[::]:9090");
    assert_eq!(config.telemetry.logs.format, Format::Json);
}

#[test]
fn security_groups_are_read_only_where_that_is_asked_for() {
    assert_eq!(config(&[]).unwrap().groups, None);
    let vpc = "--vpc-endpoint=https://vpc.example.test/";
    let allowed = "--allowed-endpoint=vpc.example.test";
    assert_eq!(config(&[vpc, allowed]).unwrap().groups, None);
    let on = config(&["--check-security-groups", "--vpc-endpoint="]);
    assert_eq!(on.unwrap().groups, Some(GroupsPolicy::default()));
    let on = config(&["--check-security-groups=true", vpc, allowed]);
    let expected = GroupsPolicy {
        vpc_endpoint: Some("https://vpc.example.test".to_owned()),
    };
    assert_eq!(on.unwrap().groups, Some(expected));
}

#[test]
fn what_is_empty_counts_as_not_given() {
    let config = config(&[
        "--namespace=",
        "--allowed-endpoint=",
        "--allow-http=",
        "--extra-ca=",
    ])
    .unwrap();
    assert_eq!(config.namespace, None);
    assert!(config.allow.check("http://127.0.0.1:9000").is_err());
    assert_eq!(config.extra_authorities, Authorities::none());
}

#[test]
fn what_cannot_be_used_is_refused() {
    let long = "a".repeat(64);
    let long_flag = format!("--namespace={long}");
    let short = |text: &str| ConfigError::ResyncTooShort {
        given: given(text),
        floor: Duration::from_secs(10),
    };
    let table: [(&[&str], ConfigError); 31] = [
        (&["--namespace=Shop"], ConfigError::Namespace(given("Shop"))),
        (&["--namespace=a,b"], ConfigError::Namespace(given("a,b"))),
        (&["--namespace=-a"], ConfigError::Namespace(given("-a"))),
        (&[&long_flag], ConfigError::Namespace(long.clone())),
        (&["--resync=ten"], ConfigError::Resync(given("ten"))),
        (&["--resync=600"], ConfigError::Resync(given("600"))),
        (&["--resync="], ConfigError::Resync(String::new())),
        (&["--resync=1 day"], ConfigError::Resync(given("1 day"))),
        (&["--resync=9999ms"], short("9999ms")),
        (&["--resync=-10m"], short("-10m")),
        (&["--concurrency=0"], ConfigError::Concurrency(given("0"))),
        (
            &["--concurrency=65536"],
            ConfigError::Concurrency(given("65536")),
        ),
        (
            &["--concurrency=many"],
            ConfigError::Concurrency(given("many")),
        ),
        (
            &["--allowed-endpoint=https://a.test"],
            ConfigError::Endpoint(EndpointFault::NotBare(given("https://a.test"))),
        ),
        (
            &["--allowed-endpoint=a.test,*.b.test"],
            ConfigError::Endpoint(EndpointFault::NotAHost(given("*.b.test"))),
        ),
        (
            &["--allow-http=maybe"],
            ConfigError::AllowHttp(given("maybe")),
        ),
        (
            &["--check-security-groups=maybe"],
            ConfigError::CheckSecurityGroups(given("maybe")),
        ),
        (
            &["--leader-elect=perhaps"],
            ConfigError::LeaderElect(given("perhaps")),
        ),
        (&["--lease-name=A"], ConfigError::LeaseName(given("A"))),
        (&["--lease-name="], ConfigError::LeaseName(String::new())),
        (
            &["--lease-namespace=a/b"],
            ConfigError::LeaseNamespace(given("a/b")),
        ),
        (&["--allow-http"], ConfigError::AllowHttpForNobody),
        (
            &["--admin-address=:8080"],
            ConfigError::AdminAddress(given(":8080")),
        ),
        (
            &["--admin-address=0.0.0.0"],
            ConfigError::AdminAddress(given("0.0.0.0")),
        ),
        (&["--log-format=xml"], ConfigError::LogFormat(given("xml"))),
        (
            &["--log-level=loud=very"],
            ConfigError::LogLevel(given("loud=very")),
        ),
        (&["--log-level="], ConfigError::LogLevel(String::new())),
        (&["--pace=0"], ConfigError::Pace(given("0"))),
        (&["--pace=fast"], ConfigError::Pace(given("fast"))),
        (&["--pace=60"], ConfigError::PaceBeyondLoopback),
        (
            &[
                "--pace=60",
                "--allowed-endpoint=127.0.0.1:9000,cloud.example.test",
            ],
            ConfigError::PaceBeyondLoopback,
        ),
    ];
    for (arguments, error) in table {
        assert_eq!(config(arguments).unwrap_err(), error, "{arguments:?}");
    }
}

#[test]
fn every_refusal_names_flag_and_environment() {
    for (flag, value) in [
        ("namespace", "A"),
        ("resync", "1"),
        ("resync", "1s"),
        ("concurrency", "0"),
        ("allowed-endpoint", "*"),
        ("allow-http", "maybe"),
        ("allow-http", "true"),
        ("proxy-networks", ""),
        ("proxy-networks", "10.0.0.1"),
        ("check-security-groups", "maybe"),
        ("vpc-endpoint", "https://vpc.example.test"),
        ("admin-address", "x"),
        ("metrics-tls-address", "x"),
        ("log-format", "x"),
        ("log-level", "x=y"),
        ("extra-ca", "/nonexistent/bundle.pem"),
        ("pace", "0"),
        ("pace", "2"),
    ] {
        let error = config(&[&format!("--{flag}={value}")])
            .unwrap_err()
            .to_string();
        let name = format!("TAURUS_{}", flag.replace('-', "_").to_uppercase());
        assert!(error.starts_with(&format!("--{flag} ({name})")), "{error}");
    }
}

/// Whether a resource that names only its region is connected to the cloud.
fn connects_to_a_region(config: Config) -> Result<(), Meaning> {
    // An error means that another test was quicker.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let connector = Connector::new(Policy {
        allow: config.allow,
        call_timeout: config.pace.call_timeout,
        lock_out: config.pace.lock_out(),
        throttle_pause: config.pace.throttled,
        extra_authorities: config.extra_authorities,
        egress: config.egress,
        names: Names::of_the_system(),
        call_limit: config.call_limit,
        calls_at_once: 8,
        clock: Clock::start(),
        observer: Arc::new(()),
    });
    let subject = Subject {
        region: Some(given("cn-north-4")),
        endpoint: None,
        iam_endpoint: None,
        project: ProjectId::parse("0483b6b16e954cb88930a360d2c4e663").unwrap(),
        instance: InstanceKey::somewhere("3d39c18788b54a919bab633874c159dfin07"),
        proxy: ProxyId::parse("4d1f0a77c2b94e5f8a6031d7be92c405po01").unwrap(),
    };
    let credential = Credential::Token("invented".into());
    let cloud = connector.unwrap().connect(&subject, credential);
    cloud.map(|_| ()).map_err(|error| error.meaning)
}

#[test]
fn a_hurried_operator_calls_no_host_but_loopback() {
    let arguments = [
        "--pace=60",
        "--allowed-endpoint=127.0.0.1:9000",
        "--allow-http",
    ];
    let hurried = config(&arguments).unwrap();
    assert_eq!(hurried.pace, Pace::divided_by(60));
    assert!(hurried.allow.check("http://127.0.0.1:9000").is_ok());
    assert_eq!(
        connects_to_a_region(hurried),
        Err(Meaning::EndpointNotAllowed)
    );
    assert_eq!(connects_to_a_region(config(&[]).unwrap()), Ok(()));
}

#[test]
fn a_hurried_operator_may_resync_sooner() {
    let hurried = |resync| {
        let resync = format!("--resync={resync}");
        config(&["--pace=10", "--allowed-endpoint=localhost", &resync])
    };
    assert_eq!(hurried("1s").unwrap().resync, Duration::from_secs(1));
    assert!(matches!(
        hurried("999ms"),
        Err(ConfigError::ResyncTooShort { .. })
    ));
}
