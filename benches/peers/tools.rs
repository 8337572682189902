//! The tools: how each is begun, and what it runs for each piece of work.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::data::Data;
use crate::tool::{Commands, Failed, Place, Task, Tool, run};

/// A tool before it has a store.
pub(crate) struct Make {
    name: &'static str,
    program: PathBuf,
    version: &'static str,
    begin: fn(&Path, Place, &Data) -> Result<Tool, Failed>,
}

impl Make {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The first line of what the program says of itself, or why it cannot be used.
    pub(crate) fn version(&self) -> Result<String, String> {
        if self.name == "gocryptfs" && !Path::new("/dev/fuse").exists() {
            return Err("this machine has no FUSE".to_owned());
        }
        let said = run(Command::new(&self.program).arg(self.version));
        let said = said.map_err(|Failed(why)| why)?;
        let said = String::from_utf8_lossy(&said);
        Ok(said.lines().next().unwrap_or_default().to_owned())
    }

    pub(crate) fn start(&self, place: Place, data: &Data) -> Result<Tool, Failed> {
        (self.begin)(&self.program, place, data)
            .map_err(|Failed(why)| Failed(format!("{}: {why}", self.name)))
    }
}

/// Every tool that this benchmark knows.
pub(crate) fn all(turncoat_path: Option<&Path>) -> Result<Vec<Make>, Failed> {
    let make = |name: &'static str, version, begin| Make {
        name,
        program: PathBuf::from(name),
        version,
        begin,
    };
    Ok(vec![
        Make {
            program: match turncoat_path {
                Some(path) => path.canonicalize().map_err(Failed::of)?,
                None => built()?,
            },
            ..make("turncoat", "--version", turncoat)
        },
        make("restic", "version", restic),
        make("rclone", "version", rclone),
        make("gocryptfs", "--version", gocryptfs),
        make("borg", "--version", borg),
        make("age", "--version", age),
        make("cp", "--version", cp),
    ])
}

/// Builds the program as people run it. This benchmark lies in `deps` beside it.
fn built() -> Result<PathBuf, Failed> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", "turncoat"])
        .status();
    if !status.map_err(Failed::of)?.success() {
        return Err(Failed("turncoat does not build".to_owned()));
    }
    let this = std::env::current_exe().map_err(Failed::of)?;
    let release = this.parent().and_then(Path::parent);
    let release = release.ok_or_else(|| Failed("where is the release build?".to_owned()))?;
    Ok(release.join("turncoat"))
}

/// Words of a command line, and where it runs.
fn command(program: &Path, folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).current_dir(folder);
    command
}

/// The commands of a tool from its words: where to run, and what.
fn commands(
    program: &Path,
    set: impl Fn(&mut Command) + 'static,
    words: impl Fn(Task) -> Option<(PathBuf, Vec<String>)> + 'static,
) -> Commands {
    let program = program.to_owned();
    Box::new(move |task| {
        let (folder, words) = words(task)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = command(&program, &folder, &words);
        set(&mut command);
        Some(command)
    })
}

fn split(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn turncoat(program: &Path, place: Place, data: &Data) -> Result<Tool, Failed> {
    let store = place.store.display().to_string();
    let mut server = Command::new(program)
        .args(["serve", "--store", &store, "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Failed::of)?;
    let mut said = String::new();
    if let Some(output) = server.stdout.take() {
        BufReader::new(output)
            .read_line(&mut said)
            .map_err(Failed::of)?;
    }
    let address = said.trim().strip_prefix("listening on ").map(str::to_owned);
    let folder = data.folder().to_owned();
    let out = place.out.clone();
    let password = data.file("password");
    let state = place.folder.join("state");
    let set = move |command: &mut Command| {
        command
            .env(
                "TURNCOAT_SERVER",
                address.as_deref().unwrap_or("http://127.0.0.1:1"),
            )
            .env("TURNCOAT_USER", "bench")
            .env("TURNCOAT_STATE", &state)
            .args(["--json", "--password-file"])
            .arg(&password);
    };
    let words = move |task| {
        let (folder, line) = match task {
            Task::Login => (&folder, "login"),
            Task::StoreBig => (&folder, "put big"),
            Task::Change => (&folder, "put --changes big"),
            Task::StoreMany => (&folder, "put -r many"),
            Task::List => (&folder, "ls"),
            Task::FetchBig => (&out, "get big"),
            Task::FetchMany => (&out, "get -r many"),
            Task::Append => (&folder, "append big kib"),
        };
        Some((folder.clone(), split(line)))
    };
    let mut sign_up = command(program, data.folder(), &["sign-up"]);
    set(&mut sign_up);
    let tool = Tool {
        name: "turncoat",
        place,
        commands: commands(program, set, words),
        kept: vec![(server, None)],
        says_login: true,
    };
    run(&mut sign_up)?;
    Ok(tool)
}

fn restic(program: &Path, place: Place, data: &Data) -> Result<Tool, Failed> {
    let (repository, password) = (place.store.clone(), data.file("password"));
    let cache = place.folder.join("cache");
    let set = move |command: &mut Command| {
        command
            .env("RESTIC_REPOSITORY", &repository)
            .env("RESTIC_PASSWORD_FILE", &password)
            .env("RESTIC_CACHE_DIR", &cache);
    };
    let mut init = command(program, data.folder(), &["init"]);
    set(&mut init);
    run(&mut init)?;
    let folder = data.folder().to_owned();
    let (big, many) = (data.file("big"), data.file("many"));
    let out = place.out.clone();
    let words = move |task| {
        let restore = |path: &Path| format!("restore latest --path {} --target .", path.display());
        let (folder, line) = match task {
            Task::Login => (&folder, "cat config".to_owned()),
            Task::StoreBig | Task::Change | Task::Append => (&folder, "backup big".to_owned()),
            Task::StoreMany => (&folder, "backup many".to_owned()),
            Task::List => (&folder, format!("ls latest --path {}", many.display())),
            Task::FetchBig => (&out, restore(&big)),
            Task::FetchMany => (&out, restore(&many)),
        };
        Some((folder.clone(), split(&line)))
    };
    Ok(Tool {
        name: "restic",
        place,
        commands: commands(program, set, words),
        kept: Vec::new(),
        says_login: false,
    })
}

fn rclone(program: &Path, place: Place, data: &Data) -> Result<Tool, Failed> {
    let obscured = run(&mut command(
        program,
        data.folder(),
        &["obscure", "correct horse"],
    ))?;
    let configuration = place.folder.join("rclone.conf");
    let text = format!(
        "[vault]\ntype = crypt\nremote = {}\npassword = {}\n",
        place.store.display(),
        String::from_utf8_lossy(&obscured).trim()
    );
    std::fs::write(&configuration, text).map_err(Failed::of)?;
    let set = move |command: &mut Command| {
        command.env("RCLONE_CONFIG", &configuration);
    };
    let (folder, out) = (data.folder().to_owned(), place.out.clone());
    let words = move |task| {
        let (folder, line) = match task {
            Task::Login => (&folder, "lsf vault:"),
            Task::StoreBig | Task::Change | Task::Append => (&folder, "copyto big vault:big"),
            Task::StoreMany => (&folder, "copy many vault:many"),
            Task::List => (&folder, "lsf vault:many"),
            Task::FetchBig => (&out, "copyto vault:big big"),
            Task::FetchMany => (&out, "copy vault:many many"),
        };
        Some((folder.clone(), split(line)))
    };
    Ok(Tool {
        name: "rclone",
        place,
        commands: commands(program, set, words),
        kept: Vec::new(),
        says_login: false,
    })
}

/// Mounted all the time: its login is not part of any work.
fn gocryptfs(program: &Path, place: Place, data: &Data) -> Result<Tool, Failed> {
    let store = place.store.display().to_string();
    let password = data.file("password").display().to_string();
    let mount = place.folder.join("mount");
    std::fs::create_dir_all(&mount).map_err(Failed::of)?;
    let mount = mount.display().to_string();
    let words = ["-init", "-q", "-passfile", &password, &store];
    run(&mut command(program, data.folder(), &words))?;
    let mounted = Command::new(program)
        .args(["-fg", "-q", "-passfile", &password, &store, &mount])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Failed::of)?;
    let unmount = command(Path::new("fusermount"), data.folder(), &["-u", &mount]);
    let (folder, out) = (data.folder().to_owned(), place.out.clone());
    let at = mount.clone();
    let words = move |task| {
        let (folder, line) = match task {
            Task::Login => return None,
            Task::StoreBig | Task::Change => (&folder, format!("cp big {at}/big")),
            Task::StoreMany => (&folder, format!("cp -r many {at}/many")),
            Task::List => (&folder, format!("ls {at}/many")),
            Task::FetchBig => (&out, format!("cp {at}/big big")),
            Task::FetchMany => (&out, format!("cp -r {at}/many many")),
            Task::Append => (
                &folder,
                format!("dd if=kib of={at}/big oflag=append conv=notrunc,fsync status=none"),
            ),
        };
        let mut words = vec!["-c".to_owned()];
        words.push(line);
        Some((folder.clone(), words))
    };
    let tool = Tool {
        name: "gocryptfs",
        place,
        commands: commands(Path::new("sh"), |_| {}, words),
        kept: vec![(mounted, Some(unmount))],
        says_login: false,
    };
    is_mounted(Path::new(&mount))?;
    Ok(tool)
}

fn is_mounted(mount: &Path) -> Result<(), Failed> {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev());
    let below = mount.parent().unwrap_or(mount);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        if device(mount).map_err(Failed::of)? != device(below).map_err(Failed::of)? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Failed("it does not mount".to_owned()))
}

fn borg(program: &Path, place: Place, data: &Data) -> Result<Tool, Failed> {
    let (repository, base) = (place.store.clone(), place.folder.join("base"));
    std::fs::create_dir_all(&base).map_err(Failed::of)?;
    let set = move |command: &mut Command| {
        command
            .env("BORG_REPO", &repository)
            .env("BORG_BASE_DIR", &base)
            .env("BORG_PASSPHRASE", "correct horse");
    };
    let mut init = command(program, data.folder(), &["init", "--encryption", "repokey"]);
    set(&mut init);
    run(&mut init)?;
    let (folder, out) = (data.folder().to_owned(), place.out.clone());
    let words = move |task| {
        let (folder, line) = match task {
            Task::Login => (&folder, "info"),
            Task::StoreBig => (&folder, "create ::big big"),
            Task::StoreMany => (&folder, "create ::many many"),
            Task::List => (&folder, "list --short ::many"),
            Task::FetchBig => (&out, "extract ::big"),
            Task::FetchMany => (&out, "extract ::many"),
            Task::Change => (&folder, "create ::changed big"),
            Task::Append => (&folder, "create ::longer big"),
        };
        Some((folder.clone(), split(line)))
    };
    Ok(Tool {
        name: "borg",
        place,
        commands: commands(program, set, words),
        kept: Vec::new(),
        says_login: false,
    })
}

/// One file, no vault: what encryption to a key costs.
fn age(program: &Path, place: Place, data: &Data) -> Result<Tool, Failed> {
    let key = place.folder.join("key").display().to_string();
    let keygen = Path::new("age-keygen");
    run(&mut command(keygen, data.folder(), &["-o", &key]))?;
    let public = run(&mut command(keygen, data.folder(), &["-y", &key]))?;
    let public = String::from_utf8_lossy(&public).trim().to_owned();
    let (folder, out) = (data.folder().to_owned(), place.out.clone());
    let store = place.store.display().to_string();
    let words = move |task| {
        let (folder, line) = match task {
            Task::StoreBig => (&folder, format!("-r {public} -o {store}/big big")),
            Task::FetchBig => (&out, format!("-d -i {key} -o big {store}/big")),
            _ => return None,
        };
        Some((folder.clone(), split(&line)))
    };
    Ok(Tool {
        name: "age",
        place,
        commands: commands(program, |_| {}, words),
        kept: Vec::new(),
        says_login: false,
    })
}

/// The floor: nothing is sealed.
fn cp(program: &Path, place: Place, data: &Data) -> Result<Tool, Failed> {
    let (folder, out) = (data.folder().to_owned(), place.out.clone());
    let store = place.store.display().to_string();
    let words = move |task| {
        let (folder, line) = match task {
            Task::StoreBig | Task::Change => (&folder, format!("big {store}/big")),
            Task::StoreMany => (&folder, format!("-r many {store}/many")),
            Task::FetchBig => (&out, format!("{store}/big big")),
            Task::FetchMany => (&out, format!("-r {store}/many many")),
            Task::Login | Task::List | Task::Append => return None,
        };
        Some((folder.clone(), split(&line)))
    };
    Ok(Tool {
        name: "cp",
        place,
        commands: commands(program, |_| {}, words),
        kept: Vec::new(),
        says_login: false,
    })
}
