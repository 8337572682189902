//! Medians, spreads and ratios, as tables in Markdown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::tool::{Taken, Task};

/// Beside the tools, and not one of them: no peer.
const INFORMATIVE: [&str; 2] = ["age", "cp"];
const OURS: &str = "turncoat";

#[derive(Default)]
struct Figures {
    /// Seconds from the command's start until all is synced.
    whole: Vec<f64>,
    /// The same without the login, where the tool says how long that took.
    apart: Vec<f64>,
    added: Vec<f64>,
    command: String,
}

/// All that was measured.
pub(crate) struct Report {
    data: String,
    versions: Vec<(String, String)>,
    absent: Vec<(String, String)>,
    figures: BTreeMap<(Task, String), Figures>,
    bare: BTreeMap<&'static str, Vec<f64>>,
}

impl Report {
    pub(crate) fn new(mib: usize, files: usize, seed: u64) -> Self {
        Self {
            data: format!("{mib} MiB; {files} files of 4 KiB; seed {seed}"),
            versions: Vec::new(),
            absent: Vec::new(),
            figures: BTreeMap::new(),
            bare: BTreeMap::new(),
        }
    }

    pub(crate) fn version(&mut self, name: &str, version: String) {
        self.versions.push((name.to_owned(), version));
    }

    pub(crate) fn absent(&mut self, name: &str, why: String) {
        eprintln!("{name} is left out: {why}");
        self.absent.push((name.to_owned(), why));
    }

    pub(crate) fn note(&mut self, task: Task, name: &str, taken: &Taken, added: u64) {
        let figures = self.figures.entry((task, name.to_owned())).or_default();
        figures.whole.push(taken.whole.as_secs_f64());
        if let Some(login) = taken.login {
            let apart = taken.whole.saturating_sub(login);
            figures.apart.push(apart.as_secs_f64());
        }
        figures.added.push(added as f64);
        figures.command.clone_from(&taken.command);
    }

    pub(crate) fn bare(&mut self, bare: [(&'static str, Duration); 2]) {
        for (name, time) in bare {
            self.bare.entry(name).or_default().push(time.as_secs_f64());
        }
    }

    /// The fastest peer's median.
    fn fastest(&self, task: Task, value: fn(&Figures) -> &[f64]) -> Option<(&str, f64)> {
        let of_task = self.figures.iter().filter(|((of, _), _)| *of == task);
        let peers =
            of_task.filter(|((_, name), _)| name != OURS && !INFORMATIVE.contains(&name.as_str()));
        peers
            .map(|((_, name), figures)| (name.as_str(), median(value(figures))))
            .min_by(|one, other| one.1.total_cmp(&other.1))
    }

    fn table(
        &self,
        f: &mut fmt::Formatter<'_>,
        tasks: &[Task],
        value: fn(&Figures) -> &[f64],
        scale: fn(f64) -> String,
    ) -> fmt::Result {
        let names: Vec<&str> = self
            .versions
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        writeln!(f, "| | {} | fastest peer |", names.join(" | "))?;
        writeln!(f, "|---|{}", "---|".repeat(names.len() + 1))?;
        for &task in tasks {
            write!(f, "| {task} |")?;
            for name in &names {
                match self.figures.get(&(task, (*name).to_owned())) {
                    Some(figures) => write!(f, " {} |", spread(value(figures), scale))?,
                    None => write!(f, " - |")?,
                }
            }
            let ours = self.figures.get(&(task, OURS.to_owned()));
            match (ours, self.fastest(task, value)) {
                (Some(ours), Some((name, fastest))) => {
                    let ratio = fastest / median(value(ours)).max(f64::MIN_POSITIVE);
                    writeln!(f, " {name}: {ratio:.2} x |")?;
                }
                _ => writeln!(f, " - |")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self
            .figures
            .values()
            .map(|figures| figures.whole.len())
            .max();
        writeln!(f, "{}; {} rounds.\n", self.data, rounds.unwrap_or(0))?;
        writeln!(
            f,
            "Seconds from the command's start until all is synced: median (fastest to slowest \
             round). The last column: how many times as long the fastest peer takes; age and cp \
             are no peers.\n"
        )?;
        self.table(f, &Task::ALL, |figures| &figures.whole, seconds)?;
        writeln!(f, "\nOf it, {OURS} without its login:\n")?;
        for task in Task::ALL.into_iter().filter(|task| *task != Task::Login) {
            if let Some(ours) = self.figures.get(&(task, OURS.to_owned())) {
                let fastest = self.fastest(task, |figures| &figures.whole);
                let ratio = fastest.map(|(name, fastest)| {
                    let ratio = fastest / median(&ours.apart);
                    format!("; {name} takes {ratio:.2} times as long")
                });
                let ratio = ratio.unwrap_or_default();
                writeln!(f, "- {task}: {}{ratio}", spread(&ours.apart, seconds))?;
            }
        }
        writeln!(f, "\nMB that storing one changed byte adds to the store:\n")?;
        self.table(f, &[Task::Change], |figures| &figures.added, megabytes)?;
        writeln!(
            f,
            "\nOne core, in memory, for as many bytes as the large file has:\n"
        )?;
        for (name, times) in &self.bare {
            writeln!(f, "- {name}: {}", spread(times, seconds))?;
        }
        writeln!(f, "\nVersions:\n")?;
        for (name, version) in &self.versions {
            writeln!(f, "- {name}: {version}")?;
        }
        for (name, why) in &self.absent {
            writeln!(f, "- {name} is left out: {why}")?;
        }
        writeln!(f, "\nCommands, `$W` being a folder of each tool's own:\n")?;
        for ((task, name), figures) in &self.figures {
            writeln!(f, "- {task}, {name}: `{}`", figures.command)?;
        }
        Ok(())
    }
}

fn seconds(value: f64) -> String {
    match value {
        small if small < 1.0 => format!("{small:.3}"),
        large => format!("{large:.2}"),
    }
}

fn megabytes(value: f64) -> String {
    format!("{:.2}", value / 1e6)
}

fn spread(values: &[f64], scale: fn(f64) -> String) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!(
        "{} ({}-{})",
        scale(median(values)),
        scale(least),
        scale(most)
    )
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.as_slice() {
        [] => f64::NAN,
        even if even.len() % 2 == 0 => (even[middle - 1] + even[middle]) / 2.0,
        odd => odd[middle],
    }
}
