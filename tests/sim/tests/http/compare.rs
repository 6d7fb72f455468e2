//! What three usual scripts do when an answer is lost is what `docs/compare.md` says.

use std::{path::Path, process::Command};

/// The rows of a text about these scripts, without what makes letters bold.
fn rows(text: &str) -> Vec<String> {
    let of_script =
        |line: &&str| line.contains("| before the work |") || line.contains("| after the work |");
    let rows = text.lines().filter(of_script);
    rows.map(|line| line.replace('*', "")).collect()
}

#[test]
fn the_scripts_do_what_the_page_that_compares_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(root.join("tests/compare/scripts"))
        .env("TAURUS_SIM", env!("CARGO_BIN_EXE_taurus-sim"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(root.join("docs/compare.md")).unwrap();
    let told = rows(&page);
    assert_eq!(told.len(), 12, "{told:?}");
    assert_eq!(rows(&String::from_utf8(output.stdout).unwrap()), told);
}
