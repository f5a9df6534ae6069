//! The broker's log, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::failure::Failure;
use crate::nearest::nearest;

/// The parts that `--log` can name: our crates, and openraft.
const PARTS: [&str; 9] =
    ["broker", "client", "coordinator", "metadata", "milena", "openraft", "protocol", "runtime", "storage"];

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Starts logging at `levels`, for example `info` or `broker=debug,storage=warn`.
pub(crate) fn start(levels: &str) -> Result<(), Failure> {
    let format =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    // It fails only if a subscriber is set already, and nothing else sets one.
    let _ = tracing_subscriber::registry().with(format).with(targets(levels)?).try_init();
    Ok(())
}

fn targets(levels: &str) -> Result<Targets, Failure> {
    // openraft warns of ordinary events in a quorum.
    let mut targets =
        Targets::new().with_default(LevelFilter::WARN).with_target("openraft", LevelFilter::ERROR);
    for directive in levels.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        targets = match directive.split_once('=') {
            None => targets.with_default(level(directive)?),
            Some((part, name)) => targets.with_target(known_part(part.trim())?, level(name.trim())?),
        };
    }
    Ok(targets)
}

fn known_part(part: &str) -> Result<&str, Failure> {
    // A module within a part can be a target too: `storage::segment=debug`.
    let root = part.split("::").next().unwrap_or(part);
    if PARTS.contains(&root) {
        return Ok(part);
    }
    let near = nearest(root, PARTS).map(|near| format!("did you mean '{near}'? ")).unwrap_or_default();
    let parts = PARTS.join(", ");
    Err(Failure::usage(format!("no part of Milena is called '{part}'"))
        .mend(format!("{near}The parts are {parts}; for example --log broker=debug,storage=info.")))
}

fn level(name: &str) -> Result<LevelFilter, Failure> {
    let lower = name.to_ascii_lowercase();
    if LEVELS.contains(&lower.as_str())
        && let Ok(level) = lower.parse()
    {
        return Ok(level);
    }
    let near = nearest(name, LEVELS).map(|near| format!("did you mean '{near}'? ")).unwrap_or_default();
    Err(Failure::usage(format!("'{name}' is not a log level")).mend(format!(
        "{near}The levels are {}; for example --log info or --log broker=debug.",
        LEVELS.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::targets;

    #[test]
    fn each_part_has_a_level() {
        let levels = targets("broker=debug, storage=error").expect("both parts and levels exist");
        assert!(levels.would_enable("broker::server", &Level::DEBUG));
        assert!(!levels.would_enable("storage", &Level::WARN));
        assert!(levels.would_enable("metadata", &Level::WARN));
        assert!(!levels.would_enable("metadata", &Level::INFO));
    }

    #[test]
    fn one_level_is_for_all_parts() {
        let levels = targets("info").expect("it is a level");
        assert!(levels.would_enable("metadata", &Level::INFO));
        assert!(!targets("").expect("nothing asked is the default").would_enable("metadata", &Level::INFO));
        assert!(!targets("").expect("nothing asked is the default").would_enable("openraft", &Level::WARN));
    }

    #[test]
    fn what_is_mistyped_is_named() {
        let failure = targets("broker=debgu").expect_err("it is no level").to_string();
        assert!(failure.contains("'debgu'") && failure.contains("did you mean 'debug'"), "{failure}");
        let failure = targets("storag=info").expect_err("it is no part").to_string();
        assert!(failure.contains("'storag'") && failure.contains("did you mean 'storage'"), "{failure}");
    }
}
