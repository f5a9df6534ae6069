//! `cargo xtask sim`: one broker in simulation, in a workspace of its own.

use crate::{Attempt, root};
use std::path::PathBuf;
use std::process::Command;

/// Builds the simulation; returns its program.
///
/// # Errors
/// A sentence, if cargo does not run, or the simulation does not build.
pub fn build() -> Attempt<PathBuf> {
    let target = root().join("target");
    let built = Command::new("cargo")
        .current_dir(root())
        .args(["build", "--quiet", "--locked", "--manifest-path", "sim/Cargo.toml", "--target-dir"])
        .arg(&target)
        .status()
        .map_err(|error| format!("cargo does not run: {error}"))?;
    if !built.success() {
        return Err("the simulation is not built".to_owned());
    }
    Ok(target.join("debug").join("sim"))
}

/// Runs the simulation with these arguments. Returns whether every run was right.
///
/// # Errors
/// A sentence, if it does not build or does not run.
pub fn run(arguments: &[&str]) -> Attempt<bool> {
    let program = build()?;
    let status = Command::new(program).args(arguments).status();
    status.map(|status| status.success()).map_err(|error| format!("the simulation does not run: {error}"))
}
