//! A release is signed with a key by cosign itself, which takes long to build: `make signing` builds it and runs this.

use std::{fs, process::Command};

use super::{
    made::Source,
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
    let mut generate = Command::new(&cosign);
    generate.arg("generate-key-pair").envs([PASSWORD]);
    printed(generate.current_dir(source.programs()).output().unwrap());
    let sign = || {
        let mut script = source.script("sign");
        script.env("COSIGN", &cosign).envs([PASSWORD]);
        script.env("COSIGN_KEY", source.programs().join("cosign.key"));
        script.output().unwrap()
    };
    printed(sign());
    let publish = || {
        let mut script = registry.publishes(&source);
        let public = source.programs().join("cosign.pub");
        script
            .env("COSIGN", &cosign)
            .env("COSIGN_PUBLIC_KEY", public);
        script.output().unwrap()
    };
    printed(publish());

    let page = Page::read(PAGE);
    let chapter = page.section(2, CHAPTER);
    let mut lines = chapter.lines();
    let verify = lines.find(|line| line.starts_with("cosign verify-blob --key "));
    let verify = verify.unwrap();
    fs::copy(
        source.programs().join("cosign.pub"),
        dist.join("cosign.pub"),
    )
    .unwrap();
    printed(types(&dist, verify));

    let sums = dist.join("SHA256SUMS");
    let signed = fs::read_to_string(&sums).unwrap();
    fs::write(&sums, signed.replacen('0', "1", 1)).unwrap();
    let said = refusal(&types(&dist, verify));
    assert!(said.contains("signature"), "{said}");
    let said = refusal(&publish());
    assert!(said.contains("is no signature of SHA256SUMS"), "{said}");
    // What the checksums are wrong for is not signed.
    let said = refusal(&sign());
    assert!(said.contains("did NOT match"), "{said}");
    assert!(!said.contains("Wrote bundle"), "{said}");
}
