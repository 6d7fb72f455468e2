//! What the command line asks for, judged before the first call.
//!
//! Relies on the definition's own rules, so that no manifest is refused for a setting that was known at the start. Says what is wrong by the
//! names of the flags.

use taurus_port_operator::place::endpoints;

use super::{
    found::{DEFAULT_PORT, Found, Place},
    manifest::{Settings, manifest_of},
};
use crate::{
    cli::{Global, ImportArguments},
    failure::Failure,
    lint::{fault::Fault, judge::Judge},
};

/// The longest name of a namespace.
const LONGEST_NAMESPACE: usize = 63;

/// A region that stands for those that a Terraform state tells.
const SOME_REGION: &str = "ap-southeast-1";

/// The arguments with addresses as the definition takes them, or what is wrong.
pub fn checked(global: &Global, given: &ImportArguments) -> Result<ImportArguments, Failure> {
    let mut arguments = given.clone();
    for address in [&mut arguments.endpoint, &mut arguments.iam_endpoint] {
        *address = address.take().map(without_slash);
    }
    match fault(global, &arguments)? {
        Some(text) => Err(Failure::Usage(text)),
        None => Ok(arguments),
    }
}

fn without_slash(address: String) -> String {
    match address.strip_suffix('/') {
        Some(bare) => bare.to_owned(),
        None => address,
    }
}

/// The first thing that is wrong.
fn fault(global: &Global, arguments: &ImportArguments) -> Result<Option<String>, Failure> {
    let secret = arguments
        .credentials_ref
        .as_ref()
        .or(arguments.secret.as_ref());
    let is_private = arguments.endpoint.is_some() || arguments.iam_endpoint.is_some();
    if is_private && secret.is_none() {
        let text =
            "resources with an address of their own have to name a Secret: give --credentials-ref";
        return Ok(Some(text.to_owned()));
    }
    if let Some(folder) = arguments.split.as_ref().filter(|path| path.is_file()) {
        return Ok(Some(format!("--split {}: it is a file", folder.display())));
    }
    if let Some(namespace) = global.namespace.as_ref().filter(|name| !is_label(name)) {
        let text = format!(
            "--namespace {namespace:?}: a namespace has lower-case letters, digits and '-', begins and ends with a letter or digit, and \
             has at most {LONGEST_NAMESPACE} of them"
        );
        return Ok(Some(text));
    }
    if let Some(text) = by_definition(arguments)? {
        return Ok(Some(text));
    }
    Ok(match arguments.from_tfstate {
        Some(_) => None,
        None => uncallable(arguments),
    })
}

/// What the definition refuses in every manifest of the run.
fn by_definition(arguments: &ImportArguments) -> Result<Option<String>, Failure> {
    let judge = Judge::new()?;
    let nobody = "0".repeat(32);
    let mut place = Place::of(arguments);
    if place.region.is_none() && place.endpoint.is_none() {
        place.region = Some(SOME_REGION.to_owned());
    }
    let sample = |project: &str| Found {
        place: place.clone(),
        project: project.to_owned(),
        instance: format!("{nobody}in07"),
        proxy: format!("{nobody}po01"),
        ..Found::default()
    };
    let of_projects = arguments.projects.iter().map(|project| sample(project));
    let of_instances = arguments.instances.iter().map(|instance| Found {
        instance: instance.clone(),
        ..sample(&nobody)
    });
    let samples: Vec<Found> = of_projects.chain(of_instances).collect();
    let secrets = [
        ("--credentials-ref", &arguments.credentials_ref),
        ("--secret", &arguments.secret),
    ];
    let named = secrets.iter().filter(|(_, secret)| secret.is_some());
    let mut secrets: Vec<(&str, Option<String>)> = named
        .map(|(flag, secret)| (*flag, (*secret).clone()))
        .collect();
    if secrets.is_empty() {
        secrets.push(("", None));
    }
    for (flag, secret) in secrets {
        let settings = Settings {
            namespace: None,
            secret,
        };
        for sample in &samples {
            let manifest = manifest_of(sample, DEFAULT_PORT, "sample".to_owned(), &settings)?;
            let faults = judge.faults(&manifest.object, None);
            // A rule says it in words, and the schema by a pattern.
            let in_words = faults
                .iter()
                .find(|it| !it.message.contains("should match"));
            if let Some(fault) = in_words.or(faults.first()) {
                return Ok(Some(by_flag(fault, flag)));
            }
        }
    }
    Ok(None)
}

/// A fault of a field, by the name of the flag that it comes of.
fn by_flag(fault: &Fault, secret: &str) -> String {
    let flag = match fault.field.as_str() {
        "spec.region" => "--region",
        "spec.endpoint" => "--endpoint",
        "spec.iamEndpoint" => "--iam-endpoint",
        "spec.projectID" => "--project",
        "spec.instanceID" => "--instance",
        field if field.starts_with("spec.credentialsRef") => secret,
        field => field,
    };
    format!("{flag}: {}", fault.message)
}

/// Why the cloud can't be called.
fn uncallable(arguments: &ImportArguments) -> Option<String> {
    match (&arguments.region, &arguments.endpoint) {
        (None, None) => {
            let text = "say where the cloud is: --region, or --endpoint for a private cloud";
            return Some(text.to_owned());
        }
        (Some(region), None) if endpoints::service_of(region).is_err() => {
            return Some(format!(
                "--region {region}: no address of the TaurusDB API is known there; give --endpoint too, and --iam-endpoint where a user \
                 signs in with a password"
            ));
        }
        _ => {}
    }
    for (flag, address) in [
        ("--endpoint", &arguments.endpoint),
        ("--iam-endpoint", &arguments.iam_endpoint),
    ] {
        let is_plain = address.as_ref().is_some_and(|it| it.starts_with("http://"));
        if is_plain && !arguments.allow_http {
            return Some(format!(
                "{flag}: credentials cross the network in the clear by plain http; give an https address, or --allow-http"
            ));
        }
    }
    None
}

/// Whether Kubernetes takes it for the name of a namespace.
fn is_label(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= LONGEST_NAMESPACE
        && name.bytes().all(|byte| plain(byte) || byte == b'-')
        && name.bytes().next().is_some_and(plain)
        && name.bytes().last().is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "0483b6b16e954cb88930a360d2c4e663";

    fn arguments() -> ImportArguments {
        ImportArguments {
            projects: vec![PROJECT.to_owned()],
            region: Some("ap-southeast-1".to_owned()),
            ..ImportArguments::default()
        }
    }

    fn private(endpoint: &str) -> ImportArguments {
        ImportArguments {
            region: None,
            endpoint: Some(endpoint.to_owned()),
            secret: Some("keys".to_owned()),
            ..arguments()
        }
    }

    fn told(arguments: &ImportArguments) -> String {
        let told = checked(&Global::default(), arguments);
        told.map_or_else(|failure| failure.to_string(), |_| "nothing".to_owned())
    }

    #[test]
    fn what_no_manifest_could_have_is_refused_by_its_flag_before_anything_is_called() {
        let text = |text: &str| Some(text.to_owned());
        for (wrong, flag) in [
            (private("https://cloud.test/path"), "--endpoint: "),
            (private("https://cloud.test//"), "--endpoint: "),
            (private("ftp://cloud.test"), "--endpoint: "),
            (private("http://cloud.test"), "--allow-http"),
            (
                ImportArguments {
                    iam_endpoint: text("https://user@iam.test"),
                    ..private("https://cloud.test")
                },
                "--iam-endpoint: ",
            ),
            (
                ImportArguments {
                    secret: None,
                    ..private("https://cloud.test")
                },
                "--credentials-ref",
            ),
            (
                ImportArguments {
                    secret: text("Bad Name"),
                    ..arguments()
                },
                "--secret: ",
            ),
            (
                ImportArguments {
                    credentials_ref: text("Bad_Name"),
                    secret: text("keys"),
                    ..arguments()
                },
                "--credentials-ref: ",
            ),
            (
                ImportArguments {
                    projects: vec![PROJECT.to_owned(), "p".to_owned()],
                    ..arguments()
                },
                "--project: ",
            ),
            (
                ImportArguments {
                    instances: vec!["i".to_owned()],
                    ..arguments()
                },
                "--instance: ",
            ),
            (
                ImportArguments {
                    region: text("nowhere-1"),
                    ..arguments()
                },
                "--region nowhere-1: ",
            ),
            (
                ImportArguments {
                    region: None,
                    ..arguments()
                },
                "--region, or --endpoint",
            ),
        ] {
            let told = told(&wrong);
            assert!(told.contains(flag), "{told}");
            assert!(!told.contains("operator"), "{told}");
        }
        assert_eq!(told(&arguments()), "nothing");
        let state = ImportArguments {
            region: None,
            from_tfstate: Some("state.json".into()),
            ..arguments()
        };
        assert_eq!(told(&state), "nothing");
    }

    #[test]
    fn a_slash_at_the_end_of_an_address_is_no_fault() {
        let given = ImportArguments {
            iam_endpoint: Some("https://iam.test/".to_owned()),
            ..private("https://cloud.test:8443/")
        };
        let taken = checked(&Global::default(), &given).unwrap();
        assert_eq!(taken.endpoint.as_deref(), Some("https://cloud.test:8443"));
        assert_eq!(taken.iam_endpoint.as_deref(), Some("https://iam.test"));
    }

    #[test]
    fn no_namespace_is_written_that_kubernetes_does_not_take() {
        for (name, good) in [
            ("shop", true),
            ("BAD NS", false),
            ("shop.eu", false),
            ("-shop", false),
            ("", false),
            (&"x".repeat(64), false),
        ] {
            let global = Global {
                namespace: Some(name.to_owned()),
                ..Global::default()
            };
            let told = checked(&global, &arguments()).map_err(|failure| failure.to_string());
            assert_eq!(told.is_ok(), good, "{name}");
            if let Err(text) = told {
                assert!(text.contains("--namespace"), "{text}");
            }
        }
    }
}
