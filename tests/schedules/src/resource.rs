//! A resource as people make it.

use taurus_port_operator::crd::{CredentialsReference, TaurusProxyPort, TaurusProxyPortSpec};

use crate::{NAMESPACE, keys};

/// The name of a Secret, as a resource names it.
pub fn credentials(name: &str) -> CredentialsReference {
    CredentialsReference {
        name: name.to_owned(),
    }
}

/// A resource for a proxy on an instance, with nothing said that need not be said.
pub fn resource(name: &str, instance: &str, proxy: &str, port: u16) -> TaurusProxyPort {
    let mut object = TaurusProxyPort::new(
        name,
        TaurusProxyPortSpec {
            region: Some("ap-southeast-3".to_owned()),
            project_id: "0".repeat(32),
            instance_id: instance.to_owned(),
            proxy_id: proxy.to_owned(),
            port: port.into(),
            credentials_ref: Some(credentials(keys::NAME)),
            endpoint: None,
            iam_endpoint: None,
            management_policy: None,
            suspend: None,
            change_timeout: None,
            ..TaurusProxyPortSpec::default()
        },
    );
    object.metadata.namespace = Some(NAMESPACE.to_owned());
    object
}
