//! `turncoat new-attack ID`: a script that runs as it stands, with places to fill in.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use crate::engine::{self, CLASSES};
use crate::quote::{program, quoted};
use crate::status::{Fault, Status};

/// The longest id.
const ID_MAX: usize = 60;

/// The script; `ID` stands for the id.
const TEMPLATE: &str = include_str!("new_attack.rhai");

/// Writes `ID.rhai` into a directory and says what to do with it.
///
/// # Errors
///
/// The id is not one, the file exists, or it cannot be written; no file is left half-written.
pub(crate) fn write(id: &str, directory: &Path, output: &mut dyn Write) -> Result<Status, Fault> {
    if !is_id(id) {
        return Err(Fault::usage(format!(
            "'{id}' is not an id: take lower-case letters, digits and single hyphens, starting \
             with a letter, at most {ID_MAX} characters, such as head-rollback"
        )));
    }
    let library = engine::library()?;
    if let Some(taken) = library.iter().find(|one| one.id == id || one.class == id) {
        let what = if taken.id == id {
            "an attack"
        } else {
            "a class"
        };
        return Err(Fault::usage(format!(
            "'{id}' is {what} of the library; take another id"
        )));
    }
    let path = directory.join(format!("{id}.rhai"));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|error| {
            let text = format!("{path:?} could not be made: {error}.");
            match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    Fault::usage(format!("{text} Nothing was changed; take another id."))
                }
                io::ErrorKind::NotFound => Fault::usage(format!(
                    "{text} Name a directory that exists with --directory."
                )),
                _ => Fault::machine(format!("{text} Name another directory with --directory.")),
            }
        })?;
    let class = class_of(directory);
    let script = TEMPLATE
        .replace("ID", id)
        .replace("class: freshness", &format!("class: {class}"));
    if let Err(error) = file
        .write_all(script.as_bytes())
        .and_then(|()| file.sync_all())
    {
        // It was made a moment ago, by us; the first error is the one to tell.
        let _ = std::fs::remove_file(&path);
        return Err(Fault::machine(format!(
            "{path:?} could not be written: {error}."
        )));
    }
    tell(&path, output).map_err(|error| Fault::output(&error))?;
    Ok(Status::Fine)
}

/// The folder is the class, if there is one of that name.
fn class_of(directory: &Path) -> String {
    let absolute = directory.canonicalize();
    let folder = absolute.ok().and_then(|path| {
        let name = path.file_name()?.to_str()?;
        CLASSES.contains(&name).then(|| name.to_owned())
    });
    folder.unwrap_or_else(|| "freshness".to_owned())
}

fn is_id(id: &str) -> bool {
    let word = |word: &str| {
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        !word.is_empty() && word.chars().all(plain)
    };
    id.len() <= ID_MAX
        && id.starts_with(|letter: char| letter.is_ascii_lowercase())
        && id.split('-').all(word)
}

fn tell(path: &Path, output: &mut dyn Write) -> io::Result<()> {
    let shown = quoted(&path.display().to_string());
    writeln!(output, "Wrote {shown}. It runs as it stands; now fill in:")?;
    writeln!(output, "  1. the first line: the attack in one sentence")?;
    writeln!(output, "  2. class, guarantee and source")?;
    writeln!(
        output,
        "  3. the workload, the act, and the operation that must notice"
    )?;
    writeln!(
        output,
        "  4. defences: the smallest set whose removal lets the attack through"
    )?;
    writeln!(
        output,
        "  5. verdict: the one that the hardened client must earn"
    )?;
    writeln!(output, "Then:")?;
    let program = program();
    writeln!(output, "  {program} check {shown}")?;
    writeln!(output, "  {program} attack {shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_lower_case_words() {
        for id in ["a", "head-rollback", "kdf2-floor"] {
            assert!(is_id(id), "{id}");
        }
        let long = "a".repeat(ID_MAX + 1);
        let wrong = [
            "", "-", "a-", "-a", "a--b", "A", "2a", "a_b", "a/b", "../a", "a.b", &long,
        ];
        for id in wrong {
            assert!(!is_id(id), "{id}");
            let fault = write(id, Path::new("/nowhere"), &mut io::sink()).unwrap_err();
            assert_eq!(fault.status, Status::Usage);
        }
    }

    #[test]
    fn the_script_has_a_whole_header_and_its_id() {
        let scratch = tempfile::tempdir().unwrap();
        let mut output = Vec::new();
        assert_eq!(
            write("my-attack", scratch.path(), &mut output),
            Ok(Status::Fine)
        );
        let script = std::fs::read_to_string(scratch.path().join("my-attack.rhai")).unwrap();
        assert!(script.starts_with("// my-attack: "), "{script}");
        for key in ["class", "guarantee", "source", "defences", "verdict"] {
            assert!(script.contains(&format!("\n// {key}: ")), "{key}");
        }
        assert!(!script.contains("ID"), "{script}");
        assert!(String::from_utf8(output).unwrap().contains(" check "));
    }

    #[test]
    fn the_folder_is_the_class() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("leakage");
        std::fs::create_dir(&folder).unwrap();
        write("my-attack", &folder, &mut io::sink()).unwrap();
        let script = std::fs::read_to_string(folder.join("my-attack.rhai")).unwrap();
        assert!(script.contains("\n// class: leakage\n"), "{script}");
    }

    #[test]
    fn names_of_the_library_are_taken() {
        let scratch = tempfile::tempdir().unwrap();
        for id in ["head-rollback", "freshness"] {
            let fault = write(id, scratch.path(), &mut io::sink()).unwrap_err();
            assert_eq!(fault.status, Status::Usage);
            assert!(
                fault.shown().contains("of the library"),
                "{}",
                fault.shown()
            );
        }
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_exists_is_kept() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("mine.rhai");
        std::fs::write(&path, "precious").unwrap();
        let fault = write("mine", scratch.path(), &mut io::sink()).unwrap_err();
        assert_eq!(fault.status, Status::Usage);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_missing_directory_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let fault = write("mine", &scratch.path().join("none"), &mut io::sink()).unwrap_err();
        assert_eq!(fault.status, Status::Usage);
        assert!(fault.shown().contains("--directory"), "{}", fault.shown());
    }
}
