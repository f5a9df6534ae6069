use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// A long time: nobody waits for it.
const LONG: Duration = Duration::from_secs(1 << 40);

/// Tells of each run, and does then what the test says.
struct Recorder {
    runs: Sender<u32>,
    count: u32,
    then: fn(u32, &Stop) -> Next,
}

impl Worker for Recorder {
    fn run(&mut self, stop: &Stop) -> Next {
        self.count += 1;
        // The test may have heard enough.
        let _ = self.runs.send(self.count);
        (self.then)(self.count, stop)
    }
}

fn started(then: fn(u32, &Stop) -> Next) -> (Workers, Receiver<u32>) {
    let workers = Workers { panic_pause: Duration::ZERO, ..Workers::new() };
    let (runs, told) = channel();
    workers.start("worker", Recorder { runs, count: 0, then }).unwrap();
    (workers, told)
}

#[test]
fn a_worker_runs_at_once_and_again_when_it_wants_to() {
    let (workers, told) =
        started(|count, _| if count < 3 { Next::after(Duration::ZERO) } else { Next::Never });
    assert_eq!(told.iter().collect::<Vec<_>>(), [1, 2, 3], "its thread has ended");
    workers.stop();
}

#[test]
fn a_stop_ends_waits_between_runs_and_within_one() {
    let waits: [fn(u32, &Stop) -> Next; 2] = [
        |_, _| Next::after(LONG),
        |_, stop| {
            assert_eq!(stop.pause(LONG), Err(Shutdown));
            assert_eq!(stop.check(), Err(Shutdown));
            Next::after(Duration::ZERO)
        },
    ];
    for then in waits {
        let (workers, told) = started(then);
        assert_eq!(told.recv(), Ok(1));
        workers.stop();
        assert!(told.recv().is_err(), "it does not run again");
    }
}

#[test]
fn who_panics_runs_again() {
    let (workers, told) = started(|count, _| {
        assert!(count > 1, "a bug");
        Next::Never
    });
    assert_eq!(told.iter().collect::<Vec<_>>(), [1, 2]);
    workers.stop();
}
