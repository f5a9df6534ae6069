//! The sentences of an answer with a row for each item of its request.

use protocol::Str;

/// Characters of one sentence. It may quote a name or a value, which may be as long as a request.
const CHARS_MAX: usize = 1000;
/// Bytes of all sentences of an answer: a request of many items that fail is not worth many times its size.
const BYTES_MAX: usize = 1 << 20;

/// Cuts a sentence to a length that is still read.
pub(super) fn shortened(message: Str) -> Str {
    match message.char_indices().nth(CHARS_MAX) {
        None => message,
        Some((end, _)) => format!("{}…", &message[..end]).into(),
    }
}

/// The sentences that an answer has room for. The errors of further items come without one.
#[derive(Default)]
pub(super) struct Messages {
    used_bytes: usize,
}

impl Messages {
    pub(super) fn admit(&mut self, message: Option<Str>) -> Option<Str> {
        let message = message?;
        self.used_bytes = self.used_bytes.saturating_add(message.len());
        (self.used_bytes <= BYTES_MAX).then_some(message)
    }
}
