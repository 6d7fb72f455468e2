//! A release and its image are signed with a key by cosign itself, which takes long to build: `make signing` builds it and runs this.

use std::{fs, path::Path, process::Command};

use super::{
    made::{Source, pinned},
    page::{CHAPTER, PAGE, types},
    registry::Registry,
};
use crate::{
    pages::Page,
    world::tools::{printed, refusal, tool},
};

/// What opens the key.
const PASSWORD: (&str, &str) = ("COSIGN_PASSWORD", "a password of a test");

#[taurus_needs::test]
#[ignore = "cosign takes long to build: make signing"]
fn a_signature_by_key_is_verified_as_documented_and_of_nothing_else() {
    let cosign = tool("cosign");
    let source = Source::new();
    let registry = Registry::start();
    let dist = source.released(&registry.address);
    let generate = |folder: &Path| {
        let mut generate = Command::new(&cosign);
        generate.arg("generate-key-pair").envs([PASSWORD]);
        printed(generate.current_dir(folder).output().unwrap());
    };
    generate(&source.programs());
    let sign = |options: &[&str]| {
        let mut script = source.script("sign");
        script.args(options).env("ORAS", tool("oras"));
        script.env("COSIGN", &cosign).envs([PASSWORD]);
        script.env("COSIGN_KEY", source.programs().join("cosign.key"));
        script.output().unwrap()
    };
    printed(sign(&[]));
    let publish = || {
        let mut script = registry.publishes(&source);
        let public = source.programs().join("cosign.pub");
        script
            .env("COSIGN", &cosign)
            .env("COSIGN_PUBLIC_KEY", public);
        script.output().unwrap()
    };
    // An image that is not there is signed by nobody.
    let said = refusal(&sign(&["--image"]));
    assert!(said.contains("the registry doesn't have"), "{said}");
    printed(publish());

    let page = Page::read(PAGE);
    let chapter = page.section(2, CHAPTER);
    let line = |command: &str| {
        let mut lines = chapter.lines();
        lines.find(|line| line.starts_with(command)).unwrap()
    };
    let verify = line("cosign verify-blob --key ");
    let of_image = ["cosign verify --key ", "cosign verify-attestation --key "].map(line);
    let public = dist.join("cosign.pub");
    fs::copy(source.programs().join("cosign.pub"), &public).unwrap();
    printed(types(&dist, verify));

    // The image has neither signature nor attestation until it is signed.
    for verify in of_image {
        refusal(&types(&dist, verify));
    }
    printed(sign(&["--image"]));
    for verify in of_image {
        printed(types(&dist, verify));
    }
    // Another image of the same repository, which nobody has signed.
    let image = pinned(&dist);
    let (name, digest) = image.split_once('@').unwrap();
    let mut other = Command::new(tool("crane"));
    other.args(["digest", "--platform", "linux/amd64", &image]);
    let other = printed(other.output().unwrap());
    assert_ne!(other.trim(), digest);
    let install = dist.join("install.yaml");
    let installed = fs::read_to_string(&install).unwrap();
    let changed = installed.replace(&image, &format!("{name}@{}", other.trim()));
    fs::write(&install, changed).unwrap();
    for verify in of_image {
        refusal(&types(&dist, verify));
    }
    fs::write(&install, installed).unwrap();
    // The right image, and the key of somebody else.
    let stranger = source.programs().join("stranger");
    fs::create_dir(&stranger).unwrap();
    generate(&stranger);
    fs::copy(stranger.join("cosign.pub"), &public).unwrap();
    for verify in [verify].into_iter().chain(of_image) {
        refusal(&types(&dist, verify));
    }
    fs::copy(source.programs().join("cosign.pub"), &public).unwrap();

    let sums = dist.join("SHA256SUMS");
    let signed = fs::read_to_string(&sums).unwrap();
    fs::write(&sums, signed.replacen('0', "1", 1)).unwrap();
    let said = refusal(&types(&dist, verify));
    assert!(said.contains("signature"), "{said}");
    let said = refusal(&publish());
    assert!(said.contains("is no signature of SHA256SUMS"), "{said}");
    // What the checksums are wrong for is not signed.
    let said = refusal(&sign(&[]));
    assert!(said.contains("did NOT match"), "{said}");
    assert!(!said.contains("Wrote bundle"), "{said}");
}
