//! Functions and files stay short.

use super::lexer::{Block, blocks, code_of};
use super::tree::Tree;

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 600;

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let code = code_of(&file.text);
        let tests: Vec<Block> =
            blocks(&code, "mod").into_iter().filter(|block| block.name == "tests").collect();
        let in_tests =
            |line: usize| tests.iter().any(|block| block.first_line <= line && line <= block.last_line);
        let lines = (1..=code.lines().count()).filter(|line| !in_tests(*line)).count();
        if lines >= FILE_LINES_MAX {
            faults.push(format!("{} has {lines} lines", file.path));
        }
        for block in blocks(&code, "fn").iter().filter(|block| !in_tests(block.first_line)) {
            let lines = block.last_line - block.first_line + 1;
            if lines >= FUNCTION_LINES_MAX {
                faults.push(format!("{}:{} {} has {lines} lines", file.path, block.first_line, block.name));
            }
        }
    }
    faults
}
