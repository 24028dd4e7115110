//! Networks that are not trained yet: weights by lot, as Keras draws them.

use std::path::Path;

use ndarray::{ArrayD, IxDyn};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::activation::Generation;
use super::export::write_h5;
use super::fault::damaged;
use super::model::Model;
use super::weights::Weights;
use super::{Architecture, classifier};
use crate::NetworkError;
use crate::description::SourceKind;

/// The Keras version that a drawn file names.
const VERSION: &str = "2.4.0";

/// Weights by lot: kernels uniform with the variance of Glorot and Bengio (AISTATS 2010, equation 16), which is what
/// Keras draws when it is not told otherwise; scales and variances one, slopes a quarter, all else zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    seed: u64,
}

impl Draw {
    /// The numbers of one weight, the same for the same seed, layer, role and shape.
    pub(super) fn values(self, path: &str, role: &str, shape: &[usize]) -> Vec<f32> {
        let count = shape.iter().product();
        match role {
            "gamma" | "moving_variance" => vec![1.0; count],
            "alpha" => vec![0.25; count],
            "kernel" | "depthwise_kernel" | "pointwise_kernel" => self.uniform(path, role, shape),
            _ => vec![0.0; count],
        }
    }

    fn uniform(self, path: &str, role: &str, shape: &[usize]) -> Vec<f32> {
        let (window, ends) = shape.split_at(shape.len().saturating_sub(2));
        let window = window.iter().product::<usize>().max(1);
        let [inputs, outputs] = ends else { return vec![0.0; shape.iter().product()] };
        // Each channel of a depthwise convolution sees itself alone.
        let (inputs, outputs) = if role == "depthwise_kernel" {
            (window, outputs * window)
        } else {
            (inputs * window, outputs * window)
        };
        let limit = (6.0 / (inputs + outputs) as f64).sqrt();
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ name_number(path, role));
        let mut draw = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        (0..shape.iter().product()).map(|_| ((2.0 * draw() - 1.0) * limit) as f32).collect()
    }
}

/// A number of a weight's name (FNV-1a), so that layers do not depend on each other's order.
fn name_number(path: &str, role: &str) -> u64 {
    let bytes = path.bytes().chain([b'/']).chain(role.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Writes a full Keras model of this architecture with weights by lot, to be imported and trained.
///
/// # Errors
///
/// As for [`super::import`] where the architecture is no image classifier of supported layers, and
/// [`NetworkError::File`] when the file cannot be written.
pub fn draw_h5(architecture: &Architecture, seed: u64, destination: &Path) -> Result<(), NetworkError> {
    let model = Model::parse(&architecture.keras_json(), Generation::of(VERSION))?;
    let draw = Draw { seed };
    let drawn = classifier::convert(model, &Weights::Drawn(draw), SourceKind::KerasModel, VERSION)?;
    let mut weights = Vec::with_capacity(drawn.parameters.len());
    for parameter in &drawn.parameters {
        let values = draw.values(&parameter.path, parameter.role, &parameter.shape);
        let values = ArrayD::from_shape_vec(IxDyn(&parameter.shape), values);
        let values =
            values.map_err(|error| damaged(format!("{} of {}: {error}", parameter.role, parameter.path)))?;
        weights.push((parameter, values));
    }
    write_h5(destination, &drawn.model, VERSION, &weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Template;
    use crate::keras::{KerasOptions, import};

    #[test]
    fn a_drawn_network_is_imported_and_repeats() {
        let folder = tempfile::tempdir().unwrap();
        let drawn = |seed: u64, name: &str| {
            let path = folder.path().join(name);
            draw_h5(&Template::DeepId.into(), seed, &path).unwrap();
            import(&path, &KerasOptions::default()).unwrap()
        };
        let network = drawn(1, "one.h5");
        assert_eq!(network.description.classes, 1283);
        assert_eq!(network.description.parameters, 601_643);
        assert_eq!(network.onnx, drawn(1, "again.h5").onnx);
        assert_ne!(network.onnx, drawn(2, "other.h5").onnx);
    }

    #[test]
    fn every_template_can_be_drawn() {
        let folder = tempfile::tempdir().unwrap();
        for template in Template::ALL {
            let path = folder.path().join(template.name());
            let json = template.sized(template.image(), template.classes());
            draw_h5(&Architecture::Json(json), 3, &path).unwrap();
            let imported = import(&path, &KerasOptions::default()).unwrap();
            let description = imported.description;
            let found = [description.height, description.width, description.channels];
            assert_eq!(found, template.image(), "{}", template.name());
        }
    }

    #[test]
    fn kernels_have_the_spread_of_glorot_and_other_roles_their_constants() {
        let draw = Draw { seed: 7 };
        let kernel = draw.values("conv", "kernel", &[3, 3, 16, 32]);
        let limit = (6.0_f32 / (9.0 * 48.0)).sqrt();
        assert!(kernel.iter().all(|value| value.abs() <= limit));
        let variance = kernel.iter().map(|value| value * value).sum::<f32>() / kernel.len() as f32;
        assert!((variance / (limit * limit / 3.0) - 1.0).abs() < 0.05, "{variance}");
        assert_ne!(kernel, draw.values("other", "kernel", &[3, 3, 16, 32]));
        assert_eq!(draw.values("norm", "gamma", &[2]), [1.0, 1.0]);
        assert_eq!(draw.values("norm", "moving_variance", &[1]), [1.0]);
        assert_eq!(draw.values("norm", "beta", &[1]), [0.0]);
    }
}
