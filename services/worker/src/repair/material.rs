//! Everything a job works on, open and checked.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_dataset::wire::overridden;
use gifthorse_dataset::{DatasetView, Preprocessing};
use gifthorse_defence::level::Level;
use gifthorse_defence::pruning::{ClassCoverage, CleanSplit, SplitRequest};
use gifthorse_engine::{Engine, EngineConfiguration, EngineOptions};
use gifthorse_network::NetworkDescription;
use gifthorse_network::surgery::{OutputLayer, PruningSite, output_layer, pruning_site};

use super::settings::{Method, Settings};
use crate::engine::{Assignment, DatasetInput, EngineFault};
use crate::pruning::{CutNetwork, RunOptions, StoredImages, WholeNetwork};

/// The part of the images that scores where the clean set shows every class, and where it does not; the part of
/// the classes that are kept unseen then.
const SCORING: (u64, u64) = (1, 2);
const SCORING_OF_SEEN: (u64, u64) = (1, 5);
const UNSEEN: (u64, u64) = (1, 2);

/// A network and images, ready to run.
pub(super) struct Material {
    /// The engine that everything runs on.
    pub(super) engine: Engine,
    /// The suspect's file.
    pub(super) onnx: Vec<u8>,
    /// What the suspect is.
    pub(super) description: NetworkDescription,
    /// How its images are prepared.
    pub(super) preprocessing: Preprocessing,
    /// Where its channels are pruned.
    pub(super) site: PruningSite,
    /// Its last linear layer, where it has one.
    pub(super) head: Option<OutputLayer>,
    /// The suspect as a whole.
    pub(super) suspect: WholeNetwork,
    /// The suspect in two halves.
    pub(super) halves: CutNetwork,
    /// The clean images.
    pub(super) clean: LabelledImages,
    /// How many classes they show.
    pub(super) coverage: ClassCoverage,
    /// Which of them rank and train, and which judge.
    pub(super) split: CleanSplit,
    /// The triggered images.
    pub(super) triggered: Vec<TriggeredImages>,
}

/// Images with their true classes.
#[derive(Debug)]
pub(super) struct LabelledImages {
    /// `datasets/NAME`.
    pub(super) name: String,
    /// The images.
    pub(super) view: DatasetView,
    /// The class of each.
    pub(super) truth: Vec<u32>,
}

/// Images that carry a trigger.
#[derive(Debug)]
pub(super) struct TriggeredImages {
    /// The images, with the classes they would have without it.
    pub(super) images: LabelledImages,
    /// The attacker's class, where somebody said it.
    pub(super) target: Option<u32>,
}

impl LabelledImages {
    fn open(input: &DatasetInput, classes: u64) -> Result<Self, EngineFault> {
        let name = format!("datasets/{}", input.record.name);
        let view = DatasetView::open(&input.folder).map_err(|error| EngineFault::of(&error))?;
        let truth = view.labels().iter().enumerate().map(|(row, label)| {
            let class = u32::try_from(*label).ok().filter(|class| u64::from(*class) < classes);
            class.ok_or_else(|| {
                let message = format!(
                    "image {row} of {name} has the label {label}, which is no class of this network (0..{classes})"
                );
                EngineFault::invalid(ErrorCode::DatasetInvalid, message)
            })
        });
        Ok(Self { truth: truth.collect::<Result<_, _>>()?, name, view })
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        self.truth.len()
    }

    /// All of them, as the network takes them.
    pub(super) const fn all<'a>(&'a self, preprocessing: &'a Preprocessing) -> StoredImages<'a> {
        StoredImages::all(&self.view, preprocessing)
    }

    /// Some of them.
    pub(super) fn rows<'a>(
        &'a self,
        preprocessing: &'a Preprocessing,
        rows: &[usize],
    ) -> Result<StoredImages<'a>, EngineFault> {
        StoredImages::rows(&self.view, preprocessing, rows.to_vec()).map_err(|error| EngineFault::of(&error))
    }
}

impl Material {
    /// Opens everything that an assignment names.
    pub(super) fn open(assignment: &Assignment, settings: &Settings) -> Result<Self, EngineFault> {
        let fault = |error: &dyn Coded| EngineFault::internal(error.code(), error.to_string());
        let record = &assignment.model.record.specification;
        let description: NetworkDescription =
            serde_json::from_value(record.network.clone()).map_err(|error| {
                let message = format!("the record of the model does not describe its network: {error}");
                EngineFault::internal(ErrorCode::RecordInvalid, message)
            })?;
        let path = &assignment.model.onnx;
        let onnx = std::fs::read(path).map_err(|error| EngineFault::file("read", path, &error))?;
        let specification = &assignment.specification;
        let preprocessing = match &specification.preprocessing_override {
            Some(given) => overridden(&record.preprocessing, given).map_err(|error| fault(&error))?,
            None => record.preprocessing.clone(),
        };
        let site =
            pruning_site(&onnx, &description, settings.layer.as_deref()).map_err(|error| fault(&error))?;
        let head = output_layer(&onnx, &description).map_err(|error| fault(&error))?;

        let configuration = EngineConfiguration { threads: Some(settings.threads), ..Default::default() };
        let options: EngineOptions = configuration.options();
        let engine = Engine::start(&options).map_err(|error| fault(&error))?;
        let run = RunOptions::default();
        let suspect = WholeNetwork::load(&engine, "the suspect", &onnx, &description, run);
        let suspect = suspect.map_err(|error| fault(&error))?;
        let halves = CutNetwork::load(&engine, "the suspect", &onnx, &description, &site, run);
        let halves = halves.map_err(|error| fault(&error))?;

        let clean = LabelledImages::open(&assignment.clean, description.classes)?;
        let coverage = ClassCoverage::of(clean.view.labels(), description.classes as usize);
        let coverage = coverage.map_err(|error| fault(&error))?;
        check_shift(settings, head.as_ref(), &coverage)?;
        let split = split(&clean.view, &coverage, settings)?;
        let triggered = assignment.triggered.iter().map(|set| {
            let images = LabelledImages::open(&set.images, description.classes)?;
            Ok(TriggeredImages { images, target: set.target.and_then(|target| u32::try_from(target).ok()) })
        });
        Ok(Self {
            triggered: triggered.collect::<Result<_, EngineFault>>()?,
            engine,
            onnx,
            description,
            preprocessing,
            site,
            head,
            suspect,
            halves,
            clean,
            coverage,
            split,
        })
    }
}

/// Feature shift tuning draws the output layer anew: there must be one, and images of every class to learn it from.
fn check_shift(
    settings: &Settings,
    head: Option<&OutputLayer>,
    coverage: &ClassCoverage,
) -> Result<(), EngineFault> {
    let refused = |reason: String| {
        let message =
            format!("specification.fine_tuning is FST, which draws the output layer anew, but {reason}");
        Err(EngineFault::invalid(ErrorCode::InvalidField, message))
    };
    if settings.method != Method::Fst {
        return Ok(());
    }
    if head.is_none() {
        return refused("the logits of this network are not made by one linear layer".to_owned());
    }
    if !coverage.is_full() {
        return refused(format!(
            "there are {coverage}: the others would be forgotten, use FT, FT_SAM or INVERT"
        ));
    }
    Ok(())
}

/// Which clean images do what. Where the set misses classes of the network, whole classes are kept unseen: what a
/// repair does to classes it never saw shows only there.
fn split(
    view: &DatasetView,
    coverage: &ClassCoverage,
    settings: &Settings,
) -> Result<CleanSplit, EngineFault> {
    if settings.score_on_all {
        return Ok(CleanSplit::all(view.labels().len()));
    }
    let level = |(numerator, denominator)| {
        Level::new(numerator, denominator).map_err(|error| EngineFault::of(&error))
    };
    let request = SplitRequest {
        scoring: level(if coverage.is_full() { SCORING } else { SCORING_OF_SEEN })?,
        unseen_classes: if coverage.is_full() { None } else { Some(level(UNSEEN)?) },
        seed: settings.seed,
    };
    CleanSplit::draw(view.labels(), view.groups(), request).map_err(|error| EngineFault::of(&error))
}
