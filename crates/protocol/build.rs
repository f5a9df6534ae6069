//! Turns `schemas/` into Rust. See `schemas/README.md` for the notation.
#![allow(clippy::disallowed_methods, reason = "a build script reads and writes files")]

#[path = "codegen/code.rs"]
mod code;
#[path = "codegen/decode.rs"]
mod decode;
#[path = "codegen/encode.rs"]
mod encode;
#[path = "codegen/fields.rs"]
mod fields;
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
    let logs: Vec<(String, Vec<Message>)> = files(&schemas.join("records"))
        .iter()
        .map(|file| {
            let stem = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            (stem, read_file(file))
        })
        .collect();
    let records: Vec<Message> = logs.iter().flat_map(|(_, messages)| messages.clone()).collect();
    write(&out.join("records.rs"), &modules::define(&records));
    write(&out.join("shown.rs"), &fields::find(&logs));
    let groups = [("messages", messages.as_slice()), ("records", records.as_slice())];
    write(&out.join("every_message.rs"), &samples::list(&groups));
    write(&out.join("samples.rs"), &samples::define(&groups));
}

fn read_directory(directory: &Path) -> Vec<Message> {
    files(directory).iter().flat_map(|file| read_file(file)).collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

fn read_file(file: &Path) -> Vec<Message> {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    notation::parse(&file.display().to_string(), &text)
}

/// Writes a file only if its content changes, so that nothing is recompiled for nothing.
fn write(file: &Path, text: &str) {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return;
    }
    fs::write(file, text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
}
