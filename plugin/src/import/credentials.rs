//! The credentials that the cloud is read with: a Secret of the cluster, or the environment.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::Api;
use taurus_port_operator::cloud::auth::secret::{Credential, SecretError};

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

/// The keys of each kind of credentials: those that it needs, and those that it may have.
const KINDS: [(&[&str], &[&str]); 3] = [
    (&["accessKey", "secretKey"], &["securityToken"]),
    (&["username", "password", "domainName"], &[]),
    (&["token"], &[]),
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

/// The variables of a key.
fn names_of(key: &str) -> &'static [&'static str] {
    let mut variables = VARIABLES.iter();
    let found = variables.find(|(known, _)| *known == key);
    found.map(|(_, names)| *names).unwrap_or_default()
}

/// The first kind that the environment has something of.
fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Credential, Failure> {
    let value = |key: &str| {
        let set = names_of(key).iter();
        let mut set = set.filter_map(|name| Some((*name, variable(name)?)));
        set.find(|(_, value)| !value.is_empty())
    };
    for (needed, optional) in KINDS {
        let keys = needed.iter().chain(optional).copied();
        let set: BTreeMap<&str, (&str, String)> =
            keys.filter_map(|key| Some((key, value(key)?))).collect();
        // A region or an account alone is set for other programs.
        if set.is_empty() || (set.len() == 1 && set.contains_key("domainName")) {
            continue;
        }
        let data = set
            .iter()
            .map(|(key, (_, value))| ((*key).to_owned(), ByteString(value.clone().into_bytes())));
        let data: BTreeMap<String, ByteString> = data.collect();
        let read = Credential::from_secret(&data);
        return read.map_err(|error| {
            Failure::Usage(match error {
                SecretError::Value { key, fault } => {
                    let name = set.get(key.as_str()).map_or("", |(name, _)| *name);
                    format!("the variable {name} {fault}")
                }
                SecretError::Keys(_) => {
                    let lacking = needed.iter().filter(|key| !set.contains_key(*key));
                    let lacking: Vec<String> =
                        lacking.map(|key| names_of(key).join(" or ")).collect();
                    let have: Vec<&str> = set.values().map(|(name, _)| *name).collect();
                    format!(
                        "set in the environment: {}; missing or empty beside that: {}",
                        have.join(", "),
                        lacking.join("; ")
                    )
                }
            })
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

    #[test]
    fn a_variable_that_is_missing_or_can_t_be_sent_is_named_and_no_other() {
        for (variables, told) in [
            (
                &[("HW_ACCESS_KEY", "hunter2"), ("HW_SECRET_KEY", "")][..],
                "set in the environment: HW_ACCESS_KEY; missing or empty beside that: HW_SECRET_KEY or HUAWEICLOUD_SDK_SK",
            ),
            (
                &[
                    ("HW_SECURITY_TOKEN", "hunter2"),
                    ("HW_ACCESS_KEY", "hunter2"),
                ][..],
                "set in the environment: HW_ACCESS_KEY, HW_SECURITY_TOKEN; missing or empty beside that: HW_SECRET_KEY or HUAWEICLOUD_SDK_SK",
            ),
            (
                &[("HW_USER_NAME", "hunter2"), ("HW_USER_PASSWORD", "hunter2")][..],
                "set in the environment: HW_USER_PASSWORD, HW_USER_NAME; missing or empty beside that: HW_DOMAIN_NAME or HW_ACCOUNT_NAME",
            ),
            (
                &[("HW_AUTH_TOKEN", "hunter2\nhunter2")][..],
                "the variable HW_AUTH_TOKEN holds a line end as character 8: write it without",
            ),
            (
                &[("HW_ACCESS_KEY", "hunter2"), ("HUAWEICLOUD_SDK_SK", " ")][..],
                "the variable HUAWEICLOUD_SDK_SK is empty",
            ),
        ] {
            assert_eq!(found(variables).unwrap_err(), told);
        }
    }
}
