//! A broker's data folder has one user at a time.

use std::{fs::File, path::Path};

use anyhow::{Context, bail};

const LOCK: &str = "lock";

/// Two brokers on one folder would write over each other. Held as long as the file is open.
pub fn lock(data: &Path) -> anyhow::Result<File> {
    let path = data.join(LOCK);
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    if file.try_lock().is_err() {
        bail!("another core-broker uses {}: stop it, or give another folder with --data DIR", data.display());
    }
    Ok(file)
}

/// Whether a broker has been here.
pub fn is_one(folder: &Path) -> bool {
    folder.join(LOCK).is_file()
}
