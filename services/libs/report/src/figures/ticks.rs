//! What stands at the places of an axis.

use crate::format;

/// A share of 1 as a whole percentage.
pub(crate) fn percent(rate: f64) -> String {
    format!("{:.0} %", rate * 100.0)
}

/// A number without the noughts it ends with; one that is very large or small by its power of ten.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1e5 || (size > 0.0 && size < 1e-3) {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    let text = format::number(value);
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A count; nothing between counts.
pub(crate) fn whole(value: f64) -> String {
    if (value - value.round()).abs() < 1e-6 { format!("{value:.0}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([number(2.5), number(1.0), number(120.0), number(0.0)], ["2.5", "1", "120", "0"]);
        assert_eq!([number(1e-5), number(12_000.0), number(2.5e6)], ["1e-5", "12000", "2.5e6"]);
    }

    #[test]
    fn nothing_stands_between_counts() {
        assert_eq!([whole(3.0), whole(2.5), percent(0.25)], ["3", "", "25 %"]);
    }
}
