"""The rendered TOML in front of the real programs, and the schema of `config` against the keys they know."""

import json
import os
import subprocess
import tempfile
import tomllib
from pathlib import Path

from rendering import CASES, CHART, Failure, of_kind

SERVICES = ("gateway", "serving", "detector", "trainer")
# What other values of the chart decide, or the image.
DECIDED = {
    "service.listen", "service.admin_listen", "service.log.format", "service.log.filter", "service.drain.notice",
    "service.drain.grace", "service.drain.tasks", "store.url", "store.cache_bytes", "engine.execution", "launcher.kind",
    "upstream.serving.urls", "upstream.detector.urls", "upstream.trainer.urls",
}
# Keys without a default: programs do not print them.
UNPRINTED = {
    "serving": {"engine.threads": 3, "batching.threads": 2},
    "detector": {"engine.threads": 3},
    "gateway": {},
    "trainer": {"launcher.memory": "4GiB"},
}


def toml_of(objects):
    """Each service's configuration, as text."""
    found = {}
    for item in of_kind(objects, "ConfigMap"):
        for file, text in item["data"].items():
            found[file.removesuffix(".toml")] = text
    if set(found) != set(SERVICES):
        raise Failure(f"there are configurations of {sorted(found)}, not of every service")
    return found


def flat(tree, path=()):
    """Keys in the form a.b.c and their values."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from flat(value, (*path, key))
        else:
            yield ".".join((*path, key)), value


class Programs:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.said = []

    def dump(self, service, text):
        """What the service makes of this configuration; its own words when it refuses it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIFTHORSE_")}
        # A Secret's, as in the Pod: with a bucket the trainer has no database of its own.
        if "s3://" in text:
            environment["GIFTHORSE_TRAINER__DATABASE__URL"] = "postgres://gifthorse@database/gifthorse"
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            command = [self.folder / f"gifthorse-{service}", "--config", file.name, "--dump-config"]
            done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=30)
        if done.returncode != 0:
            raise Failure(f"gifthorse-{service} refuses what the chart renders: {done.stderr.strip()}")
        return tomllib.loads(done.stdout)

    def launches_jobs(self):
        """Whether the trainer that is here has the launcher for Kubernetes."""
        minimal = """
            [launcher]
            kind = "kubernetes"
            [launcher.kubernetes]
            image = "worker"
            trainer_url = "http://trainer:4703"
            service_account = "worker"
        """
        try:
            self.dump("trainer", minimal)
        except Failure:
            return False
        return True


def parsed(cases):
    """Without a program: it is TOML, and says what it was meant to say."""
    for case, objects in cases.items():
        for service, text in toml_of(objects).items():
            try:
                told = dict(flat(tomllib.loads(text)))
            except tomllib.TOMLDecodeError as error:
                raise Failure(f"{case}: the configuration of {service} is no TOML: {error}") from None
            port = {"gateway": 4700, "serving": 4701, "detector": 4702, "trainer": 4703}[service]
            if not told["service.listen"].endswith(f":{port}"):
                raise Failure(f"{case}: {service} listens on {told['service.listen']}")
    return f"{len(cases) * len(SERVICES)} configurations are TOML"


def known(cases, programs):
    """The services take what is rendered, and understand it as it was meant."""
    launches = programs.launches_jobs()
    checked = 0
    for case, objects in cases.items():
        for service, text in toml_of(objects).items():
            if service == "trainer" and not launches and 'kind = "kubernetes"' in text:
                text = "\n".join(line for line in _sections(text, skip="launcher.kubernetes"))
                text = text.replace('kind = "kubernetes"', 'kind = "none"')
            understood = dict(flat(programs.dump(service, text)))
            for key, value in flat(tomllib.loads(text)):
                if not same(value, understood.get(key)) and value not in ({}, []):
                    raise Failure(f"{case}: {service} was told {key} = {value!r} and has {understood.get(key)!r}")
            checked += 1
    note = "" if launches else "; SKIPPED: [launcher.kubernetes], which this trainer does not have"
    return f"{checked} configurations are understood by the services{note}"


def _sections(text, skip):
    """The lines of a TOML file without a section and those below it."""
    inside = False
    for line in text.splitlines():
        if line.startswith("["):
            inside = line.strip("[]").startswith(skip)
        if not inside:
            yield line


def same(one, other):
    """Durations are said back in the service's own way, and lists of tables with what was left out."""
    if isinstance(one, list) and isinstance(other, list) and all(isinstance(item, dict) for item in one + other):
        return len(one) == len(other) and all(told.items() <= has.items() for told, has in zip(one, other))
    return one == other or (isinstance(one, str) and isinstance(other, str) and _amount(one) == _amount(other))


def _amount(text):
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "day": 86400, "days": 86400, "d": 86400}
    total = 0
    for part in text.split():
        number = part.rstrip("abcdefghijklmnopqrstuvwxyz")
        if not number.isdigit() or part[len(number):] not in units:
            return text
        total += int(number) * units[part[len(number):]]
    return total


def schema_keys(service):
    """Every key that the schema allows below `SERVICE.config`."""
    schema = json.loads((CHART / "values.schema.json").read_text())

    def walk(node, path):
        while "$ref" in node:
            node = schema["definitions"][node["$ref"].rpartition("/")[2]]
        if "properties" not in node:
            yield ".".join(path)
        for key, below in node.get("properties", {}).items():
            yield from walk(below, (*path, key))

    return set(walk(schema["definitions"][service]["properties"]["config"], ()))


def schema_is_complete(helm, programs):
    """The schema knows every key that a service prints, but those decided elsewhere, and no other; with each of them
    set to its default the chart renders, and the service understands the same."""
    count = 0
    for service in SERVICES:
        defaults = dict(flat(programs.dump(service, "")))
        printed = {key for key in defaults if not key.startswith("launcher.kubernetes.")}
        allowed = schema_keys(service)
        wanted = (printed - DECIDED) | UNPRINTED[service].keys()
        if allowed != wanted:
            raise Failure(f"{service}: the schema lacks {sorted(wanted - allowed)} and invents {sorted(allowed - wanted)}")
        values = {}
        for key in sorted(wanted):
            inside, (*sections, last) = values, key.split(".")
            for section in sections:
                inside = inside.setdefault(section, {})
            inside[last] = {**defaults, **UNPRINTED[service]}[key]
        objects = helm.objects(CASES["plain"], values={service: {"config": values}})
        understood = dict(flat(programs.dump(service, toml_of(objects)[service])))
        for key in wanted:
            told = {**defaults, **UNPRINTED[service]}[key]
            if not same(told, understood[key]):
                raise Failure(f"{service}: {key} = {told!r} became {understood[key]!r} on its way through the chart")
        count += len(wanted)
    return f"the schema knows the {count} keys of the services' configurations, and no others"
