//! The programs under test, built once before the first of them is started.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

const PACKAGES: [&str; 4] = ["core-broker", "edge-agent", "stream-apps", "devices-sim"];

/// The folder of the top-level Cargo.toml.
pub fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("tests/end-to-end is two folders down")
}

/// The path of one of the programs, as the sources stand.
pub fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER.get_or_init(build).as_ref().expect("the programs under test do not build").join(name)
}

/// `None` when they do not build; cargo has said why.
fn build() -> Option<PathBuf> {
    let test = std::env::current_exe().expect("a running program has a path");
    // <target>/<profile>/deps/<this test>
    let target = test.ancestors().nth(3).expect("a test lies three folders down in the target folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--quiet", "--target-dir"]).arg(target).current_dir(workspace());
    for package in PACKAGES {
        cargo.args(["-p", package]);
    }
    println!("building {}", PACKAGES.join(", "));
    let status = cargo.status().expect("cargo can be run");
    status.success().then(|| target.join("debug"))
}
