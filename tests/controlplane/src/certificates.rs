//! Keys and certificates of one control plane: made for it, valid for nobody else.

use std::{fs, io, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::Error;

/// All of it, PEM.
pub(crate) struct Certificates {
    pub(crate) authority: String,
    pub(crate) admin: (String, String),
    server: (String, String),
    service_account: KeyPair,
}

impl Certificates {
    pub(crate) fn make() -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority
            .distinguished_name
            .push(DnType::CommonName, "taurus test authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let certificate = authority.self_signed(&key)?;
        let issuer = Issuer::new(authority, key);

        let names = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "kubernetes.default.svc".to_owned(),
        ];
        let mut server = CertificateParams::new(names)?;
        server
            .distinguished_name
            .push(DnType::CommonName, "kube-apiserver");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];

        let mut admin = CertificateParams::new(Vec::new())?;
        admin.distinguished_name.push(DnType::CommonName, "admin");
        // RBAC lets this group do everything, before any rule exists.
        admin
            .distinguished_name
            .push(DnType::OrganizationName, "system:masters");
        admin.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];

        Ok(Self {
            authority: certificate.pem(),
            admin: signed(&admin, &issuer)?,
            server: signed(&server, &issuer)?,
            service_account: KeyPair::generate()?,
        })
    }

    /// Writes what the servers read.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::write(folder.join("ca.crt"), &self.authority)?;
        fs::write(folder.join("server.crt"), &self.server.0)?;
        fs::write(folder.join("server.key"), &self.server.1)?;
        let service_account = &self.service_account;
        fs::write(
            folder.join("service-account.key"),
            service_account.serialize_pem(),
        )?;
        fs::write(
            folder.join("service-account.pub"),
            service_account.public_key_pem(),
        )
    }
}

fn signed(
    params: &CertificateParams,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<(String, String), Error> {
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, issuer)?.pem(), key.serialize_pem()))
}
