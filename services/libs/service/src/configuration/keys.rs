//! The keys a configuration knows, and the one nearest to a spelling mistake.

use serde_json::Value;

/// Every key of the tree in the form `a.b.c`, sections included.
pub(super) fn all(tree: &Value) -> Vec<String> {
    let mut keys = Vec::new();
    gather(tree, "", &mut keys);
    keys
}

fn gather(tree: &Value, prefix: &str, keys: &mut Vec<String>) {
    let Value::Object(entries) = tree else { return };
    for (name, value) in entries {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        gather(value, &key, keys);
        keys.push(key);
    }
}

/// The value at a path, if the tree has it.
pub(super) fn at<'tree>(tree: &'tree Value, path: &[String]) -> Option<&'tree Value> {
    path.iter().try_fold(tree, |node, name| node.get(name))
}

/// The known key most like `key`: first a key with the same last name in another section, then the one with
/// the fewest edits, provided that it is not a different word altogether.
pub(super) fn nearest(key: &str, known: &[String]) -> Option<String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let misplaced = known.iter().find(|candidate| last(candidate) == last(key));
    misplaced.cloned().or_else(|| {
        let (edits, candidate) = known
            .iter()
            .map(|candidate| (strsim::damerau_levenshtein(key, candidate), candidate))
            .min_by_key(|(edits, _)| *edits)?;
        (edits <= 2.max(last(key).len() / 3)).then(|| candidate.clone())
    })
}
