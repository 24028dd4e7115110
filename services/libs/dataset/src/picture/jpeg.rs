//! Whether a JPEG is whole.
//!
//! The decoder fills the missing rows of a cut-off JPEG with grey and says nothing, and a classifier would
//! go on to classify the grey. Hence this walk over the markers.

const MARKER: u8 = 0xFF;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// Whether the markers can be followed to the end-of-image marker.
pub(super) fn reaches_end(bytes: &[u8]) -> bool {
    let mut position = 2;
    while let Some((code, after)) = next_marker(bytes, position) {
        position = match code {
            END_OF_IMAGE => return true,
            0x01 | 0xD0..=0xD7 => after,
            _ => {
                let Some(length) = bytes.get(after..after + 2) else { return false };
                after + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2)
            }
        };
        if code == START_OF_SCAN {
            position = end_of_scan(bytes, position);
        }
    }
    false
}

/// The next marker's code and the position after it.
fn next_marker(bytes: &[u8], from: usize) -> Option<(u8, usize)> {
    let mut position = from;
    loop {
        position += bytes.get(position..)?.iter().position(|byte| *byte == MARKER)?;
        match *bytes.get(position + 1)? {
            // A marker may be preceded by any number of fill bytes, and a stuffed zero makes it no marker.
            MARKER => position += 1,
            0 => position += 2,
            code => return Some((code, position + 2)),
        }
    }
}

/// Where the compressed data that begins at `from` ends: at a marker that is no restart.
fn end_of_scan(bytes: &[u8], from: usize) -> usize {
    let mut position = from;
    while let Some((code, after)) = next_marker(bytes, position) {
        if !matches!(code, 0xD0..=0xD7) {
            return after - 2;
        }
        position = after;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCAN: &[u8] = &[0xFF, 0xD8, 0xFF, 0xDA, 0, 3, 9, 0x12, 0xFF, 0x00, 0xD9, 0xFF, 0xD1, 0x34];

    #[test]
    fn stuffed_bytes_and_restarts_are_no_end() {
        assert!(!reaches_end(SCAN));
        assert!(reaches_end(&[SCAN, &[0xFF, 0xFF, 0xD9]].concat()));
    }

    #[test]
    fn an_end_inside_a_segment_is_none() {
        let thumbnail = [0xFF, 0xD8, 0xFF, 0xE1, 0, 6, 0xFF, 0xD8, 0xFF, 0xD9];
        assert!(!reaches_end(&thumbnail));
        assert!(reaches_end(&[&thumbnail[..], &[0xFF, 0xD9]].concat()));
    }
}
