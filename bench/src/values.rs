//! What messages hold: text that compresses about as well as the events that people send.

use std::fmt::Write;

/// Bytes of all values together; few enough to stay in a processor's cache, so that making them costs nothing.
const POOL_BYTES: usize = 1 << 20;

/// Values of one size.
pub(crate) struct Values {
    text: Vec<u8>,
    size: usize,
}

impl Values {
    /// The same on every run.
    pub(crate) fn new(size: usize) -> Values {
        let mut text = String::with_capacity(POOL_BYTES + size);
        let mut state = 1_u64;
        while text.len() < POOL_BYTES.max(size) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (user, amount) = (state >> 40, state >> 33 & 0xffff);
            let _ = write!(
                text,
                "{{\"user\":{user},\"event\":\"view\",\"item\":\"{state:x}\",\"amount\":{amount}}},"
            );
        }
        Values { text: text.into_bytes(), size }
    }

    /// The value of the n-th message.
    pub(crate) fn of(&self, nth: usize) -> &[u8] {
        let places = self.text.len() / self.size.max(1);
        let start = nth % places * self.size;
        &self.text[start..start + self.size]
    }
}
