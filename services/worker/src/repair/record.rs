//! The report of a job: what it found, put in the form of the room `report`.

use std::collections::BTreeMap;
use std::path::Path;

use gifthorse_defence::pruning::StopRule;
use gifthorse_report::repair::{
    ActivationMaps, AttackOutcome, CLEAN, Choice, CleanSummary, Counts, CurvePoint, Epoch, GateRecord,
    LayerSummary, NetworkRow, RepairMethod, RepairRecord, SCHEMA_VERSION, SyntheticTrigger, Training,
    TrainingRole, TriggeredPoint, TriggeredSet,
};
use gifthorse_store::FileName;

use super::candidates::candidates;
use super::fine_tune::taken;
use super::gate::{PRUNED, REPAIRED, TUNED_ONLY, attacked};
use super::job::Job;
use super::settings::Method;
use super::state::{Answers, TrainingRole as Role};
use crate::engine::EngineFault;
use crate::environment::environment;

/// Names of rows that no file of weights stands for.
const BEFORE: &str = "before";
const GOOD_NET: &str = "GoodNet";

/// Writes the report into a folder; answers its files.
pub(super) fn write(job: &Job, folder: &Path) -> Result<Vec<(FileName, std::path::PathBuf)>, EngineFault> {
    std::fs::create_dir_all(folder).map_err(|error| EngineFault::file("make", folder, &error))?;
    let record = record(job)?;
    let written =
        gifthorse_report::repair::write(folder, &record).map_err(|error| EngineFault::of(&error))?;
    let files = written.files.into_iter().map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.parse().map_err(|error| EngineFault::of::<gifthorse_store::StoreError>(&error))?;
        Ok((name, path))
    });
    files.collect()
}

fn record(job: &Job) -> Result<RepairRecord, EngineFault> {
    let (material, state, settings) = (job.material()?, &job.state, &job.settings);
    let shape = material.halves.activation_shape();
    let ranked = state.ranked.as_ref();
    let verdict = state.verdict.as_ref();
    let (answer, reasons) = match verdict {
        Some(verdict) => (verdict.answer, verdict.reasons.iter().map(ToString::to_string).collect()),
        None => {
            (gifthorse_defence::pruning::GateAnswer::NotRepaired, vec!["the gate was not asked".to_owned()])
        }
    };
    let parent = &job.assignment.model.record;
    Ok(RepairRecord {
        schema_version: SCHEMA_VERSION,
        made_at: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        job: format!("pruningJobs/{}", job.assignment.job),
        model: job.assignment.specification.model.clone(),
        command: command(job),
        method: match settings.method {
            Method::None => RepairMethod::None,
            Method::Ft => RepairMethod::Ft,
            Method::FtSam => RepairMethod::FtSam,
            Method::Fst => RepairMethod::Fst,
            Method::Invert => RepairMethod::Invert,
        },
        layer: LayerSummary {
            name: material.site.cut.layer.clone(),
            channels: shape.channels,
            height: shape.height,
            width: shape.width,
            bypass: material.site.bypass.as_ref().map(|tensor| format!("by the tensor {tensor:?}")),
        },
        clean: CleanSummary {
            dataset: material.clean.name.clone(),
            images: material.clean.count(),
            covered_classes: material.coverage.covered,
            classes: material.coverage.classes,
            ranking_images: material.split.ranking.len(),
            scoring_images: material.split.scoring.len(),
            unseen_class_images: material.split.unseen.len(),
            scored_on_all: settings.score_on_all,
        },
        ranking: ranked.map(|ranked| ranked.ranking.order().to_vec()).unwrap_or_default(),
        means: ranked.map(|ranked| ranked.means.clone()).unwrap_or_default(),
        dead: ranked.map(|ranked| ranked.dead.clone()).unwrap_or_default(),
        pruned: state.choice.as_ref().map(|choice| choice.channels.clone()).unwrap_or_default(),
        activation_maps: maps(job)?,
        sets: material
            .triggered
            .iter()
            .enumerate()
            .map(|(index, set)| TriggeredSet {
                dataset: set.images.name.clone(),
                images: set.images.count(),
                target: state.targets.get(index).copied().flatten(),
                used_for: "reports and gates".to_owned(),
            })
            .collect(),
        curve: curve(job),
        published: Vec::new(),
        choice: Choice {
            channels: state.choice.as_ref().map_or(0, |choice| choice.channels.len()),
            rule: match settings.stop {
                StopRule::LargestDrop(limit) => {
                    format!("accuracy on the scoring images may fall by {:.1} points", 100.0 * limit.as_f64())
                }
                StopRule::ChannelCount(count) => format!("{count} channels, as asked for"),
            },
            reason: state.choice.as_ref().map(|choice| choice.reason.clone()).unwrap_or_default(),
        },
        trainings: trainings(job)?,
        networks: networks(job)?,
        gate: GateRecord {
            answer,
            reasons,
            max_accuracy_drop: settings.gate.accuracy_drop.as_f64(),
            max_attack_success_rate: settings.gate.attack_success.as_f64(),
            confidence: 1.0 - settings.gate.doubt.as_f64(),
            synthetic: state
                .stamped
                .iter()
                .map(|count| SyntheticTrigger {
                    name: count.trigger.clone(),
                    class: count.class,
                    images: count.images,
                    before: count.before,
                    after: count.after,
                })
                .collect(),
        },
        notes: notes(job)?,
        environment: facts(job, &parent.digest.to_string()),
        settings: settings_of(job),
    })
}

fn maps(job: &Job) -> Result<Vec<ActivationMaps>, EngineFault> {
    let material = job.material()?;
    let shape = material.halves.activation_shape();
    let names =
        std::iter::once(CLEAN.to_owned()).chain(material.triggered.iter().map(|set| set.images.name.clone()));
    let maps = job.state.ranked.iter().flat_map(|ranked| &ranked.maps);
    let drawn = names.zip(maps).filter(|(_, map)| !map.values.is_empty());
    let maps = drawn.map(|(set, map)| ActivationMaps {
        set,
        images: map.images,
        channels: shape.channels,
        height: shape.height,
        width: shape.width,
        values: map.values.clone(),
    });
    Ok(maps.collect())
}

fn curve(job: &Job) -> Vec<CurvePoint> {
    let points = job.state.points.iter().map(|point| CurvePoint {
        channels: point.channels,
        clean_correct: point.clean_correct,
        triggered: point
            .triggered
            .iter()
            .map(|counts| TriggeredPoint { to_target: counts.to_target, correct: counts.correct })
            .collect(),
    });
    points.collect()
}

fn trainings(job: &Job) -> Result<Vec<Training>, EngineFault> {
    let material = job.material()?;
    let taken = taken(&job.state, material, &job.settings);
    let candidates = candidates(&job.settings, material.head.as_ref());
    let scoring = material.split.scoring.len() as f64;
    let trainings = job.state.trainings.iter().filter_map(|training| {
        let candidate = candidates.get(training.candidate)?;
        let recipe = &candidate.recipe;
        let mut parameters = BTreeMap::from([
            ("learning_rate".to_owned(), recipe.learning_rate),
            ("batch".to_owned(), recipe.batch.get() as f64),
            ("weight_decay".to_owned(), recipe.weight_decay),
            ("label_smoothing".to_owned(), recipe.label_smoothing),
        ]);
        let shift = recipe.feature_shift.as_ref();
        parameters.extend(shift.map(|shift| ("shift_strength".to_owned(), shift.strength)));
        parameters.extend(recipe.sharpness_radius.map(|radius| ("sharpness_radius".to_owned(), radius)));
        let role = match training.role {
            Role::TunedOnly => TrainingRole::FineTuneOnly,
            Role::Candidate if taken == Some(training.candidate) => TrainingRole::Chosen,
            Role::Candidate => TrainingRole::Candidate,
        };
        let epochs = training.epochs.iter().enumerate().map(|(epoch, record)| Epoch {
            epoch: epoch as u32 + 1,
            mean_loss: record.mean_loss,
            held_out_accuracy: Some(record.correct as f64 / scoring),
        });
        Some(Training {
            name: candidate.name.clone(),
            role,
            parameters,
            epochs: epochs.collect(),
            error: training.error.clone(),
        })
    });
    Ok(trainings.collect())
}

/// The untouched network, those that came out of it, and the course's `GoodNet`: the suspect's answer where the
/// repaired network agrees with it, else "backdoored".
fn networks(job: &Job) -> Result<Vec<NetworkRow>, EngineFault> {
    let state = &job.state;
    let trained = job.weights.best.is_some();
    let named = [
        (BEFORE, Some(&state.before)),
        (PRUNED, state.after.get(PRUNED)),
        (TUNED_ONLY, state.after.get(TUNED_ONLY)),
        (REPAIRED, state.after.get(REPAIRED)),
    ];
    let mut rows = Vec::new();
    for (name, answers) in named {
        let Some(answers) = answers else { continue };
        let name = match name {
            REPAIRED if state.found.given_up.is_some() => "unchanged",
            REPAIRED if job.settings.method == Method::Invert => "unlearned",
            REPAIRED if trained => "fine-pruned",
            REPAIRED => PRUNED,
            name => name,
        };
        rows.push(row(job, name, answers, None)?);
    }
    if let Some(after) = state.after.get(REPAIRED) {
        rows.push(row(job, GOOD_NET, &state.before, Some(after))?);
    }
    Ok(rows)
}

/// One network; with a second one its answers count only where both agree.
fn row(
    job: &Job,
    name: &str,
    answers: &Answers,
    second: Option<&Answers>,
) -> Result<NetworkRow, EngineFault> {
    let material = job.material()?;
    let split = &material.split;
    // No class stands for "backdoored".
    let joined = |answers: &[u32], second: Option<&[u32]>| -> Vec<Option<u32>> {
        let agreed = |(place, answer): (usize, &u32)| match second {
            Some(second) if second.get(place) != Some(answer) => None,
            _ => Some(*answer),
        };
        answers.iter().enumerate().map(agreed).collect()
    };
    let clean = joined(&answers.clean, second.map(|second| second.clean.as_slice()));
    let right = |rows: &[usize]| Counts {
        count: rows.iter().filter(|row| clean[**row] == Some(material.clean.truth[**row])).count(),
        total: rows.len(),
    };
    let seen: Vec<usize> =
        split.scoring.iter().copied().filter(|row| split.unseen.binary_search(row).is_err()).collect();
    let mut attacks = Vec::new();
    for (index, set) in material.triggered.iter().enumerate() {
        let Some(given) = answers.triggered.get(index) else { continue };
        let second = second.and_then(|second| second.triggered.get(index)).map(Vec::as_slice);
        let given = joined(given, second);
        let target = job.state.targets.get(index).copied().flatten();
        let places = attacked(&set.images.truth, target);
        let count = |hit: &dyn Fn(usize, Option<u32>) -> bool| Counts {
            count: places
                .iter()
                .filter(|place| given.get(**place).is_some_and(|one| hit(**place, *one)))
                .count(),
            total: places.len(),
        };
        attacks.push(AttackOutcome {
            set: set.images.name.clone(),
            success: count(&|_, answer| target.is_some() && answer == target),
            recovered: Some(count(&|place, answer| answer == Some(set.images.truth[place]))),
            detected: second.is_some().then(|| count(&|_, answer| answer.is_none())),
        });
    }
    let divided = !split.unseen.is_empty();
    Ok(NetworkRow {
        name: name.to_owned(),
        held_out: right(&split.scoring),
        seen: divided.then(|| right(&seen)),
        unseen: divided.then(|| right(&split.unseen)),
        attacks,
    })
}

fn notes(job: &Job) -> Result<Vec<String>, EngineFault> {
    let material = job.material()?;
    let mut notes = Vec::new();
    if !material.coverage.is_full() {
        let how = if job.settings.method == Method::Invert {
            "."
        } else {
            "; the output layer was held, and part of each target is what the suspect answers."
        };
        notes.push(format!(
            "The clean set shows {} of {} classes: half of its classes were kept unseen and judge alone{how}",
            material.coverage.covered, material.coverage.classes
        ));
    }
    notes.extend(super::invert::notes(job));
    for (index, set) in material.triggered.iter().enumerate() {
        let name = &set.images.name;
        let images = set.images.count();
        let own = images - attacked(&set.images.truth, job.state.targets.get(index).copied().flatten()).len();
        if own > 0 {
            notes.push(format!(
                "{own} of the {images} images of {name} are of the attacker's class anyway: beside the curve, which counts \
                 all, they count neither for the attack nor for the recovery."
            ));
        }
        if set.target.is_none() {
            notes.push(match job.state.targets.get(index).copied().flatten() {
                Some(target) => {
                    format!("Nobody named the attacker's class of {name}: {target} is what most of its images reach.")
                }
                None => format!("Nobody named the attacker's class of {name}, and none stands out."),
            });
        }
    }
    Ok(notes)
}

fn facts(job: &Job, digest: &str) -> BTreeMap<String, String> {
    let mut facts: BTreeMap<String, String> = environment().into_iter().collect();
    facts.insert("model.sha256".to_owned(), digest.to_owned());
    let sets = std::iter::once(&job.assignment.clean)
        .chain(job.assignment.triggered.iter().map(|set| &set.images))
        .chain(&job.assignment.unlearn);
    for set in sets {
        facts.insert(format!("datasets/{}.digest", set.record.name), set.record.digest.to_string());
    }
    facts.insert("threads".to_owned(), job.settings.threads.to_string());
    facts.insert("libtorch.version".to_owned(), gifthorse_training::LIBTORCH_VERSION.to_owned());
    facts
}

fn settings_of(job: &Job) -> BTreeMap<String, String> {
    let settings = &job.settings;
    let mut named = BTreeMap::from([
        ("seed".to_owned(), settings.seed.to_string()),
        ("method".to_owned(), settings.method.name().to_owned()),
        ("epochs".to_owned(), settings.epochs.to_string()),
        ("score on all".to_owned(), settings.score_on_all.to_string()),
        ("largest drop".to_owned(), settings.largest_drop.to_string()),
    ]);
    named.extend(
        job.assignment.specification.parameters.iter().map(|(name, value)| (name.clone(), value.to_string())),
    );
    named
}

/// The command line that asks for the same.
fn command(job: &Job) -> String {
    let specification = &job.assignment.specification;
    let short = |name: &str| name.split_once('/').map_or(name, |(_, rest)| rest).to_owned();
    let mut words =
        vec!["gifthorse prune".to_owned(), short(&specification.model).replace("/versions/", "@")];
    words.push(format!("--clean {}", short(&specification.clean_dataset)));
    words.push(format!("--layer {}", specification.layer));
    words.push(format!("--fine-tune {}", job.settings.method.name()));
    words.push(format!("--epochs {} --seed {}", job.settings.epochs, job.settings.seed));
    for set in &specification.triggered {
        let target = set.target.map(|target| format!(":{target}")).unwrap_or_default();
        words.push(format!("--triggered {}{target}", short(&set.dataset)));
    }
    if !specification.unlearn_dataset.is_empty() {
        words.push(format!("--unlearn {}", short(&specification.unlearn_dataset)));
    }
    words.join(" ")
}
