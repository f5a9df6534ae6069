//! The contents of messages: text that compresses about as well as real events.

use std::fmt::Write;
use std::sync::LazyLock;

/// Bytes of all values together; few enough for a processor's cache, so that making them costs nothing.
const POOL_BYTES: usize = 1 << 20;

/// All values start somewhere in it; the same on every run.
static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut text = String::with_capacity(POOL_BYTES + 128);
    let mut state = 1_u64;
    while text.len() < POOL_BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (user, amount) = (state >> 40, state >> 33 & 0xffff);
        let _ = write!(
            text,
            "{{\"user\":{user},\"event\":\"view\",\"item\":\"{state:x}\",\"amount\":{amount}}},"
        );
    }
    text.into_bytes()
});

/// Values of one size.
pub(crate) struct Values {
    text: &'static [u8],
    size: usize,
}

impl Values {
    /// Creates values of at most [`POOL_BYTES`] each.
    pub(crate) fn new(size: usize) -> Values {
        assert!(size <= POOL_BYTES, "values of {size} bytes are more than are prepared");
        Values { text: &TEXT, size }
    }

    /// The value of the n-th message.
    pub(crate) fn of(&self, nth: usize) -> &'static [u8] {
        let places = self.text.len() / self.size.max(1);
        let start = nth % places * self.size;
        &self.text[start..start + self.size]
    }
}
