use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// A long time, which nobody waits for.
const LONG: Duration = Duration::from_secs(1 << 40);

/// Reports each run, and then does what the test says.
struct Recorder {
    runs: Sender<u32>,
    count: u32,
    then: fn(u32, &Stop) -> Next,
}

impl Worker for Recorder {
    fn run(&mut self, stop: &Stop) -> Next {
        self.count += 1;
        // The test may have ended already.
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

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_runs_at_once_and_again_when_it_wants_to() {
    let (workers, told) =
        started(|count, _| if count < 3 { Next::after(Duration::ZERO) } else { Next::Never });
    assert_eq!(told.iter().collect::<Vec<_>>(), [1, 2, 3], "its thread has ended");
    workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_waits_between_runs_and_within_one() {
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
        workers.stop().await;
        assert!(told.recv().is_err(), "it does not run again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_panics_runs_again() {
    let (workers, told) = started(|count, _| {
        assert!(count > 1, "a bug");
        Next::Never
    });
    assert_eq!(told.iter().collect::<Vec<_>>(), [1, 2]);
    workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_tasks_that_end_and_drops_those_that_may() {
    let (workers, (ends, ended)) = (Workers::new(), channel());
    let told = ends.clone();
    workers.spawn("graceful", move |stop| async move {
        stop.rung().await;
        told.send("graceful").unwrap();
    });
    workers.spawn_until_stop("waiting", |_| std::future::pending());
    workers.spawn_until_stop("over", |_| async move { ends.send("over").unwrap() });
    assert_eq!(ended.recv(), Ok("over"), "it ends by itself");
    workers.stop().await;
    assert_eq!(ended.iter().collect::<Vec<_>>(), ["graceful"]);
}
