//! The files of the image, and nothing else to read.

use std::{fs, path::Path, process::Command};

use super::root::{AUTHORITIES, Image, namespace};
use crate::world::tools::printed;

#[test]
fn the_image_holds_the_program_and_the_usual_authorities_and_nothing_else() {
    let Some(image) = Image::laid_out() else {
        return;
    };
    let (program, authorities) = ("taurus-port-operator".to_owned(), AUTHORITIES.to_owned());
    assert_eq!(
        image.files(),
        [(authorities, 0o100_444), (program, 0o100_555)]
    );
    let bundle = fs::read_to_string(image.path().join(AUTHORITIES)).unwrap();
    let count = bundle.matches("-----BEGIN CERTIFICATE-----").count();
    assert!(count > 100, "{count} authorities");

    // Nothing is loaded at its start: it runs where there is nothing else.
    let said = Command::new("unshare")
        .args(namespace())
        .args([Path::new("chroot"), &image.path()])
        .args(["/taurus-port-operator", "--version"])
        .output()
        .unwrap();
    let said = printed(said);
    let version = env!("CARGO_PKG_VERSION");
    let begin = format!("taurus-port-operator {version} (commit ");
    assert!(said.starts_with(&begin), "{said}");
    assert!(said.contains("-unknown-linux-musl)"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
