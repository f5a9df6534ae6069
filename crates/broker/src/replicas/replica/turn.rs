//! A request's turn on its thread, for which the other connections of that thread wait.

use runtime::task;

use super::SCRATCH;

/// Bytes that a request may decompress before the rest of it moves to a thread of its own: some ten
/// milliseconds. A request of a megabyte can hold ten thousand batches that decompress to a hundred megabytes
/// each.
const BYTES_MAX: u64 = 16 << 20;

/// The bytes that a request has decompressed on its thread.
pub(crate) struct Turn {
    began_at: u64,
}

impl Turn {
    /// Begins a turn.
    pub(crate) fn begin() -> Self {
        Self { began_at: decompressed_bytes() }
    }

    /// Runs the next part of the request: right here, or, if the request has done much work already, after
    /// the other tasks of this thread have moved to another one.
    pub(crate) fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        if self.is_over() { task::block_in_place(work) } else { work() }
    }

    fn is_over(&self) -> bool {
        decompressed_bytes() - self.began_at > BYTES_MAX
    }
}

fn decompressed_bytes() -> u64 {
    SCRATCH.with_borrow(record::Scratch::decompressed_bytes)
}

#[cfg(test)]
mod tests {
    use record::{Batch, BatchBuilder, Compression};

    use super::*;

    #[test]
    fn a_turn_is_over_after_much_decompression() {
        let mut builder = BatchBuilder::new(Compression::Zstd);
        builder.push(0, None, Some(&vec![0; 6 << 20]), &[]);
        let bytes = builder.build();
        let batch = Batch::parse(&bytes).expect("it was built");
        let read = || {
            SCRATCH.with_borrow_mut(|scratch| {
                batch.records_decompressed(scratch, 64 << 20).expect("it was compressed").count()
            })
        };
        let turn = Turn::begin();
        for _ in 0..2 {
            assert_eq!(turn.run(read), 1);
            assert!(!turn.is_over());
        }
        read();
        assert!(turn.is_over() && !Turn::begin().is_over());
    }
}
