//! The classes that a model tells apart.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::shortened;

/// The longest name of a class, in characters.
const MAX_NAME: usize = 256;

/// Count of classes, M, and their names: either none or exactly M, each of 1 to 256 characters without control
/// characters, and no two alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ClassesText", into = "ClassesText")]
pub struct Classes {
    count: u32,
    names: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassesText {
    count: u32,
    names: Vec<String>,
}

impl Classes {
    /// M classes with these names, in order. The error says what does not fit, and names the class at fault by
    /// its index, 0..M-1.
    pub fn new(count: u32, names: Vec<String>) -> Result<Self, String> {
        if count == 0 {
            return Err("a classifier has at least one class".to_owned());
        }
        if !names.is_empty() && names.len() != count as usize {
            return Err(format!("{} class names for {count} classes: give all of them or none", names.len()));
        }
        let mut seen = HashMap::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            check_name(name).map_err(|rule| format!("the name of class {index} {rule}"))?;
            if let Some(first) = seen.insert(name, index) {
                return Err(format!(
                    "the name of class {index} is {:?}, which class {first} has already: give every class a \
                     name of its own",
                    shortened(name)
                ));
            }
        }
        Ok(Self { count, names })
    }

    /// Count of classes, M.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The names, in order; empty when none were given.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("is empty: give every class a name, or none".to_owned());
    }
    let length = name.chars().count();
    if length > MAX_NAME {
        return Err(format!("has {length} characters: use at most {MAX_NAME}"));
    }
    match name.chars().position(char::is_control) {
        Some(position) => {
            Err(format!("is {:?}, with a control character at {position}: leave it out", shortened(name)))
        }
        None => Ok(()),
    }
}

impl TryFrom<ClassesText> for Classes {
    type Error = String;

    fn try_from(text: ClassesText) -> Result<Self, String> {
        Self::new(text.count, text.names)
    }
}

impl From<Classes> for ClassesText {
    fn from(classes: Classes) -> Self {
        Self { count: classes.count, names: classes.names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> Result<Classes, String> {
        Classes::new(3, names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn all_names_or_none() {
        assert_eq!(classes(&[]).unwrap().names(), [""; 0]);
        let longest = "\u{e9}".repeat(256);
        let names = ["Ariel Sharon", " ", longest.as_str()];
        assert_eq!(classes(&names).unwrap().names(), names);
        assert_eq!(classes(&["one"]).unwrap_err(), "1 class names for 3 classes: give all of them or none");
        assert!(Classes::new(0, Vec::new()).is_err());
    }

    #[test]
    fn a_bad_name_is_named_by_its_index() {
        let long = "\u{e9}".repeat(257);
        let cases = [
            (["cat", "", "dog"], "class 1 is empty"),
            (["cat", "dog", long.as_str()], "class 2 has 257 characters: use at most 256"),
            (["ca\nt", "dog", "fox"], "class 0 is \"ca\\nt\", with a control character at 2"),
            (["cat", "dog\u{85}", "fox"], "class 1 is"),
            (["cat", "dog", "cat"], "class 2 is \"cat\", which class 0 has already"),
        ];
        for (names, expected) in cases {
            let message = classes(&names).unwrap_err();
            assert!(message.contains(expected), "{message:?} must speak of {expected:?}");
        }
    }

    #[test]
    fn a_stored_text_is_held_to_the_same_rules() {
        let read = |text| serde_json::from_str::<Classes>(text);
        let good = Classes::new(2, vec!["cat".into(), "dog".into()]).unwrap();
        assert_eq!(read(r#"{"count": 2, "names": ["cat", "dog"]}"#).unwrap(), good);
        assert!(read(r#"{"count": 2, "names": ["cat", "cat"]}"#).is_err());
    }
}
