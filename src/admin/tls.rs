//! `/metrics` by https: which certificate is shown, and its files, which are read again while the process runs.
//!
//! Promises that a certificate that was swapped in its files is shown to connections that are opened soon after, and that the last
//! good one is shown while the files are broken, gone, or on a file system that hangs.

use std::{
    convert::Infallible,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use prometheus_client::metrics::gauge::Gauge;
use rustls::{
    Error, ServerConfig,
    crypto::ring,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{
    clock,
    config::certificate::{CertificateFault, Files, MetricsTls},
    one_at_a_time::OneAtATime,
};

/// How often the files are read.
pub const READ_EVERY: Duration = Duration::from_secs(10);

/// A read that takes longer counts as failed.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// The certificate that is shown, and where it comes from.
#[derive(Debug)]
pub struct Certificates {
    files: Files,
    reads: OneAtATime,
    kept: RwLock<Kept>,
    /// 1 while the files can't be used.
    broken: Gauge,
}

#[derive(Debug)]
struct Kept {
    certificate: Arc<CertifiedKey>,
    /// What was wrong with the files when they were read last.
    fault: Option<String>,
}

impl Certificates {
    /// Shows what the files held at the start; `broken` tells whether they still can be used.
    pub fn new(tls: MetricsTls, broken: Gauge) -> Self {
        Self {
            files: tls.files,
            reads: OneAtATime::default(),
            kept: RwLock::new(Kept {
                certificate: tls.certificate,
                fault: None,
            }),
            broken,
        }
    }

    /// The certificate that is shown now.
    pub fn current(&self) -> Arc<CertifiedKey> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&kept.certificate)
    }

    /// Reads the files again and again. Never ends.
    pub async fn keep(&self) -> Infallible {
        loop {
            clock::pause(READ_EVERY).await;
            self.look_again().await;
        }
    }

    /// Reads the files again.
    pub async fn look_again(&self) {
        self.look_within(READ_WITHIN).await;
    }

    async fn look_within(&self, patience: Duration) {
        let files = self.files.clone();
        let reading = self.reads.read(patience, move || files.read()).await;
        let late = || Err(format!("the files can't be read within {patience:?}"));
        self.take(reading.map_or_else(late, |read| {
            read.map_err(|fault: CertificateFault| fault.to_string())
        }));
    }

    /// The files were read again.
    fn take(&self, read: Result<CertifiedKey, String>) {
        self.broken.set(read.is_err().into());
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(certificate) => {
                let was_broken = kept.fault.take().is_some();
                if certificate.cert != kept.certificate.cert {
                    kept.certificate = Arc::new(certificate);
                    tracing::info!("/metrics shows another certificate, which was read just now");
                } else if was_broken {
                    tracing::info!(
                        "the files of --metrics-tls-cert and --metrics-tls-key can be used again"
                    );
                }
            }
            Err(fault) => {
                if kept.fault.as_ref() != Some(&fault) {
                    tracing::error!(
                        error = fault,
                        "the certificate of /metrics can't be read again: the one read before stays in use, until it expires"
                    );
                }
                kept.fault = Some(fault);
            }
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// How connections are answered. No session is resumed: each connection sees the certificate of its time.
pub fn server_config(certificates: Arc<Certificates>) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::{
        cli::{Cli, Command},
        config::certificate,
    };

    /// A file whose reader waits for a writer, as that of a volume whose server is gone.
    #[cfg(unix)]
    #[tokio::test]
    async fn files_that_hang_hold_nobody_up_and_the_last_good_certificate_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let [path, of_key] = ["tls.crt", "tls.key"].map(|name| folder.path().join(name));
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["operator.test".to_owned()]).unwrap();
        let text = params.self_signed(&key).unwrap().pem();
        std::fs::write(&path, &text).unwrap();
        std::fs::write(&of_key, key.serialize_pem()).unwrap();
        let line = [
            "operator".to_owned(),
            "run".to_owned(),
            format!("--metrics-tls-cert={}", path.display()),
            format!("--metrics-tls-key={}", of_key.display()),
        ];
        let Command::Run(arguments) = Cli::try_parse_from(line).unwrap().command else {
            panic!("not the command that was given");
        };
        let tls = certificate::read(&arguments).unwrap().unwrap();
        let broken = Gauge::default();
        let certificates = Certificates::new(tls, broken.clone());
        let first = certificates.current();

        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let soon = Duration::from_millis(20);
        for _ in 0..2 {
            certificates.look_within(soon).await;
            assert!(Arc::ptr_eq(&first, &certificates.current()));
            assert_eq!(broken.get(), 1);
        }
        // The reader gets what it has waited for.
        std::fs::write(&path, &text).unwrap();
        while certificates.reads.is_reading() {
            tokio::task::yield_now().await;
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &text).unwrap();
        certificates.look_again().await;
        assert!(Arc::ptr_eq(&first, &certificates.current()), "the same");
        assert_eq!(broken.get(), 0);
    }
}
