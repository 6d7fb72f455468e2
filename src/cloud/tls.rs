//! Whose certificates are believed: those that this machine trusts, and further authorities that the operator was started with.
//!
//! Verification is the platform's own and never skipped; what is added is the name of an issuer that is not trusted.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use rustls_platform_verifier::Verifier;
use x509_cert::{Certificate, der::Decode as _};

use crate::cloud::authorities::Authorities;

/// Nobody trusts who issued the server's certificate.
#[derive(Debug, thiserror::Error)]
struct UnknownIssuer {
    issuer: String,
    /// The file of further authorities, if there is one.
    file: Option<String>,
}

impl fmt::Display for UnknownIssuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, file } = self;
        match file {
            None => write!(
                formatter,
                "this machine does not trust its issuer, {issuer}; to trust it, give its authority to the operator with --extra-ca"
            ),
            Some(file) => write!(
                formatter,
                "neither this machine nor {file}, the file of --extra-ca, trusts its issuer, {issuer}; to trust it, add its \
                 authority to that file, which is read again when it changes"
            ),
        }
    }
}

/// The verifier of the platform, which keeps the name of an unknown issuer to itself.
#[derive(Debug)]
struct Naming {
    verifier: Verifier,
    file: Option<String>,
}

/// For connections to the cloud; `extra` are authorities that are believed beside those of the machine.
pub fn client_config(extra: &Authorities) -> Result<ClientConfig, Error> {
    let provider = CryptoProvider::get_default().map_or_else(
        || Arc::new(rustls::crypto::ring::default_provider()),
        Arc::clone,
    );
    let verifier = Naming {
        verifier: Verifier::new_with_extra_roots(
            extra.certificates().iter().cloned(),
            Arc::clone(&provider),
        )?,
        file: extra.path().map(str::to_owned),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// What is wrong with a certificate or a handshake, for people.
pub fn describe(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(other)))
            if other.is::<UnknownIssuer>() =>
        {
            other.to_string()
        }
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            format!("it has expired, {}", moment(*not_after))
        }
        Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => {
            format!("it is not valid before {}", moment(*not_before))
        }
        other => other.to_string(),
    }
}

fn moment(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "at an odd time".to_owned(), |time| time.to_string())
}

/// The issuer's name as the certificate has it (RFC 4514).
fn issuer(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let name = certificate.tbs_certificate().issuer().to_string();
    (!name.is_empty()).then_some(name)
}

impl ServerCertVerifier for Naming {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        verified.map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                // The last of the chain is the nearest to who should be known.
                let last = intermediates.last().unwrap_or(end_entity);
                issuer(last).map_or(error, |issuer| {
                    let other = OtherError(Arc::new(UnknownIssuer {
                        issuer,
                        file: self.file.clone(),
                    }));
                    Error::InvalidCertificate(CertificateError::Other(other))
                })
            }
            _ => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
