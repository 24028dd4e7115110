//! The table that gives the pictures of a folder their labels.

use std::collections::BTreeMap;

use crate::canonical::MAX_LABEL;
use crate::error::DatasetError;

/// Name of the table at the folder's root.
pub(super) const FILE: &str = "labels.csv";

/// Label and group of one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) label: i64,
    pub(super) group: Option<i64>,
}

/// Label and group of each picture by its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LabelTable {
    pub(super) rows: BTreeMap<String, Row>,
    pub(super) has_groups: bool,
}

impl LabelTable {
    /// Parses a table with the head `file,label` or `file,label,group` and one picture a line. Fields are
    /// plain: file names with commas or quotes are not written here.
    pub(super) fn parse(text: &str) -> Result<Self, DatasetError> {
        let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate();
        let has_groups = match lines.next().map(|(_, head)| head.trim_end()) {
            Some("file,label") => false,
            Some("file,label,group") => true,
            _ => return Err(wrong(1, "the head must be file,label or file,label,group")),
        };
        let mut rows = BTreeMap::new();
        for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let number = index + 1;
            if line.contains('"') {
                return Err(wrong(number, "quotes are not read: rename the file"));
            }
            let mut fields = line.trim_end().split(',');
            let (file, label, group) = (fields.next(), fields.next(), fields.next());
            let (Some(file), Some(label), None) = (file, label, fields.next()) else {
                return Err(wrong(number, "it has too few or too many fields"));
            };
            if has_groups != group.is_some() {
                return Err(wrong(number, "it has not the fields of the head"));
            }
            let label = whole(label, MAX_LABEL)
                .ok_or_else(|| wrong(number, &format!("the label must be a number from 0 to {MAX_LABEL}")))?;
            let group = match group {
                None => None,
                Some(text) => Some(
                    whole(text, i64::MAX)
                        .ok_or_else(|| wrong(number, "the group must be a number from 0 up"))?,
                ),
            };
            let file = file.strip_prefix("./").unwrap_or(file).to_owned();
            if rows.insert(file, Row { label, group }).is_some() {
                return Err(wrong(number, "its file has a line already"));
            }
        }
        Ok(Self { rows, has_groups })
    }
}

/// The number a text of digits is, up to `max`.
pub(super) fn whole(text: &str, max: i64) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok().filter(|number| *number <= max) } else { None }
}

fn wrong(line: usize, fault: &str) -> DatasetError {
    DatasetError::Entry { path: FILE.to_owned(), fault: format!("is wrong in line {line}: {fault}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_with_and_without_groups() {
        let table = LabelTable::parse("file,label\r\na.png,1\r\n\r\n./b/c d.png,20\r\n").unwrap();
        assert!(!table.has_groups);
        assert_eq!(table.rows["a.png"], Row { label: 1, group: None });
        assert_eq!(table.rows["b/c d.png"], Row { label: 20, group: None });
        let table = LabelTable::parse("file,label,group\na.png,1,70000000000\n").unwrap();
        assert_eq!(table.rows["a.png"], Row { label: 1, group: Some(70_000_000_000) });
    }

    #[test]
    fn bad_tables_name_the_line() {
        for (text, line) in [
            ("", 1),
            ("a.png,1", 1),
            ("file,label\na.png", 2),
            ("file,label\na.png,1,2", 2),
            ("file,label,group\na.png,1", 2),
            ("file,label\na.png,-1", 2),
            ("file,label\na.png,100000", 2),
            ("file,label\na.png,one", 2),
            ("file,label\na.png,1\na.png,1", 3),
            ("file,label\n\"a\".png,1", 2),
        ] {
            let error = LabelTable::parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("line {line}:")), "{text:?}: {error}");
        }
    }
}
