//! Making a calibration: draw, measure, keep.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use gifthorse_api::name::{Identifier, Version};
use gifthorse_defence::bank::OverlayBank;
use gifthorse_defence::digest::ContentDigest;
use gifthorse_defence::paste::MIN_HOSTS;
use gifthorse_defence::{Reading, Subject};
use gifthorse_store::{Committed, Datasets, ModelRecord, StoreError};
use ndarray::{Array3, Axis};
use tokio_util::sync::CancellationToken;

use super::asked::{Asked, AskedBeside};
use super::augment::augmented;
use super::partition::{Candidates, Partition, Wanted};
use super::record::{
    BANK_FILE, CalibrationContents, CalibrationRecord, Calibrations, DetectorScores, SCORES_FILE, ScoresFile,
    Summary,
};
use super::request::CalibrationRequest;
use super::specification::{Built, DetectorSpecification, Means, REPAIRED};
use crate::error::DetectorError;
use crate::images::Images;
use crate::job::{Meter, in_parallel};
use crate::network::{Networks, Repair, Run, Watched};

/// Makes calibrations.
#[derive(Debug, Clone)]
pub(crate) struct Maker {
    pub(crate) calibrations: Calibrations,
    pub(crate) datasets: Datasets,
    pub(crate) networks: Arc<Networks>,
    /// Images that are measured at once.
    pub(crate) workers: usize,
}

/// A calibration before it is stored.
struct Draft {
    contents: CalibrationContents,
    bank: Vec<u8>,
    scores: ScoresFile,
}

impl Maker {
    /// The calibration of this request: the stored one where the same was asked for before.
    ///
    /// A linked network is asked for its fingerprint before anything is answered or measured, and once more when
    /// all is measured: scores of another network must not be kept under the name of the one that was linked.
    pub(crate) async fn make(
        &self,
        mut request: CalibrationRequest,
        meter: Arc<Meter>,
        gone: CancellationToken,
    ) -> Result<CalibrationRecord, DetectorError> {
        let record = self.networks.record(&request.model).await?;
        let dataset = self.datasets.get(&request.dataset).await?;
        let overlay_record = match &request.overlay_dataset {
            Some(name) => Some(self.datasets.get(name).await?),
            None => None,
        };
        let beside = self.beside(&record, &request.asked).await?;
        if let Some(version) = beside {
            request.asked.ask_beside(version);
        }
        let name = request.name(&record, &dataset, overlay_record.as_ref())?;
        let link = self.networks.link(&record);
        if let Some(link) = &link {
            meter.stage("check", 0, "links");
            link.confirm(&gone).await?;
        }
        match self.calibrations.get(&name).await {
            Err(StoreError::ArtefactNotFound { .. }) => {}
            found => return Ok(found?),
        }
        meter.stage("load", 0, "networks");
        let preprocessing = request.preprocessing(&record)?;
        let classes = record.specification.classes.count() as usize;
        let repair = match beside {
            Some(version) => Some(self.networks.repair(&record, version, request.asked.asks_expert()).await?),
            None => None,
        };
        let network = self.networks.load(record, request.asked.layer()?).await?;
        let images = Images::open(&self.datasets, &request.dataset, preprocessing.clone(), classes).await?;
        let overlays = match &request.overlay_dataset {
            Some(name) => Some(Images::open(&self.datasets, name, preprocessing, classes).await?),
            None => None,
        };
        let workers = self.workers;
        let until = gone.clone();
        let drafted = tokio::task::spawn_blocking(move || {
            let run = Run::until(network, until);
            let repair = repair.as_ref();
            Drafting { run: &run, request: &request, images: &images, meter: &meter, workers, repair }
                .draft(overlays.as_ref())
        });
        let draft = drafted.await.map_err(|_| DetectorError::Internal("measuring clean images"))??;
        if let Some(link) = &link {
            link.confirm(&gone).await?;
        }
        self.store(&name, draft).await
    }

    /// The version that detectors ask beside the watched one: the one named, else the one promoted over it.
    async fn beside(&self, record: &ModelRecord, asked: &Asked) -> Result<Option<Version>, DetectorError> {
        match asked.beside()? {
            AskedBeside::None => return Ok(None),
            AskedBeside::Named(version) => return Ok(Some(version)),
            AskedBeside::Promoted => {}
        }
        let over = self.networks.promoted_over(record).await?;
        over.map(Some).ok_or_else(|| {
            let message = format!(
                "are without {REPAIRED}, and nothing is promoted over version {} of {}: name the version that a \
                 repair made of it",
                record.version, record.model
            );
            DetectorError::field("detectors.parameters", message)
        })
    }

    async fn store(&self, name: &Identifier, draft: Draft) -> Result<CalibrationRecord, DetectorError> {
        let scores = serde_json::to_vec(&draft.scores)
            .map_err(|_| DetectorError::Internal("writing the scores of a calibration"))?;
        let mut writer = self.calibrations.begin(name, None);
        writer.put_bytes(BANK_FILE.parse()?, Bytes::from(draft.bank)).await?;
        writer.put_bytes(SCORES_FILE.parse()?, Bytes::from(scores)).await?;
        match writer.commit(draft.contents).await {
            Ok(committed) => Ok(Committed::into_record(committed)),
            // Another replica made the same one meanwhile; that one counts.
            Err(StoreError::AlreadyExists { .. }) => Ok(self.calibrations.get(name).await?),
            Err(error) => Err(error.into()),
        }
    }
}

/// The blocking part of the work, on one thread and a few helpers.
struct Drafting<'a> {
    run: &'a Run,
    request: &'a CalibrationRequest,
    images: &'a Images,
    meter: &'a Meter,
    workers: usize,
    repair: Option<&'a Repair>,
}

/// The overlays, and which of them are hosts.
struct Bank {
    images: Arc<OverlayBank>,
    drawn: usize,
    hosts: Vec<usize>,
}

impl Drafting<'_> {
    fn draft(&self, overlays: Option<&Images>) -> Result<Draft, DetectorError> {
        let (digests, predictions) = self.look_at_all()?;
        let mut notes = Vec::new();
        let asked = self.possible(&mut notes)?;
        let fused = asked.settings.len() > 1;
        let wanted = Wanted {
            overlays: overlays.is_none().then_some(self.request.overlays),
            hosts: asked.hosts(),
            reference: (fused || self.request.reference > 0).then_some(self.request.reference),
            seed: self.request.seed,
        };
        let candidates = Candidates {
            labels: self.images.labels(),
            predictions: &predictions,
            digests: &digests,
            groups: self.request.one_per_group.then(|| self.images.groups()).flatten(),
        };
        let partition = Partition::draw(&candidates, wanted).map_err(|fault| self.fault(fault))?;
        if partition.repeated > 0 {
            notes.push(format!("{} images equal to others, byte for byte, count once", partition.repeated));
        }
        if self.request.one_per_group && self.images.groups().is_none() {
            notes.push("the data set has no groups: every image counts".to_owned());
        }
        let bank = match overlays {
            None => self.drawn_bank(&partition)?,
            Some(overlays) => self.given_bank(overlays, asked.hosts())?,
        };
        let asked = self.affordable(asked, bank.hosts.len(), &mut notes)?;
        let measured: Vec<usize> = [&partition.reference[..], &partition.calibration].concat();
        self.refuse_overlays(&bank, &measured)?;
        let means = Means {
            overlays: bank.images.len(),
            hosts: bank.hosts.len(),
            seed: self.request.seed,
            repair: self.repair,
        };
        let specifications = asked
            .settings
            .iter()
            .map(|settings| DetectorSpecification::complete(settings, means))
            .collect::<Result<Vec<_>, _>>()?;
        self.check_legacy_threshold(&specifications)?;
        let detectors = specifications
            .iter()
            .map(|specification| specification.build(self.run, &bank.images, &bank.hosts, self.repair))
            .collect::<Result<Vec<_>, _>>()?;
        self.meter.stage("measure", measured.len(), "images");
        let readings = in_parallel(self.workers, measured.len(), self.meter, |index| {
            measure(self.run, &detectors, &self.images.prepared(measured[index])?)
        })?;
        let network: &Watched = &self.run.network;
        let scores = scores_file(&specifications, &partition, &digests, &readings);
        let summaries: BTreeMap<_, _> = scores
            .detectors
            .iter()
            .map(|scores| (scores.detector.clone(), Summary::of(&scores.calibration)))
            .collect();
        let right =
            partition.calibration.iter().filter(|row| predictions[**row] == self.images.labels()[**row]);
        notes.push(format!(
            "the network names {} of the {} calibration images right",
            right.count(),
            partition.calibration.len()
        ));
        let dataset = self.images.record();
        let contents = CalibrationContents {
            model: network.record().model.clone(),
            version: network.record().version,
            model_digest: network.record().digest,
            preprocessing: network.preprocessing().clone(),
            dataset: dataset.name.clone(),
            dataset_digest: dataset.digest,
            overlay_dataset: overlays.map(|overlays| overlays.record().name.clone()),
            seed: self.request.seed,
            bank_digest: bank.images.digest().to_string(),
            bank_labels: bank.images.labels().to_vec(),
            drawn_overlays: bank.drawn,
            hosts: bank.hosts,
            reference_images: partition.reference.len(),
            calibration_images: partition.calibration.len(),
            layer: self.request.asked.layer()?.to_owned(),
            detectors: specifications,
            summaries,
            legacy_threshold: self.request.legacy_threshold,
            notes,
        };
        let bank = bank.images.images().iter().flat_map(|level| level.to_le_bytes()).collect();
        Ok(Draft { contents, bank, scores })
    }

    /// The digest of every image, and the class that the network sees in it.
    fn look_at_all(&self) -> Result<(Vec<ContentDigest>, Vec<usize>), DetectorError> {
        self.meter.stage("classify", self.images.len(), "images");
        let looked = in_parallel(self.workers, self.images.len(), self.meter, |row| {
            let image = self.images.prepared(row)?;
            let digest = ContentDigest::of_image(image.view());
            let subjects = Subject::of(self.run, image.view().insert_axis(Axis(0)))?;
            let class = subjects.first().map(Subject::class).unwrap_or_default();
            Ok::<_, DetectorError>((digest, class))
        })?;
        Ok(looked.into_iter().unzip())
    }

    /// Leaves out, of the default detectors, those that look inside a network that cannot be cut.
    fn possible(&self, notes: &mut Vec<String>) -> Result<Asked, DetectorError> {
        let mut asked = self.request.asked.clone();
        let means = Means { overlays: 1, hosts: MIN_HOSTS, seed: 0, repair: self.repair };
        let cut = self.run.network.cut().map(|_| ());
        let needs_cut = |settings: &_| {
            DetectorSpecification::complete(settings, means)
                .is_ok_and(|specification| specification.needs_cut())
        };
        let Err(reason) = cut else { return Ok(asked) };
        if asked.by_name {
            return if asked.settings.iter().any(needs_cut) { Err(reason.into()) } else { Ok(asked) };
        }
        asked.settings.retain(|settings| {
            let left_out = needs_cut(settings);
            if left_out {
                notes.push(format!("{} is left out: {reason}", settings.detector));
            }
            !left_out
        });
        Ok(asked)
    }

    /// Leaves out, of the default detectors, those for which there are too few hosts.
    fn affordable(
        &self,
        mut asked: Asked,
        hosts: usize,
        notes: &mut Vec<String>,
    ) -> Result<Asked, DetectorError> {
        if hosts >= MIN_HOSTS || asked.hosts() == 0 {
            return Ok(asked);
        }
        let fault = format!(
            "gives {hosts} hosts of different, correctly predicted classes where {MIN_HOSTS} are due: give \
             clean images of more classes, or more overlays"
        );
        if asked.by_name {
            return Err(self.fault(fault));
        }
        asked.settings.retain(|settings| {
            let pastes = Asked { settings: vec![settings.clone()], by_name: true }.hosts() > 0;
            if pastes {
                notes.push(format!("{} is left out: the clean data {fault}", settings.detector));
            }
            !pastes
        });
        Ok(asked)
    }

    fn drawn_bank(&self, partition: &Partition) -> Result<Bank, DetectorError> {
        let space = self.run.network.space().clone();
        let images = self.images.gather(&partition.bank)?;
        let labels: Vec<usize> = partition.bank.iter().map(|row| self.images.labels()[*row]).collect();
        let drawn = labels.len();
        let (images, labels) = if self.request.augment {
            let wanted = self.augmented_size(drawn);
            let (images, sources) = augmented(&images, space.shape().layout, wanted);
            (images, sources.into_iter().map(|source| labels[source]).collect())
        } else {
            (images, labels)
        };
        let bank = Arc::new(OverlayBank::new(space, images, labels)?);
        Ok(Bank { images: bank, drawn, hosts: (0..partition.hosts).collect() })
    }

    /// An augmented bank has as many overlays as passes are asked for, at least 100.
    fn augmented_size(&self, drawn: usize) -> usize {
        const LEAST: usize = 100;
        let passes = self.request.asked.settings.iter().map(|settings| settings.passes as usize);
        passes.max().unwrap_or_default().max(LEAST).max(drawn)
    }

    fn given_bank(&self, overlays: &Images, hosts: usize) -> Result<Bank, DetectorError> {
        let rows: Vec<usize> = (0..overlays.len()).collect();
        let images = overlays.gather(&rows)?;
        let space = self.run.network.space().clone();
        let bank = Arc::new(OverlayBank::new(space, images, overlays.labels().to_vec())?);
        let subjects = Subject::of(self.run, bank.images())?;
        let mut taken = std::collections::HashSet::new();
        let hosts = (0..bank.len())
            .filter(|overlay| {
                let label = bank.labels()[*overlay];
                subjects[*overlay].class() == label && taken.insert(label)
            })
            .take(hosts)
            .collect();
        Ok(Bank { drawn: bank.len(), images: bank, hosts })
    }

    fn refuse_overlays(&self, bank: &Bank, rows: &[usize]) -> Result<(), DetectorError> {
        for row in rows {
            bank.images.check_disjoint(self.images.prepared(*row)?.view().insert_axis(Axis(0)))?;
        }
        Ok(())
    }

    fn check_legacy_threshold(&self, specifications: &[DetectorSpecification]) -> Result<(), DetectorError> {
        let entropy =
            specifications.iter().any(|one| matches!(one, DetectorSpecification::StripEntropy { .. }));
        if self.request.legacy_threshold.is_some() && !entropy {
            let message = "is an entropy: calibrate strip_entropy with it";
            return Err(DetectorError::field("legacy_threshold", message));
        }
        Ok(())
    }

    fn fault(&self, fault: String) -> DetectorError {
        DetectorError::CleanData { dataset: self.request.dataset.to_string(), fault }
    }
}

/// What every detector reads off one image.
fn measure(run: &Run, detectors: &[Built], image: &Array3<f32>) -> Result<Vec<Reading>, DetectorError> {
    let subjects = Subject::of(run, image.view().insert_axis(Axis(0)))?;
    let subject = subjects.first().ok_or(DetectorError::Internal("looking at an image"))?;
    detectors.iter().map(|built| Ok(built.detector().read(run, subject)?)).collect()
}

fn scores_file(
    specifications: &[DetectorSpecification],
    partition: &Partition,
    digests: &[ContentDigest],
    readings: &[Vec<Reading>],
) -> ScoresFile {
    let (reference, calibration) = readings.split_at(partition.reference.len());
    let rows = |rows: &[usize]| rows.iter().map(|row| *row as u64).collect();
    let detectors = specifications.iter().enumerate().map(|(place, specification)| DetectorScores {
        detector: specification.name().to_owned(),
        reference: reference.iter().map(|readings| readings[place].score).collect(),
        calibration: calibration.iter().map(|readings| readings[place].score).collect(),
        looks: calibration
            .iter()
            .map(|readings| readings[place].prefix_means.clone())
            .filter(|means| !means.is_empty())
            .collect(),
    });
    let parts = [&partition.bank[..], &partition.reference, &partition.calibration];
    ScoresFile {
        reference_rows: rows(&partition.reference),
        calibration_rows: rows(&partition.calibration),
        image_digests: parts.concat().iter().map(|row| digests[*row].to_string()).collect(),
        detectors: detectors.collect(),
    }
}
