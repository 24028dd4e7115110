//! Numbers and texts as people read them.

use crate::record::Estimate;

/// A share of 1 as a percentage, with as many digits as its observations carry.
pub(crate) fn percent(value: f64, observations: u64) -> String {
    let digits = if observations >= 1_000 { 2 } else { 1 };
    format!("{:.digits$} %", value * 100.0)
}

/// The ends of an interval of shares.
pub(crate) fn percent_range(estimate: &Estimate) -> String {
    let digits = if estimate.observations >= 1_000 { 2 } else { 1 };
    format!("{:.digits$}–{:.digits$} %", estimate.lower * 100.0, estimate.upper * 100.0)
}

/// A score, a threshold, a time: about four digits that mean something.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let text = if size >= 1_000.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.2}")
    } else if size >= 1e-3 || size == 0.0 {
        format!("{value:.4}")
    } else {
        format!("{value:.2e}")
    };
    if size == 0.0 { "0".to_owned() } else { text }
}

/// A nominal rate: `0.5 %`, `10 %`.
pub(crate) fn level(value: f64) -> String {
    let text = format!("{:.3}", value * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `1 image`, `20 images`.
pub(crate) fn images(count: u64) -> String {
    if count == 1 { "1 image".to_owned() } else { format!("{count} images") }
}

/// The text as content or attribute of HTML, SVG and XML. Control characters, which XML forbids, are replaced.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(sign),
            sign if sign.is_control() || matches!(sign, '\u{FFFE}' | '\u{FFFF}') => safe.push('\u{FFFD}'),
            sign => safe.push(sign),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_honest() {
        assert_eq!(percent(0.012_345, 20), "1.2 %");
        assert_eq!(percent(0.012_345, 2_000), "1.23 %");
        assert_eq!(number(0.294_263_7), "0.2943");
        assert_eq!(number(-12.345_6), "-12.35");
        assert_eq!(number(0.000_012_3), "1.23e-5");
        assert_eq!(number(0.0), "0");
        assert_eq!(level(0.005), "0.5 %");
        assert_eq!(level(0.1), "10 %");
        assert_eq!(images(1), "1 image");
    }

    #[test]
    fn texts_cannot_leave_their_place() {
        assert_eq!(escaped("<a href='x'>&\"\u{1}"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\u{FFFD}");
    }
}
