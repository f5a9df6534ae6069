//! The answers that a connection waits for.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::oneshot;

/// Requests without their answers yet, oldest first: Kafka's brokers answer in the order of the requests.
#[derive(Debug, Default)]
pub(super) struct AnswerQueue {
    next_correlation_id: i32,
    waiting: VecDeque<(i32, oneshot::Sender<Bytes>)>,
    /// The reason why the connection is closed.
    closed: Option<String>,
}

impl AnswerQueue {
    /// Takes a place in the queue. Returns the id of the request, or `None` if the connection is closed.
    pub(super) fn expect_answer(&mut self, answer: oneshot::Sender<Bytes>) -> Option<i32> {
        let correlation_id = self.expect_nothing()?;
        self.waiting.push_back((correlation_id, answer));
        Some(correlation_id)
    }

    /// The id of a request that gets no answer, or `None` if the connection is closed.
    pub(super) fn expect_nothing(&mut self) -> Option<i32> {
        if self.closed.is_some() {
            return None;
        }
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = correlation_id.wrapping_add(1);
        Some(correlation_id)
    }

    /// Leaves the queue again: the request with this id, the last one, was never sent.
    pub(super) fn forget_last(&mut self, correlation_id: i32) {
        if self.waiting.back().is_some_and(|&(last, _)| last == correlation_id) {
            self.waiting.pop_back();
        }
    }

    /// Gives a response to the request that waits for it. Returns `false` if it does not answer the oldest
    /// request.
    pub(super) fn answer(&mut self, correlation_id: i32, frame: Bytes) -> bool {
        match self.waiting.pop_front() {
            Some((expected, answer)) if expected == correlation_id => {
                // The receiver may be gone.
                let _ = answer.send(frame);
                true
            }
            _ => false,
        }
    }

    /// Closes the connection: all waiting ends, and further requests fail. The first reason stays.
    pub(super) fn close(&mut self, reason: &str) {
        self.closed.get_or_insert_with(|| reason.to_owned());
        self.waiting.clear();
    }

    /// The reason why the connection is closed, if it is.
    pub(super) fn closed(&self) -> Option<&str> {
        self.closed.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::sync::oneshot;

    use super::AnswerQueue;

    #[test]
    fn answers_come_in_the_order_of_the_questions() {
        let mut pending = AnswerQueue::default();
        let (first, mut first_answer) = oneshot::channel();
        let (second, mut second_answer) = oneshot::channel();
        assert_eq!(pending.expect_answer(first), Some(0));
        assert_eq!(pending.expect_nothing(), Some(1));
        assert_eq!(pending.expect_answer(second), Some(2));
        assert!(pending.answer(0, Bytes::from_static(b"a")));
        assert_eq!(first_answer.try_recv().expect("it was answered"), "a");
        assert!(!pending.answer(1, Bytes::from_static(b"b")), "nobody waits for this one");
        assert!(second_answer.try_recv().is_err());
    }

    #[test]
    fn a_request_that_was_not_sent_leaves_the_queue() {
        let mut pending = AnswerQueue::default();
        let first = pending.expect_answer(oneshot::channel().0);
        let second = pending.expect_answer(oneshot::channel().0).expect("it is open");
        pending.forget_last(second);
        assert!(pending.answer(first.expect("it is open"), Bytes::new()));
        assert!(pending.waiting.is_empty());
    }

    #[test]
    fn closing_ends_every_wait_and_keeps_the_first_reason() {
        let mut pending = AnswerQueue::default();
        let (sender, mut answer) = oneshot::channel();
        pending.expect_answer(sender);
        pending.close("reset by peer");
        pending.close("later");
        assert_eq!(pending.closed(), Some("reset by peer"));
        assert!(matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert_eq!(pending.expect_answer(oneshot::channel().0), None);
        assert_eq!(pending.expect_nothing(), None);
    }
}
