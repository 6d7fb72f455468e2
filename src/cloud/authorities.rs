//! Certificate authorities that are believed beside those of the machine, from a file that may be swapped later.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Why a file is no bundle of authorities.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesFault {
    /// The file can't be read.
    #[error("{path} can't be read ({why}): give a file that the operator may read")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// It is no PEM, or holds none of certificates.
    #[error(
        "{0} holds no certificate: give a PEM file with one or more blocks that begin with -----BEGIN CERTIFICATE-----"
    )]
    Empty(String),
    /// One of the blocks is damaged.
    #[error("certificate {number} of {path} can't be used ({why}): remove it or write it again")]
    Unusable {
        /// The file.
        path: String,
        /// Which block, from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// Authorities, and the file that they came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorities {
    path: Option<String>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// None but those of the machine.
    pub fn none() -> Self {
        Self::default()
    }

    /// These, which never change.
    pub fn of(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self {
            path: None,
            certificates,
        }
    }

    /// Those that this file holds.
    pub fn read(path: &str) -> Result<Self, AuthoritiesFault> {
        let certificates = read(path)?;
        Ok(Self {
            path: Some(path.to_owned()),
            certificates,
        })
    }

    /// Those that the file holds now; nothing if they are the same, or if there is no file.
    pub fn again(&self) -> Result<Option<Self>, AuthoritiesFault> {
        let read = self.path.as_deref().map(Self::read).transpose()?;
        Ok(read.filter(|read| read != self))
    }

    /// The file.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The certificates.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }
}

/// Reads a bundle of certificates in PEM; what stands between the blocks, and blocks of other kinds, are passed over.
fn read(path: &str) -> Result<Vec<CertificateDer<'static>>, AuthoritiesFault> {
    let bundle = std::fs::read(path).map_err(|error| AuthoritiesFault::Unreadable {
        path: path.to_owned(),
        why: error.to_string(),
    })?;
    let certificates = CertificateDer::pem_slice_iter(&bundle)
        .zip(1..)
        .map(|(certificate, number)| usable(path, number, certificate))
        .collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() {
        return Err(AuthoritiesFault::Empty(path.to_owned()));
    }
    Ok(certificates)
}

fn usable(
    path: &str,
    number: usize,
    certificate: Result<CertificateDer<'static>, rustls::pki_types::pem::Error>,
) -> Result<CertificateDer<'static>, AuthoritiesFault> {
    let unusable = |why: String| AuthoritiesFault::Unusable {
        path: path.to_owned(),
        number,
        why,
    };
    let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
    RootCertStore::empty()
        .add(certificate.clone())
        .map_err(|error| unusable(error.to_string()))?;
    Ok(certificate)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    /// A certificate authority of its own, in PEM.
    pub fn authority() -> String {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        authority.self_signed(&key).unwrap().pem()
    }

    fn read_text(text: &str) -> Result<usize, AuthoritiesFault> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap();
        read(path).map(|certificates| certificates.len())
    }

    #[test]
    fn a_bundle_of_several_with_comments_and_other_line_ends_is_read() {
        let (one, other) = (authority(), authority());
        assert_eq!(read_text(&one), Ok(1));
        let bundle = format!(
            "# ours\n{one}\nsubject: theirs\r\n{}",
            other.replace('\n', "\r\n")
        );
        assert_eq!(read_text(&bundle), Ok(2));
        let with_key = format!("{}{one}", KeyPair::generate().unwrap().serialize_pem());
        assert_eq!(read_text(&with_key), Ok(1));
    }

    #[test]
    fn what_is_no_bundle_is_refused_with_the_file_and_the_block_named() {
        let good = authority();
        for text in [
            "",
            "no certificate",
            "-----BEGIN NOTHING-----\n-----END NOTHING-----\n",
        ] {
            assert!(
                matches!(read_text(text), Err(AuthoritiesFault::Empty(_))),
                "{text}"
            );
        }
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let odd = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
        for second in [broken, odd] {
            let fault = read_text(&format!("{good}{second}")).unwrap_err();
            assert!(
                matches!(fault, AuthoritiesFault::Unusable { number: 2, .. }),
                "{fault}"
            );
        }
        let missing = read("/nonexistent/bundle.pem").unwrap_err().to_string();
        assert!(
            missing.starts_with("/nonexistent/bundle.pem can't be read"),
            "{missing}"
        );
        let folder = tempfile::tempdir().unwrap();
        let folder = read(folder.path().to_str().unwrap()).unwrap_err();
        assert!(
            matches!(folder, AuthoritiesFault::Unreadable { .. }),
            "{folder}"
        );
    }
}
