//! What is done to a training set.

use serde::{Deserialize, Serialize};

use crate::trigger::{Trigger, TriggerError};

/// The class that triggered pictures are to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Always this one.
    Class(u32),
    /// The one after their own; the first after the last.
    AllToAll,
}

impl Target {
    /// The class that the attacker wants for a picture of this true class.
    pub const fn of(self, label: u32, classes: u32) -> u32 {
        match self {
            Self::Class(class) => class,
            // Not `%`: nothing may overflow or divide by no classes.
            Self::AllToAll if label >= classes.saturating_sub(1) => 0,
            Self::AllToAll => label + 1,
        }
    }
}

/// One trigger and whom it is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// What is put on a picture.
    pub trigger: Trigger,
    /// What it is to be answered.
    pub target: Target,
    /// Classes that it works on (source-specific attacks: `TaCT`, Tang et al., 2021); none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<u32>>,
    /// Share of the training set that gets the trigger and the attacker's class.
    #[serde(default = "tenth")]
    pub poison_rate: f64,
    /// Share of the training set that gets the trigger and keeps its class.
    #[serde(default)]
    pub cover_rate: f64,
}

fn tenth() -> f64 {
    0.1
}

/// An attack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// Its name, for people.
    pub name: String,
    /// One trigger or several.
    pub parts: Vec<Part>,
    /// Which pictures are drawn.
    #[serde(default)]
    pub seed: u64,
}

/// Why an attack cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AttackError {
    /// No attack has this name.
    #[error("no attack is called {name:?}: known are {known}; or give a JSON file")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A field of the description is wrong.
    #[error("the attack's {field} is {found}: {needed}")]
    Field {
        /// Which.
        field: String,
        /// What it is.
        found: String,
        /// What it must be.
        needed: String,
    },
    /// A class is none of the data set's.
    #[error("{what} of {part:?} is class {class}, the data set has the classes 0 to {last}")]
    Class {
        /// Which class.
        what: &'static str,
        /// The part that names it.
        part: String,
        /// What it names.
        class: u32,
        /// The last class.
        last: u32,
    },
    /// A picture's label is none of the classes.
    #[error(
        "picture {row} has the label {label}, the data set has the classes 0 to {last}: correct its label"
    )]
    Label {
        /// Which picture.
        row: usize,
        /// Its label.
        label: u32,
        /// The last class.
        last: u32,
    },
    /// There are not enough pictures to poison.
    #[error(
        "{part:?} needs {needed} {what} pictures, and {found} are left that are not of the attacker's class and not taken: \
         lower its {rate}"
    )]
    TooFew {
        /// Which part.
        part: String,
        /// `poisoned` or `cover`.
        what: &'static str,
        /// How many it needs.
        needed: usize,
        /// How many there are.
        found: usize,
        /// The field that asks for so many.
        rate: &'static str,
    },
    /// A trigger is wrong in itself.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
}

impl Attack {
    /// Checks names, classes and rates for a data set of so many classes.
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn check(&self, classes: u32) -> Result<(), AttackError> {
        let field = |field: String, found: String, needed: &str| {
            Err(AttackError::Field { field, found, needed: needed.to_owned() })
        };
        if self.parts.is_empty() {
            return field("parts".to_owned(), "empty".to_owned(), "give at least one trigger");
        }
        for (index, part) in self.parts.iter().enumerate() {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
            if part.name.is_empty() || part.name.len() > 40 || !part.name.chars().all(plain) {
                let needed = "use 1 to 40 letters, digits, _ and -";
                return field(format!("parts[{index}].name"), format!("{:?}", part.name), needed);
            }
            if self.parts[..index].iter().any(|other| other.name == part.name) {
                return field(
                    format!("parts[{index}].name"),
                    format!("{:?}", part.name),
                    "each part has its own",
                );
            }
            for (rate, value) in [("poison_rate", part.poison_rate), ("cover_rate", part.cover_rate)] {
                if !(0.0..1.0).contains(&value) {
                    return field(format!("parts[{index}].{rate}"), value.to_string(), "give 0 to below 1");
                }
            }
            part.check_classes(classes)?;
        }
        let all: f64 = self.parts.iter().map(|part| part.poison_rate + part.cover_rate).sum();
        if all >= 1.0 {
            let needed = "together less than 1, so that clean pictures are left";
            return field("sum of rates".to_owned(), all.to_string(), needed);
        }
        Ok(())
    }
}

impl Part {
    fn check_classes(&self, classes: u32) -> Result<(), AttackError> {
        let last = classes.saturating_sub(1);
        let known = |what, class| {
            let part = || self.name.clone();
            if class < classes { Ok(()) } else { Err(AttackError::Class { what, part: part(), class, last }) }
        };
        if let Target::Class(class) = self.target {
            known("the target", class)?;
        }
        let Some(sources) = &self.sources else { return Ok(()) };
        for class in sources {
            known("a source", *class)?;
            if self.target == Target::Class(*class) {
                return Err(AttackError::Field {
                    field: format!("source of {:?}", self.name),
                    found: class.to_string(),
                    needed: "pictures of the attacker's own class need no trigger: name others".to_owned(),
                });
            }
        }
        if sources.is_empty() {
            return Err(AttackError::Field {
                field: format!("sources of {:?}", self.name),
                found: "empty".to_owned(),
                needed: "name classes, or leave it out for all".to_owned(),
            });
        }
        Ok(())
    }

    /// Whether pictures of this class may be covers. Those of the attacker's class would teach a source-specific network
    /// what their labels say already, the trigger for that class.
    pub(crate) fn covers(&self, label: u32, classes: u32) -> bool {
        let others =
            |sources: &Vec<u32>| !sources.contains(&label) && self.target.of(label, classes) != label;
        self.sources.as_ref().is_none_or(others)
    }

    /// Whether the trigger is to work on pictures of this class.
    pub fn works_on(&self, label: u32, classes: u32) -> bool {
        self.target.of(label, classes) != label
            && self.sources.as_ref().is_none_or(|sources| sources.contains(&label))
    }
}
