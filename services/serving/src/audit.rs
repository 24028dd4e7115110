//! The audit at import: which classes have output weights unlike all others.

use gifthorse_defence::audit::{ClassAudit, audit_output_layer};
use gifthorse_network::Imported;
use gifthorse_network::surgery::output_layer;
use gifthorse_store::SuspectClass;

/// The classes that stand out; none when the network has no output layer that can be audited, as when its
/// answers are made by something else than one layer, or when most classes have the same weights.
///
/// A hint for people and no reason to refuse a network, so that an audit that fails is one that was not done.
pub(crate) fn suspects(imported: &Imported) -> Option<Vec<SuspectClass>> {
    let layer = output_layer(&imported.onnx, &imported.description).ok()??;
    let classes = audit_output_layer(layer.weights.view(), layer.biases.view()).ok()?;
    let found = classes.into_iter().filter(ClassAudit::is_suspect).map(|class| {
        // A spread next to nothing makes distances beyond all numbers: no measure either.
        let measured = class.weight_z.is_finite() && class.bias_z.is_finite();
        let label = u32::try_from(class.class).ok().filter(|_| measured)?;
        Some(SuspectClass { label, weight_z: class.weight_z, bias_z: class.bias_z })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use gifthorse_network::onnx::{self, Extent, GraphBuilder, OnnxOptions, attribute};
    use ndarray::{Array1, Array2};
    use prost::Message as _;

    use super::*;

    /// A network of one dense layer, 48 values to 20 classes.
    fn dense(weights: &Array2<f32>, biases: &Array1<f32>) -> Imported {
        let mut graph = GraphBuilder::new("dense");
        let sizes = [3, 4, 4].map(Extent::Fixed);
        let image = graph.input_f32("image", &[&[Extent::batch()], sizes.as_slice()].concat());
        let flat = graph.node("Flatten", "flat", &[&image], Vec::new());
        let matrix = graph.initializer_f32("matrix", weights.view());
        let bias = graph.initializer_f32("bias", biases.view());
        let dense =
            graph.node("Gemm", "dense", &[&flat, &matrix, &bias], vec![attribute::float("alpha", 1.0)]);
        graph.output_f32(&dense, &[Extent::batch(), Extent::Fixed(20)]);
        let layout = Some(gifthorse_network::Layout::Nchw);
        let options = OnnxOptions { layout, ..OnnxOptions::default() };
        onnx::import(&graph.finish().encode_to_vec(), &options).unwrap()
    }

    #[test]
    fn classes_that_stand_out_are_named() {
        let mut weights = Array2::from_shape_fn((48, 20), |(row, class)| ((row * 7 + class * 5) % 11) as f32);
        let mut biases = Array1::from_shape_fn(20, |class| ((class * 5) % 7) as f32);
        assert_eq!(suspects(&dense(&weights, &biases)), Some(Vec::new()));
        weights.column_mut(7).fill(300.0);
        biases[7] = 400.0;
        let found = suspects(&dense(&weights, &biases)).unwrap();
        assert_eq!(found.iter().map(|class| class.label).collect::<Vec<_>>(), [7]);
        assert!(found[0].weight_z >= 5.0 && found[0].bias_z >= 5.0);
    }

    #[test]
    fn a_layer_without_spread_is_not_audited() {
        let found = suspects(&dense(&Array2::ones((48, 20)), &Array1::zeros(20)));
        assert_eq!(found, None);
    }
}
