//! The beta law: its distribution function is the regularised incomplete beta function.

use std::f64::consts::PI;

/// `ln Gamma(x)` for x > 0.
fn ln_gamma(x: f64) -> f64 {
    // Stirling's series is good to the last digit from about 15 on; below, Gamma(x) = Gamma(x + 1) / x leads
    // there.
    const SERIES: [f64; 6] =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    let (mut shifted, mut product) = (x, 1.0);
    while shifted < 15.0 {
        product *= shifted;
        shifted += 1.0;
    }
    let square = shifted * shifted;
    let (series, _) = SERIES
        .iter()
        .fold((0.0, shifted), |(sum, power), coefficient| (sum + coefficient / power, power * square));
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * (2.0 * PI).ln() + series - product.ln()
}

/// `P(Beta(a, b) <= x)` for a, b > 0.
pub(crate) fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    // The fraction converges fast on the lower side of the mean; the upper side follows by symmetry.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(x, a, b) / a
    } else {
        1.0 - front * continued_fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of the incomplete beta function, evaluated from the front (Lentz).
fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    const STEPS: u32 = 10_000;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut numerator_ratio = 1.0;
    let mut denominator_ratio = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = denominator_ratio;
    for step in 1..STEPS {
        let n = f64::from(step);
        let even = n * (b - n) * x / ((a + 2.0 * n - 1.0) * (a + 2.0 * n));
        let odd = -(a + n) * (a + b + n) * x / ((a + 2.0 * n) * (a + 2.0 * n + 1.0));
        let mut last = 1.0;
        for coefficient in [even, odd] {
            denominator_ratio = 1.0 / away_from_zero(1.0 + coefficient * denominator_ratio);
            numerator_ratio = away_from_zero(1.0 + coefficient / numerator_ratio);
            last = denominator_ratio * numerator_ratio;
            fraction *= last;
        }
        if (last - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    fraction
}

/// The x with `P(Beta(a, b) <= x) = probability`, by halving: as near as the distribution function allows.
pub(crate) fn beta_quantile(probability: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if beta_cdf(middle, a, b) < probability {
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
    fn gamma_of_whole_and_half_numbers() {
        let mut factorial = 1.0_f64;
        for n in 1..30 {
            assert!((ln_gamma(f64::from(n)) - factorial.ln()).abs() < 1e-12 * f64::from(n).max(1.0));
            factorial *= f64::from(n);
        }
        assert!((ln_gamma(0.5) - PI.sqrt().ln()).abs() < 1e-14);
    }

    #[test]
    fn the_distribution_is_a_binomial_tail() {
        // P(Beta(k, n + 1 - k) <= x) = P(Binomial(n, x) >= k).
        for (n, x) in [(10_u32, 0.3_f64), (299, 0.01), (1000, 0.005), (598, 0.005)] {
            let mut probability = (1.0 - x).powi(n as i32);
            let mut below = 0.0;
            for k in 1..=n.min(40) {
                below += probability;
                let found = beta_cdf(x, f64::from(k), f64::from(n + 1 - k));
                assert!((found - (1.0 - below)).abs() < 1e-12, "n {n}, x {x}, k {k}: {found} {below}");
                probability *= f64::from(n - k + 1) / f64::from(k) * x / (1.0 - x);
            }
        }
    }

    #[test]
    fn quantiles_invert() {
        for (a, b) in [(1.0, 1.0), (2.0, 5.0), (0.5, 0.5), (40.0, 4961.0)] {
            for probability in [0.001, 0.025, 0.5, 0.975, 0.999] {
                let x = beta_quantile(probability, a, b);
                assert!((beta_cdf(x, a, b) - probability).abs() < 1e-10, "{a} {b} {probability}");
            }
        }
    }
}
