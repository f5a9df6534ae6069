//! A producer that lives through every change of brokers.

use crate::java::ClassPath;
use crate::{Attempt, java};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// The number of records that it writes each time.
pub(super) const RECORDS: usize = 200;

/// The process; it is killed when this value is dropped.
pub(super) struct Bridge {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Bridge {
    pub(super) fn start(class_path: &ClassPath, address: &str) -> Attempt<Bridge> {
        let mut command = java::command(class_path, "milena.clients.Main", 128);
        command.args([address, "bridge"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("cannot run java: {error}"))?;
        let input = child.stdin.take().expect("the input is piped");
        let output = BufReader::new(child.stdout.take().expect("the output is piped"));
        Ok(Bridge { child, input, output })
    }

    /// Makes it write, and waits until all is acknowledged at the next offsets; otherwise it ends.
    pub(super) fn write(&mut self, turn: usize) -> Attempt<()> {
        writeln!(self.input, "{turn}-").map_err(|error| format!("the producer has ended: {error}"))?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| error.to_string())?;
        if line == format!("written {turn}-\n") {
            Ok(())
        } else {
            Err(format!("the producer ended: {line:?}"))
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
