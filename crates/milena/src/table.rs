//! Tables for people: columns aligned by spaces, without borders.

use std::fmt;

/// Rows under headings; numbers are aligned at their right.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    /// Each row has as many cells as there are headings.
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Table { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; an empty cell is shown as `-`.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.headings.len(), "a row has a cell under each heading");
        let shown = |cell: String| if cell.is_empty() { "-".to_owned() } else { plain(&cell) };
        self.rows.push(cells.into_iter().map(shown).collect());
    }

    fn is_number(&self, column: usize) -> bool {
        let mut cells =
            self.rows.iter().map(|row| row[column].as_str()).filter(|cell| *cell != "-").peekable();
        cells.peek().is_some() && cells.all(|cell| cell.parse::<f64>().is_ok())
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].chars().count());
        cells.chain([self.headings[column].len()]).max().unwrap_or(0)
    }
}

/// Removes control characters, which would break the lines or repaint the terminal.
fn plain(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<(usize, bool)> =
            (0..self.headings.len()).map(|column| (self.width(column), self.is_number(column))).collect();
        let headings: Vec<String> = self.headings.iter().map(|&heading| heading.to_owned()).collect();
        for cells in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for (cell, &(width, number)) in cells.iter().zip(&columns) {
                if number {
                    line.push_str(&format!("{cell:>width$}  "));
                } else {
                    line.push_str(&format!("{cell:<width$}  "));
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["TOPIC", "PARTITIONS", "ID"]);
        table.row(vec!["orders".into(), "12".into(), "abc".into()]);
        table.row(vec!["a".into(), "3".into(), String::new()]);
        let expect = "\
TOPIC   PARTITIONS  ID
orders          12  abc
a                3  -
";
        assert_eq!(table.to_string(), expect);
    }

    #[test]
    fn a_column_with_a_word_in_it_is_not_one_of_numbers() {
        let mut table = Table::new(&["OFFSET"]);
        table.row(vec!["1".into()]);
        table.row(vec!["unknown".into()]);
        assert_eq!(table.to_string(), "OFFSET\n1\nunknown\n");
    }

    #[test]
    fn control_characters_cannot_break_a_line() {
        let mut table = Table::new(&["GROUP"]);
        table.row(vec!["a\n\u{1b}[31mb".into()]);
        assert_eq!(table.to_string(), "GROUP\na\u{fffd}\u{fffd}[31mb\n");
    }

    #[test]
    fn without_rows_the_headings_remain() {
        assert_eq!(Table::new(&["A", "B"]).to_string(), "A  B\n");
    }
}
