//! The certificate of `/metrics` and its key, from files that may be swapped later.
//!
//! Promises that no word of the key's file reaches a message.

use std::{
    net::{AddrParseError, SocketAddr},
    sync::Arc,
};

use rustls::{
    Error, InconsistentKeys,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use crate::cli::RunArguments;

/// Why `/metrics` can't be served by https.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// There is a certificate without its key.
    #[error(
        "--metrics-tls-key (TAURUS_METRICS_TLS_KEY) is missing, and --metrics-tls-cert (TAURUS_METRICS_TLS_CERT) is set: give \
         both, or neither"
    )]
    WithoutKey,
    /// There is a key without its certificate.
    #[error(
        "--metrics-tls-cert (TAURUS_METRICS_TLS_CERT) is missing, and --metrics-tls-key (TAURUS_METRICS_TLS_KEY) is set: give \
         both, or neither"
    )]
    WithoutCertificate,
    /// The address is no address with a port.
    #[error(
        "--metrics-tls-address (TAURUS_METRICS_TLS_ADDRESS): {0:?} is not an IP address with a port: give one such as \
         [::]:8443 or 127.0.0.1:8443"
    )]
    Address(String),
    /// The file of the certificate can't be read.
    #[error(
        "--metrics-tls-cert (TAURUS_METRICS_TLS_CERT): {path} can't be read ({why}): give a file that the operator may read"
    )]
    CertificateUnreadable {
        /// The file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// The file of the key can't be read.
    #[error(
        "--metrics-tls-key (TAURUS_METRICS_TLS_KEY): {path} can't be read ({why}): give a file that the operator may read"
    )]
    KeyUnreadable {
        /// The file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// It is no PEM, or holds none of certificates, or a damaged one.
    #[error(
        "--metrics-tls-cert (TAURUS_METRICS_TLS_CERT): {0} holds no certificate that can be used: give a PEM file with the \
         certificate of the operator first, and those of its issuers after it"
    )]
    NoCertificate(String),
    /// It is no PEM, or holds no key that can be used.
    #[error(
        "--metrics-tls-key (TAURUS_METRICS_TLS_KEY): {0} holds no private key that can be used: give a PEM file with a key of \
         RSA, ECDSA (P-256 or P-384) or Ed25519, without a password"
    )]
    NoKey(String),
    /// The two don't belong together.
    #[error(
        "--metrics-tls-key (TAURUS_METRICS_TLS_KEY): the key in {key} is not that of the first certificate in {certificate}: \
         give the key of this certificate"
    )]
    Mismatch {
        /// The file of the certificate.
        certificate: String,
        /// That of the key.
        key: String,
    },
}

/// How `/metrics` is served by https.
#[derive(Debug)]
pub struct MetricsTls {
    /// Where.
    pub address: SocketAddr,
    /// The files of the certificate.
    pub files: Files,
    /// What they held at the start.
    pub certificate: Arc<CertifiedKey>,
}

/// The files of a certificate and of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    certificate: String,
    key: String,
}

/// The settings of https; none where no certificate is named.
///
/// # Errors
/// One of them can't be used.
pub fn read(arguments: &RunArguments) -> Result<Option<MetricsTls>, CertificateFault> {
    let given = &arguments.metrics_tls_address;
    let refused = |_: AddrParseError| CertificateFault::Address(given.clone());
    let address: SocketAddr = given.trim().parse().map_err(refused)?;
    let certificate = arguments.metrics_tls_cert.as_deref();
    let Some(files) = Files::named(certificate, arguments.metrics_tls_key.as_deref())? else {
        return Ok(None);
    };
    let certificate = Arc::new(files.read()?);
    Ok(Some(MetricsTls {
        address,
        files,
        certificate,
    }))
}

impl Files {
    /// These two. An empty path stands for none, as for an unset variable of a Deployment.
    fn named(
        certificate: Option<&str>,
        key: Option<&str>,
    ) -> Result<Option<Self>, CertificateFault> {
        let [certificate, key] = [certificate, key].map(|path| {
            let path = path.map(str::trim).filter(|path| !path.is_empty());
            path.map(str::to_owned)
        });
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some(Self { certificate, key })),
            (Some(_), None) => Err(CertificateFault::WithoutKey),
            (None, Some(_)) => Err(CertificateFault::WithoutCertificate),
            (None, None) => Ok(None),
        }
    }

    /// What they hold now.
    ///
    /// # Errors
    /// They hold no certificate, or not its key.
    pub fn read(&self) -> Result<CertifiedKey, CertificateFault> {
        match self.read_once() {
            // One of them may have been swapped after the other was read.
            Err(CertificateFault::Mismatch { .. }) => self.read_once(),
            read => read,
        }
    }

    fn read_once(&self) -> Result<CertifiedKey, CertificateFault> {
        let certificates = self.certificates()?;
        let key = std::fs::read(&self.key).map_err(|error| CertificateFault::KeyUnreadable {
            path: self.key.clone(),
            why: error.to_string(),
        })?;
        // What the libraries say of a key may have words of it.
        let no_key = || CertificateFault::NoKey(self.key.clone());
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| no_key())?;
        let provider = ring::default_provider();
        CertifiedKey::from_der(certificates, key, &provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => CertificateFault::Mismatch {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
            },
            Error::InvalidCertificate(_) => {
                CertificateFault::NoCertificate(self.certificate.clone())
            }
            _ => no_key(),
        })
    }

    /// The chain: what stands between the blocks, and blocks of other kinds, are passed over.
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
        let path = &self.certificate;
        let chain = std::fs::read(path);
        let chain = chain.map_err(|error| CertificateFault::CertificateUnreadable {
            path: path.clone(),
            why: error.to_string(),
        })?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        chain.ok_or_else(|| CertificateFault::NoCertificate(path.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use clap::Parser as _;
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::cli::{Cli, Command};

    fn with(flags: &[&str]) -> Result<Option<MetricsTls>, CertificateFault> {
        let line = ["operator", "run"].iter().chain(flags);
        let Command::Run(arguments) = Cli::try_parse_from(line).unwrap().command else {
            panic!("not the command that was given");
        };
        read(&arguments)
    }

    /// A certificate and its key, in PEM.
    fn pair() -> [String; 2] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        [certificate.pem(), key.serialize_pem()]
    }

    fn files(folder: &Path, [certificate, key]: &[String; 2]) -> Files {
        let [at, of_key] = ["tls.crt", "tls.key"].map(|name| folder.join(name));
        fs::write(&at, certificate).unwrap();
        fs::write(&of_key, key).unwrap();
        let [certificate, key] = [at, of_key].map(|path| path.to_str().unwrap().to_owned());
        Files { certificate, key }
    }

    #[test]
    fn without_files_there_is_no_https_and_one_of_them_is_not_enough() {
        assert!(with(&[]).unwrap().is_none());
        let empty = ["--metrics-tls-cert=", "--metrics-tls-key= "];
        assert!(with(&empty).unwrap().is_none());
        let alone = with(&["--metrics-tls-cert=/tls.crt"]).unwrap_err();
        assert_eq!(alone, CertificateFault::WithoutKey);
        assert!(alone.to_string().starts_with("--metrics-tls-key (TAURUS_"));
        let alone = with(&["--metrics-tls-key=/tls.key"]).unwrap_err();
        assert_eq!(alone, CertificateFault::WithoutCertificate);
        assert!(alone.to_string().starts_with("--metrics-tls-cert (TAURUS_"));
        let nowhere = with(&["--metrics-tls-address=:8443"]).unwrap_err();
        assert_eq!(nowhere, CertificateFault::Address(":8443".to_owned()));
    }

    #[test]
    fn a_certificate_and_its_key_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = pair();
        // The issuer's comes after it; the key may have company, too.
        let both = [format!("{certificate}\nissuer:\n{}", pair()[0]), key];
        let files = files(folder.path(), &both);
        assert_eq!(files.read().unwrap().cert.len(), 2);
        let flags = [
            format!("--metrics-tls-cert={}", files.certificate),
            format!("--metrics-tls-key={}", files.key),
        ];
        let tls = with(&[&flags[0], &flags[1]]).unwrap().unwrap();
        assert_eq!(
            (tls.address.to_string(), tls.files),
            ("[::]:8443".to_owned(), files)
        );
    }

    #[test]
    fn what_can_not_be_used_is_refused_with_the_setting_and_the_file_and_without_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let ([certificate, key], [_, other]) = (pair(), pair());
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let broken = key.replace("-----END PRIVATE KEY-----", "");
        let of_certificate = "--metrics-tls-cert (TAURUS_METRICS_TLS_CERT): ";
        let of_key = "--metrics-tls-key (TAURUS_METRICS_TLS_KEY): ";
        let cases: [([&str; 2], &str); 7] = [
            (["", &key], of_certificate),
            (["no certificate", &key], of_certificate),
            ([damaged, &key], of_certificate),
            ([&certificate, ""], of_key),
            ([&certificate, &certificate], of_key),
            ([&certificate, &broken], of_key),
            ([&certificate, &other], of_key),
        ];
        for (texts, setting) in cases {
            let files = files(folder.path(), &texts.map(str::to_owned));
            let fault = files.read().unwrap_err().to_string();
            assert!(fault.starts_with(setting), "{fault}");
            let path = folder.path().to_str().unwrap();
            assert!(fault.contains(path), "{fault}");
            let mut words = key.lines().filter(|line| !line.starts_with("-----"));
            assert!(words.all(|line| !fault.contains(line)), "{fault}");
        }
        let files = files(folder.path(), &pair());
        fs::remove_file(&files.key).unwrap();
        let fault = files.read().unwrap_err();
        assert!(matches!(fault, CertificateFault::KeyUnreadable { .. }));
        fs::remove_file(&files.certificate).unwrap();
        let fault = files.read().unwrap_err();
        assert!(matches!(
            fault,
            CertificateFault::CertificateUnreadable { .. }
        ));
    }
}
