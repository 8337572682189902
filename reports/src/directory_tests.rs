//! A report directory is whole after every failure, and nothing foreign is touched.

use std::collections::BTreeMap;

use super::*;
use crate::sample::{Budgeted, sample};
use crate::{Results, decode, encode};

/// A directory of a test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("turncoat-reports-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn report(&self) -> PathBuf {
        self.0.join("report")
    }

    /// Every file below, by its path, with its bytes.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.0.clone()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    found.insert(path.clone(), Vec::new());
                    open.push(path);
                } else {
                    found.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        found
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A disk whose acts fail from a given one on, or that is full after so many bytes.
struct Failing {
    acts_left: usize,
    fails_after: usize,
    bytes_left: usize,
}

impl Failing {
    fn act(&mut self) -> io::Result<()> {
        if self.acts_left == 0 {
            if self.fails_after == 0 {
                return Ok(());
            }
            self.fails_after -= 1;
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.acts_left -= 1;
        Ok(())
    }
}

impl Disk for Failing {
    fn make(&mut self, directory: &Path) -> io::Result<()> {
        self.act()?;
        RealDisk.make(directory)
    }

    fn write(&mut self, file: &Path, exporter: &dyn Exporter, results: &Results) -> io::Result<()> {
        self.act()?;
        let mut writer = Budgeted::new(self.bytes_left);
        let outcome = exporter.export(results, &mut writer);
        self.bytes_left -= writer.written.len();
        fs::write(file, writer.written)?;
        outcome
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.act()?;
        RealDisk.rename(from, to)
    }

    fn remove(&mut self, directory: &Path) -> io::Result<()> {
        self.act()?;
        RealDisk.remove(directory)
    }
}

fn other() -> Results {
    let mut results = sample();
    results.run.seed = crate::Seed(7);
    results
}

fn read(report: &Path) -> Results {
    decode(&fs::read(report.join(MARKER)).unwrap()).unwrap()
}

#[test]
fn a_directory_that_cannot_be_made_is_known_before_anything_runs() {
    let scratch = Scratch::new("probe");
    fs::write(scratch.0.join("file"), "").unwrap();
    let below_a_file = scratch.0.join("file/report");
    for refused in [below_a_file.as_path(), Path::new("/proc/self/report")] {
        let checked = check_directory(refused);
        assert!(
            matches!(checked, Err(DirectoryError::Write { .. })),
            "{refused:?}: {checked:?}"
        );
    }
    let deep = scratch.0.join("not/yet/there");
    assert!(check_directory(&deep).is_ok());
    let left: Vec<_> = fs::read_dir(&scratch.0).unwrap().collect();
    assert_eq!(left.len(), 1, "the probe is gone, and nothing was made");
}

#[test]
fn a_new_report_holds_every_format() {
    let scratch = Scratch::new("new");
    let report = scratch.0.join("a/b/report");
    check_directory(&report).unwrap();
    write_directory(&report, &sample()).unwrap();
    check_directory(&report).unwrap();
    assert_eq!(read(&report), sample());
    assert_eq!(fs::read_dir(&report).unwrap().count(), exporters().len());
    assert_eq!(fs::read_dir(report.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn an_earlier_report_is_replaced_and_nothing_is_left_beside() {
    let scratch = Scratch::new("replaced");
    write_directory(&scratch.report(), &sample()).unwrap();
    write_directory(&scratch.report(), &other()).unwrap();
    assert_eq!(read(&scratch.report()), other());
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1);
}

#[test]
fn an_empty_directory_is_filled() {
    let scratch = Scratch::new("empty");
    fs::create_dir(scratch.report()).unwrap();
    check_directory(&scratch.report()).unwrap();
    write_directory(&scratch.report(), &sample()).unwrap();
    assert_eq!(read(&scratch.report()), sample());
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1);
}

#[test]
fn what_is_not_ours_is_not_touched() {
    type Prepare = fn(&Path);
    let cases: [(&str, Prepare); 6] = [
        ("a file", |report| fs::write(report, "precious").unwrap()),
        ("a home", |report| {
            fs::create_dir(report).unwrap();
            fs::write(report.join("thesis.tex"), "precious").unwrap();
        }),
        ("a file beside a report", |report| {
            write_directory(report, &sample()).unwrap();
            fs::write(report.join("notes.txt"), "precious").unwrap();
        }),
        ("a torn marker", |report| {
            fs::create_dir(report).unwrap();
            fs::write(report.join(MARKER), &encode(&sample())[..100]).unwrap();
        }),
        ("a foreign marker", |report| {
            fs::create_dir(report).unwrap();
            fs::write(
                report.join(MARKER),
                "{\"format\": \"other\", \"version\": 1}",
            )
            .unwrap();
        }),
        ("a marker that is a directory", |report| {
            fs::create_dir_all(report.join(MARKER)).unwrap();
        }),
    ];
    for (name, prepare) in cases {
        let scratch = Scratch::new("foreign");
        prepare(&scratch.report());
        let before = scratch.files();
        assert!(check_directory(&scratch.report()).is_err(), "{name}");
        let error = write_directory(&scratch.report(), &other()).unwrap_err();
        assert!(
            matches!(error, DirectoryError::NotOurs { .. }),
            "{name}: {error:?}"
        );
        assert!(
            error.to_string().contains("name another directory"),
            "{error}"
        );
        assert_eq!(scratch.files(), before, "{name}");
    }
}

#[test]
fn a_report_of_a_newer_version_is_not_touched() {
    let scratch = Scratch::new("newer");
    fs::create_dir(scratch.report()).unwrap();
    let newer = "{\"format\": \"turncoat-report\", \"version\": 9, \"lanes\": []}";
    fs::write(scratch.report().join(MARKER), newer).unwrap();
    let before = scratch.files();
    let error = write_directory(&scratch.report(), &other()).unwrap_err();
    assert!(
        matches!(error, DirectoryError::Newer { found: 9, .. }),
        "{error:?}"
    );
    assert_eq!(scratch.files(), before);
}

#[cfg(unix)]
#[test]
fn a_link_is_not_followed() {
    let scratch = Scratch::new("link");
    let target = scratch.0.join("target");
    write_directory(&target, &sample()).unwrap();
    std::os::unix::fs::symlink(&target, scratch.report()).unwrap();
    let error = write_directory(&scratch.report(), &other()).unwrap_err();
    assert!(matches!(error, DirectoryError::NotOurs { .. }), "{error:?}");
    assert_eq!(read(&target), sample());
}

#[test]
fn a_full_disk_keeps_the_old_report_and_leaves_nothing_half_written() {
    let whole: usize = exporters()
        .iter()
        .map(|exporter| {
            let mut bytes = Vec::new();
            exporter.export(&other(), &mut bytes).unwrap();
            bytes.len()
        })
        .sum();
    let scratch = Scratch::new("full");
    let absent = scratch.0.join("absent");
    write_directory(&scratch.report(), &sample()).unwrap();
    let before = scratch.files();
    // The exporters are tried at every byte; here every file and many places in it are enough.
    for bytes_left in (0..whole).step_by(151).chain([whole - 1]) {
        for path in [&scratch.report(), &absent] {
            let mut disk = Failing {
                acts_left: usize::MAX,
                fails_after: 0,
                bytes_left,
            };
            let error = write_on(&mut disk, path, &other()).unwrap_err();
            assert!(matches!(error, DirectoryError::Write { .. }), "{error:?}");
            assert_eq!(scratch.files(), before, "{bytes_left}");
        }
    }
    let mut disk = Failing {
        acts_left: usize::MAX,
        fails_after: 0,
        bytes_left: whole,
    };
    write_on(&mut disk, &scratch.report(), &other()).unwrap();
    assert_eq!(read(&scratch.report()), other());
}

#[test]
fn after_any_one_failing_act_one_whole_report_stands() {
    for acts_left in 0.. {
        let scratch = Scratch::new("acts");
        write_directory(&scratch.report(), &sample()).unwrap();
        let before = scratch.files();
        let mut disk = Failing {
            acts_left,
            fails_after: 1,
            bytes_left: usize::MAX,
        };
        match write_on(&mut disk, &scratch.report(), &other()) {
            Err(error) => {
                assert!(matches!(error, DirectoryError::Write { .. }), "{error:?}");
                assert_eq!(scratch.files(), before, "act {acts_left}");
            }
            Ok(()) => {
                assert_eq!(read(&scratch.report()), other());
                if disk.fails_after == 1 {
                    assert!(acts_left > 5, "make, three files, two renames, remove");
                    return;
                }
            }
        }
    }
}

#[test]
fn an_old_report_that_cannot_go_back_is_named() {
    let scratch = Scratch::new("aside");
    write_directory(&scratch.report(), &sample()).unwrap();
    // Make, three files and the first rename succeed; both renames after it fail.
    let acts_left = 2 + exporters().len();
    let mut disk = Failing {
        acts_left,
        fails_after: 2,
        bytes_left: usize::MAX,
    };
    let error = write_on(&mut disk, &scratch.report(), &other()).unwrap_err();
    let DirectoryError::Aside { old, new, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((read(old), read(new)), (sample(), other()));
    assert!(error.to_string().contains(&format!("{old:?}")), "{error}");
}
