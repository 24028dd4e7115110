//! Names for people and for files, made of resource names that may hold anything.

use std::collections::BTreeSet;

/// Characters of a name that a figure or table shows at most.
const SHOWN: usize = 48;
/// Characters of a file name's part at most.
const KEPT: usize = 60;

/// `datasets/NAME` as a person calls it: `NAME`.
pub(crate) fn dataset(name: &str) -> String {
    shown(name.strip_prefix("datasets/").unwrap_or(name))
}

/// `models/NAME/versions/VERSION` as a person calls it: `NAME v VERSION`.
pub(crate) fn network(name: &str) -> String {
    let short = name.strip_prefix("models/").unwrap_or(name);
    match short.split_once("/versions/") {
        Some((model, version)) => shown(&format!("{model} v{version}")),
        None => shown(short),
    }
}

/// A detector as figures call it.
pub(crate) fn detector(name: &str) -> String {
    shown(name)
}

/// A layer of a network as figures call it.
pub(crate) fn layer(name: &str) -> String {
    shown(name)
}

/// A training as figures call it.
pub(crate) fn training(name: &str) -> String {
    shown(name)
}

/// The text without control characters, shortened to what fits beside a figure.
fn shown(text: &str) -> String {
    let clean: String = text.chars().map(|sign| if sign.is_control() { '\u{FFFD}' } else { sign }).collect();
    if clean.is_empty() {
        return "(no name)".to_owned();
    }
    if clean.chars().count() <= SHOWN {
        return clean;
    }
    clean.chars().take(SHOWN - 1).chain(['…']).collect()
}

/// Hands out file names, each once: also where the file system ignores case.
#[derive(Debug, Default)]
pub(crate) struct FileNames {
    taken: BTreeSet<String>,
}

impl FileNames {
    /// A name made of these parts, of letters, digits, `.`, `_` and `-` alone.
    pub(crate) fn take(&mut self, parts: &[&str]) -> String {
        let parts: Vec<String> =
            parts.iter().map(|part| safe(part)).filter(|part| !part.is_empty()).collect();
        let wanted = if parts.is_empty() { "unnamed".to_owned() } else { parts.join("-") };
        let mut name = wanted.clone();
        let mut count = 1;
        while !self.taken.insert(name.to_ascii_lowercase()) {
            count += 1;
            name = format!("{wanted}-{count}");
        }
        name
    }
}

/// The part of a file name that stands for a text.
fn safe(text: &str) -> String {
    let mut name = String::new();
    for sign in text.chars().take(KEPT) {
        // A dot stands only between other signs, so that no part reads as another folder.
        let dot = sign == '.' && name.ends_with(|last: char| last.is_ascii_alphanumeric());
        let allowed = sign.is_ascii_alphanumeric() || sign == '_' || dot;
        if allowed {
            name.push(sign);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    name.trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_for_people() {
        assert_eq!(dataset("datasets/eyes/left"), "eyes/left");
        assert_eq!(network("models/faces/versions/3"), "faces v3");
        assert_eq!(network("a\u{0}b"), "a\u{FFFD}b");
        assert_eq!(dataset(""), "(no name)");
        assert_eq!(dataset(&"x".repeat(100)).chars().count(), SHOWN);
    }

    #[test]
    fn file_names_are_safe_and_unique() {
        let mut names = FileNames::default();
        assert_eq!(names.take(&["faces v3", "../../etc/passwd"]), "faces-v3-etc-passwd");
        assert_eq!(names.take(&["Faces v3", "..", "etc passwd"]), "Faces-v3-etc-passwd-2");
        assert_eq!(names.take(&["..", "日本"]), "unnamed");
        assert_eq!(names.take(&[]), "unnamed-2");
    }
}
