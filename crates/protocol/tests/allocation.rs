//! Damaged messages take no more memory than the bytes received justify.
#![allow(unsafe_code, reason = "an allocator that counts is an unsafe trait, and nothing else can count")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use fastrand::Rng;
use protocol::{Message, Reader};

const VECTORS: &str = include_str!("capture/vectors.txt");

/// Memory for each byte received, and the allowance of the smallest input: see `wire::Reader`.
const FACTOR: usize = 12;
const FLOOR_BYTES: usize = 16 * 1024;

/// The block that shares the input among its slices.
const SHARED_BYTES: usize = 64;

/// The bytes that an allocator needs for each block beside its own.
const OVERHEAD_BYTES: usize = 16;

/// Bytes behind a damaged message, for its counts to claim.
const FILLING_BYTES: usize = 6000;

struct CountingAllocator;

thread_local! {
    /// Below zero when a thread frees what another one has allocated.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn cost(layout: Layout) -> isize {
    (layout.size() + OVERHEAD_BYTES).cast_signed()
}

// SAFETY: every call goes to the system's allocator unchanged; the counters allocate nothing.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get() + cost(layout));
        PEAK.set(PEAK.get().max(LIVE.get()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - cost(layout));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The most memory that decoding takes at any time.
fn peak<M: Message>(bytes: Bytes, version: i16) -> usize {
    let before = LIVE.get();
    PEAK.set(before);
    let outcome = M::decode(&mut Reader::new(bytes), version);
    let peak = PEAK.get() - before;
    drop(outcome);
    peak.cast_unsigned()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Bytes that claim much: those of a message up to some position, then a large count, then many tiny
/// elements.
fn damage(rng: &mut Rng, valid: &[u8]) -> Vec<u8> {
    let mut bytes = valid[..rng.usize(0..=valid.len())].to_vec();
    match rng.u8(0..4) {
        0 => bytes.extend([0, 0, rng.u8(0..24), rng.u8(..)]),
        1 => bytes.extend([rng.u8(0x80..), rng.u8(0..0x30)]),
        2 => bytes.extend([0x7f, 0xff, 0xff, 0xff]),
        _ => {}
    }
    if let (Some(last), true) = (bytes.last_mut(), rng.bool()) {
        *last ^= 1 << rng.u8(0..8);
    }
    // Zeros and ones are empty strings and empty arrays, of the one form or of the other.
    let filling = rng.u8(0..3);
    bytes.resize(bytes.len() + FILLING_BYTES, filling);
    bytes
}

#[test]
fn decoding_takes_memory_in_proportion_to_the_bytes() {
    let mut rng = Rng::with_seed(1);
    let mut largest = 0;
    for line in VECTORS.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (version, valid) = (words[1].parse().unwrap(), unhex(words[3]));
        macro_rules! decoder_of {
            ($($group:ident $kind:ident $name:ident $class:ident,)*) => {
                match words[0] {
                    $(stringify!($name) => peak::<protocol::$group::$name>,)*
                    other => panic!("no message is called {other}"),
                }
            };
        }
        let decode = protocol::every_message!(decoder_of);
        for round in 0..20 {
            let bytes = damage(&mut rng, &valid);
            let (len, bytes) = (bytes.len(), Bytes::from(bytes));
            let peak = decode(bytes.clone(), version);
            let allowed = len * FACTOR + FLOOR_BYTES + SHARED_BYTES;
            assert!(peak <= allowed, "{line}, round {round}: {peak} > {allowed} for {len}: {bytes:x}");
            largest = largest.max(peak);
        }
    }
    // Otherwise no claim was large enough to meet the limit.
    assert!(largest > FILLING_BYTES * FACTOR / 2, "{largest}");
}
