//! What the services take on their command lines, and what they show to those who run them.

use std::process::{Command, Output};

use gifthorse_tests::house::House;
use gifthorse_tests::program::path_of;

use crate::support::admin::page;

const SERVICES: [&str; 4] = ["gateway", "serving", "detector", "trainer"];

fn run(service: &str, arguments: &[&str]) -> Output {
    Command::new(path_of(&format!("gifthorse-{service}"))).args(arguments).output().expect("the service runs")
}

#[test]
fn the_configuration_is_shown_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    for service in SERVICES {
        let dumped = run(service, &["--set", "service.log.filter=warn", "--dump-config"]);
        assert!(dumped.status.success(), "{service}: {}", String::from_utf8_lossy(&dumped.stderr));
        let text = String::from_utf8(dumped.stdout).unwrap();
        for line in ["[service]", "[service.drain]", "filter = \"warn\"", "listen = \"127.0.0.1:"] {
            assert!(text.contains(line), "{service} does not say {line}: {text}");
        }
        let file = folder.path().join(format!("{service}.toml"));
        std::fs::write(&file, &text).unwrap();
        let again = run(service, &["--config", &file.to_string_lossy(), "--dump-config"]);
        assert_eq!(String::from_utf8(again.stdout).unwrap(), text, "{service}");
    }
}

#[test]
fn unknown_keys_and_senseless_values_are_refused() {
    // A service that took one of these would show its configuration and end well.
    let refused = |service: &str, setting: &str| {
        let refused = run(service, &["--set", setting, "--dump-config"]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{service} {setting}: {said}");
        said
    };
    for service in SERVICES {
        let said = refused(service, "service.lisen=127.0.0.1:0");
        assert!(said.contains("service.lisen") && said.contains("service.listen"), "{service}: {said}");
        assert!(refused(service, "service.listen=nowhere").contains("service.listen"));
        assert_eq!(run(service, &["--nonsense"]).status.code(), Some(2), "{service}");
    }
    assert!(refused("gateway", "upstream.serving.urls=[]").contains("upstream.serving.urls"));
    assert!(refused("serving", "repository.refresh=0s").contains("repository.refresh"));
    assert!(refused("serving", "batching.max_rows=0").contains("batching.max_rows"));
    assert!(refused("detector", "store.url=").contains("store.url"));
    assert!(refused("trainer", "database.url=").contains("database.url"));
    assert!(refused("trainer", "jobs.lease=0s").contains("jobs.lease"));
    assert!(refused("trainer", "launcher.kind=rockets").contains("launcher.kind"));
}

#[tokio::test]
async fn a_worker_says_what_the_trainer_answers() {
    let house = House::start().await;
    let address = format!("http://{}", house.trainer.grpc);
    let idle = run("worker", &["--trainer", &address]);
    assert!(idle.status.success(), "{}", String::from_utf8_lossy(&idle.stderr));
    assert_eq!(String::from_utf8_lossy(&idle.stdout), "there is no job to run\n");
    let refused = run("worker", &["--trainer", &address, "--job", "pruningJobs/job-0"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("there is no pruningJobs/job-0"), "{said}");
}

#[tokio::test]
async fn every_service_shows_its_pages() {
    let house = House::start().await;
    for program in [&house.gateway, &house.serving, &house.detector, &house.trainer] {
        assert_eq!(page(program.admin, "/live"), (200, "live\n".to_owned()));
        assert_eq!(page(program.admin, "/ready"), (200, "ready\n".to_owned()));
        let (status, metrics) = page(program.admin, "/metrics");
        assert_eq!(status, 200);
        for name in ["gifthorse_rpc_in_flight", "gifthorse_connections_open", "gifthorse_build_info"] {
            assert!(metrics.contains(name), "{name} is not in {metrics}");
        }
        assert_eq!(page(program.admin, "/nothing").0, 404);
    }
    house.command(&["model", "list"]);
    let (_, metrics) = page(house.gateway.admin, "/metrics");
    assert!(metrics.contains("ListModels"), "requests are counted by rpc: {metrics}");
}
