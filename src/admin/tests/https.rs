//! `/metrics` over real HTTPS, on a port of its own.

use std::{fs, path::Path};

use clap::Parser as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::{
    cli::{Cli, Command},
    config::certificate,
};

/// An authority that no machine knows.
struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        Self {
            certificate,
            issuer,
        }
    }

    /// Puts another certificate of the operator and its key into the folder.
    fn issue(&self, folder: &Path) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["operator.test".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
        fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
        certificate.der().clone()
    }

    /// A client that believes this authority alone, and would resume its sessions.
    fn client(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }
}

/// A server with a certificate from a folder.
struct Secured {
    served: Served,
    address: SocketAddr,
    certificates: Arc<Certificates>,
    broken: Gauge,
}

fn secured(folder: &Path) -> Secured {
    let of = |name: &str| folder.join(name).display().to_string();
    let line = [
        "operator".to_owned(),
        "run".to_owned(),
        format!("--metrics-tls-cert={}", of("tls.crt")),
        format!("--metrics-tls-key={}", of("tls.key")),
        "--metrics-tls-address=127.0.0.1:0".to_owned(),
    ];
    let Command::Run(arguments) = Cli::try_parse_from(line).unwrap().command else {
        panic!("not the command that was given");
    };
    let tls = certificate::read(&arguments).unwrap().unwrap();
    let broken = Gauge::default();
    let bound = Bound::new(([127, 0, 0, 1], 0).into()).unwrap();
    let bound = bound.with_tls(tls, broken.clone()).unwrap();
    let secure = bound.secure.as_ref().unwrap();
    let certificates = Arc::clone(&secure.certificates);
    Secured {
        address: secure.address,
        served: served_at(bound, Arc::default()),
        certificates,
        broken,
    }
}

impl Secured {
    async fn connect(&self, client: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("operator.test").unwrap();
        client.connect(name, stream).await
    }

    /// The certificate that a new connection is shown.
    async fn shown(&self, client: &TlsConnector) -> CertificateDer<'static> {
        let stream = self.connect(client).await.unwrap();
        shown(&stream)
    }
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let (_, session) = stream.get_ref();
    session.peer_certificates().unwrap()[0].clone()
}

async fn get(mut stream: TlsStream<TcpStream>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: operator\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn with_a_certificate_figures_are_served_by_https_alone_and_probes_by_http() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let certificate = authority.issue(folder.path());
    let secured = secured(folder.path());
    let client = authority.client();
    let stream = secured.connect(&client).await.unwrap();
    assert_eq!(shown(&stream), certificate);
    let answer = get(stream, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("# EOF\n"), "{answer}");
    for path in ["/livez", "/readyz"] {
        let stream = secured.connect(&client).await.unwrap();
        let answer = get(stream, path).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
    assert_eq!(secured.served.get("/livez").await.0, 200);
    assert_eq!(secured.served.get("/readyz").await.0, 503);
    let (status, text) = secured.served.get("/metrics").await;
    assert_eq!(status, 404);
    assert!(text.contains("--metrics-tls-address"), "{text}");
    assert!(!text.contains("taurus_"), "{text}");

    let stranger = Authority::new().client();
    assert!(secured.connect(&stranger).await.is_err(), "nobody it knows");
    // Who speaks no TLS is told nothing.
    let mut plain = TcpStream::connect(secured.address).await.unwrap();
    plain
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: operator\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Closed, or reset.
    let _ = plain.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("HTTP/"), "{answer}");
}

#[tokio::test]
async fn a_certificate_that_is_swapped_is_shown_to_new_connections_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let first = authority.issue(folder.path());
    let secured = secured(folder.path());
    let client = authority.client();
    assert_eq!(secured.shown(&client).await, first);

    let second = authority.issue(folder.path());
    secured.certificates.look_again().await;
    assert_eq!(secured.shown(&client).await, second);
    assert_eq!(secured.broken.get(), 0);

    let key = fs::read(folder.path().join("tls.key")).unwrap();
    for broken in [b"".as_slice(), b"no key"] {
        fs::write(folder.path().join("tls.key"), broken).unwrap();
        secured.certificates.look_again().await;
        assert_eq!(secured.shown(&client).await, second);
        assert_eq!(secured.broken.get(), 1);
    }
    // A pair that does not belong together, as while one of the files was swapped and the other was not yet.
    authority.issue(folder.path());
    fs::write(folder.path().join("tls.key"), key).unwrap();
    secured.certificates.look_again().await;
    assert_eq!(secured.shown(&client).await, second);
    assert_eq!(secured.broken.get(), 1);
    fs::remove_file(folder.path().join("tls.crt")).unwrap();
    secured.certificates.look_again().await;
    assert_eq!(secured.shown(&client).await, second);

    let last = authority.issue(folder.path());
    secured.certificates.look_again().await;
    assert_eq!(secured.shown(&client).await, last);
    assert_eq!(secured.broken.get(), 0);
}

#[tokio::test]
async fn https_on_a_taken_address_is_refused_with_its_own_setting() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().issue(folder.path());
    let secured = secured(folder.path());
    let error = bind(secured.address, METRICS_TLS_ADDRESS).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("--metrics-tls-address (TAURUS_METRICS_TLS_ADDRESS)"),
        "{error}"
    );
}

#[tokio::test]
async fn half_made_handshakes_take_no_room_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.issue(folder.path());
    let secured = secured(folder.path());
    let client = authority.client();
    let mut halves = Vec::new();
    for _ in 0..2 * connections::MOST {
        let mut half = TcpStream::connect(secured.address).await.unwrap();
        // The begin of a record of a handshake.
        half.write_all(&[22, 3, 1, 1]).await.unwrap();
        halves.push(half);
        if halves.len() % connections::MOST == 0 {
            let stream = secured.connect(&client).await.unwrap();
            assert!(get(stream, "/metrics").await.starts_with("HTTP/1.1 200 "));
        }
    }
    // The oldest were closed to make room, all but the last ones.
    let room = halves.len() - connections::MOST;
    for half in halves.iter_mut().take(room) {
        // Closed, or reset.
        let _ = half.read_to_end(&mut Vec::new()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().issue(folder.path());
    let secured = secured(folder.path());
    let mut stream = TcpStream::connect(secured.address).await.unwrap();
    let began = secured.served.clock.now();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    let waited = secured.served.clock.now().elapsed(began.uptime);
    assert!(waited < 2 * connections::HEAD_WITHIN, "{waited:?}");
}
