//! Tables on the page.

use std::fmt::Write;

use crate::format::{self, escaped};
use crate::record::Estimate;
use crate::tables::{Cell, Kind, Table};

/// A table with its heading and note; only the heading and a word where it has no rows.
pub(crate) fn section(table: &Table) -> String {
    let mut section = format!("<h3>{}</h3>\n", escaped(&table.title));
    if table.rows.is_empty() {
        section.push_str("<p class=\"note\">None were measured.</p>\n");
        return section;
    }
    if !table.note.is_empty() {
        let _ = writeln!(section, "<p class=\"note\">{}</p>", escaped(&table.note));
    }
    section.push_str("<div class=\"scroll\"><table>\n");
    let spread: Vec<Option<Vec<String>>> =
        (0..table.columns.len()).map(|column| spread(table, column)).collect();
    section.push_str(&heads(table, &spread));
    section.push_str("<tbody>\n");
    let mut above: Option<&Vec<Cell>> = None;
    for row in &table.rows {
        section.push_str(&line(row, above, &spread));
        above = Some(row);
    }
    section.push_str("</tbody>\n</table></div>\n");
    section
}

/// The sets that a column is spread over: those of its cells, where all cells that tell of sets tell of the
/// same ones.
fn spread(table: &Table, column: usize) -> Option<Vec<String>> {
    if table.columns[column].kind != Kind::RateBySet {
        return None;
    }
    let mut found: Option<Vec<String>> = None;
    for row in &table.rows {
        if let Cell::BySet(rates) = &row[column] {
            let sets: Vec<String> = rates.iter().map(|(set, _)| set.clone()).collect();
            if found.as_ref().is_some_and(|found| *found != sets) {
                return None;
            }
            found = Some(sets);
        }
    }
    found.filter(|sets| !sets.is_empty())
}

fn heads(table: &Table, spread: &[Option<Vec<String>>]) -> String {
    let two_lines = spread.iter().any(Option::is_some);
    let (mut upper, mut lower) = (String::new(), String::new());
    for (column, sets) in table.columns.iter().zip(spread) {
        let head = escaped(column.head);
        if let Some(sets) = sets {
            let _ = write!(upper, "<th scope=\"colgroup\" colspan=\"{}\">{head}</th>", sets.len());
            for set in sets {
                let _ = write!(lower, "<th scope=\"col\">{}</th>", escaped(set));
            }
        } else if two_lines {
            let _ = write!(upper, "<th scope=\"col\" rowspan=\"2\">{head}</th>");
        } else {
            let _ = write!(upper, "<th scope=\"col\">{head}</th>");
        }
    }
    let lower = if two_lines { format!("<tr>{lower}</tr>\n") } else { String::new() };
    format!("<thead>\n<tr>{upper}</tr>\n{lower}</thead>\n")
}

/// One row. What leads it is not repeated as long as it is the same as above.
fn line(row: &[Cell], above: Option<&Vec<Cell>>, spread: &[Option<Vec<String>>]) -> String {
    let mut same_lead = true;
    let mut cells = String::new();
    let mut starts = true;
    for (index, (cell, sets)) in row.iter().zip(spread).enumerate() {
        same_lead &= above.is_some_and(|above| above[index] == *cell) && matches!(cell, Cell::Text(_));
        if same_lead {
            starts = false;
            cells.push_str(if index == 0 { "<th></th>" } else { "<td></td>" });
        } else if index == 0 {
            let _ = write!(cells, "<th scope=\"row\">{}</th>", shown(cell));
        } else if let (Some(sets), Cell::BySet(rates)) = (sets, cell) {
            for set in sets {
                let rate = rates.iter().find(|(name, _)| name == set).and_then(|(_, rate)| *rate);
                let _ = write!(cells, "<td>{}</td>", shown(&Cell::rate(rate)));
            }
        } else {
            let width = sets.as_ref().map_or_else(String::new, |sets| format!(" colspan=\"{}\"", sets.len()));
            let _ = write!(cells, "<td{width}>{}</td>", shown(cell));
        }
    }
    let class = if starts { " class=\"first\"" } else { "" };
    format!("<tr{class}>{cells}</tr>\n")
}

/// The content of a cell.
fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => escaped(text),
        Cell::Count(count) => count.to_string(),
        Cell::Number(value) => value_of(&format::number(*value)),
        Cell::Level(value) => value_of(&format::level(*value)),
        Cell::Mean(mean, None) => value_of(&format!("{mean:.1}")),
        Cell::Mean(mean, Some(half)) => value_of(&format!("{mean:.1} ± {half:.1}")),
        Cell::Rate(estimate) => rate(estimate),
        Cell::Area(area) => {
            let ends = format!("{:.3}–{:.3}, n = {}", area.lower, area.upper, area.observations);
            value_of(&format!("{:.3}", area.estimate)) + &format!("<small>{ends}</small>")
        }
        Cell::BySet(rates) => {
            let one = |(set, estimate): &(String, Option<Estimate>)| {
                let rate = estimate.as_ref().map_or_else(|| "–".to_owned(), rate);
                format!("<span class=\"set\">{}: {rate}</span>", escaped(set))
            };
            if rates.is_empty() { "–".to_owned() } else { rates.iter().map(one).collect() }
        }
        Cell::Missing(why) if why.is_empty() => "–".to_owned(),
        Cell::Missing(why) => escaped(why),
    }
}

fn value_of(text: &str) -> String {
    format!("<span class=\"value\">{text}</span>")
}

fn rate(estimate: &Estimate) -> String {
    let value = format::percent(estimate.estimate, estimate.observations);
    let ends = format::percent_range(estimate);
    value_of(&value) + &format!("<small>{ends}, n = {}</small>", estimate.observations)
}
