//! Writing a network as an ONNX graph, node by node.

use std::collections::HashSet;

use ndarray::{ArrayView, Dimension};

use super::messages::tensor_proto::DataType;
use super::messages::tensor_shape_proto::dimension::Value as Size;
use super::messages::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, tensor_shape_proto, type_proto,
};

/// Version of the file format that is written.
pub const WRITTEN_IR_VERSION: i64 = 8;
/// Version of the standard operators that is written.
pub const WRITTEN_OPSET: i64 = 17;

/// Size of one axis of an input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// Always this many.
    Fixed(u64),
    /// Free, under this name: axes of the same name have the same size.
    Free(String),
}

impl Extent {
    /// The free batch axis of every network that is built here.
    pub fn batch() -> Self {
        Self::Free("N".to_owned())
    }
}

/// A graph in the making.
///
/// Names are made unique by appending `_1`, `_2`, ... to a name that is taken; each call answers the name it
/// chose, to be used as an input of later nodes. Nodes must be added in an order in which they can run.
#[derive(Debug)]
pub struct GraphBuilder {
    graph: GraphProto,
    taken: HashSet<String>,
}

impl GraphBuilder {
    /// An empty graph of this name.
    pub fn new(name: &str) -> Self {
        Self { graph: GraphProto { name: name.to_owned(), ..GraphProto::default() }, taken: HashSet::new() }
    }

    /// Continues a graph that exists: new names avoid all of its names.
    pub fn extending(graph: GraphProto) -> Self {
        let inputs = graph.input.iter().map(|input| &input.name);
        let initializers = graph.initializer.iter().map(|tensor| &tensor.name);
        let nodes = graph.node.iter().flat_map(|node| node.output.iter().chain([&node.name]));
        let taken = inputs.chain(initializers).chain(nodes).cloned().collect();
        Self { graph, taken }
    }

    /// Reserves `wanted`, or `wanted_1`, `wanted_2`, ... when it is taken.
    pub fn unique(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut count = 0_u64;
        while !self.taken.insert(name.clone()) {
            count += 1;
            name = format!("{wanted}_{count}");
        }
        name
    }

    /// Adds an FP32 input and answers its name.
    pub fn input_f32(&mut self, name: &str, shape: &[Extent]) -> String {
        let name = self.unique(name);
        self.graph.input.push(value_info(&name, shape));
        name
    }

    /// Makes the existing tensor `name` an output of the graph, FP32 of this shape.
    pub fn output_f32(&mut self, name: &str, shape: &[Extent]) {
        self.graph.output.push(value_info(name, shape));
    }

    /// Adds FP32 weights of any shape and answers their name.
    pub fn initializer_f32<D: Dimension>(&mut self, name: &str, values: ArrayView<'_, f32, D>) -> String {
        let name = self.unique(name);
        self.graph.initializer.push(tensor_f32(&name, values));
        name
    }

    /// Adds a list of integers, shape `[K]`, and answers its name.
    pub fn initializer_i64(&mut self, name: &str, values: &[i64]) -> String {
        let name = self.unique(name);
        self.graph.initializer.push(TensorProto {
            name: name.clone(),
            dims: vec![values.len() as i64],
            data_type: DataType::Int64.into(),
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..TensorProto::default()
        });
        name
    }

    /// Adds a node with one output and answers the output's name; node and output are both called `name`,
    /// made unique. An empty input name leaves an optional input out.
    pub fn node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let output = self.unique(name);
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![output.clone()],
            name: output.clone(),
            op_type: operator.to_owned(),
            attribute: attributes,
            ..NodeProto::default()
        });
        output
    }

    /// The graph as it stands.
    pub fn into_graph(self) -> GraphProto {
        self.graph
    }

    /// The finished model, in IR version [`WRITTEN_IR_VERSION`] and opset [`WRITTEN_OPSET`].
    pub fn finish(self) -> ModelProto {
        ModelProto {
            ir_version: WRITTEN_IR_VERSION,
            producer_name: "gifthorse".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: WRITTEN_OPSET }],
            graph: Some(self.graph),
            ..ModelProto::default()
        }
    }
}

/// An FP32 tensor with raw data, row major whatever the memory order of `values`.
pub fn tensor_f32<D: Dimension>(name: &str, values: ArrayView<'_, f32, D>) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: values.shape().iter().map(|size| *size as i64).collect(),
        data_type: DataType::Float.into(),
        raw_data: values.into_iter().flat_map(|value| value.to_le_bytes()).collect(),
        ..TensorProto::default()
    }
}

/// Name, FP32 and shape.
pub(crate) fn value_info(name: &str, shape: &[Extent]) -> ValueInfoProto {
    let dim = shape.iter().map(|extent| tensor_shape_proto::Dimension {
        value: Some(match extent {
            Extent::Fixed(size) => Size::DimValue(*size as i64),
            Extent::Free(name) => Size::DimParam(name.clone()),
        }),
        denotation: String::new(),
    });
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float.into(),
        shape: Some(TensorShapeProto { dim: dim.collect() }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            denotation: String::new(),
            value: Some(type_proto::Value::TensorType(tensor)),
        }),
        ..ValueInfoProto::default()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    #[test]
    fn names_are_unique_and_weights_row_major() {
        let mut graph = GraphBuilder::new("g");
        let input = graph.input_f32("x", &[Extent::batch(), Extent::Fixed(2)]);
        let matrix = arr2(&[[1.0_f32, 2.0], [3.0, 4.0]]);
        let weights = graph.initializer_f32("w", matrix.t());
        let first = graph.node("MatMul", "dense", &[&input, &weights], Vec::new());
        let second = graph.node("Relu", "dense", &[&first], Vec::new());
        assert_eq!((first.as_str(), second.as_str()), ("dense", "dense_1"));
        let model = graph.finish();
        let graph = model.graph.unwrap();
        let bytes: Vec<u8> = [1.0_f32, 3.0, 2.0, 4.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(graph.initializer[0].raw_data, bytes);
        let mut extended = GraphBuilder::extending(graph);
        assert_eq!(extended.unique("w"), "w_1");
    }
}
