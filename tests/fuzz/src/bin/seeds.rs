//! Writes the seeds of every check into a folder each, for libFuzzer to begin from.
#![allow(clippy::disallowed_methods)] // writes files

use std::{env, fs, path::Path};

fn main() -> std::io::Result<()> {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("usage: seeds FOLDER");
        std::process::exit(1);
    };
    for check in fuzz::CHECKS {
        let folder = Path::new(&folder).join(check.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (check.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:04}")), seed)?;
        }
    }
    Ok(())
}
