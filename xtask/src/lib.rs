//! The workshop of the project: it starts the reference broker and ours, runs the suites of other
//! languages' clients against either, and holds the rules of the house.
//!
//! Nothing here is part of the product, and nothing here is simulated; so files, clocks and
//! processes are reached directly.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

pub mod broker;
pub mod capture;
pub mod clients;
pub mod java;
pub mod kafka;
pub mod milena;
pub mod process;
pub mod simulation;
pub mod soak;
pub mod tidy;

use std::path::{Path, PathBuf};

/// The result of a step; the error is a sentence for the person who ran the command.
pub type Attempt<T> = Result<T, String>;

/// The root of the work tree this program was built from.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the root of the work tree").to_path_buf()
}

/// A folder for the workshop's downloads, builds and output; it can be deleted at any time.
pub fn workshop() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    root().join(target).join("xtask")
}
