//! What stands at the places of an axis.

/// A share of 1 as a whole percentage.
pub(crate) fn percent(rate: f64) -> String {
    format!("{:.0} %", rate * 100.0)
}

/// A count; nothing between counts.
pub(crate) fn whole(value: f64) -> String {
    if (value - value.round()).abs() < 1e-6 { format!("{value:.0}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stands_between_counts() {
        assert_eq!([whole(3.0), whole(2.5), percent(0.25)], ["3", "", "25 %"]);
    }
}
