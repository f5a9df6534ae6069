//! Child processes: run one to its end, or keep one running and end it by its id.

use crate::Attempt;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);

/// The output of a process that ran to its end.
#[derive(Debug)]
pub struct ProcessOutput {
    /// Its exit status.
    pub status: ExitStatus,
    /// Everything it wrote to its standard output, with invalid UTF-8 replaced.
    pub stdout: String,
    /// Everything it wrote to its standard error, with invalid UTF-8 replaced.
    pub stderr: String,
}

impl ProcessOutput {
    /// The standard output of a process that succeeded, or the last lines of one that failed as an error.
    pub fn success(self) -> Attempt<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        Err(format!("{}: {}", self.status, tail(&format!("{}\n{}", self.stdout, self.stderr), 12)))
    }
}

/// Runs a command to its end with `input`, and kills it if it takes longer than `limit`.
pub fn run(command: &mut Command, input: &str, limit: Duration) -> Attempt<ProcessOutput> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run {name}: {error}"))?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let mut stdout = child.stdout.take().expect("stdout is piped");
    let mut stderr = child.stderr.take().expect("stderr is piped");
    let input = input.to_owned();
    // A process that ends without reading its input breaks the pipe; its status tells the rest.
    let feeding = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let reading = std::thread::spawn(move || read_all(&mut stdout));
    let complaints = std::thread::spawn(move || read_all(&mut stderr));
    let status = wait(&mut child, limit)?;
    let Some(status) = status else {
        child.kill().map_err(|error| format!("cannot kill {name}: {error}"))?;
        child.wait().map_err(|error| format!("cannot wait for {name}: {error}"))?;
        let output = reading.join().expect("the reader does not panic");
        return Err(format!("{name} did not end within {limit:?}: {}", tail(&output, 12)));
    };
    feeding.join().expect("the writer does not panic");
    Ok(ProcessOutput {
        status,
        stdout: reading.join().expect("the reader does not panic"),
        stderr: complaints.join().expect("the reader does not panic"),
    })
}

/// A process in the background, killed when this is dropped.
#[derive(Debug)]
pub struct BackgroundProcess {
    child: Child,
}

impl BackgroundProcess {
    /// Starts a command whose output goes to a file.
    pub fn start(command: &mut Command, output: &Path) -> Attempt<BackgroundProcess> {
        let name = command.get_program().to_string_lossy().into_owned();
        let file = File::options()
            .create(true)
            .append(true)
            .open(output)
            .map_err(|error| format!("cannot write {}: {error}", output.display()))?;
        let second =
            file.try_clone().map_err(|error| format!("cannot share {}: {error}", output.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(second)
            .spawn()
            .map_err(|error| format!("cannot run {name}: {error}"))?;
        Ok(BackgroundProcess { child })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status of the process, if it has ended.
    pub fn ended(&mut self) -> Attempt<Option<ExitStatus>> {
        self.child.try_wait().map_err(|error| format!("cannot check process {}: {error}", self.id()))
    }

    /// Asks the process to end (SIGTERM) and waits for it; kills it if it has not ended within `limit`.
    pub fn terminate(&mut self, limit: Duration) -> Attempt<ExitStatus> {
        signal(self.id(), "TERM")?;
        match wait(&mut self.child, limit)? {
            Some(status) => Ok(status),
            None => {
                self.kill()?;
                Err(format!("process {} did not end within {limit:?} of SIGTERM", self.id()))
            }
        }
    }

    /// Kills the process (SIGKILL) and waits until it has ended.
    pub fn kill(&mut self) -> Attempt<()> {
        if self.ended()?.is_none() {
            self.child.kill().map_err(|error| format!("cannot kill process {}: {error}", self.id()))?;
        }
        self.child.wait().map_err(|error| format!("cannot wait for process {}: {error}", self.id()))?;
        Ok(())
    }
}

impl Drop for BackgroundProcess {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("{error}");
        }
    }
}

/// Sends a signal, given by name without its prefix, to a process.
pub fn signal(id: u32, name: &str) -> Attempt<()> {
    let status = Command::new("kill")
        .args([format!("-{name}"), id.to_string()])
        .status()
        .map_err(|error| format!("cannot run kill: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("cannot signal process {id}")) }
}

/// A port of the loopback address that was free a moment ago. It is outside the range of outgoing
/// connections, so that it is still free when a stopped broker starts again.
pub fn free_port() -> Attempt<u16> {
    const RANGE: std::ops::Range<u32> = 16_384..32_768;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in RANGE {
        // Programs that run at the same time start far from each other.
        let step = std::process::id().wrapping_mul(61).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = RANGE.start + step % (RANGE.end - RANGE.start);
        let port = u16::try_from(port).expect("the range is one of ports");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no free port".to_owned())
}

/// Waits until the metadata of the broker at `address` has at least one broker, itself.
pub fn await_broker(process: &mut BackgroundProcess, address: SocketAddr, limit: Duration) -> Attempt<()> {
    let started = Instant::now();
    while started.elapsed() < limit {
        if let Some(status) = process.ended()? {
            return Err(format!("the broker ended while it started: {status}"));
        }
        if broker_count(address).is_ok_and(|count| count > 0) {
            return Ok(());
        }
        sleep(POLL);
    }
    Err(format!("no broker answers at {address} after {limit:?}"))
}

/// The number of brokers in the answer to a Metadata request of version 1 for no topic.
fn broker_count(address: SocketAddr) -> std::io::Result<i32> {
    const REQUEST: &[u8] = b"\0\0\0\x10\0\x03\0\x01\0\0\0\0\0\x02up\0\0\0\0";
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(REQUEST)?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(i32::from_be_bytes([head[8], head[9], head[10], head[11]]))
}

/// The last lines of a text, for a message about a failure.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn wait(child: &mut Child, limit: Duration) -> Attempt<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        let status = child.try_wait().map_err(|error| format!("cannot wait: {error}"))?;
        if status.is_some() || started.elapsed() > limit {
            return Ok(status);
        }
        sleep(POLL);
    }
}

fn read_all(source: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    // Bytes read before an error are all that there is to show.
    let _ = source.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
