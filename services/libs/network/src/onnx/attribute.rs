//! Constants of a node: making them and reading them.

use super::check::is_standard;
use super::messages::attribute_proto::AttributeType;
use super::messages::{AttributeProto, NodeProto, TensorProto};

fn named(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: kind.into(), ..AttributeProto::default() }
}

/// An integer.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..named(name, AttributeType::Int) }
}

/// A list of integers: kernel sizes, strides, pads, permutations.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..named(name, AttributeType::Ints) }
}

/// A number.
pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..named(name, AttributeType::Float) }
}

/// A text.
pub fn string(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.as_bytes().to_vec()), ..named(name, AttributeType::String) }
}

/// A tensor.
pub fn tensor(name: &str, value: TensorProto) -> AttributeProto {
    AttributeProto { t: Some(value), ..named(name, AttributeType::Tensor) }
}

impl NodeProto {
    /// The attribute of this name, where the node has it.
    pub fn attribute_named(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// The integer attribute of this name; none when absent or of another type.
    pub fn int(&self, name: &str) -> Option<i64> {
        let attribute = self.attribute_named(name)?;
        (attribute.r#type() == AttributeType::Int).then(|| attribute.i.unwrap_or_default())
    }

    /// The integer list attribute of this name; none when absent or of another type.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        let attribute = self.attribute_named(name)?;
        (attribute.r#type() == AttributeType::Ints).then_some(attribute.ints.as_slice())
    }

    /// The number attribute of this name; none when absent or of another type.
    pub fn float(&self, name: &str) -> Option<f32> {
        let attribute = self.attribute_named(name)?;
        (attribute.r#type() == AttributeType::Float).then(|| attribute.f.unwrap_or_default())
    }

    /// The text attribute of this name; none when absent, of another type or not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        let attribute = self.attribute_named(name)?;
        if attribute.r#type() != AttributeType::String {
            return None;
        }
        std::str::from_utf8(attribute.s.as_deref().unwrap_or_default()).ok()
    }

    /// Whether this is an operator of the standard set with this name.
    pub fn is_standard(&self, operator: &str) -> bool {
        self.op_type == operator && is_standard(&self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_read_again() {
        let node = NodeProto {
            attribute: vec![
                int("axis", 0),
                ints("pads", &[1, 2]),
                float("alpha", 0.5),
                string("mode", "edge"),
            ],
            ..NodeProto::default()
        };
        assert_eq!(node.int("axis"), Some(0));
        assert_eq!(node.ints("pads"), Some(&[1, 2][..]));
        assert_eq!(node.float("alpha"), Some(0.5));
        assert_eq!(node.text("mode"), Some("edge"));
        assert_eq!(node.int("pads"), None, "of another type");
        assert_eq!(node.int("absent"), None);
    }
}
