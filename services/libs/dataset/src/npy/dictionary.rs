//! The Python dictionary in an array file's header.

use super::{Element, NpyError, NpyHeader};

/// More sides than any array here has; `NumPy` itself allows 64.
const MAX_SIDES: usize = 32;

/// Parses the dictionary, which must have exactly the three keys `NumPy` writes, in any order.
pub(super) fn parse(text: &[u8]) -> Result<NpyHeader, NpyError> {
    let mut cursor = Cursor { text, position: 0 };
    let (mut element, mut fortran_order, mut shape) = (None, None, None);
    cursor.expect(b'{')?;
    while !cursor.accept(b'}') {
        let key = cursor.string()?;
        cursor.expect(b':')?;
        let again = match key.as_str() {
            "descr" => element.replace(Element::parse(&cursor.string()?)?).is_some(),
            "fortran_order" => fortran_order.replace(cursor.boolean()?).is_some(),
            "shape" => shape.replace(cursor.tuple()?).is_some(),
            other => return Err(cursor.fault(&format!("the key {other:?} is unknown"))),
        };
        if again {
            return Err(cursor.fault(&format!("the key {key:?} stands there twice")));
        }
        if !cursor.accept(b',') {
            cursor.expect(b'}')?;
            break;
        }
    }
    if cursor.peek().is_some() {
        return Err(cursor.fault("something stands after the dictionary"));
    }
    let missing = |key: &str| cursor.fault(&format!("the key {key:?} is missing"));
    Ok(NpyHeader {
        element: element.ok_or_else(|| missing("descr"))?,
        fortran_order: fortran_order.ok_or_else(|| missing("fortran_order"))?,
        shape: shape.ok_or_else(|| missing("shape"))?,
    })
}

struct Cursor<'a> {
    text: &'a [u8],
    position: usize,
}

impl Cursor<'_> {
    fn fault(&self, fault: &str) -> NpyError {
        NpyError::Header { fault: format!("{fault}, at byte {}", self.position) }
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.position).is_some_and(u8::is_ascii_whitespace) {
            self.position += 1;
        }
        self.text.get(self.position).copied()
    }

    fn accept(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.position += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: u8) -> Result<(), NpyError> {
        if self.accept(wanted) {
            Ok(())
        } else {
            Err(self.fault(&format!("expected {:?}", char::from(wanted))))
        }
    }

    /// The bytes from here on that satisfy `belongs`.
    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &[u8] {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let length = rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
        self.position += length;
        &rest[..length]
    }

    fn string(&mut self) -> Result<String, NpyError> {
        let Some(quote @ (b'\'' | b'"')) = self.peek() else {
            return Err(self.fault("expected a quoted text, beginning with a quote"));
        };
        self.position += 1;
        let text = String::from_utf8_lossy(self.run(|byte| byte != quote && byte != b'\\')).into_owned();
        if self.text.get(self.position) != Some(&quote) {
            return Err(self.fault("expected the closing quote of a plain text"));
        }
        self.position += 1;
        Ok(text)
    }

    fn boolean(&mut self) -> Result<bool, NpyError> {
        self.peek();
        match self.run(|byte| byte.is_ascii_alphanumeric()) {
            b"True" => Ok(true),
            b"False" => Ok(false),
            _ => Err(self.fault("expected True or False")),
        }
    }

    fn tuple(&mut self) -> Result<Vec<u64>, NpyError> {
        let mut sides = Vec::new();
        self.expect(b'(')?;
        while !self.accept(b')') {
            sides.push(self.number()?);
            if sides.len() > MAX_SIDES {
                return Err(self.fault(&format!("the shape has more than {MAX_SIDES} sides")));
            }
            if !self.accept(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(sides)
    }

    fn number(&mut self) -> Result<u64, NpyError> {
        self.peek();
        let digits = String::from_utf8_lossy(self.run(|byte| byte.is_ascii_digit())).into_owned();
        digits.parse().map_err(|_| self.fault("expected a whole number below 2^64"))
    }
}
