//! One target for each entry point of untrusted bytes. With `cargo install cargo-fuzz` and a nightly
//! toolchain: `cargo +nightly fuzz run request`, in the directory above.

#[path = "../../tests/it/entry_points.rs"]
pub mod entry_points;
