//! A list of named facts about one thing, the names in one column.

use std::fmt::{self, Display};

/// Named facts, in the order they were added.
#[derive(Debug, Clone, Default)]
pub struct Facts(Vec<(&'static str, String)>);

impl Facts {
    /// No facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fact, unless there is nothing to say.
    pub fn add(&mut self, name: &'static str, value: impl Display) {
        let value = value.to_string();
        if !value.is_empty() {
            self.0.push((name, value));
        }
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &self.0 {
            writeln!(formatter, "{name:<width$}  {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_facts_are_left_out() {
        let mut facts = Facts::new();
        facts.add("name", "lab3");
        facts.add("reason", "");
        facts.add("parameters", 7);
        assert_eq!(facts.to_string(), "name        lab3\nparameters  7\n");
    }
}
