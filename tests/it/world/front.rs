//! What may stand between the operator and the cloud: TLS with a certificate of one's own, and a proxy for https.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as Listener},
    sync::{Arc, Mutex},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader, copy_bidirectional,
    },
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A certificate authority that no machine knows.
pub struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate with its key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    /// An authority of this name.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        Self {
            certificate,
            issuer,
        }
    }

    /// Its certificate, in PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Its certificate.
    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    /// A certificate for a server of this name and its key, in PEM.
    pub fn issue(&self, name: &str) -> [String; 2] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        [certificate.pem(), key.serialize_pem()]
    }

    /// A certificate for a server of this name, with what else `change` says.
    pub fn vouch_for(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }
}

/// A server that lives as long as its story.
pub struct Front {
    address: SocketAddr,
    task: JoinHandle<()>,
    asked_for: Names,
}

/// The names that callers asked for in their TLS; nothing where they gave none.
type Names = Arc<Mutex<Vec<Option<String>>>>;

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Front {
    /// Speaks TLS on a port of its own, and hands on what it hears to `behind`.
    pub fn with_tls(identity: Identity, behind: SocketAddr) -> Self {
        Self::with_tls_at(Ipv4Addr::LOCALHOST.into(), identity, behind)
    }

    /// As [`Self::with_tls`], at this address of the machine.
    pub fn with_tls_at(at: IpAddr, identity: Identity, behind: SocketAddr) -> Self {
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(identity.chain, identity.key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let asked_for = Names::default();
        let names = Arc::clone(&asked_for);
        let front = Self::serve_at(at, move |stream| {
            let (acceptor, names) = (acceptor.clone(), Arc::clone(&names));
            async move {
                // Who doesn't like the certificate goes away.
                let Ok(mut outside) = acceptor.accept(stream).await else {
                    return;
                };
                let name = outside.get_ref().1.server_name().map(str::to_owned);
                names.lock().unwrap().push(name);
                let mut inside = TcpStream::connect(behind).await.unwrap();
                let _ = copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
        front.with_names(asked_for)
    }

    fn with_names(mut self, asked_for: Names) -> Self {
        self.asked_for = asked_for;
        self
    }

    /// Takes connections, and never says a word.
    pub fn silent() -> Self {
        Self::serve(|stream| async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
    }

    /// Hands on what it hears to `behind`, on this port if there is one.
    pub async fn plain(port: Option<u16>, behind: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).await;
        Self::serve_on(listener.unwrap(), move |mut outside| async move {
            let mut inside = TcpStream::connect(behind).await.unwrap();
            let _ = copy_bidirectional(&mut outside, &mut inside).await;
        })
    }

    fn serve<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::serve_at(Ipv4Addr::LOCALHOST.into(), handle)
    }

    fn serve_at<F>(at: IpAddr, handle: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = Listener::bind((at, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::serve_on(TcpListener::from_std(listener).unwrap(), handle)
    }

    fn serve_on<F>(listener: TcpListener, handle: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(handle(stream));
            }
        });
        Self {
            address,
            task,
            asked_for: Names::default(),
        }
    }

    /// The names that callers asked for in their TLS so far.
    pub fn asked_for(&self) -> Vec<Option<String>> {
        self.asked_for.lock().unwrap().clone()
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

/// A proxy for https that keeps a list of where its callers wanted to go, and of the first byte that each has sent.
pub struct Egress {
    front: Front,
    asked: Arc<Mutex<Vec<String>>>,
    first_bytes: Arc<Mutex<Vec<u8>>>,
}

impl Egress {
    /// A proxy that takes whoever shows these credentials (`user:password` in base64).
    pub fn new(credentials: &'static str) -> Self {
        Self::start(credentials, None)
    }

    /// As [`Self::new`], spoken to through TLS.
    pub fn with_tls(credentials: &'static str, identity: Identity) -> Self {
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(identity.chain, identity.key)
            .unwrap();
        Self::start(credentials, Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn start(credentials: &'static str, tls: Option<TlsAcceptor>) -> Self {
        let (asked, first_bytes) = (Arc::default(), Arc::default());
        let (seen, firsts) = (Arc::clone(&asked), Arc::clone(&first_bytes));
        let front = Front::serve(move |stream| {
            let (seen, tls) = (Arc::clone(&seen), tls.clone());
            let firsts: Arc<Mutex<Vec<u8>>> = Arc::clone(&firsts);
            async move {
                let mut first = [0];
                if stream.peek(&mut first).await.is_ok_and(|count| count == 1) {
                    firsts.lock().unwrap().push(first[0]);
                }
                match tls {
                    None => tunnel(stream, credentials, seen).await,
                    Some(tls) => {
                        // Who doesn't like the certificate, or speaks no TLS, goes away.
                        if let Ok(stream) = tls.accept(stream).await {
                            tunnel(stream, credentials, seen).await;
                        }
                    }
                }
            }
        });
        Self {
            front,
            asked,
            first_bytes,
        }
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.front.port()
    }

    /// The first lines of all requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The first byte of each connection so far that has sent any.
    pub fn first_bytes(&self) -> Vec<u8> {
        self.first_bytes.lock().unwrap().clone()
    }
}

async fn tunnel(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    credentials: &str,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let mut caller = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        caller.read_line(&mut line).await.unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let first = lines.first().cloned().unwrap_or_default();
    asked.lock().unwrap().push(first.clone());
    let wanted = format!("proxy-authorization: Basic {credentials}");
    let known = lines.iter().any(|line| line.eq_ignore_ascii_case(&wanted));
    let target = first
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next());
    let (Some(target), true) = (target, known) else {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
        caller.write_all(refusal.as_bytes()).await.unwrap();
        return;
    };
    let mut inside = TcpStream::connect(target).await.unwrap();
    let answer = "HTTP/1.1 200 Connection established\r\n\r\n";
    caller.write_all(answer.as_bytes()).await.unwrap();
    caller.flush().await.unwrap();
    let _ = copy_bidirectional(&mut caller, &mut inside).await;
}

/// Hands on what it hears and keeps a record of all of it, as somebody who listens to plain http could.
pub struct Recorded {
    front: Front,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Recorded {
    /// On a port of its own.
    pub fn start(behind: SocketAddr) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&heard);
        let front = Front::serve(move |outside| {
            let record = Arc::clone(&record);
            async move {
                let inside = TcpStream::connect(behind).await.unwrap();
                let (from_caller, to_caller) = outside.into_split();
                let (from_server, to_server) = inside.into_split();
                tokio::join!(
                    hand_on(from_caller, to_server, &record),
                    hand_on(from_server, to_caller, &record)
                );
            }
        });
        Self { front, heard }
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.front.port()
    }

    /// The headers that credentials crossed in, by their names in lower case.
    pub fn secrets(&self) -> Vec<(String, String)> {
        let heard = self.heard.lock().unwrap();
        let text = String::from_utf8_lossy(&heard);
        let headers = text.lines().filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let secret = ["authorization", "x-auth-token", "x-subject-token"];
        headers
            .filter(|(name, _)| secret.contains(&name.as_str()))
            .collect()
    }
}

async fn hand_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    record: &Mutex<Vec<u8>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        record.lock().unwrap().extend_from_slice(&buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    // Who hears no more says so to the other side.
    let _ = to.shutdown().await;
}
