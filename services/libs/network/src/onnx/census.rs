//! A walk over an undecoded file that counts what decoding it would hold in memory.
//!
//! Protobuf lets two bytes stand for a message of hundreds, so the size of a file says little about the
//! memory it takes. The walk reserves nothing itself, and being strict about fields the format does not
//! have, it also tells foreign files apart and guarantees that nothing is dropped when the model is
//! written again.

use super::fields::{Field, Message};
use super::limits::Limits;
use crate::NetworkError;

/// Walks the whole file.
///
/// # Errors
/// [`NetworkError::Damaged`] where the file ends early or is not in the format, with the place in bytes;
/// [`NetworkError::TooLarge`] where it passes a limit.
pub(super) fn take(bytes: &[u8], limits: &Limits) -> Result<(), NetworkError> {
    let mut census = Census { bytes, limits, nodes: 0, parts: 0, integers: 0 };
    census.message(Extent { message: Message::ModelProto, start: 0, end: bytes.len() }, 1, 0)
}

/// Where a message lies in the file.
#[derive(Debug, Clone, Copy)]
struct Extent {
    message: Message,
    start: usize,
    end: usize,
}

struct Census<'a> {
    bytes: &'a [u8],
    limits: &'a Limits,
    nodes: u64,
    parts: u64,
    integers: u64,
}

impl Census<'_> {
    fn message(&mut self, extent: Extent, depth: u64, graphs: u64) -> Result<(), NetworkError> {
        within("depth of messages", depth, self.limits.message_depth)?;
        let graphs = graphs + u64::from(extent.message == Message::GraphProto);
        within("depth of graphs inside graphs", graphs, self.limits.graph_depth)?;
        self.nodes += u64::from(extent.message == Message::NodeProto);
        within("count of nodes", self.nodes, self.limits.nodes)?;

        let mut at = extent.start;
        while at < extent.end {
            let field_start = at;
            let key = self.varint(&mut at, extent)?;
            let (number, wire) = (key >> 3, key & 7);
            let Some(field) = extent.message.field(number) else {
                return Err(damaged(format!(
                    "a {:?} has no field {number}, found at byte {field_start}",
                    extent.message
                )));
            };
            match (wire, field) {
                (0, Field::Varint) => {
                    self.varint(&mut at, extent)?;
                    self.count_integers(1)?;
                }
                (1, Field::Fixed64) => at = end_of(at, 8, extent)?,
                (5, Field::Fixed32) => at = end_of(at, 4, extent)?,
                (2, _) => {
                    let length = self.varint(&mut at, extent)?;
                    let end = end_of(at, length, extent)?;
                    self.content(field, at, end, (depth, graphs))?;
                    at = end;
                }
                _ => {
                    return Err(damaged(format!(
                        "field {number} of a {:?} at byte {field_start} has wire type {wire}, which does not \
                         fit it",
                        extent.message
                    )));
                }
            }
        }
        Ok(())
    }

    /// A field of stated length.
    fn content(
        &mut self,
        field: Field,
        start: usize,
        end: usize,
        (depth, graphs): (u64, u64),
    ) -> Result<(), NetworkError> {
        let packed = |width: usize| {
            let whole = (end - start).is_multiple_of(width);
            let fault = || damaged(format!("packed numbers at byte {start} end inside a number"));
            if whole { Ok(()) } else { Err(fault()) }
        };
        match field {
            Field::Varint => {
                let last_bytes = self.bytes[start..end].iter().filter(|byte| **byte < 0x80);
                self.count_integers(last_bytes.count() as u64)
            }
            Field::Fixed32 => packed(4),
            Field::Fixed64 => packed(8),
            Field::Name => {
                within("length of a name in bytes", (end - start) as u64, self.limits.name_bytes)?;
                self.count_part()
            }
            Field::Text | Field::Bytes => self.count_part(),
            Field::Message(message) => {
                self.count_part()?;
                self.message(Extent { message, start, end }, depth + 1, graphs)
            }
        }
    }

    fn count_part(&mut self) -> Result<(), NetworkError> {
        self.parts += 1;
        within("count of messages and texts", self.parts, self.limits.parts)
    }

    fn count_integers(&mut self, more: u64) -> Result<(), NetworkError> {
        self.integers += more;
        within("count of integers", self.integers, self.limits.integers)
    }

    fn varint(&self, at: &mut usize, extent: Extent) -> Result<u64, NetworkError> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            if *at >= extent.end {
                return Err(ends_early(extent, 1));
            }
            let byte = self.bytes[*at];
            *at += 1;
            // The tenth byte has room for one bit; decoders drop the others, and so does the shift.
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(damaged(format!("the number that ends at byte {at} is longer than ten bytes")))
    }
}

/// The end of `length` bytes from `at`, inside the message.
fn end_of(at: usize, length: u64, extent: Extent) -> Result<usize, NetworkError> {
    let left = (extent.end - at) as u64;
    if length > left { Err(ends_early(extent, length - left)) } else { Ok(at + length as usize) }
}

fn ends_early(extent: Extent, missing: u64) -> NetworkError {
    damaged(format!(
        "the {:?} that starts at byte {} ends at byte {}, {missing} bytes early: the file may be cut off",
        extent.message, extent.start, extent.end
    ))
}

fn damaged(fault: String) -> NetworkError {
    NetworkError::Damaged { fault }
}

fn within(what: &str, found: u64, limit: u64) -> Result<(), NetworkError> {
    if found > limit { Err(NetworkError::TooLarge { what: what.to_owned(), found, limit }) } else { Ok(()) }
}
