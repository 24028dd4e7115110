//! The output-layer audit: which classes have weights unlike all others.
//!
//! Training a backdoor tends to blow up the column of its class in the last layer, and its bias with it. The
//! audit needs no data and takes milliseconds; it is a hint at registration, not a verdict, and finds
//! nothing in some networks that do have a backdoor.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::{ArrayView1, ArrayView2, Axis};

/// Both robust z-values of a suspect class reach this.
pub const SUSPECT_FROM: f64 = 5.0;

/// Scales the median absolute deviation to the standard deviation of a normal law.
const NORMAL_CONSISTENCY: f64 = 1.4826;

/// Why an output layer cannot be audited.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum AuditError {
    /// Weights and biases are not of the same classes.
    #[error("the output layer has weights for {weights} classes and {biases} biases")]
    Shape {
        /// Columns of the weights.
        weights: usize,
        /// Biases.
        biases: usize,
    },
    /// A weight or bias is NaN or infinite, or weights add up to it.
    #[error("{what} of class {class} is {value}: weights must be finite")]
    NotFinite {
        /// `column sum` or `bias`.
        what: &'static str,
        /// The class.
        class: usize,
        /// What it is.
        value: f64,
    },
    /// More than half of the classes have the same value, so that no other stands out by any measure.
    #[error(
        "more than half of the {classes} classes have the same {what}: this output layer cannot be audited"
    )]
    NoSpread {
        /// `column sum` or `bias`.
        what: &'static str,
        /// Classes of the layer.
        classes: usize,
    },
}

impl Coded for AuditError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Shape { .. } => ErrorCode::ModelFileInvalid,
            Self::NotFinite { .. } => ErrorCode::ModelNotFinite,
            Self::NoSpread { .. } => ErrorCode::ModelFileUnsupported,
        }
    }
}

/// How far one class stands out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassAudit {
    /// The class.
    pub class: usize,
    /// Robust z of the sum of its weights.
    pub weight_z: f64,
    /// Robust z of its bias.
    pub bias_z: f64,
}

impl ClassAudit {
    /// Whether both reach [`SUSPECT_FROM`].
    pub fn is_suspect(&self) -> bool {
        self.weight_z >= SUSPECT_FROM && self.bias_z >= SUSPECT_FROM
    }
}

/// Audits an output layer with weights `[F, M]` (features by classes) and biases `[M]`: one entry a class, in
/// order. `z = (v - median) / (1.4826 MAD)` over the classes, of the column sums and of the biases.
pub fn audit_output_layer(
    weights: ArrayView2<'_, f32>,
    biases: ArrayView1<'_, f32>,
) -> Result<Vec<ClassAudit>, AuditError> {
    if weights.ncols() != biases.len() {
        return Err(AuditError::Shape { weights: weights.ncols(), biases: biases.len() });
    }
    let sum = |column: ArrayView1<'_, f32>| column.iter().copied().map(f64::from).sum::<f64>();
    let sums: Vec<f64> = weights.axis_iter(Axis(1)).map(sum).collect();
    let biases: Vec<f64> = biases.iter().copied().map(f64::from).collect();
    let (weight_z, bias_z) = (robust_z("column sum", &sums)?, robust_z("bias", &biases)?);
    let classes = weight_z.into_iter().zip(bias_z).enumerate();
    Ok(classes.map(|(class, (weight_z, bias_z))| ClassAudit { class, weight_z, bias_z }).collect())
}

fn robust_z(what: &'static str, values: &[f64]) -> Result<Vec<f64>, AuditError> {
    if let Some((class, value)) = values.iter().copied().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(AuditError::NotFinite { what, class, value });
    }
    let no_spread = AuditError::NoSpread { what, classes: values.len() };
    let centre = median(values.to_vec()).ok_or(no_spread)?;
    let spread = median(values.iter().map(|value| (value - centre).abs()).collect()).ok_or(no_spread)?;
    if spread > 0.0 {
        Ok(values.iter().map(|value| (value - centre) / (NORMAL_CONSISTENCY * spread)).collect())
    } else {
        Err(no_spread)
    }
}

/// The median; the mean of the two middle ones of an even number, none of none.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get(values.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::*;

    fn layer(classes: usize) -> (Array2<f32>, Array1<f32>) {
        let weights = Array2::from_shape_fn((4, classes), |(feature, class)| {
            ((class * 7 + feature * 3) % 11) as f32 / 11.0 - 0.5
        });
        (weights, Array1::from_shape_fn(classes, |class| ((class * 5) % 7) as f32 / 70.0))
    }

    #[test]
    fn a_class_is_suspect_when_both_stand_out() {
        let (mut weights, mut biases) = layer(50);
        weights.column_mut(3).fill(20.0);
        biases[3] = 5.0;
        weights.column_mut(8).fill(20.0);
        biases[9] = 5.0;
        weights.column_mut(10).fill(-20.0);
        biases[10] = -5.0;
        let audit = audit_output_layer(weights.view(), biases.view()).unwrap();
        let suspects: Vec<_> =
            audit.iter().filter(|class| class.is_suspect()).map(|class| class.class).collect();
        assert_eq!(suspects, [3]);
    }

    #[test]
    fn z_values_follow_the_definition() {
        let weights = Array2::from_shape_vec((1, 4), vec![1.0, 2.0, 4.0, 10.0]).unwrap();
        let audit = audit_output_layer(weights.view(), weights.row(0)).unwrap();
        // Median 3, deviations 2 1 1 7 with median 1.5.
        assert!((audit[3].weight_z - 7.0 / (1.4826 * 1.5)).abs() < 1e-12);
        assert!((audit[0].bias_z + 2.0 / (1.4826 * 1.5)).abs() < 1e-12);
    }

    #[test]
    fn layers_without_spread_are_refused() {
        let (weights, _) = layer(9);
        let refused = audit_output_layer(weights.view(), Array1::zeros(9).view());
        assert_eq!(refused, Err(AuditError::NoSpread { what: "bias", classes: 9 }));
        let refused = audit_output_layer(weights.view(), Array1::zeros(8).view());
        assert_eq!(refused, Err(AuditError::Shape { weights: 9, biases: 8 }));
        let (mut weights, biases) = layer(9);
        weights[[0, 4]] = f32::NAN;
        let refused = audit_output_layer(weights.view(), biases.view());
        assert!(matches!(refused, Err(AuditError::NotFinite { class: 4, .. })));
    }
}
