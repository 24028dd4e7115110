//! Aligned columns of text.

use std::fmt;

/// On which side the cells of a column are padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table with a header line; columns are two blanks apart and lines have no blanks at their end.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, those beyond the last column are dropped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    fn width(&self, column: usize, header: &str) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header.chars().count()]).max().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> =
            self.columns.iter().enumerate().map(|(column, (header, _))| self.width(column, header)).collect();
        let header: Vec<&str> = self.columns.iter().map(|(header, _)| *header).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(String::as_str).collect());
        for row in std::iter::once(header).chain(rows) {
            let cells = row.iter().zip(&widths).zip(&self.columns);
            let padded = cells.map(|((cell, &width), (_, align))| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
            let line = padded.collect::<Vec<_>>().join("  ");
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&[("FILE", Align::Left), ("LABEL", Align::Right), ("NAME", Align::Left)]);
        table.row(["sunglasses.png".to_owned(), "0".to_owned(), "é".to_owned()]);
        table.row(["a".to_owned(), "1283".to_owned()]);
        let lines = ["FILE            LABEL  NAME", "sunglasses.png      0  é", "a                1283", ""];
        assert_eq!(table.to_string(), lines.join("\n"));
    }
}
