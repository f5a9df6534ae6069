//! Generated documents are current.
#![allow(clippy::disallowed_methods, reason = "a document is an ordinary file")]

use std::path::Path;

/// Compares a document with what it is generated from, or writes it when `UPDATE_DOCUMENTS` is set.
fn is_current(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::write(&file, text).expect("the document can be written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == text, "{path} is not current: UPDATE_DOCUMENTS=1 cargo test -p xtask");
}

#[test]
fn the_settings_are_documented() {
    is_current("docs/settings.md", &metadata::settings::document());
}
