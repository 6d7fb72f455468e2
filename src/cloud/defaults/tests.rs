//! Who may use default credentials, and what they are read from.

use secrecy::ExposeSecret as _;

use crate::cloud::defaults::*;

const PROJECT: &str = "0123456789abcdef0123456789ABCDEF";
const OTHER: &str = "ffffffffffffffffffffffffffffffff";

fn given(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Default credentials in a directory.
fn of(
    directory: Option<&str>,
    namespaces: &[String],
    projects: &[String],
) -> Result<Option<Defaults>, DefaultsFault> {
    let origin = Origin::one_of(directory, None)?;
    Defaults::new(origin, namespaces, projects)
}

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, value) in files {
        fs::write(directory.path().join(name), value).unwrap();
    }
    directory
}

fn subject(project: &str, change: impl FnOnce(&mut Subject)) -> Subject {
    use crate::{model::ProxyId, place::InstanceKey};
    let mut subject = Subject {
        region: Some("cn-north-4".to_owned()),
        endpoint: None,
        iam_endpoint: None,
        project: ProjectId::parse(project).unwrap(),
        instance: InstanceKey::somewhere(&("0".repeat(32) + "in07")),
        proxy: ProxyId::parse(&("0".repeat(32) + "po01")).unwrap(),
    };
    change(&mut subject);
    subject
}

#[test]
fn only_who_is_named_by_namespace_and_by_project_may_use_them_and_only_for_the_region_s_hosts() {
    let directory = directory(&[("token", "t")]);
    let path = directory.path().to_str();
    let namespaces = given(&["shop", " billing "]);
    let projects = given(&[&PROJECT.to_lowercase()]);
    let defaults = of(path, &namespaces, &projects).unwrap().unwrap();
    let own = |subject: &mut Subject| subject.endpoint = Some("https://a".to_owned());
    let own_iam = |subject: &mut Subject| subject.iam_endpoint = Some("https://a".to_owned());
    for (namespace, subject, said) in [
        ("shop", subject(PROJECT, |_| ()), None),
        ("billing", subject(PROJECT, |_| ()), None),
        ("sho", subject(PROJECT, |_| ()), Some("namespace sho")),
        ("shop-2", subject(PROJECT, |_| ()), Some("namespace shop-2")),
        ("", subject(PROJECT, |_| ()), Some("namespace")),
        ("shop", subject(OTHER, |_| ()), Some(OTHER)),
        (
            "other",
            subject(OTHER, |_| ()),
            Some("namespace other, nor for project"),
        ),
        (
            "shop",
            subject(PROJECT, own),
            Some("endpoint of the resource's own"),
        ),
        (
            "shop",
            subject(PROJECT, own_iam),
            Some("endpoint of the resource's own"),
        ),
    ] {
        let objection = defaults.objection(namespace, &subject);
        assert_eq!(
            objection.is_some(),
            said.is_some(),
            "{namespace} {objection:?}"
        );
        let objection = objection.unwrap_or_default();
        assert!(objection.contains(said.unwrap_or_default()), "{objection}");
        assert!(!objection.contains("billing"), "{objection}");
    }
}

#[test]
fn all_three_settings_are_needed_and_each_fault_names_its_own() {
    let good = directory(&[("accessKey", "AK\n"), ("secretKey", "SK")]);
    let good = good.path().to_str();
    let mixed = directory(&[("accessKey", "CANARY"), ("token", "CANARY")]);
    let (namespaces, projects) = (given(&["shop"]), given(&[PROJECT]));
    let none: Vec<String> = given(&["", " "]);
    assert_eq!(of(None, &none, &[]).unwrap(), None);
    assert_eq!(of(Some(" "), &none, &[]).unwrap(), None);
    for (directory, namespaces, projects, said) in [
        (None, &namespaces, &projects, "all three"),
        (good, &none, &projects, "all three"),
        (good, &namespaces, &none, "all three"),
        (good, &given(&["*"]), &projects, "no wildcards"),
        (good, &namespaces, &given(&["*"]), "projectID must be"),
        (
            Some("/nowhere"),
            &namespaces,
            &projects,
            "/nowhere can't be read",
        ),
        (
            mixed.path().to_str(),
            &namespaces,
            &projects,
            "accessKey, token",
        ),
    ] {
        let fault = of(directory, namespaces, projects).unwrap_err();
        let fault = fault.to_string();
        assert!(
            fault.contains(said) && fault.contains("--default-credentials-"),
            "{fault}"
        );
        assert!(!fault.contains("CANARY"), "{fault}");
    }
    assert!(of(good, &namespaces, &projects).unwrap().is_some());
}

#[test]
fn the_directory_is_read_as_a_mounted_secret_is_laid_out_and_anew_each_time() {
    let directory = directory(&[]);
    let path = directory.path();
    for (version, value) in [("..1", "old"), ("..2", "new")] {
        fs::create_dir(path.join(version)).unwrap();
        fs::write(path.join(version).join("token"), value).unwrap();
    }
    let link = |to: &str| {
        let _ = fs::remove_file(path.join("..data"));
        std::os::unix::fs::symlink(to, path.join("..data")).unwrap();
    };
    link("..1");
    std::os::unix::fs::symlink("..data/token", path.join("token")).unwrap();
    let (namespaces, projects) = (given(&["shop"]), given(&[PROJECT]));
    let defaults = of(path.to_str(), &namespaces, &projects).unwrap().unwrap();
    let read = || {
        let Contents::Files(data) = defaults.read().unwrap() else {
            panic!("no files")
        };
        assert_eq!(data.len(), 1, "{:?}", data.keys());
        String::from_utf8(data["token"].0.clone()).unwrap()
    };
    assert_eq!(read(), "old");
    link("..2");
    assert_eq!(read(), "new");
    fs::remove_dir_all(path).unwrap();
    assert!(defaults.read().is_err());
}

#[test]
fn an_identity_takes_the_place_of_the_directory_and_is_as_bound_as_it() {
    let (namespaces, projects) = (given(&["shop"]), given(&[PROJECT]));
    let nothing = |_: &str| None;
    let node = Origin::of_identity(Some(" node-agency "), nothing).unwrap();
    assert_eq!(
        node,
        Some(Origin::Node("http://169.254.169.254".to_owned()))
    );
    let defaults = Defaults::new(node.clone(), &namespaces, &projects);
    let defaults = defaults.unwrap().unwrap();
    assert_eq!(defaults.objection("shop", &subject(PROJECT, |_| ())), None);
    let refused = defaults.objection("other", &subject(PROJECT, |_| ()));
    assert!(refused.unwrap().contains("not for namespace other"));
    assert_eq!(
        Defaults::new(node.clone(), &namespaces, &[]).unwrap_err(),
        DefaultsFault::Incomplete
    );
    assert_eq!(
        Origin::one_of(Some("/x"), node).unwrap_err(),
        DefaultsFault::TwoOrigins
    );
    assert_eq!(Origin::of_identity(Some(""), nothing).unwrap(), None);
    let fault = Origin::of_identity(Some("node"), nothing).unwrap_err();
    assert!(fault.to_string().contains("node-agency or pod-identity"));
}

#[test]
fn the_token_of_a_pod_is_read_anew_each_time_and_never_shown() {
    let directory = directory(&[("token", "CANARY-1\n")]);
    let file = directory.path().join("token");
    let environment = |uri: &'static str| {
        let file = file.to_str().unwrap().to_owned();
        move |name: &str| match name {
            "HC_CONTAINER_CREDENTIALS_FULL_URI" => Some(uri.to_owned()),
            "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE" => Some(file.clone()),
            _ => None,
        }
    };
    for odd in ["", "ftp://host/keys", "host", "169.254.170.23/v1"] {
        let fault = Origin::of_identity(Some("pod-identity"), environment(odd)).unwrap_err();
        assert_eq!(fault, DefaultsFault::NoPodIdentity, "{odd}");
    }
    let uri = "http://169.254.170.23/v1/credentials";
    let pod = Origin::of_identity(Some("pod-identity"), environment(uri)).unwrap();
    let (namespaces, projects) = (given(&["shop"]), given(&[PROJECT]));
    let defaults = Defaults::new(pod, &namespaces, &projects).unwrap().unwrap();
    let read = || {
        let Contents::Pod { uri, token } = defaults.read().unwrap() else {
            panic!("no pod")
        };
        (uri, token.expose_secret().to_owned())
    };
    assert_eq!(read(), (uri.to_owned(), "CANARY-1".to_owned()));
    fs::write(&file, "CANARY-2").unwrap();
    assert_eq!(read().1, "CANARY-2");
    assert!(!format!("{defaults:?}").contains("CANARY"));
}
