//! The credentials that the cloud is read with: a Secret of the cluster, or the environment.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::Api;
use taurus_port_operator::cloud::auth::secret::Credential;

use crate::{cli::ImportArguments, cluster::Cluster, failure::Failure, surroundings::Surroundings};

/// The keys of a Secret, and the variables that hold the same: the names of Terraform's provider, then those of the vendor's SDKs.
const VARIABLES: [(&str, &[&str]); 7] = [
    ("accessKey", &["HW_ACCESS_KEY", "HUAWEICLOUD_SDK_AK"]),
    ("secretKey", &["HW_SECRET_KEY", "HUAWEICLOUD_SDK_SK"]),
    (
        "securityToken",
        &["HW_SECURITY_TOKEN", "HUAWEICLOUD_SDK_SECURITY_TOKEN"],
    ),
    ("username", &["HW_USER_NAME"]),
    ("password", &["HW_USER_PASSWORD"]),
    ("domainName", &["HW_DOMAIN_NAME", "HW_ACCOUNT_NAME"]),
    ("token", &["HW_AUTH_TOKEN"]),
];

/// The keys of each kind of credentials.
const KINDS: [&[&str]; 3] = [
    &["accessKey", "secretKey", "securityToken"],
    &["username", "password", "domainName"],
    &["token"],
];

/// Finds them.
pub async fn find(
    cluster: Option<&Cluster>,
    arguments: &ImportArguments,
    around: &Surroundings<'_>,
) -> Result<Credential, Failure> {
    let Some(name) = &arguments.secret else {
        return of_environment(around.variable);
    };
    let Some(cluster) = cluster else {
        let text = "--secret names a Secret of the cluster, and --no-cluster says to ask none";
        return Err(Failure::Usage(text.to_owned()));
    };
    let secrets: Api<Secret> = Api::namespaced(cluster.client(), cluster.namespace());
    let what = format!("can't read the Secret {}/{name}", cluster.namespace());
    let secret = secrets.get(name).await;
    let secret = secret.map_err(|error| Failure::kubernetes(what.clone(), &error))?;
    let read = Credential::from_secret(&secret.data.unwrap_or_default());
    read.map_err(|error| {
        Failure::Usage(format!(
            "the Secret {}/{name}: {error}",
            cluster.namespace()
        ))
    })
}

/// The first kind that the environment has something of.
fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Credential, Failure> {
    let value = |key: &str| {
        let (_, names) = VARIABLES.iter().find(|(known, _)| *known == key)?;
        let set = names.iter().filter_map(|name| variable(name));
        set.filter(|value| !value.is_empty())
            .map(String::into_bytes)
            .next()
    };
    for kind in KINDS {
        let keys = kind
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), ByteString(value(key)?))));
        let data: BTreeMap<String, ByteString> = keys.collect();
        // A region or an account alone is set for other programs.
        if data.is_empty() || (data.len() == 1 && data.contains_key("domainName")) {
            continue;
        }
        return Credential::from_secret(&data).map_err(|_| {
            let names: Vec<&str> = VARIABLES
                .iter()
                .filter(|(key, _)| kind.contains(key))
                .filter_map(|(_, names)| names.first().copied())
                .collect();
            Failure::Usage(format!(
                "the environment holds a part of credentials: set all of {}",
                names.join(", ")
            ))
        });
    }
    Err(Failure::Usage(
        "there are no credentials: name a Secret with --secret, or set HW_ACCESS_KEY and HW_SECRET_KEY; or HW_USER_NAME, \
         HW_USER_PASSWORD and HW_DOMAIN_NAME; or HW_AUTH_TOKEN"
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Result<Credential, String> {
        let variable = |name: &str| {
            let known = variables.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| (*value).to_owned())
        };
        of_environment(&variable).map_err(|failure| failure.to_string())
    }

    #[test]
    fn each_kind_is_found_in_the_environment_and_a_part_is_refused_without_its_value() {
        for variables in [
            &[("HW_ACCESS_KEY", "a"), ("HW_SECRET_KEY", "b")][..],
            &[("HUAWEICLOUD_SDK_AK", "a"), ("HUAWEICLOUD_SDK_SK", "b")],
        ] {
            assert!(matches!(found(variables), Ok(Credential::AccessKey { .. })));
        }
        let user = [
            ("HW_USER_NAME", "u"),
            ("HW_USER_PASSWORD", "p"),
            ("HW_DOMAIN_NAME", "d"),
        ];
        assert!(matches!(found(&user), Ok(Credential::Password { .. })));
        assert!(matches!(
            found(&[("HW_AUTH_TOKEN", "t"), ("HW_DOMAIN_NAME", "d")]),
            Ok(Credential::Token(_))
        ));
        let part = found(&[("HW_SECRET_KEY", "hunter2")]).unwrap_err();
        assert!(
            part.contains("HW_ACCESS_KEY") && !part.contains("hunter2"),
            "{part}"
        );
        assert!(found(&[]).unwrap_err().contains("--secret"));
    }
}
