"""Renders the chart with helm, and reads what comes out."""

import subprocess
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/gifthorse"
VALUES = Path(__file__).parent / "values"
NAMESPACE = "gifthorse"

# The overlays that the chart brings, together where they are meant to be, and the extremes of all switches.
CASES = {
    "defaults": [],
    "kind": [CHART / "values-kind.yaml"],
    "production": [CHART / "values-production.yaml"],
    "gpu": [CHART / "values-gpu.yaml"],
    "production-gpu": [CHART / "values-production.yaml", CHART / "values-gpu.yaml"],
    "everything": [VALUES / "everything.yaml"],
    "plain": [VALUES / "plain.yaml"],
}


class Refused(Exception):
    """helm says no."""


class Strict(yaml.SafeLoader):
    """YAML whose mappings have every key once: the last one wins elsewhere, and nobody notices."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise Failure(f"the key {key} is there twice, {node.start_mark}")
        return super().construct_mapping(node, deep)


class Failure(Exception):
    """Something is not as it should be."""


class Helm:
    def __init__(self, program):
        self.program = program

    def _run(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Refused(done.stderr + done.stdout)
        return done.stdout

    def lint(self, files):
        return self._run("lint", "--strict", "--quiet", CHART, *_given(files))

    def text(self, files=(), settings=(), values=None):
        """The manifests. `settings` are for --set, `values` is one more file, as a dict."""
        arguments = ["template", "demo", CHART, "--namespace", NAMESPACE, *_given(files)]
        for setting in settings:
            arguments += ["--set", setting]
        if values is None:
            return self._run(*arguments)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(values, file)
            file.flush()
            return self._run(*arguments, "--values", file.name)

    def notes(self, files):
        """What an installation would tell at its end."""
        said = self._run("install", "demo", CHART, "--namespace", NAMESPACE, "--dry-run=client", *_given(files))
        return said.partition("\nNOTES:\n")[2]

    def objects(self, files=(), settings=(), values=None):
        text = self.text(files, settings, values)
        return [found for found in yaml.load_all(text, Loader=Strict) if found]


def _given(files):
    return [argument for file in files for argument in ("--values", file)]


def of_kind(objects, kind):
    return [found for found in objects if found["kind"] == kind]


def name(found):
    return f"{found['kind']}/{found['metadata']['name']}"


def pod_of(found):
    """The specification and labels of the Pod that an object is or makes, if it does."""
    if found["kind"] == "Pod":
        return found["spec"], found["metadata"]["labels"]
    if found["kind"] in ("Deployment", "StatefulSet"):
        template = found["spec"]["template"]
        return template["spec"], template["metadata"]["labels"]
    return None
