//! Every detector on a small network with a planted backdoor.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod toy;

use std::num::NonZeroUsize;
use std::sync::Arc;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_defence::bank::OverlayBank;
use gifthorse_defence::blend::{Blend, ConvexWeight};
use gifthorse_defence::conformal::Threshold;
use gifthorse_defence::detector::{Passes, Verdict};
use gifthorse_defence::dropout::ChannelDropout;
use gifthorse_defence::fusion::FusedDetector;
use gifthorse_defence::logits::LogitsError;
use gifthorse_defence::noise::NoiseConsistency;
use gifthorse_defence::pair::{Companion, Disagreement, Expert};
use gifthorse_defence::paste::{HostBank, HostError, OcclusionGuidedPaste, RegionPaste, WhiteBoxPaste};
use gifthorse_defence::region::RegionShape;
use gifthorse_defence::sequential::{Looks, ScoreSoFar, StopReason, StopRule};
use gifthorse_defence::shift::ActivationShift;
use gifthorse_defence::strip::{StripEntropy, StripError, StripMargin};
use gifthorse_defence::{DetectionError, Detector, Reading, SplitClassifier, Subject};
use ndarray::{Array2, Array4, Axis};
use toy::{CLASSES, TARGET, TRIGGER_ROWS, Toy, ToyError, bank, image, images, space, stamped};

type AnyDetector = Arc<dyn Detector<Toy>>;

fn hosts(toy: &Toy) -> HostBank {
    HostBank::verified(toy, bank(CLASSES)).unwrap()
}

fn entropy(overlays: usize) -> StripEntropy {
    StripEntropy::new(bank(overlays), Blend::Add, Looks::doubling(overlays).unwrap()).unwrap()
}

fn dropout(toy: &Toy) -> ChannelDropout {
    ChannelDropout::new(toy.activation_shape(), NonZeroUsize::new(20).unwrap(), 5)
}

/// The toy made into something else: repaired (the backdoor's channel is not heard) or an expert (nothing else is).
#[derive(Debug, Clone, Copy)]
enum Made {
    Repaired,
    Expert,
}

impl Companion<Toy> for Made {
    fn logits(&self, watched: &Toy, inputs: Array4<f32>) -> Result<Array2<f32>, ToyError> {
        watched.full.fetch_add(inputs.len_of(Axis(0)), std::sync::atomic::Ordering::SeqCst);
        let (broken, refuses_above) = (watched.broken, watched.refuses_above);
        let own = Toy { refuses_above, broken, ..Toy::new(watched.most) };
        let mut activations = own.prefix(inputs)?;
        for (channel, mut values) in activations.axis_iter_mut(Axis(3)).enumerate() {
            match self {
                Self::Repaired if channel == CLASSES => values.fill(0.0),
                Self::Expert if channel != CLASSES => values.fill(0.0),
                Self::Repaired | Self::Expert => {}
            }
        }
        own.suffix(activations)
    }
}

/// Every detector and the passes it has to take for an input of class [`TARGET`].
fn all(toy: &Toy) -> Vec<(&'static str, AnyDetector, Passes)> {
    let (bands, hosts) = (RegionShape::Bands, hosts(toy));
    let white_box = WhiteBoxPaste::new(toy, hosts.clone(), RegionShape::Rows { rows: 2, step: 1 }).unwrap();
    let inside = |suffix| Passes { full: 0, prefix: 1, suffix };
    // 7 bands; one of 6 hosts is of the class.
    vec![
        ("entropy", Arc::new(entropy(40)), Passes::full(40)),
        ("margin", Arc::new(StripMargin::new(bank(40), Blend::Add, 15).unwrap()), Passes::full(15)),
        ("paste", Arc::new(RegionPaste::new(hosts.clone(), bands).unwrap()), Passes::full(7 * 5)),
        ("occlusion", Arc::new(OcclusionGuidedPaste::new(hosts, bands).unwrap()), Passes::full(7 + 2 * 5)),
        ("white box", Arc::new(white_box), inside(7 * 5)),
        ("dropout", Arc::new(dropout(toy)), inside(20)),
        ("noise", Arc::new(NoiseConsistency::fit(toy, &bank(12), 3).unwrap()), inside(3)),
        ("shift", Arc::new(ActivationShift::of(toy, &bank(12), 20).unwrap()), inside(0)),
        ("expert alone", Arc::new(Expert::new(Made::Expert, None)), Passes::full(1)),
        ("expert", Arc::new(Expert::new(Made::Expert, Some(Made::Repaired))), Passes::full(2)),
    ]
}

fn fused(toy: &Toy) -> FusedDetector<Toy> {
    let detectors = all(toy).into_iter().filter(|(name, ..)| ["margin", "paste", "dropout"].contains(name));
    let detectors = detectors.map(|(_, detector, _)| detector).collect();
    FusedDetector::fit(toy, detectors, images(30, 2).0.view()).unwrap()
}

fn scores(readings: &[Reading]) -> Vec<f64> {
    readings.iter().map(|reading| reading.score).collect()
}

fn bits(readings: &[Reading]) -> Vec<u64> {
    readings.iter().map(|reading| reading.score.to_bits()).collect()
}

#[test]
fn trojaned_inputs_score_below_clean_ones() {
    let toy = Toy::new(1000);
    let clean = images(30, 3).0;
    let trojaned = stamped(clean.clone());
    for subject in Subject::of(&toy, trojaned.view()).unwrap() {
        assert_eq!(subject.class(), TARGET, "the trigger works");
    }
    // The toy's backdoor hangs on a single channel, which noise drops like any other.
    let mut detectors: Vec<_> = all(&toy).into_iter().filter(|(name, ..)| *name != "noise").collect();
    detectors.push(("fusion", Arc::new(fused(&toy)), Passes::default()));
    for (name, detector, _) in detectors {
        let clean = scores(&detector.read_all(&toy, clean.view()).unwrap());
        let trojaned = scores(&detector.read_all(&toy, trojaned.view()).unwrap());
        let lowest_clean = clean.iter().copied().fold(f64::INFINITY, f64::min);
        let highest_trojaned = trojaned.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!(highest_trojaned < lowest_clean, "{name}: {highest_trojaned} against {lowest_clean}");
    }
}

#[test]
fn a_repaired_network_disagrees_about_trojaned_inputs_only() {
    let toy = Toy::new(1000);
    let detector = Disagreement::new(Made::Repaired);
    let (clean, labels) = images(30, 3);
    let trojaned = detector.read_all(&toy, stamped(clean.clone()).view()).unwrap();
    for ((clean, trojaned), label) in
        detector.read_all(&toy, clean.view()).unwrap().iter().zip(trojaned).zip(labels)
    {
        let class = |reading: &Reading| reading.votes.as_ref().unwrap().ranked();
        assert_eq!(class(clean), [(label, 1)], "the vote is the repaired network's");
        assert_eq!(class(&trojaned), [(label, 1)]);
        // The attacker's own class is where it says it is.
        assert_eq!(trojaned.score < 0.5, label != TARGET, "{}", trojaned.score);
        assert!(clean.score > 0.5);
        assert_eq!(trojaned.passes, Passes::full(1));
    }
}

#[test]
fn a_shift_is_measured_from_the_bank() {
    let toy = Toy::new(1000);
    let own = ActivationShift::of(&toy, &bank(12), 3).unwrap();
    let mean = own.read_all(&toy, bank(12).images()).unwrap().iter().map(|one| one.score).sum::<f64>() / 12.0;
    assert!(mean.abs() < 1e-6, "the bank does not shift against itself: {mean}");
}

#[test]
fn noise_is_strong_enough_to_move_most_clean_answers() {
    let toy = Toy::new(1000);
    let detector = NoiseConsistency::fit(&toy, &bank(12), 3).unwrap();
    let (clean, trojaned) = (images(30, 3).0, stamped(images(30, 3).0));
    let mean = |images: &Array4<f32>| {
        scores(&detector.read_all(&toy, images.view()).unwrap()).iter().sum::<f64>() / 30.0
    };
    let (clean, trojaned) = (mean(&clean), mean(&trojaned));
    assert!((0.3..1.0).contains(&clean), "clean answers fall by {clean} on average");
    assert!((-1.0..1.0).contains(&trojaned));
}

#[test]
fn passes_are_bounded_and_counted() {
    let toy = Toy::new(1000);
    let trojaned = stamped(images(1, 3).0);
    let subject = Subject::of(&toy, trojaned.view()).unwrap().remove(0);
    for (name, detector, due) in all(&toy) {
        toy.counts();
        let reading = detector.read(&toy, &subject).unwrap();
        assert_eq!(reading.passes, due, "{name}");
        assert_eq!(toy.counts(), (due.full, due.prefix, due.suffix), "{name} says what it did");
        let bound = detector.passes();
        assert!(due.full <= bound.full && due.prefix <= bound.prefix && due.suffix <= bound.suffix);
    }
    assert_eq!(fused(&toy).passes(), Passes { full: 15 + 42, prefix: 1, suffix: 20 });
}

#[test]
fn the_winning_region_lies_on_the_trigger() {
    let toy = Toy::new(1000);
    let trojaned = stamped(images(12, 3).0);
    for (name, detector, _) in all(&toy) {
        for reading in detector.read_all(&toy, trojaned.view()).unwrap() {
            let Some(evidence) = reading.evidence else {
                assert!(!["paste", "occlusion", "white box"].contains(&name), "{name} knows a place");
                continue;
            };
            let place = evidence.on_picture(toy::HEIGHT, toy::WIDTH);
            assert_eq!(place.top..place.top + place.rows, TRIGGER_ROWS, "{name}");
        }
    }
}

#[test]
fn scores_do_not_depend_on_batches_order_or_threads() {
    let inputs = images(9, 4).0;
    let order = [4, 0, 8, 2, 1, 7, 3, 6, 5];
    let turned = inputs.select(Axis(0), &order);
    let reference = Toy::new(1000);
    for (index, (name, detector, _)) in all(&reference).into_iter().enumerate() {
        let due = bits(&detector.read_all(&reference, inputs.view()).unwrap());
        for most in [1, 3, 16, 1000] {
            let toy = Toy::new(most);
            let (_, detector, _) = all(&toy).remove(index);
            assert_eq!(bits(&detector.read_all(&toy, inputs.view()).unwrap()), due, "{name}, {most} rows");
        }
        let turned = bits(&detector.read_all(&reference, turned.view()).unwrap());
        assert_eq!(turned, order.map(|row| due[row]), "{name}, another order");
        let alone: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..inputs.len_of(Axis(0)))
                .map(|row| {
                    let (detector, toy, inputs) = (&detector, &reference, &inputs);
                    scope.spawn(move || {
                        let one = inputs.slice_axis(Axis(0), (row..=row).into());
                        detector.read_all(toy, one).unwrap()[0].score.to_bits()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(alone, due, "{name}, one a thread");
    }
}

#[test]
fn entropies_are_kept_at_every_look() {
    let toy = Toy::new(7);
    let detector = entropy(40);
    let inputs = images(3, 6).0;
    let readings = detector.read_all(&toy, inputs.view()).unwrap();
    for reading in &readings {
        assert_eq!(reading.prefix_means.len(), detector.looks().passes().len());
        assert_eq!(reading.prefix_means.last(), Some(&reading.score));
        let votes = reading.votes.as_ref().unwrap().ranked();
        assert_eq!(votes.iter().map(|(_, votes)| votes).sum::<usize>(), 40);
    }
    let shorter = StripEntropy::new(bank(40), Blend::Add, Looks::last_only(8).unwrap()).unwrap();
    let short = shorter.read_all(&toy, inputs.view()).unwrap();
    for (short, long) in short.iter().zip(&readings) {
        assert_eq!(short.score.to_bits(), long.prefix_means[1].to_bits(), "a prefix of the same bank");
    }
}

#[test]
fn a_scan_reaches_the_verdict_of_the_exact_score() {
    let toy = Toy::new(1000);
    let detector = entropy(40);
    let clean = images(20, 7).0;
    let inputs = ndarray::concatenate(Axis(0), &[clean.view(), stamped(clean.clone()).view()]).unwrap();
    let exact = scores(&detector.read_all(&toy, inputs.view()).unwrap());
    let lowest = exact[..20].iter().copied().fold(f64::INFINITY, f64::min);
    let threshold = Threshold::new(lowest).unwrap();
    let check_every = NonZeroUsize::new(4).unwrap();
    for (row, score) in exact.iter().enumerate() {
        toy.counts();
        let fixed = detector.scan(&toy, image(&inputs, row), &StopRule::Fixed { threshold }).unwrap();
        assert_eq!(fixed.stopped.score, ScoreSoFar::Exact(*score));
        assert_eq!(toy.counts().0, 40);
        let rule = StopRule::Curtailed { threshold, check_every };
        let curtailed = detector.scan(&toy, image(&inputs, row), &rule).unwrap();
        assert_eq!(curtailed.stopped.verdict, fixed.stopped.verdict);
        assert_eq!(curtailed.stopped.verdict == Verdict::Trojaned, row >= 20);
        assert_eq!(toy.counts().0, curtailed.stopped.passes_used, "no pass more than it says");
        let votes: usize = curtailed.votes.ranked().iter().map(|(_, votes)| votes).sum();
        assert_eq!(votes, curtailed.stopped.passes_used);
        if curtailed.stopped.reason == StopReason::DecidedClean {
            assert!(curtailed.stopped.score.is_bound() && curtailed.stopped.score.value() <= *score);
        }
    }
}

#[test]
fn other_blends_see_the_trigger_too() {
    let toy = Toy::new(1000);
    let clean = images(12, 8).0;
    let trojaned = stamped(clean.clone());
    for blend in [Blend::AddClamp, Blend::Convex { weight: ConvexWeight::new(0.95).unwrap() }] {
        let detector = StripMargin::new(bank(20), blend, 20).unwrap();
        let clean = scores(&detector.read_all(&toy, clean.view()).unwrap());
        let trojaned = scores(&detector.read_all(&toy, trojaned.view()).unwrap());
        assert!(trojaned.iter().sum::<f64>() < clean.iter().sum::<f64>(), "{blend:?}");
    }
}

#[test]
fn overlays_of_the_class_seen_are_left_out() {
    let toy = Toy::new(1000);
    let (overlays, labels) = images(12, 9);
    let of_class = |class: usize| -> Vec<usize> { (0..12).filter(|row| labels[*row] == class).collect() };
    let bank_of = |rows: &[usize]| {
        let labels = rows.iter().map(|row| labels[*row]).collect();
        Arc::new(OverlayBank::new(space(), overlays.select(Axis(0), rows), labels).unwrap())
    };
    let input = images(1, 10).0;
    let others: Vec<usize> = (0..12).filter(|row| labels[*row] != 0).collect();
    let read = |bank: Arc<OverlayBank>| {
        let passes = bank.len();
        StripMargin::new(bank, Blend::Add, passes).unwrap().read_all(&toy, input.view())
    };
    let with_own: Vec<usize> = (0..12).collect();
    let due = read(bank_of(&others)).unwrap()[0].score;
    assert_eq!(read(bank_of(&with_own)).unwrap()[0].score.to_bits(), due.to_bits());
    let refused = read(bank_of(&of_class(0))).unwrap_err();
    assert_eq!(refused, DetectionError::OneClass { class: 0, overlays: 2 });
}

#[test]
fn hosts_are_different_and_predicted_correctly() {
    let toy = Toy::new(4);
    let (candidates, mut labels) = images(30, 11);
    let (bank_of_six, rows) = HostBank::drawn(&toy, space(), &candidates, &labels, 6, 1).unwrap();
    let mut classes: Vec<usize> = bank_of_six.bank().labels().to_vec();
    assert_eq!(rows.iter().map(|row| labels[*row]).collect::<Vec<_>>(), classes);
    classes.sort_unstable();
    assert_eq!(classes, [0, 1, 2, 3, 4, 5]);
    let again = HostBank::drawn(&toy, space(), &candidates, &labels, 6, 1).unwrap();
    assert_eq!((again.0.bank().digest(), again.1), (bank_of_six.bank().digest(), rows));

    let refused = HostBank::drawn(&toy, space(), &candidates, &labels, 7, 1).unwrap_err();
    assert_eq!(refused, HostError::TooFew { found: 6, needed: 7 });
    let refused = HostBank::drawn(&toy, space(), &candidates, &labels, 4, 1).unwrap_err();
    assert_eq!(refused, HostError::TooFew { found: 4, needed: 5 });
    for label in &mut labels {
        *label = 1 + *label % 5;
    }
    let refused = HostBank::drawn(&toy, space(), &candidates, &labels, 5, 1).unwrap_err();
    assert_eq!(refused, HostError::TooFew { found: 0, needed: 5 }, "labels the network does not see");

    let (six, mut labels) = images(6, 12);
    labels.swap(0, 1);
    let swapped = Arc::new(OverlayBank::new(space(), six, labels).unwrap());
    let refused = HostBank::verified(&toy, swapped).unwrap_err();
    assert_eq!(refused, HostError::WrongPrediction { host: 0, label: 1, prediction: 0 });
    let refused = HostBank::verified(&toy, bank(7)).unwrap_err();
    assert_eq!(refused, HostError::RepeatedClass { class: 0, first: 0, second: 6 });
    assert!(matches!(HostBank::verified(&toy, bank(4)), Err(HostError::TooFew { found: 4, needed: 5 })));
}

#[test]
fn what_cannot_be_judged_is_an_error() {
    let toy = Toy::new(1000);
    let detectors = all(&toy);
    let inputs = images(1, 13).0;
    let subject = Subject::of(&toy, inputs.view()).unwrap().remove(0);
    let broken = Toy { broken: true, ..Toy::new(1000) };
    // Rows beyond what it takes: the toy's own error has to come through.
    let refusing = Toy { refuses_above: 0, ..Toy::new(1000) };
    for (name, detector, _) in &detectors {
        if *name == "shift" {
            // It looks at activations alone, and those of the broken toy are sound.
            continue;
        }
        let refused = detector.read(&broken, &subject).unwrap_err();
        assert!(
            matches!(refused, DetectionError::Logits(LogitsError::NotFinite { .. })),
            "{name}: {refused}"
        );
        assert_eq!(refused.code(), ErrorCode::ModelNotFinite);
        let refused = detector.read(&refusing, &subject).unwrap_err();
        assert!(matches!(refused, DetectionError::Classifier(ToyError { most: 0, .. })), "{name}: {refused}");
        assert_eq!(refused.code(), ErrorCode::EngineFailed);
    }
    let rule = StopRule::Fixed { threshold: Threshold::new(1.0).unwrap() };
    let small = Array4::zeros((1, 4, 4, CLASSES));
    let refused = entropy(8).scan(&toy, image(&small, 0), &rule).unwrap_err();
    let (expected, found) = (vec![16, 8, 6], vec![4, 4, 6]);
    assert_eq!(refused, DetectionError::InputShape { expected, found });
    let shape = gifthorse_defence::input::PlaneShape { height: 3, ..toy.activation_shape() };
    let elsewhere = ChannelDropout::new(shape, NonZeroUsize::new(2).unwrap(), 0);
    assert!(matches!(elsewhere.read(&toy, &subject), Err(DetectionError::ActivationShape { .. })));
    let looks = Looks::last_only(9).unwrap();
    let refused = StripEntropy::new(bank(8), Blend::Add, looks).unwrap_err();
    assert_eq!(refused, StripError::PassesExceedBank { passes: 9, overlays: 8 });
}

#[test]
fn a_fusion_keeps_what_its_parts_said() {
    let toy = Toy::new(1000);
    let fusion = fused(&toy);
    let trojaned = stamped(images(2, 14).0);
    for subject in Subject::of(&toy, trojaned.view()).unwrap() {
        let whole = fusion.read_parts(&toy, &subject).unwrap();
        let sum: f64 = fusion
            .parts()
            .iter()
            .zip(&whole.parts)
            .map(|(part, reading)| part.scale.standardise(reading.score))
            .sum();
        assert_eq!(whole.score.to_bits(), sum.to_bits());
        let reading = fusion.read(&toy, &subject).unwrap();
        assert_eq!(reading.score.to_bits(), whole.score.to_bits());
        assert_eq!(reading.evidence, whole.parts[1].evidence);
        assert_eq!(reading.votes, whole.parts[0].votes);
        assert_eq!(reading.passes, Passes { full: 15 + 35, prefix: 1, suffix: 20 });
    }
}
