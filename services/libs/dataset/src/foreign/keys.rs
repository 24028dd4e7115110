//! Which of a file's arrays holds what.

use crate::error::DatasetError;

/// Names under which images are looked for.
pub(super) const IMAGES: Role =
    Role { option: "arrays.images_key", what: "images", names: &["data", "images", "image", "x", "X"] };
/// Names under which labels are looked for.
pub(super) const LABELS: Role =
    Role { option: "arrays.labels_key", what: "labels", names: &["label", "labels", "y", "Y"] };
/// Names under which groups are looked for.
pub(super) const GROUPS: Role =
    Role { option: "arrays.groups_key", what: "groups", names: &["group", "groups"] };

/// One of the things a data set consists of.
pub(super) struct Role {
    option: &'static str,
    what: &'static str,
    names: &'static [&'static str],
}

impl Role {
    /// The name among `present` that plays this role, if any: the one `asked` for, which must be there, or
    /// the only usual one.
    pub(super) fn find(
        &self,
        asked: Option<&str>,
        present: &[String],
    ) -> Result<Option<String>, DatasetError> {
        if let Some(asked) = asked {
            if present.iter().any(|name| name == asked) {
                return Ok(Some(asked.to_owned()));
            }
            let fault = format!("is {asked:?}, but the file has {}", listed(present));
            return Err(DatasetError::Option { option: self.option, fault });
        }
        let usual: Vec<&String> = present.iter().filter(|name| self.names.contains(&name.as_str())).collect();
        match usual.as_slice() {
            [] => Ok(None),
            [name] => Ok(Some((*name).clone())),
            [first, second, ..] => Err(DatasetError::Ambiguous {
                question: format!(
                    "{first:?} and {second:?} may both be its {}: name one with {}",
                    self.what, self.option
                ),
            }),
        }
    }

    /// As [`find`](Self::find), but the role must be played.
    pub(super) fn require(&self, asked: Option<&str>, present: &[String]) -> Result<String, DatasetError> {
        self.find(asked, present)?.ok_or_else(|| DatasetError::Inconsistent {
            fault: format!(
                "no array of {} is named {}; the file has {}: name it with {}",
                self.what,
                self.names.join(", "),
                listed(present),
                self.option
            ),
        })
    }
}

/// A few of the names, for a message.
fn listed(present: &[String]) -> String {
    const SHOWN: usize = 12;
    if present.is_empty() {
        return "no arrays".to_owned();
    }
    let shown: Vec<String> = present.iter().take(SHOWN).map(|name| name.chars().take(40).collect()).collect();
    let more = if present.len() > SHOWN { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_names_are_found_and_doubt_is_asked_about() {
        let present = ["data", "label", "true_label"].map(str::to_owned);
        assert_eq!(IMAGES.require(None, &present).unwrap(), "data");
        assert_eq!(LABELS.require(None, &present).unwrap(), "label");
        assert_eq!(LABELS.require(Some("true_label"), &present).unwrap(), "true_label");
        assert_eq!(GROUPS.find(None, &present).unwrap(), None);
        assert!(matches!(LABELS.require(Some("y"), &present), Err(DatasetError::Option { .. })));
        let twice = ["x", "data"].map(str::to_owned);
        assert!(matches!(IMAGES.require(None, &twice), Err(DatasetError::Ambiguous { .. })));
        let error = LABELS.require(None, &twice).unwrap_err().to_string();
        assert!(error.contains("arrays.labels_key"), "{error}");
    }
}
