//! What a network answers to all images of a job, piece by piece.

use super::material::Material;
use super::state::Answers;
use super::work::Piece;
use crate::engine::{Cancelled, EngineFault};
use crate::pruning::{ImageSource, WholeNetwork};

/// Images of a job, clean and triggered.
pub(super) fn images(material: &Material) -> usize {
    material.clean.count() + material.triggered.iter().map(|set| set.images.count()).sum::<usize>()
}

/// How many of them are answered.
pub(super) fn answered(answers: &Answers) -> usize {
    answers.clean.len() + answers.triggered.iter().map(Vec::len).sum::<usize>()
}

/// Has the network answer images for the length of a piece, going on behind those that are answered.
pub(super) fn go_on(
    network: &WholeNetwork,
    material: &Material,
    answers: &mut Answers,
    piece: Piece,
    cancelled: &Cancelled,
) -> Result<(), EngineFault> {
    answers.triggered.resize(material.triggered.len(), Vec::new());
    let preprocessing = &material.preprocessing;
    fill(network, &material.clean.all(preprocessing), &mut answers.clean, piece, cancelled)?;
    for (set, answers) in material.triggered.iter().zip(&mut answers.triggered) {
        fill(network, &set.images.all(preprocessing), answers, piece, cancelled)?;
    }
    Ok(())
}

fn fill(
    network: &WholeNetwork,
    images: &dyn ImageSource,
    answers: &mut Vec<u32>,
    piece: Piece,
    cancelled: &Cancelled,
) -> Result<(), EngineFault> {
    let fault = |error| EngineFault::of::<crate::pruning::SweepError>(&error);
    while answers.len() < images.count() && !piece.is_over() {
        cancelled.check()?;
        let end = images.count().min(answers.len() + network.batch_rows());
        let batch = images.read(answers.len()..end).map_err(fault)?;
        answers.extend(network.answers(batch).map_err(fault)?);
    }
    Ok(())
}
