"""Starts all services with `gifthorse up` and runs every conformance script against them.

    house.py PROGRAMS [--torch PYTHON] [--keras PYTHON] [--onnxruntime PYTHON] [--mlserver PYTHON]

PROGRAMS is the folder of the built programs. With PYTHON, the interpreter of an environment made by
torch_environment.sh, the networks of torch_models.py are imported and compared too; with one that has Keras, the
real networks of GIFTHORSE_TEST_DATA go out as Keras files and answer the same there; with one that has onnxruntime,
one of them goes out with its guard inside and gives the same verdicts there; with one that has MLServer, one of them
is linked there.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
READY_TIMEOUT_S = 120
SCRIPT_TIMEOUT_S = 300
INFERENCE = "inference.GRPCInferenceService"
# The rpc services that each program must report healthy and describe.
SERVICES = {
    "gateway": ["Guard", "Models", "Datasets", "Detection", "Policies", "Alarms", "PruningJobs"],
    "serving": ["Models"],
    "detector": ["Datasets", "Detection", "Policies", "Alarms"],
    "trainer": ["PruningJobs", "Worker"],
}
SPEAKS_INFERENCE = ("gateway", "serving")


class House:
    """The running services."""

    def __init__(self, programs, addresses, up):
        self._gifthorse = programs / "gifthorse"
        self._up = up
        self.addresses = addresses

    def _processes(self):
        """Folders of the services' processes, by the program's name."""
        threads = Path(f"/proc/{self._up}/task").iterdir()
        children = [child for thread in threads for child in (thread / "children").read_text().split()]
        return {(folder / "comm").read_text().strip(): folder for folder in (Path("/proc") / one for one in children)}

    def process(self, name):
        """The folder of the process of a service: serving, say."""
        # The kernel keeps fifteen letters of a program's name.
        return self._processes()[f"gifthorse-{name}"[:15]]

    def forget_peaks(self):
        """Has each service's highest memory counted from now on."""
        for folder in self._processes().values():
            (folder / "clear_refs").write_text("5")

    def peaks(self):
        """The highest memory of each service since then, in MiB."""
        found = {}
        for name, folder in self._processes().items():
            lines = (folder / "status").read_text().splitlines()
            highest = next((line.split()[1] for line in lines if line.startswith("VmHWM")), 0)
            found[name] = int(highest) // 1024
        return found

    def import_model(self, name, file):
        """Imports a model through the gateway."""
        command = [self._gifthorse, "--gateway", self.addresses["gateway"], "model", "import", name, file]
        subprocess.run(command, check=True, timeout=SCRIPT_TIMEOUT_S)


@contextlib.contextmanager
def house(programs, work):
    """Runs the services over an empty data folder."""
    command = [programs / "gifthorse", "up", "--json", "--data", work / "data", "--gateway", "127.0.0.1:0"]
    log = work / "up.log"
    with open(log, "wb") as errors:
        up = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL)
    try:
        line = up.stdout.readline()
        if not line:
            raise SystemExit(f"gifthorse up did not start:\n{log.read_text(errors='replace')[-3000:]}")
        services = json.loads(line)["services"]
        yield House(programs, {name: service["grpc"] for name, service in services.items()}, up.pid)
    finally:
        up.terminate()
        try:
            up.wait(READY_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait()


class Scripts:
    """Runs scripts and remembers which failed."""

    def __init__(self):
        self.failed = []

    def run(self, script, *arguments, python=sys.executable):
        """One script; what it prints is passed on."""
        print(f"--- {script} {' '.join(map(str, arguments))}", flush=True)
        command = [python, HERE / script, *map(str, arguments)]
        try:
            code = subprocess.run(command, timeout=SCRIPT_TIMEOUT_S).returncode
        except subprocess.TimeoutExpired:
            code = "no end"
        if code != 0:
            self.failed.append(f"{script} {' '.join(map(str, arguments))}: {code}")
        return code == 0


def foreign_networks(scripts, running, python, programs, work):
    """Networks exported by PyTorch: served with the answers of onnxruntime, cut where the defences cut them, repaired
    and guarded."""
    folder = work / "torch"
    if not scripts.run("torch_models.py", folder, python=python):
        return
    scripts.run("torch_halves.py", programs / "examples/cut_network", folder, python=python)
    for model in json.loads((folder / "models.json").read_text()):
        running.import_model(model["name"], folder / model["file"])
        for name in SPEAKS_INFERENCE:
            address = running.addresses[name]
            scripts.run("samples_agree.py", address, model["name"], folder / model["samples"])
    for model in json.loads((folder / "models.json").read_text()):
        if model["pictures"]:
            addresses = running.addresses["gateway"], running.addresses["serving"]
            scripts.run("torch_repaired.py", programs, *addresses, folder, model["name"])
    # Afterwards: under a policy the gateway's answers have one class more.
    for model in json.loads((folder / "models.json").read_text()):
        if model["pictures"]:
            scripts.run("torch_guarded.py", programs, running.addresses["gateway"], folder, model["name"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("programs", type=Path, help="folder of the programs")
    parser.add_argument("--torch", metavar="PYTHON", help="interpreter that has torch")
    parser.add_argument("--keras", metavar="PYTHON", help="interpreter that has keras")
    parser.add_argument("--onnxruntime", metavar="PYTHON", help="interpreter that has onnxruntime")
    parser.add_argument("--mlserver", metavar="PYTHON", help="interpreter that has mlserver")
    arguments = parser.parse_args()
    data = os.environ.get("GIFTHORSE_TEST_DATA", "../shared/data")
    scripts = Scripts()
    with tempfile.TemporaryDirectory(prefix="gifthorse-conformance-") as folder:
        work = Path(folder)
        with house(arguments.programs, work) as running:
            if scripts.run("../bench/deepid.py", work / "deepid.onnx"):
                running.import_model("deepid", work / "deepid.onnx")
            for name in SPEAKS_INFERENCE:
                scripts.run("triton_client.py", running.addresses[name], "deepid")
            for name, services in SERVICES.items():
                inference = [INFERENCE] if name in SPEAKS_INFERENCE else []
                names = [f"gifthorse.v1.{service}" for service in services] + inference
                scripts.run("health_and_reflection.py", running.addresses[name], *names)
            if arguments.keras:
                program, gateway = arguments.programs / "gifthorse", running.addresses["gateway"]
                scripts.run("keras_round_trip.py", program, gateway, data, python=arguments.keras)
            if arguments.onnxruntime:
                gateway = running.addresses["gateway"]
                scripts.run("guarded_file.py", arguments.programs, gateway, data, python=arguments.onnxruntime)
            if arguments.torch:
                foreign_networks(scripts, running, arguments.torch, arguments.programs, work)
    if arguments.mlserver:
        # With services of its own: which servers may be linked is configuration.
        scripts.run("linked_server.py", arguments.programs, data, python=arguments.mlserver)
    for failure in scripts.failed:
        print(f"FAILED: {failure}")
    sys.exit(1 if scripts.failed else 0)


if __name__ == "__main__":
    main()
