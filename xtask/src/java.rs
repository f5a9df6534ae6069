//! Kafka's own programs and the Java suites, fetched and built by Maven.

use crate::kafka::KafkaVersion;
use crate::process::{ProcessOutput, run};
use crate::{Attempt, root};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Long enough for a first download of the libraries.
const BUILD_LIMIT: Duration = Duration::from_secs(600);

/// Options with which a JVM starts quickly.
const FAST: [&str; 2] = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// The class path of one version of Kafka, server, clients and tools, with the Java suites before it.
#[derive(Clone, Debug)]
pub struct ClassPath {
    text: String,
    /// Kafka's classes in a form that a JVM maps into its memory, which halves the start time of Kafka's
    /// tools. A JVM that it does not fit runs without it.
    archive: PathBuf,
}

impl fmt::Display for ClassPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The class path of the reference; see [`class_path_of`].
pub fn class_path() -> Attempt<ClassPath> {
    class_path_of(KafkaVersion::REFERENCE)
}

/// Returns the class path of a version of Kafka. Fetches Kafka if it is missing, and builds the suites if
/// they are missing or older than their sources.
pub(crate) fn class_path_of(version: KafkaVersion) -> Attempt<ClassPath> {
    // Held while Maven runs: two runs at a time would write the same repository.
    static BUILT: Mutex<BTreeMap<KafkaVersion, Attempt<ClassPath>>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry(version).or_insert_with(|| build(version)).clone()
}

fn build(version: KafkaVersion) -> Attempt<ClassPath> {
    let jar = build_suites()?;
    let number = format!("-Dkafka.version={version}");
    let libraries = fetch(&format!("kafka-{version}"), "copy-dependencies@libraries", &[&number])?;
    let text = format!("{}:{}/*", jar.display(), libraries.display());
    let archive = target().join(format!("kafka-{version}.jsa"));
    if written(&archive) < written(&jar).max(written(&stamp(&libraries))) {
        let mut load = Command::new("java");
        load.args(FAST).arg(format!("-XX:ArchiveClassesAtExit={}", archive.display()));
        load.args(["-cp", &text, "milena.clients.Main", "127.0.0.1:1", "classes"]);
        run(&mut load, "", BUILD_LIMIT)?.success()?;
    }
    Ok(ClassPath { text, archive })
}

fn sources() -> PathBuf {
    root().join("clients/java")
}

fn target() -> PathBuf {
    sources().join("target")
}

/// The time at which a file was written, or `None` if it does not exist.
fn written(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

fn build_suites() -> Attempt<PathBuf> {
    let jar = target().join("java-clients-0.1.0.jar");
    if written(&jar) < newest(&sources())? {
        println!("building the Java clients (the first time downloads Kafka)");
        maven(&["package"])?;
    }
    Ok(jar)
}

/// Makes Maven's dependency plugin fetch the dependencies of the POM into a folder of the target, unless the
/// same POM was fetched before.
fn fetch(folder: &str, goal: &str, more: &[&str]) -> Attempt<PathBuf> {
    let path = target().join(folder);
    let pom = sources().join("pom.xml");
    let failed = |error: std::io::Error| format!("cannot fetch {folder}: {error}");
    let wanted = std::fs::read_to_string(&pom).map_err(failed)?;
    if std::fs::read_to_string(stamp(&path)).is_ok_and(|found| found == wanted) {
        return Ok(path);
    }
    if path.exists() {
        std::fs::remove_dir_all(&path).map_err(failed)?;
    }
    println!("fetching {folder}");
    maven(&[&[&*format!("dependency:{goal}")], more].concat())?;
    std::fs::write(stamp(&path), wanted).map_err(failed)?;
    Ok(path)
}

/// The file that records by which POM a folder was filled.
fn stamp(folder: &Path) -> PathBuf {
    folder.join("pom.xml")
}

fn maven(arguments: &[&str]) -> Attempt<()> {
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "-ntp"]).args(arguments).current_dir(sources());
    run(&mut maven, "", BUILD_LIMIT)?.success()?;
    Ok(())
}

/// A command that runs a class of Kafka or of the suite in a small, quickly started machine.
pub fn command(class_path: &ClassPath, class: &str, heap_mib: u32) -> Command {
    let mut java = Command::new("java");
    java.arg(format!("-Xmx{heap_mib}m")).args(FAST);
    java.arg(format!("-XX:SharedArchiveFile={}", class_path.archive.display()))
        .args(["-Xshare:auto", "-Xlog:disable"]);
    java.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", &class_path.text, class]);
    java
}

/// A command that runs a program of the old clients with those of one version, against which it is compiled
/// first.
pub fn old_clients(program: &str, version: &str) -> Attempt<Command> {
    class_path()?;
    let mut jars = vec![target().join(format!("old/kafka-clients-{version}.jar"))];
    // The libraries that they need have not changed their interfaces since.
    let libraries = target().join(format!("kafka-{}", KafkaVersion::REFERENCE));
    let entries =
        libraries.read_dir().map_err(|error| format!("cannot list {}: {error}", libraries.display()))?;
    let needed = ["slf4j-", "lz4-java-", "snappy-java-", "zstd-jni-"];
    jars.extend(entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        needed.iter().any(|prefix| name.starts_with(prefix))
    }));
    let jars: Vec<String> = jars.iter().map(|path| path.display().to_string()).collect();
    let mut java = Command::new("java");
    java.arg("-Xmx256m").args(FAST).arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error");
    java.args(["-cp", &jars.join(":")]).arg(sources().join("old").join(program));
    Ok(java)
}

/// Runs a class to its end with arguments and input.
pub fn tool(class_path: &ClassPath, class: &str, arguments: &[&str], input: &str) -> Attempt<ProcessOutput> {
    run(command(class_path, class, 256).args(arguments), input, Duration::from_secs(120))
}

/// The time at which the newest of the sources was written.
fn newest(folder: &std::path::Path) -> Attempt<Option<SystemTime>> {
    let mut left: Vec<PathBuf> = vec![folder.join("pom.xml"), folder.join("src")];
    let mut newest = None;
    while let Some(path) = left.pop() {
        let metadata = path.metadata().map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        newest = newest.max(metadata.modified().ok());
        if metadata.is_dir() {
            let entries =
                path.read_dir().map_err(|error| format!("cannot list {}: {error}", path.display()))?;
            left.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
        }
    }
    Ok(newest)
}
