//! The other brokers' programs: Debian's packages, unpacked below `target/peers` and not installed, so that
//! none is started as a service of the system; and the NATS server as a Go module, since Debian's has no
//! setting to sync before it acknowledges.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Attempt;

const PACKAGES: [&str; 3] = ["redis-server", "rabbitmq-server", "activemq"];
/// Version 2.10 and later have `sync_interval: always`.
const NATS: &str = "github.com/nats-io/nats-server/v2@v2.15.2";
const LIMIT: Duration = Duration::from_secs(1_200);

/// The directory of the programs.
#[derive(Clone)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    pub(crate) fn new() -> Programs {
        Programs(xtask::workshop().with_file_name("peers"))
    }

    /// A file of a package; fails if the packages have not been fetched.
    pub(super) fn file(&self, path: &str) -> Attempt<PathBuf> {
        let file = self.0.join("root").join(path);
        self.present(file)
    }

    pub(super) fn nats(&self) -> Attempt<PathBuf> {
        self.present(self.0.join("go/nats-server"))
    }

    fn present(&self, file: PathBuf) -> Attempt<PathBuf> {
        if file.exists() {
            return Ok(file);
        }
        Err(format!("there is no {}; fetch the peers with: bench fetch-peers", file.display()))
    }

    /// The folder with the libraries that the packages' programs are linked to.
    pub(super) fn libraries(&self) -> PathBuf {
        self.0.join("root/usr/lib/x86_64-linux-gnu")
    }

    /// The Java archives of the packages, and of those that the system had already.
    pub(super) fn class_path(&self) -> Attempt<String> {
        let own = self.file("usr/share/java")?;
        let mut archives = jars(&own)?;
        for known in ["slf4j-api", "slf4j-nop"] {
            archives.push(Path::new("/usr/share/java").join(known).with_extension("jar"));
        }
        let archives: Vec<_> = archives.iter().map(|path| path.display().to_string()).collect();
        Ok(archives.join(":"))
    }

    /// Downloads and unpacks all of them. Needs Debian's package lists (`apt-get update`) and Go.
    pub(crate) fn fetch(&self) -> Attempt<()> {
        let (packages, root, go) = (self.0.join("packages"), self.0.join("root"), self.0.join("go"));
        for dir in [&packages.join("partial"), &root, &go] {
            fs::create_dir_all(dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        }
        println!("downloading packages");
        let mut apt = Command::new("apt-get");
        apt.args(["install", "--yes", "--no-install-recommends", "--download-only"])
            .args(["-o", &format!("Dir::Cache::archives={}", packages.display())])
            .args(["-o", "Debug::NoLocking=true"])
            .args(PACKAGES);
        run(&mut apt)?;
        let listed = fs::read_dir(&packages).map_err(|error| format!("cannot list packages: {error}"))?;
        for package in listed.filter_map(Result::ok).map(|entry| entry.path()) {
            if package.extension().is_some_and(|end| end == "deb") {
                run(Command::new("dpkg").arg("-x").arg(package).arg(&root))?;
            }
        }
        self.move_erlang(&root)?;
        println!("building the NATS server");
        run(Command::new("go").args(["install", NATS]).env("GOBIN", &go))
    }

    /// Corrects the directory in Erlang's start script.
    fn move_erlang(&self, root: &Path) -> Attempt<()> {
        let script = self.file("usr/lib/erlang/bin/erl")?;
        let failed = |error| format!("cannot change {}: {error}", script.display());
        let text = fs::read_to_string(&script).map_err(failed)?;
        let home = format!("ROOTDIR={}\n", root.join("usr/lib/erlang").display());
        fs::write(&script, text.replace("ROOTDIR=/usr/lib/erlang\n", &home)).map_err(failed)
    }
}

fn jars(dir: &Path) -> Attempt<Vec<PathBuf>> {
    let listed = fs::read_dir(dir).map_err(|error| format!("cannot list {}: {error}", dir.display()))?;
    let files = listed.filter_map(Result::ok).map(|entry| entry.path());
    let mut jars: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "jar")).collect();
    jars.sort();
    Ok(jars)
}

fn run(command: &mut Command) -> Attempt<()> {
    xtask::process::run(command, "", LIMIT)?.success().map(drop)
}
