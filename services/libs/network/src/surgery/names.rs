//! Names that somebody may have meant.

use super::anatomy::Anatomy;

/// How many are offered.
const SHOWN: usize = 3;

/// The layers whose names are closest to `wanted`, closest first, quoted; none when no name is near it.
pub(super) fn closest(wanted: &str, anatomy: &Anatomy<'_>) -> Option<String> {
    // A name beyond this length is no misspelt one, and measuring it would take long.
    const LONGEST: usize = 120;
    let length = wanted.chars().count();
    if length > LONGEST {
        return None;
    }
    let wanted = wanted.to_lowercase();
    let names = anatomy.description.layers.iter().map(|layer| layer.name.as_str());
    let mut near: Vec<(usize, &str)> = names
        .filter(|name| name.len() <= LONGEST)
        .map(|name| (strsim::damerau_levenshtein(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= (length / 3).max(2))
        .collect();
    // A stable sort: of equally near names the one that comes first in the network.
    near.sort_by_key(|(distance, _)| *distance);
    near.dedup();
    let quoted: Vec<String> = near.iter().take(SHOWN).map(|(_, name)| format!("{name:?}")).collect();
    (!quoted.is_empty()).then(|| quoted.join(", "))
}
