//! The model and the data sets of a job, looked up and held against each other.

use gifthorse_api::name::{DatasetName, ModelName};
use gifthorse_api::v1;
use gifthorse_api::v1::pruning_specification::FineTuning;
use gifthorse_network::NetworkDescription;
use gifthorse_network::surgery::{self, Activation};
use gifthorse_store::{DatasetRecord, MODEL_FILE, ModelRecord, Store, StoreError};

use super::{Checked, SpecificationError};
use crate::error::TrainerError;

/// How many names are offered for one that is misspelt, and how alike they must be.
const OFFERED: usize = 3;
const ALIKE: f64 = 0.6;

/// What a job is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The version that is to be repaired.
    pub(crate) model: ModelRecord,
    /// The clean images.
    pub(crate) clean: DatasetRecord,
    /// All activations that can be pruned.
    pub(crate) activations: Vec<Activation>,
    /// The one that would be.
    pub(crate) chosen: Activation,
}

impl Subject {
    /// Looks everything up that the specification names.
    pub(crate) async fn find(store: &Store, checked: &Checked) -> Result<Self, TrainerError> {
        let models = store.models();
        let version = if let Some(version) = checked.model.version {
            version
        } else {
            let promoted = models.promoted(&checked.model.model).await?;
            let version = promoted.and_then(|promotion| promotion.version);
            version.ok_or_else(|| StoreError::ModelNotFound { model: checked.model.model.clone() })?
        };
        let model = models.get_version(&checked.model.model, version).await?;
        let datasets = store.datasets();
        let clean = datasets.get(&checked.clean.0).await?;
        fits(&model, &clean, "clean_dataset")?;
        labels_fit(&model, &clean, "clean_dataset")?;
        for (index, (name, target)) in checked.triggered.iter().enumerate() {
            let field = format!("triggered[{index}].dataset");
            let set = datasets.get(&name.0).await?;
            fits(&model, &set, &field)?;
            labels_fit(&model, &set, &field)?;
            target_fits(&model, *target, index)?;
        }
        if let Some(DatasetName(name)) = &checked.unlearn {
            fits(&model, &datasets.get(name).await?, "unlearn_dataset")?;
        }
        let named = resource_name(&model);
        let refused = |reason: String| SpecificationError::Model { model: named.clone(), reason };
        if !model.files.iter().any(|(name, _)| name.as_str() == MODEL_FILE) {
            let reason = "another server holds its network: import the network itself";
            return Err(refused(reason.to_owned()).into());
        }
        let onnx = models.read_file(&model, &MODEL_FILE.parse()?).await?;
        let description: NetworkDescription = serde_json::from_value(model.specification.network.clone())
            .map_err(|_| TrainerError::Internal("reading the network's description"))?;
        let layer = checked.specification.layer.clone();
        // Reading a graph of hundreds of megabytes takes a while.
        let (activations, nearest) = tokio::task::spawn_blocking(move || {
            let activations = surgery::activations(&onnx, &description)?;
            let nearest =
                if layer.is_empty() { surgery::default_cut(&onnx, &description).ok() } else { None };
            Ok::<_, surgery::SurgeryError>((activations, nearest))
        })
        .await
        .map_err(|_| TrainerError::Internal("reading the network"))??;
        let chosen = match (nearest, checked.specification.layer.as_str()) {
            (Some(at), _) => Activation { at, bypass: None },
            (None, "") => {
                let reason =
                    "no activation [N, channels, rows, columns] carries the whole network: name a layer";
                return Err(refused(reason.to_owned()).into());
            }
            (None, layer) => named_layer(&activations, layer)?,
        };
        let subject = Self { model, clean, activations, chosen };
        subject.channels_fit(checked)?;
        subject.method_fits(checked)?;
        Ok(subject)
    }

    /// Share of the model's classes that the clean images show.
    pub(crate) fn class_coverage(&self) -> f64 {
        let classes = self.model.specification.classes.count().max(1);
        (self.clean.contents.labels.class_count as f64 / f64::from(classes)).min(1.0)
    }

    /// `models/NAME/versions/VERSION`.
    pub(crate) fn version_name(&self) -> String {
        resource_name(&self.model)
    }

    fn channels_fit(&self, checked: &Checked) -> Result<(), SpecificationError> {
        let (asked, found) = (checked.specification.channel_count, self.chosen.at.channels);
        if u64::try_from(asked).is_ok_and(|asked| asked >= found) && asked > 0 {
            let message = format!(
                "is {asked}, but layer {:?} has {found} channels: leave at least one",
                self.chosen.at.layer
            );
            return Err(SpecificationError::field("channel_count", message));
        }
        Ok(())
    }

    fn method_fits(&self, checked: &Checked) -> Result<(), SpecificationError> {
        let coverage = self.class_coverage();
        if checked.specification.fine_tuning() == FineTuning::Fst && coverage < 1.0 {
            let labels = self.clean.contents.labels.class_count;
            let classes = self.model.specification.classes.count();
            let message = format!(
                "is FST, which draws the output layer anew, but {} shows {labels} of {classes} classes: the others \
                 would be forgotten; use FT, FT_SAM or INVERT, or clean images of every class",
                checked.clean
            );
            return Err(SpecificationError::field("fine_tuning", message));
        }
        Ok(())
    }
}

fn resource_name(model: &ModelRecord) -> String {
    ModelName { model: model.model.clone(), version: Some(model.version) }.to_string()
}

/// The last activation of this name on the way, as a network that shares a layer names several.
fn named_layer(activations: &[Activation], layer: &str) -> Result<Activation, SpecificationError> {
    let same = |one: &&Activation| one.at.layer == layer || one.at.tensor == layer;
    if let Some(found) = activations.iter().rfind(same) {
        return Ok(found.clone());
    }
    let mut names: Vec<&str> = activations.iter().map(|one| one.at.layer.as_str()).collect();
    names.dedup();
    let mut alike: Vec<(f64, &str)> =
        names.iter().map(|name| (strsim::jaro_winkler(name, layer), *name)).collect();
    alike.sort_by(|one, other| other.0.total_cmp(&one.0));
    alike.retain(|(likeness, _)| *likeness >= ALIKE);
    let closest: Vec<String> = alike.iter().take(OFFERED).map(|(_, name)| (*name).to_owned()).collect();
    let list = |names: &[String]| names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let instead = if closest.is_empty() {
        let nearest: Vec<String> = names.iter().rev().take(OFFERED).map(|name| (*name).to_owned()).collect();
        format!("nearest to the output are {}", list(&nearest))
    } else {
        format!("did you mean {}?", list(&closest))
    };
    let layer = layer.chars().take(80).collect();
    Err(SpecificationError::Layer { layer, instead, closest })
}

/// Images of another size are refused by models without a rule to resize them.
fn fits(model: &ModelRecord, set: &DatasetRecord, field: &str) -> Result<(), SpecificationError> {
    let record = &model.specification.preprocessing;
    let contents = &set.contents;
    let found = (contents.height as usize, contents.width as usize, contents.channels as usize);
    let wanted = (record.height(), record.width(), record.channels());
    let resized = record.resize().is_some() && found.2 == wanted.2;
    if found == wanted || resized {
        return Ok(());
    }
    let sides = |(height, width, channels): (usize, usize, usize)| format!("{height} x {width} x {channels}");
    let fault = format!("has images of {}, the model takes {}", sides(found), sides(wanted));
    Err(dataset_error(field, set, fault))
}

fn labels_fit(model: &ModelRecord, set: &DatasetRecord, field: &str) -> Result<(), SpecificationError> {
    let labels = set.contents.labels;
    let classes = i64::from(model.specification.classes.count());
    if labels.lowest < 0 || labels.highest >= classes {
        let fault = format!(
            "has labels {} to {}, the model's classes are 0 to {}",
            labels.lowest,
            labels.highest,
            classes - 1
        );
        return Err(dataset_error(field, set, fault));
    }
    if field == "clean_dataset" && labels.class_count < 2 {
        let fault =
            "has images of one class only: accuracy on one class tells nothing, add others".to_owned();
        return Err(dataset_error(field, set, fault));
    }
    if field == "clean_dataset" && set.contents.image_count < 2 {
        return Err(dataset_error(
            field,
            set,
            "has a single image: ranking and scoring need some".to_owned(),
        ));
    }
    Ok(())
}

fn target_fits(model: &ModelRecord, target: Option<i32>, index: usize) -> Result<(), SpecificationError> {
    let classes = model.specification.classes.count();
    match target {
        Some(target) if u32::try_from(target).is_ok_and(|target| target < classes) => Ok(()),
        None => Ok(()),
        Some(target) => {
            let message = format!("is {target}, the model's classes are 0 to {}", classes.saturating_sub(1));
            Err(SpecificationError::field(&format!("triggered[{index}].target"), message))
        }
    }
}

fn dataset_error(field: &str, set: &DatasetRecord, fault: String) -> SpecificationError {
    let (field, dataset) = (format!("specification.{field}"), set.name.to_string());
    SpecificationError::Dataset { field, dataset, fault }
}

impl Checked {
    /// The specification as it is queued: with the version and the layer that it was resolved to, so that it
    /// means the same when it runs.
    pub(crate) fn resolved(&self, subject: &Subject) -> v1::PruningSpecification {
        let mut specification = self.specification.clone();
        specification.model = subject.version_name();
        specification.layer.clone_from(&subject.chosen.at.layer);
        specification
    }
}
