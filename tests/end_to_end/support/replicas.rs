//! More serving programs and gateways on the store of a house.

use gifthorse_tests::house::{House, wait_until_serving};
use gifthorse_tests::program::Program;

fn settings(pairs: &[(&str, String)]) -> Vec<(String, String)> {
    let quick = [("service.drain.notice", "0s".to_owned())];
    quick.iter().chain(pairs).map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

/// Another serving program on the house's store.
pub(crate) async fn serving(house: &House, own: &[(&str, &str)]) -> Program {
    serving_at(house, "127.0.0.1:0", own).await
}

/// The same at an address of its own: where one that ended was, say.
pub(crate) async fn serving_at(house: &House, listen: &str, own: &[(&str, &str)]) -> Program {
    let store = ("store.url", house.folder.path().join("data").display().to_string());
    let own = own.iter().map(|(key, value)| (*key, (*value).to_owned()));
    let all: Vec<_> = std::iter::once(store).chain(own).collect();
    let program = Program::start_at("serving", listen, &settings(&all), house.folder.path());
    wait_until_serving(&program).await;
    program
}

/// Another gateway of the house, over these serving programs.
pub(crate) async fn gateway(house: &House, servings: &[&Program]) -> Program {
    let urls = |programs: &[&Program]| {
        let urls: Vec<String> =
            programs.iter().map(|program| format!("\"http://{}\"", program.grpc)).collect();
        format!("[{}]", urls.join(", "))
    };
    let upstream = [
        ("upstream.serving.urls", urls(servings)),
        ("upstream.detector.urls", urls(&[&house.detector])),
        ("upstream.trainer.urls", urls(&[&house.trainer])),
    ];
    let program = Program::start("gateway", &settings(&upstream), house.folder.path());
    wait_until_serving(&program).await;
    program
}
