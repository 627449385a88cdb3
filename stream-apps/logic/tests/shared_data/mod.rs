//! The shared data folder, beside the workspace; a test without it says so and does nothing.

use std::path::{Path, PathBuf};

pub fn shared_data(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.exists() {
        Some(path)
    } else {
        println!("skipped: no shared data folder with {name}");
        None
    }
}
