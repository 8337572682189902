//! Embeds the script library, so that the program finds it wherever it runs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=scripts");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("scripts");
    let mut text = String::from("&[\n");
    for folder in sorted(&root)? {
        println!("cargo:rerun-if-changed={}", folder.display());
        for file in sorted(&folder)? {
            if file
                .extension()
                .is_some_and(|extension| extension == "rhai")
            {
                let (class, id) = (name(&folder), name(&file));
                let path = file.display().to_string();
                writeln!(text, "    ({class:?}, {id:?}, include_str!({path:?})),")
                    .map_err(io::Error::other)?;
            }
        }
    }
    text.push_str("]\n");
    fs::write(out.join("library.rs"), text)
}

/// What a folder holds, by name; nothing if there is no such folder.
fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}
