//! Memory does not grow with the images.

use std::path::Path;

use gifthorse_defence::pruning::Ranking;
use gifthorse_engine::Engine;
use gifthorse_network::surgery::pruning_site;
use gifthorse_worker::pruning::{CleanSet, Sweep, Unobserved, collect, rank};

use crate::networks::vgg_like;
use crate::support::{MadeUp, cut, engine};
use crate::sweeps::options;

/// The most memory this process ever had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Ranks, collects and sweeps; answers the bytes on disk.
fn work(engine: &Engine, images: usize, folder: &Path) -> u64 {
    let network = vgg_like();
    let site = pruning_site(&network.onnx, &network.description, None).unwrap();
    let halves = cut(engine, &network, &site, 256);
    let source = MadeUp::of(&network, images);
    let ranking = Ranking::ascending(&rank(&halves, &source, &Unobserved).unwrap()).unwrap();
    let cache = collect(&halves, &source, options(1 << 20, folder), &Unobserved).unwrap();
    assert!(cache.memory_bytes() <= 1 << 20);
    let truth = vec![0; images];
    let sweep = Sweep::new(&halves, &ranking, CleanSet { cache: &cache, truth: &truth }, &[]).unwrap();
    assert_eq!(sweep.run(&Unobserved).unwrap().len(), halves.channels() + 1);
    cache.disk_bytes()
}

#[test]
fn ten_thousand_and_a_hundred_thousand_images_take_the_same() {
    let Some(engine) = engine() else { return };
    let folder = tempfile::tempdir().unwrap();
    let few = work(&engine, 10_000, folder.path());
    let before = peak();
    let many = work(&engine, 100_000, folder.path());
    let after = peak();
    assert!(many > 10 * few, "{few} {many}");
    // Labels and answers are eight bytes an image; other tests of this program may run beside this one.
    println!("peak {before} KiB with 10,000 images, {after} KiB with 100,000; {many} bytes on disk");
    assert!(after - before < 12 << 10, "peak grew from {before} to {after} KiB");
}
