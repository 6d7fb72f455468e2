//! What is in a release, and that another build of the same commit has the same bytes.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, process::Command};

use serde_json::Value;

use super::made::{Source, VERSION, json_of, pinned, read};
use crate::world::tools::{printed, refusal};

/// A name that leads nowhere.
const REGISTRY: &str = "registry.example.test/team";

#[taurus_needs::test]
fn two_builds_in_folders_of_other_names_are_the_same_and_a_difference_is_named() {
    let source = Source::new();
    source.rehearsed(REGISTRY);
    let again = || {
        let mut script = source.script("release-again");
        script.env("REGISTRY", REGISTRY).arg("--rehearse");
        script.arg(source.programs()).output().unwrap()
    };
    let said = printed(again());
    assert!(said.contains("are the same, byte by byte"), "{said}");

    fs::write(source.programs().join("plugin"), "another program").unwrap();
    let said = refusal(&again());
    assert!(said.contains("differ between two builds"), "{said}");
    let differing: Vec<_> = said.lines().filter(|line| line.starts_with("< ")).collect();
    let archive = format!("kubectl-taurus_port-{VERSION}-linux-amd64.tar.gz");
    assert!(differing.iter().any(|it| it.ends_with(&archive)), "{said}");
    assert!(!differing.iter().any(|it| it.contains("image")), "{said}");
}

#[taurus_needs::test]
fn what_is_not_of_one_version_and_one_commit_is_refused_before_anything_is_built() {
    let source = Source::new();
    let need = || source.script("release").arg("--need").output().unwrap();
    assert_eq!(printed(need()), "");

    for file in [
        "Cargo.toml",
        "plugin/Cargo.toml",
        "deploy/helm/taurus-port-operator/Chart.yaml",
        "deploy/base/deployment.yaml",
    ] {
        let path = source.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen(VERSION, "9.9.9", 1)).unwrap();
        let said = refusal(&need());
        let wanted = format!("{file} has version 9.9.9, and {VERSION} was asked for");
        assert!(said.contains(&wanted), "{said}");
        fs::write(&path, text).unwrap();
    }

    let stray = source.path().join("deploy/stray.yaml");
    fs::write(&stray, "").unwrap();
    let said = refusal(&need());
    assert!(said.contains("differ from it") && said.contains("deploy/stray.yaml"));
    fs::remove_file(stray).unwrap();
    fs::remove_dir_all(source.path().join(".git")).unwrap();
    let said = refusal(&need());
    assert!(said.contains("there is no git work tree"), "{said}");
}

#[taurus_needs::test]
fn a_registry_that_no_image_can_be_named_by_is_refused() {
    let source = Source::new();
    let need = |registry: &str| {
        let mut script = source.script("release");
        script.env("REGISTRY", registry).arg("--need");
        script.output().unwrap()
    };
    for registry in ["ghcr.io/example", "GHCR.io/Example", "localhost:5000"] {
        printed(need(registry));
    }
    for registry in [
        "https://ghcr.io/example",
        "ghcr.io/example:latest",
        "ghcr.io//example",
        "ghcr.io/example/",
        "ghcr.io/example@sha256",
    ] {
        let said = refusal(&need(registry));
        assert!(said.contains("is no place for images"), "{said}");
    }
}

#[taurus_needs::test]
fn the_image_believes_the_authorities_of_the_package_and_no_other_of_this_machine() {
    let source = Source::new();
    let folder = source.programs().join("root");
    let mut script = Command::new(source.path().join("build/image-root"));
    script.arg(&folder).args(["--arch", "amd64", "--program"]);
    let laid = script
        .arg(source.programs().join("operator-amd64"))
        .output();
    printed(laid.unwrap());
    let bundle = folder.join("etc/ssl/certs/ca-certificates.crt");
    let bundle = fs::read_to_string(bundle).unwrap();
    let begin = "-----BEGIN CERTIFICATE-----";
    let mut packaged = String::new();
    for file in fs::read_dir("/usr/share/ca-certificates/mozilla").unwrap() {
        packaged += &fs::read_to_string(file.unwrap().path()).unwrap();
    }
    let certificates = |text: &str| -> Vec<String> {
        let mut all: Vec<_> = text.split(begin).skip(1).map(str::to_owned).collect();
        all.sort_unstable();
        all
    };
    let believed = certificates(&bundle);
    assert!(believed.len() > 100, "{}", believed.len());
    assert_eq!(believed, certificates(&packaged));
}

#[taurus_needs::test]
fn a_build_of_the_plugin_that_fails_is_no_system_that_is_left_out() {
    let source = Source::new();
    let stand_in = source.programs().join("cargo");
    fs::write(&stand_in, "#!/bin/sh\nexit 101\n").unwrap();
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&stand_in, executable).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut folders = vec![source.programs()];
    folders.extend(std::env::split_paths(&path));
    let own = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let built = Command::new(source.path().join("build/plugin"))
        .args(["--target", &own])
        .env("PATH", std::env::join_paths(folders).unwrap())
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    let said = refusal(&built);
    let wanted = format!("the build for {own} failed");
    assert!(said.contains(&wanted), "{said}");
    assert!(!said.contains("no archive for"), "{said}");
}

#[taurus_needs::test]
fn the_provenance_names_each_file_and_the_image_by_their_digests() {
    let source = Source::new();
    let dist = source.rehearsed(REGISTRY);
    let check = ["--check", "--strict", "SHA256SUMS"];
    let mut sums = Command::new("sha256sum");
    printed(sums.args(check).current_dir(&dist).output().unwrap());
    let sums = read(&dist, "SHA256SUMS");
    let of_file = sums.lines().map(|line| line.split_once("  ").unwrap());
    let mut expected: BTreeMap<_, _> = of_file
        .map(|(sum, file)| (file.to_owned(), sum.to_owned()))
        .collect();
    let files = dist.read_dir().unwrap().count();
    assert_eq!(
        expected.len() + 1,
        files,
        "all but the checksums themselves"
    );
    expected.remove("provenance.json").unwrap();
    let image = pinned(&dist);
    let (name, digest) = image.split_once("@sha256:").unwrap();
    assert_eq!(name, format!("{REGISTRY}/taurus-port-operator"));
    expected.insert(name.to_owned(), digest.to_owned());

    let statement = json_of(&dist, "provenance.json");
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let subjects = statement["subject"].as_array().unwrap().iter();
    let subjects: BTreeMap<_, _> = subjects
        .map(|it| (text(&it["name"]), text(&it["digest"]["sha256"])))
        .collect();
    assert_eq!(subjects, expected);
    let definition = &statement["predicate"]["buildDefinition"];
    let commit = &definition["resolvedDependencies"][0]["digest"]["gitCommit"];
    assert_eq!(*commit, source.commit.as_str());
    let tools = definition["internalParameters"]["tools"].as_object();
    let named: Vec<_> = tools.unwrap().keys().map(String::as_str).collect();
    assert_eq!(named, ["ca-certificates", "helm", "kubectl", "zlib"]);
    // What stood in for the programs must not pass for a release.
    assert_eq!(definition["externalParameters"]["rehearsal"], "yes");
}
