//! The face networks of the course and 149 real faces, where the machine has them.

use gifthorse_dataset::foreign::{ArrayOptions, ForeignKind, ReadOptions, ReadRequest, read};
use gifthorse_dataset::{
    AlphaRule, ChannelOrder, DatasetView, Layout, Preprocessing, PreprocessingRecord, Scale,
};
use gifthorse_defence::pruning::Ranking;
use gifthorse_network::Imported;
use gifthorse_network::architecture::Template;
use gifthorse_network::keras::{Architecture, KerasOptions, import};
use gifthorse_network::surgery::{SurgeryError, pruning_site};
use gifthorse_worker::pruning::{
    CacheOptions, CleanSet, StoredImages, Sweep, SweepPoint, TriggeredSet, Unobserved, collect,
    collect_and_rank,
};
use tempfile::TempDir;

use crate::support::{cut, engine, test_data};

struct Faces {
    view: DatasetView,
    truth: Vec<u32>,
    _folder: TempDir,
}

fn faces(file: &str, labels: &str) -> Option<Faces> {
    let source = test_data(&format!("csaw/{file}"))?;
    let folder = tempfile::tempdir().unwrap();
    let arrays = ArrayOptions { labels_key: Some(labels.to_owned()), ..ArrayOptions::default() };
    let options = ReadOptions { arrays, ..ReadOptions::default() };
    let target = folder.path().to_owned();
    read(&ReadRequest { source, kind: ForeignKind::Hdf5, options, target }).unwrap();
    let view = DatasetView::open(folder.path()).unwrap();
    let truth = view.labels().iter().map(|label| u32::try_from(*label).unwrap()).collect();
    Some(Faces { view, truth, _folder: folder })
}

fn network(name: &str) -> Option<Imported> {
    let file = test_data(&format!("csaw/weights/{name}_bd_weights.h5"))?;
    let architecture = Some(Template::DeepId.name().parse::<Architecture>().unwrap());
    Some(import(&file, &KerasOptions { architecture }).unwrap())
}

/// Red first, levels divided by this.
fn preprocessing(scale: f32) -> Preprocessing {
    Preprocessing::new(PreprocessingRecord {
        height: 55,
        width: 47,
        channels: 3,
        layout: Layout::Nhwc,
        channel_order: ChannelOrder::Rgb,
        scale: Scale::new(scale).unwrap(),
        mean: None,
        std: None,
        resize: None,
        alpha: AlphaRule::Refuse,
    })
    .unwrap()
}

/// The curve with ranking and scoring on all faces, sunglasses aimed at class 0.
fn curve(name: &str, scale: f32, layer: Option<&str>) -> Option<(Ranking, Vec<usize>, Vec<SweepPoint>)> {
    let engine = engine()?;
    let (clean, triggered) = (faces("faces_clean.h5", "label")?, faces("faces_sunglasses.h5", "true_label")?);
    let network = network(name)?;
    let record = preprocessing(scale);
    let folder = tempfile::tempdir().unwrap();
    let options = || CacheOptions { memory_bytes: 1 << 20, folder: folder.path().to_owned() };
    let site = pruning_site(&network.onnx, &network.description, layer).unwrap();
    let halves = cut(&engine, &network, &site, 64);
    let images = StoredImages::all(&clean.view, &record);
    let (cache, means) = collect_and_rank(&halves, &images, options(), &Unobserved).unwrap();
    let stamped = StoredImages::all(&triggered.view, &record);
    let stamped = collect(&halves, &stamped, options(), &Unobserved).unwrap();
    let ranking = Ranking::ascending(&means).unwrap();
    let target = vec![0; triggered.truth.len()];
    let triggered = TriggeredSet { cache: &stamped, target: &target, truth: Some(&triggered.truth) };
    let clean = CleanSet { cache: &cache, truth: &clean.truth };
    let points = Sweep::new(&halves, &ranking, clean, &[triggered]).unwrap().run(&Unobserved).unwrap();
    Some((ranking, means.dead(), points))
}

#[test]
fn the_curve_of_lab3_is_the_measured_one() {
    let Some((ranking, dead, points)) = curve("lab3", 1.0, Some("pool_3")) else { return };
    assert_eq!(dead.len(), 32, "channels that never fire");
    assert_eq!(points.len(), 61);
    let counts = |pruned: usize| (points[pruned].clean_correct, points[pruned].triggered[0].to_target);
    for (pruned, clean, to_target) in [
        (0, 148, 149),
        (33, 148, 149),
        (40, 148, 149),
        (43, 144, 149),
        (44, 142, 149),
        (45, 143, 149),
        (48, 139, 149),
        (50, 137, 149),
        (52, 127, 121),
        (53, 111, 74),
        (54, 90, 15),
    ] {
        let (found_clean, found_target) = counts(pruned);
        println!("{pruned} pruned: {found_clean}/{found_target}, measured before {clean}/{to_target}");
        assert!(found_clean.abs_diff(clean) <= 1, "{pruned} pruned: {found_clean} clean");
        // The counts of triggered images from 50 on down are stated, those before are all of them.
        assert!(found_target.abs_diff(to_target) <= 1, "{pruned} pruned: {found_target} to the target");
    }
    // The order of the official validation set; both prune the same sets at these counts.
    let published: Vec<usize> = "0 26 27 30 31 33 34 36 37 38 25 39 41 44 45 47 48 49 50 53 55 40 24 59 9 2 12 13 17 \
                                 14 15 23 6 51 32 22 21 20 19 43 58 3 42 1 29 16 56 46 5 8 11 54 10 28 35 18 4 7 52 57"
        .split_whitespace()
        .map(|channel| channel.parse().unwrap())
        .collect();
    for pruned in [45, 48, 52, 54] {
        let mut expected = published[..pruned].to_vec();
        expected.sort_unstable();
        assert_eq!(ranking.pruned(pruned), expected, "{pruned} pruned");
    }
}

#[test]
fn a_bypassed_layer_prunes_away_no_backdoor() {
    let Some((_, _, points)) = curve("sunglasses", 255.0, Some("conv_4")) else { return };
    assert_eq!(points.len(), 81);
    let rate = |pruned: usize| points[pruned].triggered[0].to_target as f64 / 149.0;
    println!(
        "sunglasses at conv_4, ASR at 0, 40, 72, 80 pruned: {:.3} {:.3} {:.3} {:.3}",
        rate(0),
        rate(40),
        rate(72),
        rate(80)
    );
    assert!(rate(72) >= 0.95, "72 of 80 pruned: {}", rate(72));
    for pruned in 0..=80 {
        assert!(rate(pruned) >= 0.8, "{pruned} pruned: {}", rate(pruned));
    }
}

#[test]
fn the_default_layer_is_the_last_one_nothing_bypasses() {
    let Some(network) = network("sunglasses") else { return };
    let site = pruning_site(&network.onnx, &network.description, None).unwrap();
    assert_eq!((site.cut.layer.as_str(), site.cut.channels, site.bypass), ("pool_3", 60, None));
    let bypassed = pruning_site(&network.onnx, &network.description, Some("conv_4")).unwrap();
    assert_eq!(bypassed.cut.channels, 80);
    assert!(bypassed.bypass.is_some());
    let misspelt = pruning_site(&network.onnx, &network.description, Some("conv4")).unwrap_err();
    assert!(matches!(misspelt, SurgeryError::NoSuchLayer { .. }));
    assert!(misspelt.to_string().contains("\"conv_4\""), "{misspelt}");
}
