//! Writes small ONNX files: just enough protobuf for the networks of the tests and the benchmark.

/// Element types by their ONNX number.
pub(crate) const FLOAT: u64 = 1;
pub(crate) const INT64: u64 = 7;
pub(crate) const STRING: u64 = 8;

/// One length of a declared shape.
#[derive(Clone, Copy)]
pub(crate) enum Axis {
    Free,
    Fixed(u64),
}

/// Fields of one protobuf message.
#[derive(Default, Clone)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

/// A graph under construction. Nodes must be added in execution order.
#[derive(Default)]
pub(crate) struct Graph(Message);

impl Graph {
    pub(crate) fn new() -> Self {
        Self(Message::default().bytes(2, b"graph"))
    }

    /// A node with integer-list attributes; an empty name is an optional input left out.
    pub(crate) fn node(self, operator: &str, inputs: &[&str], output: &str, ints: &[(&str, &[u64])]) -> Self {
        let mut node = Message::default();
        for input in inputs {
            node = node.bytes(1, input.as_bytes());
        }
        node = node.bytes(2, output.as_bytes()).bytes(4, operator.as_bytes());
        for (name, values) in ints {
            const INTS: u64 = 7;
            let mut attribute = Message::default().bytes(1, name.as_bytes());
            for value in *values {
                attribute = attribute.number(8, *value);
            }
            node = node.message(5, &attribute.number(20, INTS));
        }
        Self(self.0.message(1, &node))
    }

    /// A constant of single-precision numbers.
    pub(crate) fn weights(self, name: &str, shape: &[u64], values: &[f32]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, FLOAT, shape, &raw)
    }

    /// A constant of integers, one axis.
    pub(crate) fn integers(self, name: &str, values: &[i64]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, INT64, &[values.len() as u64], &raw)
    }

    fn constant(self, name: &str, element: u64, shape: &[u64], raw: &[u8]) -> Self {
        let mut tensor = Message::default();
        for length in shape {
            tensor = tensor.number(1, *length);
        }
        Self(self.0.message(5, &tensor.number(2, element).bytes(8, name.as_bytes()).bytes(9, raw)))
    }

    pub(crate) fn input(self, name: &str, element: u64, shape: &[Axis]) -> Self {
        Self(self.0.message(11, &value_info(name, element, shape)))
    }

    pub(crate) fn output(self, name: &str, element: u64, shape: &[Axis]) -> Self {
        Self(self.0.message(12, &value_info(name, element, shape)))
    }

    /// The bytes of the file.
    pub(crate) fn file(self) -> Vec<u8> {
        const IR_VERSION: u64 = 8;
        const OPSET: u64 = 17;
        let opset = Message::default().number(2, OPSET);
        Message::default().number(1, IR_VERSION).message(7, &self.0).message(8, &opset).0
    }
}

fn value_info(name: &str, element: u64, shape: &[Axis]) -> Message {
    let mut axes = Message::default();
    for axis in shape {
        let length = match axis {
            Axis::Free => Message::default().bytes(2, b"N"),
            Axis::Fixed(length) => Message::default().number(1, *length),
        };
        axes = axes.message(1, &length);
    }
    let tensor = Message::default().number(1, element).message(2, &axes);
    Message::default().bytes(1, name.as_bytes()).message(2, &Message::default().message(1, &tensor))
}
