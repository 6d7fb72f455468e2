//! Pages of the docs that are written by tests: `make docs` writes them, and every other run compares.

use std::{fs, path::Path};

/// Holds that the page below the project's root has this text, or writes it.
pub fn held(page: &Path, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    if std::env::var_os("WRITE_DOCS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "{} is stale: run `make docs`",
        page.display()
    );
}
