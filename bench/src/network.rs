//! A loopback of the benchmark's own, which is the same on every machine.
//!
//! Many machines use BBR, which paces the sending of sockets even on the loopback: a timer for every 64 KiB,
//! and a wake-up of the reader for each. With it all brokers are half as fast at twice the cost, and ratios
//! say more about the pacing than about them. The setting belongs to a network namespace, so the benchmark
//! creates one.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// The variable that tells the program that it runs in the namespace already.
const INSIDE: &str = "MILENA_BENCH_NETWORK";
const CONGESTION_CONTROL: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

/// Runs this program again in a network namespace with nothing but a loopback, and does not return; or
/// reports why it cannot, and returns.
pub(crate) fn enter() {
    if std::env::var_os(INSIDE).is_some() {
        // Every kernel has it; if it may not be chosen, the machine's own stays.
        let _ = std::fs::write(CONGESTION_CONTROL, "cubic");
        return;
    }
    // A user other than root becomes root in a user namespace.
    let options: &[&str] =
        if rustix::process::geteuid().is_root() { &["--net"] } else { &["--net", "--map-root-user"] };
    let up = ["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"];
    let mut trial = Command::new("unshare");
    trial.args(options).args(up).arg("true").stdout(Stdio::null()).stderr(Stdio::null());
    let problem = match (trial.status(), std::env::current_exe()) {
        (Ok(status), Ok(program)) if status.success() => {
            let mut again = Command::new("unshare");
            again.args(options).args(up).arg(program).args(std::env::args_os().skip(1)).env(INSIDE, "own");
            again.exec().to_string()
        }
        (Ok(status), Ok(_)) => format!("`unshare --net` ended with {status}"),
        (Err(error), _) | (_, Err(error)) => error.to_string(),
    };
    eprintln!("measured on the machine's own loopback: no network namespace could be made ({problem})");
}

/// The congestion control here: `cubic`, `bbr`.
pub(crate) fn congestion_control() -> String {
    std::fs::read_to_string(CONGESTION_CONTROL).unwrap_or_default().trim().to_owned()
}
