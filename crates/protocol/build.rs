//! Turns `schemas/` into Rust. See `schemas/README.md` for the notation.
#![allow(clippy::disallowed_methods, reason = "a build script reads and writes files")]

#[path = "codegen/code.rs"]
mod code;
#[path = "codegen/decode.rs"]
mod decode;
#[path = "codegen/encode.rs"]
mod encode;
#[path = "codegen/keys.rs"]
mod keys;
#[path = "codegen/model.rs"]
mod model;
#[path = "codegen/modules.rs"]
mod modules;
#[path = "codegen/names.rs"]
mod names;
#[path = "codegen/notation.rs"]
mod notation;
#[path = "codegen/samples.rs"]
mod samples;
#[path = "codegen/structs.rs"]
mod structs;

use std::path::{Path, PathBuf};
use std::{env, fs};

use model::Message;

fn main() {
    println!("cargo::rerun-if-changed=schemas");
    println!("cargo::rerun-if-changed=codegen");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let schemas = Path::new("schemas");
    let mut messages = read_directory(&schemas.join("api"));
    write(&out.join("api_key.rs"), &keys::define(&messages));
    messages.extend(read_file(&schemas.join("header.schema")));
    write(&out.join("messages.rs"), &modules::define(&messages));
    let records = read_directory(&schemas.join("records"));
    write(&out.join("records.rs"), &modules::define(&records));
    let groups = [("messages", messages.as_slice()), ("records", records.as_slice())];
    write(&out.join("every_message.rs"), &samples::list(&groups));
    write(&out.join("samples.rs"), &samples::define(&groups));
}

fn read_directory(directory: &Path) -> Vec<Message> {
    let entries = fs::read_dir(directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files.iter().flat_map(|file| read_file(file)).collect()
}

fn read_file(file: &Path) -> Vec<Message> {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    notation::parse(&file.display().to_string(), &text)
}

/// Leaves a file alone that would not change, so that nothing is compiled again for it.
fn write(file: &Path, text: &str) {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return;
    }
    fs::write(file, text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
}
