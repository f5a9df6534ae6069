//! Rust source under construction.

/// Lines of Rust, indented by the braces that are open.
#[derive(Default)]
pub(crate) struct Code {
    text: String,
    depth: usize,
}

impl Code {
    /// Adds one line. `}` or `)` at its start closes a level, `{` or `(` at its end opens one.
    pub(crate) fn line(&mut self, line: &str) {
        if line.starts_with(['}', ')']) {
            self.depth -= 1;
        }
        if !line.is_empty() {
            self.text.extend(std::iter::repeat_n("    ", self.depth));
            self.text.push_str(line);
        }
        self.text.push('\n');
        if line.ends_with(['{', '(']) {
            self.depth += 1;
        }
    }

    pub(crate) fn finish(self) -> String {
        assert!(self.depth == 0, "every brace is closed");
        self.text
    }
}
