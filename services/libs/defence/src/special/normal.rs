//! The normal law.

use std::f64::consts::PI;

/// `P(Z <= z)` for z <= 0, to nearly full relative precision.
fn lower_tail(z: f64) -> f64 {
    let distance = -z;
    let density = (-0.5 * distance * distance).exp() / (2.0 * PI).sqrt();
    if distance > 4.0 {
        // The ratio of tail to density as a continued fraction, from the back: 1/(t + 1/(t + 2/(t + ...))).
        let ratio = (1..=200).rev().fold(distance, |below, step| distance + f64::from(step) / below);
        return density / ratio;
    }
    // Half less the density times t + t^3/3 + t^5/(3 5) + ...
    let (mut term, mut sum, mut odd) = (distance, distance, 1.0);
    while term > sum * 1e-18 {
        odd += 2.0;
        term *= distance * distance / odd;
        sum += term;
    }
    0.5 - density * sum
}

/// The z with `P(Z <= z) = probability`, for a probability strictly between 0 and 1.
pub(crate) fn normal_quantile(probability: f64) -> f64 {
    if probability > 0.5 {
        return -normal_quantile(1.0 - probability);
    }
    let (mut low, mut high) = (-40.0_f64, 0.0_f64);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if lower_tail(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles() {
        for (probability, quantile) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.01, -2.326_347_874_040_841),
            (0.001, -3.090_232_306_167_813),
            (1e-9, -5.997_807_015_007_686),
            (0.25, -0.674_489_750_196_081_7),
        ] {
            assert!((normal_quantile(probability) - quantile).abs() < 1e-10, "{probability}");
        }
    }

    #[test]
    fn both_expansions_agree_where_they_meet() {
        let (series, fraction) = (lower_tail(-4.0), lower_tail(-4.0 - 1e-12));
        assert!((series / fraction - 1.0).abs() < 1e-9);
    }
}
