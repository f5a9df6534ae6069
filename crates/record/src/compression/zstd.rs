//! Zstandard (RFC 8878).

use zstd::zstd_safe::{
    DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, compress_bound, get_frame_content_size,
};

use super::window::{ROOM_BYTES, Window};
use super::{Fault, Progress};

/// The largest window that a frame may ask for, as a power of two: 128 MiB. It is the library's own limit and
/// therefore Kafka's, and its highest level uses it. The memory is reserved when a frame starts and becomes
/// resident as output is written to it, so the decompressed size bounds it.
const WINDOW_LOG_MAX: u32 = 27;
/// A larger context, by the window of a frame, is freed after the batch that needed it. The windows of levels
/// up to 19 stay below it.
const KEPT_BYTES_MAX: usize = 10 << 20;
/// The default level of Kafka's clients.
const LEVEL: i32 = 3;

/// The decoding context, once there is one.
#[derive(Default)]
pub(super) struct State(Option<DCtx<'static>>);

impl State {
    /// Frees a large context.
    pub(super) fn trim(&mut self) {
        self.0.take_if(|context| context.sizeof() > KEPT_BYTES_MAX);
    }

    #[cfg(test)]
    pub(super) fn context_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, DCtx::sizeof)
    }
}

pub(super) struct Decoder<'s> {
    context: &'s mut DCtx<'static>,
    input: InBuffer<'s>,
}

impl<'s> Decoder<'s> {
    pub(super) fn new(state: &'s mut State, input: &'s [u8]) -> Decoder<'s> {
        let context = state.0.get_or_insert_with(|| {
            let mut context = DCtx::create();
            let limited = context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX));
            limited.expect("the library's own limit is accepted");
            context
        });
        let reset = context.reset(ResetDirective::SessionOnly);
        reset.expect("a session can always be reset");
        Decoder { context, input: InBuffer::around(input) }
    }

    /// Decodes the next piece. Rejects a frame that announces more than `left_bytes` before it starts.
    pub(super) fn fill(&mut self, window: &mut Window, left_bytes: usize) -> Result<Progress, Fault> {
        if self.input.pos() == 0
            && let Ok(Some(content_bytes)) = get_frame_content_size(self.input.src)
            && content_bytes > left_bytes as u64
        {
            return Err(Fault::TooLarge);
        }
        let mut out = OutBuffer::around(window.room(ROOM_BYTES));
        let used_before = self.input.pos();
        let hint = self.context.decompress_stream(&mut out, &mut self.input).map_err(|_| Fault::Malformed)?;
        let produced = out.pos();
        let used = self.input.pos() - used_before;
        window.filled(produced);
        let all_used = self.input.pos() == self.input.src.len();
        match hint {
            0 if all_used => Ok(Progress::Ended),
            // No input, no output, and space for both: the input ends too early.
            _ if used == 0 && produced == 0 => Err(Fault::Malformed),
            _ => Ok(Progress::More),
        }
    }
}

pub(super) fn compress(level: Option<i32>, input: &[u8], out: &mut Vec<u8>) {
    let at = out.len();
    out.resize(at + compress_bound(input.len()), 0);
    let length = zstd::bulk::compress_to_buffer(input, &mut out[at..], level.unwrap_or(LEVEL));
    out.truncate(at + length.expect("there is room for the worst case"));
}
