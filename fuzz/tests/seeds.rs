//! Every seed and every finding that was mended, once more through its check, without libFuzzer.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of the tests reads files of this folder"
)]

use std::{collections::BTreeSet, fs, path::Path};

use taurus_fuzz::CHECKS;

fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(name);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files
        .map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, fs::read(file.path()).unwrap())
        })
        .collect()
}

#[test]
fn what_is_promised_holds_for_every_seed() {
    for (name, check) in CHECKS {
        for (file, seed) in seeds(name) {
            eprintln!("{name}/{file}"); // shown only when the next line ends the test
            check(&seed);
        }
    }
}

#[test]
fn the_seeds_of_each_check_lead_to_what_is_understood_and_to_what_is_not() {
    for (name, check) in CHECKS {
        let seeds = seeds(name);
        let understood = seeds.iter().filter(|(_, seed)| check(seed)).count();
        assert!(understood > 0, "{name}: no seed is understood");
        assert!(understood < seeds.len(), "{name}: every seed is understood");
    }
}

#[test]
fn each_check_has_a_program_and_a_folder_of_seeds_and_nothing_else_has() {
    let names: BTreeSet<String> = CHECKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = |folder: &str| -> BTreeSet<String> {
        let files = fs::read_dir(here.join(folder)).unwrap();
        files
            .map(|file| {
                file.unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(listed("targets"), names);
    assert_eq!(listed("seeds"), names);
    let manifest = fs::read_to_string(here.join("Cargo.toml")).unwrap();
    for name in &names {
        assert!(
            manifest.contains(&format!("path = \"targets/{name}.rs\"")),
            "{name}"
        );
    }
}
