//! Kafka's own programs and the Java suite, fetched and built by Maven.

use crate::process::{Ended, run};
use crate::{Attempt, root};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Long enough for a first download of the libraries.
const BUILD_LIMIT: Duration = Duration::from_secs(600);

/// The class path of Kafka 4.3.1 with its tools and of the Java suite, built when it is not there or is
/// older than its sources.
pub fn class_path() -> Attempt<String> {
    let folder = root().join("clients/java");
    let jar = folder.join("target/java-clients-0.1.0.jar");
    let built = jar.metadata().and_then(|metadata| metadata.modified()).ok();
    if built.is_none() || built < newest(&folder)? {
        println!("building the Java clients (the first time downloads Kafka)");
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-ntp", "package"]).current_dir(&folder);
        run(&mut maven, "", BUILD_LIMIT)?.success()?;
    }
    Ok(format!("{}:{}", jar.display(), folder.join("target/libraries/*").display()))
}

/// A command that runs a class of Kafka or of the suite in a small, quickly started machine.
pub fn command(class_path: &str, class: &str, heap_mib: u32) -> Command {
    let mut java = Command::new("java");
    java.args([format!("-Xmx{heap_mib}m").as_str(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]).args([
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        "-cp",
        class_path,
        class,
    ]);
    java
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
