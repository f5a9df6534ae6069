//! The allocator of the process: jemalloc, which gives back what a burst has left. ADR 0007 says why and what
//! was measured.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// What jemalloc reads when it starts, in its own words; the environment's `_RJEM_MALLOC_CONF` overrides it.
///
/// Few arenas, so that what one thread has freed serves another; what is free goes back to the system within
/// half a second, by a thread that sleeps otherwise.
#[allow(
    unsafe_code,
    reason = "jemalloc knows it by this name and as a pointer to text that ends with a zero"
)]
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: &[u8; 69] = b"narenas:4,background_thread:true,dirty_decay_ms:500,muzzy_decay_ms:0\0";
