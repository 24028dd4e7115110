use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tempfile::NamedTempFile;

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Engine {
    threads: usize,
    provider: String,
    #[serde(with = "humantime_serde")]
    batch_wait: Duration,
    cache: ByteSize,
    token: Option<Secret>,
    models: Vec<String>,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            threads: 1,
            provider: "cpu".to_owned(),
            batch_wait: Duration::from_millis(2),
            cache: ByteSize::mebibytes(1),
            token: None,
            models: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    service: ServiceConfiguration,
    engine: Engine,
}

impl Validate for Settings {
    fn validate(&self) -> Result<(), Problem> {
        if self.engine.threads > 64 {
            return Err(Problem::new("engine.threads", "more than 64: use fewer"));
        }
        self.service.validate().map_err(|problem| problem.within("service"))
    }
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn set(values: &[&str]) -> Arguments {
    Arguments { set: values.iter().map(ToString::to_string).collect(), ..Arguments::default() }
}

fn loaded(arguments: &Arguments, environment: &[(&str, &str)]) -> Result<Settings, ConfigurationError> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    match load_with("serving", arguments, environment)? {
        Outcome::Run(settings) => Ok(settings),
        Outcome::Dump(_) => panic!("no dump was asked for"),
    }
}

#[test]
fn without_layers_there_are_the_defaults() {
    let settings = loaded(&Arguments::default(), &[("PATH", "/bin"), ("GIFTHORSE_TRAINER__X", "1")]).unwrap();
    assert_eq!(settings, Settings::default());
    assert!(settings.service.listen.ip().is_loopback());
}

#[test]
fn later_layers_win() {
    let file = file("[engine]\nthreads = 2\nprovider = 'file'\nbatch_wait = '5ms'\ncache = 4096\n");
    let mut arguments = Arguments { config: Some(file.path().to_owned()), ..set(&["engine.threads=4"]) };
    let environment =
        [("GIFTHORSE_SERVING__ENGINE__THREADS", "3"), ("GIFTHORSE_SERVING__ENGINE__PROVIDER", "7")];

    let settings = loaded(&arguments, &environment).unwrap();
    assert_eq!(settings.engine.threads, 4, "flag over environment over file");
    assert_eq!(settings.engine.provider, "7", "environment over file; text stays text");
    assert_eq!(settings.engine.batch_wait, Duration::from_millis(5), "file over defaults");
    assert_eq!(settings.engine.cache, ByteSize::kibibytes(4));
    assert_eq!(settings.service, ServiceConfiguration::default(), "untouched");

    arguments.set.clear();
    assert_eq!(loaded(&arguments, &environment).unwrap().engine.threads, 3);
    assert_eq!(loaded(&arguments, &[]).unwrap().engine.threads, 2);
}

#[test]
fn the_file_may_be_named_by_a_variable_and_the_flag_wins() {
    let named = file("[engine]\nthreads = 5\n");
    let environment = [("GIFTHORSE_CONFIG", named.path().to_str().unwrap())];
    assert_eq!(loaded(&Arguments::default(), &environment).unwrap().engine.threads, 5);

    let flagged = file("[engine]\nthreads = 6\n");
    let arguments = Arguments { config: Some(flagged.path().to_owned()), ..Arguments::default() };
    assert_eq!(loaded(&arguments, &environment).unwrap().engine.threads, 6);
}

#[test]
fn common_keys_have_short_spellings() {
    let settings = loaded(&Arguments::default(), &[("GIFTHORSE_SERVING__LISTEN", "127.0.0.1:4000")]).unwrap();
    assert_eq!(settings.service.listen.port(), 4000);

    let arguments = Arguments {
        listen: Some("[::1]:4001".to_owned()),
        log_format: Some("json".to_owned()),
        ..Arguments::default()
    };
    let settings = loaded(&arguments, &[("GIFTHORSE_SERVING__LISTEN", "127.0.0.1:4000")]).unwrap();
    assert_eq!(settings.service.listen.to_string(), "[::1]:4001");
    assert_eq!(settings.service.log.format, LogFormat::Json);
}

#[test]
fn lists_and_secrets_can_be_set_as_text() {
    let settings = loaded(&set(&["engine.models=[a, b]", "engine.token=abc"]), &[]).unwrap();
    assert_eq!(settings.engine.models, ["a", "b"]);
    assert_eq!(settings.engine.token.unwrap().reveal(), "abc");
}

#[test]
fn unknown_keys_are_refused_with_their_place_and_the_nearest_key() {
    let unknown = |arguments: &Arguments, environment: &[(&str, &str)]| match loaded(arguments, environment) {
        Err(ConfigurationError::UnknownKey { key, origin, nearest }) => (key, origin, nearest),
        other => panic!("expected an unknown key, found {other:?}"),
    };
    // `Engine` does not deny unknown fields: the refusal does not depend on it.
    let (key, origin, nearest) =
        unknown(&Arguments::default(), &[("GIFTHORSE_SERVING__ENGINE__THREDS", "1")]);
    assert_eq!(key, "engine.threds");
    assert_eq!(origin, "the environment variable GIFTHORSE_SERVING__ENGINE__THREDS");
    assert_eq!(nearest.as_deref(), Some("engine.threads"));

    let (key, origin, nearest) = unknown(&set(&["service.log.fromat=json"]), &[]);
    assert_eq!((key.as_str(), origin.as_str()), ("service.log.fromat", "the flag --set service.log.fromat"));
    assert_eq!(nearest.as_deref(), Some("service.log.format"));

    let file = file("message_bytes = '1MiB'\n");
    let arguments = Arguments { config: Some(file.path().to_owned()), ..Arguments::default() };
    let (key, origin, nearest) = unknown(&arguments, &[]);
    assert_eq!(key, "message_bytes");
    assert!(origin.contains(file.path().to_str().unwrap()), "{origin}");
    assert_eq!(nearest.as_deref(), Some("service.limits.message_bytes"), "right key, wrong section");

    let (_, _, nearest) = unknown(&set(&["service.completely_different=1"]), &[]);
    assert_eq!(nearest, None);
}

#[test]
fn wrong_values_name_their_key_and_place() {
    let cases = [
        ("service.listen=nowhere", "service.listen"),
        ("service.limits.message_bytes=64M", "service.limits.message_bytes"),
        ("service.drain.grace=10", "service.drain.grace"),
        ("service.log.format=xml", "service.log.format"),
        ("engine.threads=many", "engine.threads"),
        ("engine.threads=65", "engine.threads"),
        ("service.limits.concurrent_requests=0", "service.limits.concurrent_requests"),
        ("service.limits.stream_window_bytes=4GiB", "service.limits.stream_window_bytes"),
        ("service.log.filter=a=b=c", "service.log.filter"),
        ("service=1", "service"),
    ];
    for (flag, expected) in cases {
        match loaded(&set(&[flag]), &[]) {
            Err(ConfigurationError::Value { key, origin, message }) => {
                assert_eq!(key, expected, "{message}");
                assert_eq!(origin, format!("the flag --set {expected}"), "{message}");
            }
            other => panic!("{flag}: {other:?}"),
        }
    }
}

#[test]
fn broken_input_is_refused() {
    let missing = Arguments { config: Some(PathBuf::from("no/such/file.toml")), ..Arguments::default() };
    assert!(matches!(loaded(&missing, &[]), Err(ConfigurationError::File { .. })));

    let broken = file("[engine\n");
    let arguments = Arguments { config: Some(broken.path().to_owned()), ..Arguments::default() };
    assert!(matches!(loaded(&arguments, &[]), Err(ConfigurationError::Syntax { .. })));

    for bad in ["", "key", "=1", "a..b=1", ".a=1"] {
        assert!(matches!(loaded(&set(&[bad]), &[]), Err(ConfigurationError::Assignment { .. })), "{bad:?}");
    }
}

#[test]
fn a_dump_reads_back_the_same() {
    let arguments =
        set(&["service.limits.message_bytes=3MiB", "engine.batch_wait=1m 5s", "engine.models=[x]"]);
    let settings = loaded(&arguments, &[]).unwrap();
    let asked = Arguments { dump_config: true, ..arguments };
    let Outcome::Dump(text) = load_with::<Settings>("serving", &asked, []).unwrap() else {
        panic!("a dump was asked for");
    };
    assert!(text.contains("message_bytes = \"3MiB\""), "{text}");
    let file = file(&text);
    let again = Arguments { config: Some(file.path().to_owned()), ..Arguments::default() };
    assert_eq!(loaded(&again, &[]).unwrap(), settings);
}

#[test]
fn a_dump_shows_no_secret_and_its_placeholder_is_not_taken_for_one() {
    let settings = loaded(&set(&["engine.token=swordfish"]), &[]).unwrap();
    let text = dump(&settings).unwrap();
    assert!(!text.contains("swordfish") && !format!("{settings:?}").contains("swordfish"));

    let file = file(&text);
    let again = Arguments { config: Some(file.path().to_owned()), ..Arguments::default() };
    let error = loaded(&again, &[]).unwrap_err();
    assert!(error.to_string().contains("redacted"), "{error}");
}
