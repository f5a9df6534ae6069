//! The rules of the house hold.

use xtask::tidy::{RULES, check_one};

fn holds(rule: usize) {
    let faults = check_one(rule);
    assert!(faults.is_empty(), "{}:\n{}", RULES[rule].0, faults.join("\n"));
}

#[test]
fn crates_depend_on_each_other_as_the_table_says() {
    holds(0);
}

#[test]
fn the_api_table_its_files_and_its_document_agree() {
    holds(1);
}

#[test]
fn functions_and_files_are_short() {
    holds(2);
}

#[test]
fn every_source_file_is_part_of_a_crate() {
    holds(3);
}

#[test]
fn names_say_what_a_thing_is() {
    holds(4);
}

#[test]
fn links_lead_somewhere() {
    holds(5);
}

#[test]
fn nothing_names_a_machine() {
    holds(6);
}

#[test]
fn code_that_decides_does_not_log() {
    holds(7);
}

#[test]
fn traps_have_a_row_in_the_document() {
    holds(8);
}

#[test]
fn modules_lie_in_layers() {
    holds(9);
}
