//! What takes a release: a registry in memory, Helm, and an API server.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use serde_json::Value;

use super::{
    made::{Source, VERSION, pinned},
    registry::Registry,
};
use crate::{
    install::manifests::{kustomized, one, parse, unwarned},
    world::{
        plane,
        tools::{helm, printed, refusal, tool},
    },
};

/// What a program of `tests/gitops` prints.
fn run(name: &str, arguments: &[&str]) -> String {
    printed(Command::new(tool(name)).args(arguments).output().unwrap())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[taurus_needs::test]
fn a_registry_has_image_bills_and_chart_by_the_digests_of_the_release() {
    let registry = Registry::start();
    let source = Source::new();
    let dist = source.released(&registry.address);
    let image = pinned(&dist);
    let (name, digest) = image.split_once('@').unwrap();
    let said = printed(registry.take(&source));
    assert!(
        said.contains(&format!("{name}:{VERSION}@{digest}")),
        "{said}"
    );

    // All digests, sizes and media types, down to each layer.
    let said = run("crane", &["validate", "--remote", &image]);
    assert!(said.starts_with("PASS: "), "{said}");
    for arch in ["amd64", "arm64"] {
        let platform = format!("linux/{arch}");
        let config = json(&run("crane", &["config", &image, "--platform", &platform]));
        assert_eq!(config["architecture"], arch);
        assert_eq!(config["config"]["User"], "65532:65532");
        let revision = &config["config"]["Labels"]["org.opencontainers.image.revision"];
        assert_eq!(*revision, source.commit.as_str());
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("files.tar");
        let files = files.to_str().unwrap();
        run("crane", &["export", "--platform", &platform, &image, files]);
        let entry = Command::new("tar")
            .args(["--numeric-owner", "-tvf", files])
            .output();
        let listed = printed(entry.unwrap());
        assert!(listed.contains("-r-xr-xr-x 0/0"), "{listed}");
        let program = ["-xOf", files, "taurus-port-operator"];
        let program = printed(Command::new("tar").args(program).output().unwrap());
        assert!(program.contains(&format!("operator-{arch}")), "{program}");

        // The bill of this processor refers to its image.
        let discover = ["discover", "--format", "json", "--platform", &platform];
        let found = json(&run("oras", &[&discover[..], &[image.as_str()]].concat()));
        let [bill] = found["referrers"].as_array().unwrap().as_slice() else {
            panic!("one bill: {found}");
        };
        assert_eq!(bill["artifactType"], "application/vnd.cyclonedx+json");
        let reference = bill["reference"].as_str().unwrap();
        let manifest = json(&run("crane", &["manifest", reference]));
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        let bill = json(&run("crane", &["blob", &format!("{name}@{layer}")]));
        assert_eq!(bill["metadata"]["component"]["name"], arch);
    }

    // Helm takes the chart, which names the image by its digest.
    let folder = tempfile::tempdir().unwrap();
    let chart = format!("oci://{}/charts/taurus-port-operator", registry.address);
    let pull = ["pull", &chart, "--version", VERSION, "--plain-http", "-d"];
    let pulled = helm(folder.path())
        .args(pull)
        .arg(folder.path())
        .output()
        .unwrap();
    printed(pulled);
    let archive = format!("taurus-port-operator-{VERSION}.tgz");
    let [pulled, made] =
        [folder.path(), dist.as_path()].map(|it| fs::read(it.join(&archive)).unwrap());
    assert!(pulled == made, "it is the archive of the release");
    let template = ["template", "it", &chart, "--version", VERSION];
    let rendered = helm(folder.path())
        .args(template)
        .arg("--plain-http")
        .output()
        .unwrap();
    let rendered = parse(&printed(rendered));
    let deployment = one(&rendered, "Deployment");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], image.as_str());

    // What was changed after it was made is not published.
    fs::write(dist.join("crds.yaml"), "").unwrap();
    assert!(!registry.take(&source).status.success());
}

#[taurus_needs::test]
fn nothing_without_checksum_or_with_a_wrong_signature_is_published() {
    let registry = Registry::start();
    let source = Source::new();
    let dist = source.released(&registry.address);
    let said = refusal(&registry.publishes(&source).output().unwrap());
    assert!(said.contains("the release is not signed"), "{said}");

    // Signed, and nobody says by which signer; or a program that finds the signature wrong.
    let bundle = dist.join("SHA256SUMS.sigstore.json");
    fs::write(&bundle, "{}").unwrap();
    let judged = |variables: &[(&str, &str)]| {
        let mut script = registry.publishes(&source);
        script.env("COSIGN", "false").env("UNSIGNED", "yes");
        refusal(&script.envs(variables.iter().copied()).output().unwrap())
    };
    let said = judged(&[]);
    assert!(
        said.contains("COSIGN_PUBLIC_KEY or COSIGN_IDENTITY"),
        "{said}"
    );
    let said = judged(&[("COSIGN_IDENTITY", "https://example.com/a-workflow")]);
    assert!(said.contains("is no signature of SHA256SUMS"), "{said}");
    fs::remove_file(bundle).unwrap();

    let sums = dist.join("SHA256SUMS");
    let all = fs::read_to_string(&sums).unwrap();
    let image = format!("taurus-port-operator-{VERSION}-image.oci.tar");
    let without: Vec<_> = all.lines().filter(|it| !it.ends_with(&image)).collect();
    fs::write(&sums, without.join("\n") + "\n").unwrap();
    let said = refusal(&registry.take(&source));
    assert!(said.contains(&format!("{image} has no checksum")), "{said}");
    fs::write(&sums, all).unwrap();
    let listed = Command::new(tool("crane"))
        .args(["catalog", &registry.address])
        .output();
    assert_eq!(printed(listed.unwrap()), "", "nothing was copied");
    printed(registry.take(&source));
}

#[taurus_needs::test]
fn a_published_image_is_signed_by_its_digest_and_attested_with_what_its_provenance_says() {
    let registry = Registry::start();
    let source = Source::new();
    let dist = source.released(&registry.address);
    let stand_in = source.programs().join("cosign");
    // Notes what it is asked for, and keeps the predicate.
    let text = "#!/bin/bash\necho \"$*\" >> \"${0%/*}/calls\"\n\
                for it; do [[ $it != *.json ]] || cp \"$it\" \"${0%/*}/attested\"; done\n";
    fs::write(&stand_in, text).unwrap();
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).unwrap();
    let sign = || {
        let mut script = source.script("sign");
        script.arg("--image").env("ORAS", tool("oras"));
        script.env("COSIGN", &stand_in).output().unwrap()
    };
    let calls = source.programs().join("calls");
    let said = refusal(&sign());
    assert!(said.contains("the registry doesn't have"), "{said}");
    assert!(!calls.exists());

    printed(registry.take(&source));
    let image = pinned(&dist);
    let said = printed(sign());
    assert_eq!(said.lines().last(), Some(image.as_str()));
    let called = fs::read_to_string(&calls).unwrap();
    let called: Vec<_> = called.lines().collect();
    let [signed, attested] = called[..] else {
        panic!("{called:?}");
    };
    assert_eq!(signed, format!("sign --yes {image}"));
    assert!(attested.starts_with("attest --yes --type slsaprovenance1 --predicate "));
    assert!(attested.ends_with(&format!(" {image}")), "{attested}");
    let attested = fs::read_to_string(source.programs().join("attested")).unwrap();
    let provenance = super::made::json_of(&dist, "provenance.json");
    assert_eq!(json(&attested), provenance["predicate"]);
}

#[taurus_needs::test]
fn a_published_version_stays_as_it_is() {
    let registry = Registry::start();
    let source = Source::new();
    let dist = source.released(&registry.address);
    printed(registry.take(&source));
    let image = pinned(&dist);
    let (name, digest) = image.split_once('@').unwrap();
    // The same again is no other content.
    printed(registry.take(&source));

    fs::remove_dir_all(&dist).unwrap();
    let program = source.programs().join("operator-amd64");
    fs::write(program, "another program").unwrap();
    let other = pinned(&source.released(&registry.address));
    assert_ne!(other, image);
    let said = refusal(&registry.take(&source));
    let wanted = format!("{name}:{VERSION} is published with digest {digest}");
    assert!(said.contains(&wanted), "{said}");
    let version = format!("{name}:{VERSION}");
    assert_eq!(run("crane", &["digest", &version]).trim(), digest);
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_file_installs_what_the_base_has_with_the_image_by_its_digest() {
    let plane = &plane::empty().await;
    let source = Source::new();
    let dist = source.rehearsed("registry.example.test/team");
    let apply = |name: &str| {
        let file = dist.join(name);
        let file = file.to_str().unwrap();
        unwarned(plane::kubectl(
            plane,
            &["apply", "--server-side", "-f", file],
        ))
    };
    apply("install.yaml");
    plane::established(plane).await;
    // The definitions alone are those of the one file.
    let said = apply("crds.yaml");
    assert!(said.contains("taurusproxyports.taurusdb.huaweicloud.com"));

    let stored = ["-n", "taurus-system", "get", "deployment", "-o", "json"];
    let stored = json(&printed(plane::kubectl(plane, &stored)));
    let container = &stored["items"][0]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], pinned(&dist).as_str());
    let mut installed = parse(&super::made::read(&dist, "install.yaml"));
    let mut base = kustomized(plane, "deploy/base");
    for objects in [&mut installed, &mut base] {
        let deployment = objects.iter_mut().find(|it| it["kind"] == "Deployment");
        deployment.unwrap()["spec"]["template"]["spec"]["containers"][0]["image"] = Value::Null;
    }
    assert_eq!(installed, base);
}
