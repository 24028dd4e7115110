"""A network that MLServer holds, linked and classified through the gateway as if it were our own.

    linked_server.py PROGRAMS DATA

PROGRAMS is the folder of the programs, DATA that of the test data. A BadNet of the course is imported and exported
as ONNX; a real MLServer serves that file with its own onnxruntime; the server is linked; and every sample picture
is classified by both versions. Labels are equal and probabilities agree to 1e-5, with the request in raw form and
rows that come alone or together. A server that nobody allowed is refused, and so is another network.
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
BENCH = HERE.parent / "bench"
sys.path[:0] = [str(BENCH), str(HERE)]

from house import house  # noqa: E402
from processes import free_port, running  # noqa: E402
from report import Report, require, require_equal  # noqa: E402

START_TIMEOUT_S = 90
COMMAND_TIMEOUT_S = 120
TOLERANCE = 1e-5
TOP = 100
SUBJECT = "subject"
WEIGHTS = "sunglasses_bd_weights.h5"
OTHER_WEIGHTS = "anonymous_1_bd_weights.h5"


class Gifthorse:
    """The command line against one gateway."""

    def __init__(self, programs, gateway):
        self._base = [str(programs / "gifthorse"), "--gateway", gateway, "--json"]

    def __call__(self, *arguments):
        """The objects it prints; a refusal fails the check."""
        done = self._run(arguments)
        require(done.returncode == 0, f"gifthorse {arguments} failed: {done.stderr.strip()[-500:]}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def refusal(self, *arguments):
        """What it says when it is refused, whichever stream it says it on."""
        done = self._run(arguments)
        require(done.returncode == 1, f"gifthorse {arguments} ended with {done.returncode}, wanted a refusal")
        return done.stdout + done.stderr

    def _run(self, arguments):
        command = [*self._base, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)


@contextlib.contextmanager
def mlserver(onnx, shape, port, folder):
    """A real MLServer on this gRPC port with this file as SUBJECT."""
    (folder / SUBJECT).mkdir(parents=True)
    ports = {"http_port": free_port(), "grpc_port": port, "metrics_port": free_port()}
    settings = {"host": "127.0.0.1", **ports, "debug": False, "parallel_workers": 0, "metrics_endpoint": None}
    model = {
        "name": SUBJECT,
        "implementation": "mlserver_runtime.OnnxModel",
        "platform": "onnxruntime",
        "inputs": [{"name": shape["input"], "datatype": "FP32", "shape": shape["shape"]}],
        "parameters": {"uri": str(onnx), "version": "1"},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / SUBJECT / "model-settings.json").write_text(json.dumps(model))
    command = [str(Path(sys.executable).with_name("mlserver")), "start", str(folder)]
    environment = {"PYTHONPATH": str(BENCH), "PYTHONDONTWRITEBYTECODE": "1"}
    with running(command, folder / "log", [port], START_TIMEOUT_S, environment, folder):
        yield


def exported(gifthorse, name, weights, file):
    """Imports weights of the course, writes them as ONNX, and says how the network is asked."""
    version = gifthorse("model", "import", name, weights, "--architecture", "deepid")[0]
    gifthorse("model", "export", name, "-o", file)
    size = version["preprocessing"]
    shape = [-1, size["height"], size["width"], size["channels"]]
    return {"input": version["input"], "output": version["output"], "shape": shape}


def agree(gifthorse, pictures):
    """The largest difference of a probability between both versions; labels must be equal."""
    ask = ["--channel-order", "bgr", "--top", TOP]
    ours, theirs = (gifthorse("classify", name, *pictures, *ask) for name in ("ours", "theirs"))
    worst = 0.0
    for own, linked in zip(ours, theirs, strict=True):
        require_equal(linked["label"], own["label"], f"label of {own['file']}")
        listed = {entry["label"]: entry["probability"] for entry in linked["top"]}
        for entry in own["top"]:
            # Near the end of the list, classes of all but equal probability change places.
            other = listed.get(entry["label"], linked["top"][-1]["probability"])
            worst = max(worst, abs(entry["probability"] - other))
    require(worst <= TOLERANCE, f"probabilities differ by {worst:.1e}")
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("programs", type=Path, help="folder of the programs")
    parser.add_argument("data", type=Path, help="folder of the test data")
    arguments = parser.parse_args()
    weights = arguments.data / "csaw/weights"
    if not weights.is_dir():
        print(f"SKIPPED: a linked MLServer needs the test data, and there is none at {arguments.data}")
        sys.exit(1 if os.environ.get("GIFTHORSE_REQUIRE_ALL") else 0)
    pictures = sorted((arguments.data / "csaw/images").glob("*.png"))
    report = Report()
    port = free_port()
    address = f"127.0.0.1:{port}"
    os.environ["GIFTHORSE_SERVING__LINK__ENDPOINTS"] = json.dumps([address])
    with tempfile.TemporaryDirectory(prefix="gifthorse-linked-") as folder:
        work = Path(folder)
        with house(arguments.programs, work) as services:
            gifthorse = Gifthorse(arguments.programs, services.addresses["gateway"])
            ours = exported(gifthorse, "ours", weights / WEIGHTS, work / "ours.onnx")
            other = exported(gifthorse, "other", weights / OTHER_WEIGHTS, work / "other.onnx")
            names = ["--model", SUBJECT, "--input", ours["input"], "--output", ours["output"]]
            with mlserver(work / "ours.onnx", ours, port, work / "mlserver"):
                with report.check("MLServer: linked"):
                    version = gifthorse("model", "link", "theirs", "--endpoint", address, *names)[0]
                    require_equal(version["classCount"], 1283, "count of classes")
                    require_equal(version["linkedEndpoint"]["endpoint"], address, "endpoint")
                with report.check(f"MLServer: {len(pictures)} pictures answered as by our own engine"):
                    print(f"largest difference of a probability {agree(gifthorse, pictures):.1e}")
                with report.check("MLServer: a server that is not allowed"):
                    away = f"127.0.0.1:{free_port()}"
                    said = gifthorse.refusal("model", "link", "away", "--endpoint", away, *names)
                    require("link.endpoints" in said, f"the refusal does not name the setting: {said}")
            with report.check("MLServer: out of reach"):
                said = gifthorse.refusal("classify", "theirs", pictures[0])
                require(address in said, f"the refusal does not name the server: {said}")
            with mlserver(work / "other.onnx", other, port, work / "mlserver-other"):
                with report.check("MLServer: another network in the same place"):
                    said = gifthorse.refusal("classify", "theirs", pictures[0])
                    require("link it again" in said, f"the refusal does not say what to do: {said}")
    report.finish()


if __name__ == "__main__":
    main()
