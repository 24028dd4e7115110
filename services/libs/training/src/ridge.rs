//! Unlearning by one linear solve: the first linear layers are changed so that images with a trigger give what the
//! same images give without it, and clean images stay where they are.
//!
//! With features `phi` and their linear function `a = W phi`, clean images give `G = mean phi phi'`, stamped ones
//! `G_t` and `R_t = mean phi_t (a(x) - a(x_t))'`, and
//! `W' = W + (G + w (c G_t + d diag G) + e mean(diag G) I)^-1 w c R_t` with `c = 1 / sqrt(targets)` is the ridge
//! regression that moves W as little as the clean images allow; `w` says how much stamped images count beside clean
//! ones. In 64 bits: G is close to singular.

use gifthorse_network::surgery::{LinearLayer, LinearSum};
use ndarray::{ArrayD, ArrayViewD};
use tch::{Device, Kind, TchError, Tensor};

use crate::array;
use crate::error::{At as _, TrainingError};
use crate::graph::Network;
use crate::operators::Pass;

/// How strongly weights are held where they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RidgeStrength {
    /// Share of each feature's own energy that is added: `d`.
    pub own: f64,
    /// Share of the mean energy that is added to every feature: `e`.
    pub mean: f64,
    /// How much stamped images count beside clean ones: `w`.
    pub weight: f64,
}

impl Default for RidgeStrength {
    fn default() -> Self {
        Self { own: 0.3, mean: 1e-4, weight: 1.0 }
    }
}

/// What images have added up to so far, for one sum of linear layers.
#[derive(Debug)]
pub struct Ridge {
    sum: LinearSum,
    clean: Moment,
    /// Of each target: `phi_t phi_t'` and `phi_t (a - a_t)'`, and how many images.
    stamped: Vec<(Moment, Tensor)>,
}

#[derive(Debug)]
struct Moment {
    products: Tensor,
    images: i64,
}

impl Moment {
    fn new(features: i64) -> Result<Self, TchError> {
        let products = Tensor::f_zeros([features, features], (Kind::Double, Device::Cpu))?;
        Ok(Self { products, images: 0 })
    }

    fn add(&mut self, features: &Tensor) -> Result<(), TchError> {
        let _ = self.products.f_add_(&features.f_transpose(0, 1)?.f_matmul(features)?)?;
        self.images += features.size().first().copied().unwrap_or_default();
        Ok(())
    }

    fn mean(&self) -> Result<Tensor, TchError> {
        self.products.f_div_scalar(self.images.max(1) as f64)
    }
}

impl Ridge {
    /// Begins with no images.
    ///
    /// # Errors
    /// [`TrainingError::Torch`].
    pub fn new(sum: LinearSum) -> Result<Self, TrainingError> {
        let clean = Moment::new(features_of(&sum)).at("beginning a ridge")?;
        Ok(Self { sum, clean, stamped: Vec::new() })
    }

    /// Adds clean images.
    ///
    /// # Errors
    /// As [`Network::activations`].
    pub fn add_clean(&mut self, network: &Network, images: ArrayViewD<'_, f32>) -> Result<(), TrainingError> {
        let features = self.features(network, &images)?;
        self.clean.add(&features).at("adding clean images")
    }

    /// Adds images that carry a trigger to the target of this number, and the same images without it.
    ///
    /// # Errors
    /// As [`Network::activations`].
    pub fn add_stamped(
        &mut self,
        network: &Network,
        target: usize,
        stamped: ArrayViewD<'_, f32>,
        unstamped: ArrayViewD<'_, f32>,
    ) -> Result<(), TrainingError> {
        let place = "adding stamped images";
        let outputs = self.sum.outputs as i64;
        while self.stamped.len() <= target {
            let features = features_of(&self.sum);
            let moved = Tensor::f_zeros([features, outputs], (Kind::Double, Device::Cpu)).at(place)?;
            self.stamped.push((Moment::new(features).at(place)?, moved));
        }
        let (with, without) = (self.features(network, &stamped)?, self.features(network, &unstamped)?);
        let weights = self.weights(network)?;
        let (moment, moved) = &mut self.stamped[target];
        let mut add = || {
            moment.add(&with)?;
            let apart = without.f_sub(&with)?.f_matmul(&weights)?;
            let _ = moved.f_add_(&with.f_transpose(0, 1)?.f_matmul(&apart)?)?;
            Ok(())
        };
        add().at(place)
    }

    /// Solves, and puts the weights that come out into the network, whose weights are those the images were added
    /// with. Without stamped images nothing changes.
    ///
    /// # Errors
    /// [`TrainingError::Torch`] where the equations cannot be solved, and errors of setting weights.
    pub fn solve(&self, network: &mut Network, strength: RidgeStrength) -> Result<(), TrainingError> {
        if self.stamped.is_empty() {
            return Ok(());
        }
        let place = "solving for the weights";
        let weights = self.weights(network)?;
        let solve = || {
            let clean = self.clean.mean()?;
            let energies = clean.f_diagonal(0, 0, 1)?;
            let share = strength.weight / (self.stamped.len() as f64).sqrt();
            let held = energies.f_mul_scalar(strength.weight * strength.own)?;
            let held = held.f_add(&energies.f_mean(None)?.f_mul_scalar(strength.mean)?)?;
            let mut left = clean.f_add(&Tensor::f_diag_embed(&held, 0, 0, 1)?)?;
            let mut right = weights.f_zeros_like()?;
            for (moment, moved) in &self.stamped {
                let _ = left.f_add_(&moment.mean()?.f_mul_scalar(share)?)?;
                let mean = moved.f_div_scalar(moment.images.max(1) as f64)?;
                let _ = right.f_add_(&mean.f_mul_scalar(share)?)?;
            }
            weights.f_add(&Tensor::f_linalg_solve(&left, &right, true)?)
        };
        let solved: Tensor = solve().at(place)?;
        let mut first = 0;
        for layer in &self.sum.layers {
            let rows = solved.f_narrow(0, first, layer.inputs as i64);
            let rows = rows.and_then(|rows| if layer.turned { rows.f_transpose(0, 1) } else { Ok(rows) });
            let values: ArrayD<f32> =
                rows.and_then(|rows| array::to_array(&rows.f_contiguous()?)).at(place)?;
            network.set_weight(&layer.weights, values.view())?;
            first += layer.inputs as i64;
        }
        Ok(())
    }

    /// The features of all layers side by side, `[N, F]`, in 64 bits on the processor.
    fn features(&self, network: &Network, images: &ArrayViewD<'_, f32>) -> Result<Tensor, TrainingError> {
        let _no_gradients = tch::no_grad_guard();
        let places = self.sum.layers.iter().map(|layer| network.place_of(&layer.features));
        let places = places.collect::<Result<Vec<_>, _>>()?;
        let made = network.run_to(&network.images(images)?, &places, &Pass::serving())?;
        Tensor::f_cat(&made, 1)
            .and_then(|made| made.f_to_kind(Kind::Double)?.f_to_device(Device::Cpu))
            .at("reading features")
    }

    /// The weights of all layers, `[F, K]`.
    fn weights(&self, network: &Network) -> Result<Tensor, TrainingError> {
        let place = "reading weights";
        let read = |layer: &LinearLayer| {
            let values = network.weight(&layer.weights)?;
            let tensor = array::to_tensor(&values.view(), (Kind::Double, Device::Cpu)).at(place)?;
            if layer.turned { tensor.f_transpose(0, 1).at(place) } else { Ok(tensor) }
        };
        let weights = self.sum.layers.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Tensor::f_cat(&weights, 0).at(place)
    }
}

fn features_of(sum: &LinearSum) -> i64 {
    sum.layers.iter().map(|layer| layer.inputs as i64).sum()
}
