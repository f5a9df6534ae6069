//! `milena start`.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use ::settings::{self as known, BrokerConfig, Configs, InvalidSetting, Scope};
use broker::{Recovery, StartError};
use clap::Args;
use console::Console;
use runtime::clock::{self, Instant};
use runtime::task;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::settings::{self, Settings, Source};
use crate::size::bytes_shown;
use crate::{files, pair, properties};

const EXAMPLES: &str = "\
Examples:
  milena start
  milena start --set log.dirs=/var/lib/milena --set listeners=PLAINTEXT://0.0.0.0:9092 \\
      --set advertised.listeners=PLAINTEXT://broker-1.example:9092
  milena start /etc/kafka/server.properties --log info
  MILENA_LOG_DIRS=/var/lib/milena milena start

With nothing given: one node, listening on 127.0.0.1:9092, data in ./milena-data.

Settings have Kafka's names. A flag goes before the environment, the environment before the
file. In the environment log.dirs is MILENA_LOG_DIRS or, as in Kafka's container image,
KAFKA_LOG_DIRS (a dot is _, an underscore __, a dash ___).

SIGTERM, SIGINT or SIGHUP stops the broker cleanly; another one, a second later or more, stops
it at once. Nothing has to be formatted before the first start.";

/// The time after the first signal from which another one stops the broker at once.
const INSISTED_AFTER: Duration = Duration::from_secs(1);

/// Run a broker.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StartArgs {
    /// A settings file in the format of Kafka's server.properties
    #[arg(value_name = "SERVER.PROPERTIES")]
    file: Option<PathBuf>,

    /// A setting, by its name in Kafka; may be repeated
    #[arg(short, long = "set", alias = "override", value_name = "NAME=VALUE", value_parser = pair::parse)]
    settings: Vec<(String, String)>,
}

/// Runs a broker until a signal ends it. `started` is when the process began.
pub(crate) fn run(args: &StartArgs, started: Instant) -> Result<(), Failure> {
    let given = gather(args)?;
    let configs = check(&given)?;
    runtime::raise_descriptors();
    let workers = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    // Boxed, or the whole start is compiled for each of tokio's schedulers.
    let serving: Pin<Box<dyn Future<Output = _> + '_>> = Box::pin(serve(configs, &given, started));
    let outcome = workers.block_on(serving);
    // Do not wait for threads that are still blocked on a disk: after a clean shutdown there are none.
    workers.shutdown_background();
    outcome
}

async fn serve(configs: Configs, given: &Settings, started: Instant) -> Result<(), Failure> {
    let mut interrupt = Interrupt::new()?;
    let config = BrokerConfig::start(&configs).ok();
    let log_dirs = config.as_ref().map(|config| config.log_dirs.join(",")).unwrap_or_default();
    let console = bind_console(config.and_then(|config| config.console_listener)).await?;
    let running = broker::start(configs).await.map_err(|error| explain(&error, given))?;
    let addresses: Vec<String> = running.local_addresses().iter().map(ToString::to_string).collect();
    let metrics = console.as_ref().map_or_else(String::new, |console| {
        format!("serves metrics at http://{}/metrics, ", console.address())
    });
    let console = match console.map(|console| (console.address(), console.serve(running.metrics()))) {
        Some((address, Err(error))) => {
            running.shutdown().await;
            return Err(no_console(&address.to_string(), &error));
        }
        Some((_, Ok(serving))) => Some(task::spawn(serving)),
        None => None,
    };
    let mut output = Output::new(false);
    let ready = output.say(format_args!(
        "Milena {} listens on {}, {metrics}keeps its data in {}, started in {} ms",
        env!("CARGO_PKG_VERSION"),
        addresses.join(", "),
        shown_path(&log_dirs),
        started.elapsed().as_millis()
    ));
    let recovered = running.recovery().map(|recovery| recovery_sentence(&recovery));
    let ready = ready.and_then(|()| recovered.map_or(Ok(()), |sentence| output.say(sentence)));
    // A broker whose output nobody reads serves all the same.
    let _ = ready.and_then(|()| output.flush());
    let reason = tokio::select! {
        () = interrupt.wait() => None,
        reason = running.failed() => Some(reason),
    };
    tracing::info!("stopping");
    if let Some(console) = console {
        console.abort();
    }
    tokio::select! {
        () = running.shutdown() => match reason {
            None => {
                let _ = output.say("Milena has stopped cleanly").and_then(|()| output.flush());
                Ok(())
            }
            Some(reason) => Err(Failure::new(without_numbers(&reason))),
        },
        () = insisted(&mut interrupt) => Err(Failure::interrupted("stopped at once, by a second signal")
            .mend("The next start will check the data that was not yet synced to disk.")),
    }
}

/// Waits for a second signal. Some senders signal twice at once, the process and its group; that counts as
/// one.
async fn insisted(interrupt: &mut Interrupt) {
    let first = clock::now();
    while first.elapsed() < INSISTED_AFTER {
        interrupt.wait().await;
    }
}

async fn bind_console(address: Option<String>) -> Result<Option<Console>, Failure> {
    let Some(address) = address else { return Ok(None) };
    match Console::bind(&address).await {
        Ok(console) => Ok(Some(console)),
        Err(error) => Err(no_console(&address, &error)),
    }
}

fn no_console(address: &str, error: &std::io::Error) -> Failure {
    let words = without_numbers(&error.to_string());
    Failure::new(format!("cannot listen on {address} for the metrics: {words}"))
        .mend("Set console.listener to another address.")
}

/// The result of recovery, in one sentence.
fn recovery_sentence(recovery: &Recovery) -> String {
    let Recovery { partitions, checked_bytes, cut_partitions, cut_bytes } = *recovery;
    let size = |bytes: u64| bytes_shown(i64::try_from(bytes).unwrap_or(i64::MAX));
    let checked = match partitions {
        0 => "nothing had to be checked".to_owned(),
        1 => format!("checked {} in 1 partition", size(checked_bytes)),
        more => format!("checked {} in {more} partitions", size(checked_bytes)),
    };
    let cut = match cut_partitions {
        0 => "nothing was truncated".to_owned(),
        1 => format!("truncated {} at the end of 1 of them", size(cut_bytes)),
        more => format!("truncated {} at the ends of {more} of them", size(cut_bytes)),
    };
    let what = if partitions == 0 { checked } else { format!("{checked}; {cut}") };
    format!("Recovered after an unclean shutdown: {what}")
}

/// A relative path in a form that shows that it is one.
fn shown_path(path: &str) -> String {
    if path.starts_with(['/', '.']) { path.to_owned() } else { format!("./{path}") }
}

fn gather(args: &StartArgs) -> Result<Settings, Failure> {
    let mut file = None;
    let shown = args.file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    if let Some(path) = &args.file {
        let properties = properties::parse(&files::read(path)?)
            .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
        file = Some((shown.as_str(), properties));
    }
    // Variables that are not UTF-8 are no settings of ours.
    let environment = std::env::vars_os()
        .filter_map(|(variable, value)| Some((variable.into_string().ok()?, value.into_string().ok()?)));
    let mut given = settings::gather(file, environment, &args.settings);
    given.retain(|name, given| match &given.source {
        // Other programs use this prefix as well.
        Source::Environment(variable) if variable.starts_with("KAFKA_") => {
            known::find(Scope::Broker, name).is_some()
                || name.starts_with("listener.name.")
                || known::nearest(Scope::Broker, name).is_some()
        }
        _ => true,
    });
    Ok(given)
}

/// Converts the settings to the broker's. Warns of those that have no effect.
fn check(given: &Settings) -> Result<Configs, Failure> {
    let configs: Configs = given.iter().map(|(name, given)| (name.clone(), given.value.clone())).collect();
    match known::check_broker(&configs) {
        Ok(warnings) => {
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            Ok(configs)
        }
        Err(errors) => Err(wrong_settings(&errors, given)),
    }
}

fn wrong_settings(errors: &[InvalidSetting], given: &Settings) -> Failure {
    let sentence = |error: &InvalidSetting| match given.get(&error.name) {
        Some(given) => format!("{} (from {})", error.message.trim_end_matches('.'), given.source),
        None => error.message.trim_end_matches('.').to_owned(),
    };
    let sentences: Vec<String> = errors.iter().map(sentence).collect();
    Failure::usage(sentences.join("\nmilena: "))
}

fn explain(error: &StartError, given: &Settings) -> Failure {
    match error {
        StartError::Settings(errors) => wrong_settings(errors, given),
        error => {
            let sentence = without_numbers(&error.to_string());
            match sentence.rsplit_once(": ") {
                // The broker's sentences end with what to do.
                Some((what, mend)) if mend.contains("set ") => Failure::new(what).mend(sentence_of(mend)),
                _ => Failure::new(sentence),
            }
        }
    }
}

/// The sentence without the system's error numbers.
fn without_numbers(sentence: &str) -> String {
    match sentence.split_once(" (os error ") {
        Some((before, after)) => match after.split_once(')') {
            Some((_, after)) => format!("{before}{}", without_numbers(after)),
            None => sentence.to_owned(),
        },
        None => sentence.to_owned(),
    }
}

fn sentence_of(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use broker::Recovery;

    use super::{recovery_sentence, sentence_of, shown_path, without_numbers};

    #[test]
    fn recoveries() {
        let of = |partitions, checked_bytes, cut_partitions, cut_bytes| {
            let recovery = Recovery { partitions, checked_bytes, cut_partitions, cut_bytes };
            recovery_sentence(&recovery).split_once(": ").expect("it says what").1.to_owned()
        };
        assert_eq!(of(0, 0, 0, 0), "nothing had to be checked");
        assert_eq!(of(1, 2048, 0, 0), "checked 2.0 KiB in 1 partition; nothing was truncated");
        assert_eq!(
            of(3, 2048, 1, 7),
            "checked 2.0 KiB in 3 partitions; truncated 7 B at the end of 1 of them"
        );
    }

    #[test]
    fn words() {
        assert_eq!(without_numbers("a: No space (os error 28): b (os error 2)"), "a: No space: b");
        assert_eq!(without_numbers("a (os error"), "a (os error");
        assert_eq!(sentence_of("set it"), "Set it.");
        assert_eq!((shown_path("a/b").as_str(), shown_path("/a").as_str()), ("./a/b", "/a"));
    }
}
