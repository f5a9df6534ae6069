//! The stages of a start, each with its end, in one list. A stop takes them from the last to the first.

use std::future::Future;
use std::pin::Pin;

use tracing::debug;

/// The stages that a start has reached.
#[derive(Default)]
pub(super) struct Stages(Vec<Stage>);

struct Stage {
    name: &'static str,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Stages {
    /// Notes that the stage `name` is reached. `end` undoes it, and can rely on all stages before it.
    pub(super) fn reached(&mut self, name: &'static str, end: impl Future<Output = ()> + Send + 'static) {
        debug!("started: {name}");
        self.0.push(Stage { name, end: Box::pin(end) });
    }

    /// Ends all stages, the last one first.
    pub(super) async fn end(self) {
        for Stage { name, end } in self.0.into_iter().rev() {
            debug!("stopping: {name}");
            end.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn a_stop_goes_back_through_a_start() {
        let ended = Arc::new(Mutex::new(Vec::new()));
        let mut stages = Stages::default();
        for name in ["directories", "metadata", "listeners"] {
            let ended = Arc::clone(&ended);
            stages.reached(name, async move { ended.lock().push(name) });
        }
        assert!(ended.lock().is_empty(), "nothing ends before the stop");
        let stop = std::pin::pin!(stages.end());
        assert_eq!(stop.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
        assert_eq!(*ended.lock(), ["listeners", "metadata", "directories"]);
    }
}
