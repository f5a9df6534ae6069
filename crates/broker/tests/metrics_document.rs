//! `docs/metrics.md` is current with the table of metrics.
#![allow(clippy::disallowed_methods, reason = "the document is a file of the repository")]

use std::path::Path;

#[test]
fn the_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let current = broker::metrics::document();
    if std::env::var_os("MILENA_WRITE_DOCUMENTS").is_some() {
        std::fs::write(&path, &current).expect("the document is written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == current,
        "docs/metrics.md is not current: MILENA_WRITE_DOCUMENTS=1 cargo test -p broker --test metrics_document"
    );
}
