//! Every check over its seeds, over what was found once, and over mutations of both.
#![allow(clippy::disallowed_methods)] // reads the corpus

use std::{fs, path::Path};

use fuzz::{CHECKS, Check, mutation::mutated};

/// Of each check, over all its seeds.
const MUTATIONS: usize = 4_000;

#[test]
fn what_was_found_once_stays_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(&folder).expect("the corpus is there") {
        let name = entry.expect("it can be listed").file_name().into_string().expect("UTF-8");
        let check = CHECKS.iter().find(|check| check.name == name);
        let check = check.unwrap_or_else(|| panic!("corpus/{name} belongs to no check"));
        for file in fs::read_dir(folder.join(&name)).expect("a folder for each check") {
            let bytes = fs::read(file.expect("it can be listed").path()).expect("it can be read");
            run(check, &bytes);
            (0..100).for_each(|seed| run(check, &mutated(&bytes, seed)));
        }
    }
}

#[test]
fn every_check_holds_for_its_seeds_and_for_what_is_nearly_like_them() {
    for check in &CHECKS {
        let seeds = (check.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", check.name);
        for (number, seed) in seeds.iter().enumerate() {
            run(check, seed);
            let mutations = (MUTATIONS / seeds.len()).max(1) as u64;
            let first = number as u64 * mutations;
            (first..first + mutations).for_each(|mutation| run(check, &mutated(seed, mutation)));
        }
    }
}

#[test]
fn each_check_has_a_target_for_libfuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("it is there");
    for check in &CHECKS {
        let name = check.name;
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in Cargo.toml");
        let target = fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs")));
        let calls = target.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(calls.contains("fuzz_target!"), "{name}");
    }
}

/// A check that fails says for which bytes.
fn run(check: &Check, bytes: &[u8]) {
    struct Told<'a>(&'a str, &'a [u8]);
    impl Drop for Told<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("{} does not hold for {}", self.0, self.1.escape_ascii());
            }
        }
    }
    let told = Told(check.name, bytes);
    (check.check)(bytes);
    drop(told);
}
