//! The allocator of the process: jemalloc, which returns memory to the system after a burst. ADR 0007 gives
//! the reason and the measurements.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// The options that jemalloc reads when it starts; `_RJEM_MALLOC_CONF` in the environment overrides them.
///
/// There are few arenas, so that one thread can reuse what another has freed. A background thread returns
/// free memory to the system within half a second.
#[allow(
    unsafe_code,
    reason = "jemalloc knows it by this name and as a pointer to text that ends with a zero"
)]
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: &[u8; 69] = b"narenas:4,background_thread:true,dirty_decay_ms:500,muzzy_decay_ms:0\0";
