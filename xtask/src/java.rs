//! Kafka's own programs and the Java suite, fetched and built by Maven.

use crate::process::{Ended, run};
use crate::{Attempt, root};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime};

/// Long enough for a first download of the libraries.
const BUILD_LIMIT: Duration = Duration::from_secs(600);

/// What makes a machine start quickly.
const FAST: [&str; 2] = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// The class path of Kafka 4.3.1 with its tools and of the Java suite, built when it is not there or is
/// older than its sources.
pub fn class_path() -> Attempt<String> {
    static BUILT: OnceLock<Attempt<String>> = OnceLock::new();
    BUILT.get_or_init(build).clone()
}

fn build() -> Attempt<String> {
    let folder = root().join("clients/java");
    let jar = folder.join("target/java-clients-0.1.0.jar");
    let built = jar.metadata().and_then(|metadata| metadata.modified()).ok();
    let is_new = built.is_none() || built < newest(&folder)?;
    if is_new {
        println!("building the Java clients (the first time downloads Kafka)");
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-ntp", "package"]).current_dir(&folder);
        run(&mut maven, "", BUILD_LIMIT)?.success()?;
    }
    let class_path = format!("{}:{}", jar.display(), folder.join("target/libraries/*").display());
    if is_new || !archive().exists() {
        let mut load = Command::new("java");
        load.args(FAST).arg(format!("-XX:ArchiveClassesAtExit={}", archive().display()));
        load.args(["-cp", &class_path, "milena.clients.Main", "127.0.0.1:1", "classes"]);
        run(&mut load, "", BUILD_LIMIT)?.success()?;
    }
    Ok(class_path)
}

/// The class path of the server and the tools of one version of Kafka, fetched when it is not there.
pub fn server(version: &str) -> Attempt<String> {
    // Suites that want the same version at a time fetch it once.
    static FETCHING: Mutex<()> = Mutex::new(());
    let fetching = FETCHING.lock().map_err(|_| "a thread that fetched Kafka has panicked".to_owned())?;
    let folder = root().join("clients/java/server");
    let libraries = folder.join("target").join(version);
    let server = libraries.join(format!("kafka_2.13-{version}.jar"));
    if !server.exists() {
        println!("fetching Kafka {version}");
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-ntp", "package"]).arg(format!("-Dkafka.version={version}"));
        run(maven.current_dir(&folder), "", BUILD_LIMIT)?.success()?;
    }
    drop(fetching);
    Ok(libraries.join("*").display().to_string())
}

/// Kafka's classes in a form that a machine maps into its memory, which halves what it takes to start one of its tools.
/// A machine that it does not fit goes without.
fn archive() -> PathBuf {
    root().join("clients/java/target/classes.jsa")
}

/// A command that runs a class of Kafka or of the suite in a small, quickly started machine.
pub fn command(class_path: &str, class: &str, heap_mib: u32) -> Command {
    let mut java = Command::new("java");
    java.arg(format!("-Xmx{heap_mib}m")).args(FAST);
    java.arg(format!("-XX:SharedArchiveFile={}", archive().display()))
        .args(["-Xshare:auto", "-Xlog:disable"]);
    java.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", class_path, class]);
    java
}

/// A command that runs the program of the old clients with those of one version, against which it is compiled first.
pub fn old_clients(version: &str) -> Attempt<Command> {
    let target = root().join("clients/java/target");
    let mut class_path = vec![target.join(format!("old/kafka-clients-{version}.jar"))];
    // What they need beside themselves has not changed its interfaces since.
    let libraries = target.join("libraries");
    let entries =
        libraries.read_dir().map_err(|error| format!("cannot list {}: {error}", libraries.display()))?;
    let needed = ["slf4j-", "lz4-java-", "snappy-java-", "zstd-jni-"];
    class_path.extend(entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        needed.iter().any(|prefix| name.starts_with(prefix))
    }));
    let class_path: Vec<String> = class_path.iter().map(|path| path.display().to_string()).collect();
    let mut java = Command::new("java");
    java.arg("-Xmx256m").args(FAST).arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error");
    java.args(["-cp", &class_path.join(":")]).arg(root().join("clients/java/old/Old.java"));
    Ok(java)
}

/// Runs a class to its end with arguments and input.
pub fn tool(class_path: &str, class: &str, arguments: &[&str], input: &str) -> Attempt<Ended> {
    run(command(class_path, class, 256).args(arguments), input, Duration::from_secs(120))
}

/// When the newest of the sources was written.
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
