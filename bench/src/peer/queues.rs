//! The brokers that do not speak Kafka's protocol: each configured as its own documentation says to
//! acknowledge only messages on the disk, and otherwise with its defaults.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::programs::Programs;
use super::{Setup, free_port};
use crate::Attempt;

/// `appendfsync always`: each turn of its loop syncs before it answers. Otherwise once a second, its default.
pub(super) fn redis(programs: &Programs, dir: &Path, port: u16, setup: Setup<'_>) -> Attempt<Command> {
    let mut command = Command::new(programs.file("usr/bin/redis-server")?);
    command.env("LD_LIBRARY_PATH", programs.libraries());
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]).arg("--dir").arg(dir);
    command.args(["--appendonly", "yes", "--appendfsync", if setup.durable { "always" } else { "everysec" }]);
    Ok(command)
}

/// `sync_interval: always`: each message is synced before it is acknowledged. Otherwise every two minutes, its default.
pub(super) fn nats(programs: &Programs, dir: &Path, port: u16, setup: Setup<'_>) -> Attempt<Command> {
    let sync = if setup.durable { "sync_interval: always" } else { "" };
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nping_interval: \"60m\"\njetstream {{\n  store_dir: \"{}\"\n  max_file_store: 64GB\n  {sync}\n}}\n",
        dir.display()
    );
    let settings = dir.join("nats.conf");
    fs::write(&settings, text).map_err(|error| format!("cannot write settings: {error}"))?;
    let mut command = Command::new(programs.nats()?);
    command.arg("--config").arg(settings);
    Ok(command)
}

/// The broker and the port mapper without which an Erlang node does not start. A quorum queue syncs what it confirms.
pub(super) fn rabbitmq(programs: &Programs, dir: &Path, port: u16) -> Attempt<(Command, Command)> {
    let (names, distribution) = (free_port()?.to_string(), free_port()?.to_string());
    let settings = dir.join("rabbitmq.conf");
    let text = format!(
        "listeners.tcp.1 = 127.0.0.1:{port}\nlog.console = true\nlog.console.level = warning\nlog.file = false\n\
         disk_free_limit.absolute = 1GB\n"
    );
    let plugins = dir.join("enabled_plugins");
    fs::write(&settings, text)
        .and_then(|()| fs::write(&plugins, "[].\n"))
        .map_err(|error| format!("cannot write settings: {error}"))?;
    let erlang = programs.file("usr/lib/erlang/bin")?;
    let path = format!("{}:{}", erlang.display(), std::env::var("PATH").unwrap_or_default());
    let mut mapper = Command::new(erlang.join("epmd"));
    let mut command = Command::new(programs.file("usr/lib/rabbitmq/bin/rabbitmq-server")?);
    for one in [&mut mapper, &mut command] {
        one.env("PATH", &path).env("HOME", dir);
        one.env("ERL_EPMD_PORT", &names).env("ERL_EPMD_ADDRESS", "127.0.0.1");
    }
    command.env("RABBITMQ_NODENAME", "bench@localhost").env("RABBITMQ_DIST_PORT", distribution);
    command.env("RABBITMQ_CONFIG_FILE", settings).env("RABBITMQ_CONF_ENV_FILE", "/dev/null");
    command.env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins).env("RABBITMQ_PID_FILE", dir.join("pid"));
    command.env("RABBITMQ_MNESIA_BASE", dir.join("mnesia")).env("RABBITMQ_LOG_BASE", dir.join("log"));
    command.env("RABBITMQ_GENERATED_CONFIG_DIR", dir.join("generated"));
    Ok((mapper, command))
}

/// KahaDB with its defaults: persistent messages are synced before they are acknowledged. The heap is Kafka's.
pub(super) fn activemq(programs: &Programs, dir: &Path, port: u16) -> Attempt<Command> {
    let broker = format!(
        "broker:(stomp://127.0.0.1:{port}?transport.closeAsync=false)?persistent=true&useJmx=false&dataDirectory={}",
        dir.display()
    );
    let mut command = Command::new("java");
    command.args(["-Xmx1G", "-Xms1G", "-cp"]).arg(programs.class_path()?);
    command.arg("org.apache.activemq.console.Main").arg("start").arg(broker);
    Ok(command)
}
