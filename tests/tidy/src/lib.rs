//! The house rules that a compiler cannot see. The rules are in `tests/`; here is how they look at the
//! workspace.
#![allow(clippy::disallowed_methods)] // reads the source tree

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of the top-level Cargo.toml.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("tests/tidy is two folders down").to_path_buf()
}

/// Every package that `package` needs to run, itself excluded.
pub fn needs(package: &str) -> Vec<String> {
    let arguments =
        ["tree", "--locked", "--offline", "-e", "normal", "--prefix", "none", "--format", "{p}", "-p"];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg(package)
        .current_dir(root())
        .output()
        .expect("cargo tree can be run");
    assert!(output.status.success(), "cargo tree -p {package}: {}", String::from_utf8_lossy(&output.stderr));
    let mut needs: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    needs.sort();
    needs.dedup();
    needs
}

/// Every file of the project that a person wrote, with its text.
pub fn texts() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    assert!(found.len() > 50, "only {} files found under {}", found.len(), root().display());
    found
}

/// The Rust files below `folder`, relative to the root.
pub fn rust_files(folder: &str) -> Vec<(PathBuf, String)> {
    let below = root().join(folder);
    texts()
        .into_iter()
        .filter(|(path, _)| path.starts_with(&below) && path.extension().is_some_and(|ending| ending == "rs"))
        .collect()
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("the source tree can be read") {
        let path = entry.expect("the source tree can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if matches!(name.as_str(), ".git" | "target" | "node_modules") {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push((path, text));
        }
    }
}
