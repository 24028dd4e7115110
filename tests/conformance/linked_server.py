"""A network that MLServer holds, linked and classified through the gateway as if it were our own.

    linked_server.py PROGRAMS DATA

PROGRAMS is the folder of the programs, DATA that of the test data. A BadNet of the course is imported and exported
as ONNX; a real MLServer serves that file with its own onnxruntime; the server is linked; and every sample picture
is classified by both versions. Labels are equal and probabilities agree to 1e-5, with the request in raw form and
rows that come alone or together. Then both are calibrated by the same request, for the detectors that need nothing
but a network's answers, and give every picture the same verdict and label under plain STRIP and under the default
policy, with equal p-values by STRIP and all but equal ones by margins. A server that nobody allowed is refused, and so
is another network.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent / "bench"
sys.path[:0] = [str(BENCH), str(HERE)]

import course  # noqa: E402
from command_line import Gifthorse  # noqa: E402
from house import house  # noqa: E402
from processes import free_port, running  # noqa: E402
from report import Report, require, require_equal  # noqa: E402

START_TIMEOUT_S = 90
TOLERANCE = 1e-5
TOP = 100
SUBJECT = "subject"
OTHER_WEIGHTS = "weights/anonymous_1_bd_weights.h5"
# All default detectors but the channel dropout: a linked network does not show its layers.
DETECTORS = ("strip_entropy", "strip_margin", "region_paste")
# How far p-values of accepted pictures may be apart, by policy. A probability below 1e-38 is zero in single precision,
# so what a server answers cuts margins off at 87, where clean pictures are, while our own engine has the logits.
P_VALUE_MARGINS = {"plain STRIP": 0.0, "default": 0.05}


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
    ask = [*course.ORDER, "--top", TOP]
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


def policies(calibration):
    """The detectors of each policy that a linked network can have, as words of `policy set`."""
    return {
        "plain STRIP": [f"strip_entropy={calibration}"],
        "default": [f"strip_margin={calibration}", f"region_paste={calibration}"],
    }


def judged(gifthorse, name, clean, pictures):
    """What was drawn for a calibration of a version, and what becomes of every picture under each policy."""
    detectors = [word for detector in DETECTORS for word in ("--detector", detector)]
    calibration = gifthorse("calibrate", name, "--clean", clean, "--overlays", 10, *detectors, "--no-policy")[0]
    answers = {}
    for policy, members in policies(calibration["name"].removeprefix("calibrations/")).items():
        named = [word for member in members for word in ("--detector", member)]
        gifthorse("policy", "set", name, *named, "--alpha", 0.01)
        answers[policy] = gifthorse("classify", name, *pictures, *course.ORDER, "--exact")
    return {key: calibration[key] for key in ("bankDigest", "overlays", "referenceImages")}, answers


def same_verdicts(ours, theirs, margin):
    """Fails unless both versions say the same of every picture; p-values of what is not rejected may be up to
    `margin` apart. Gives a line on what was found."""
    worst, trojaned = 0.0, 0
    for own, linked in zip(ours, theirs, strict=True):
        for key in ("verdict", "label", "networkLabel"):
            require_equal(linked.get(key, 0), own.get(key, 0), f"{key} of {own['file']}")
        rejected = own["verdict"] == "TROJANED"
        trojaned += rejected
        difference = abs(linked["pValue"] - own["pValue"])
        require(difference <= (0.0 if rejected else margin), f"p-values of {own['file']} are {difference} apart")
        worst = max(worst, difference)
    require(0 < trojaned < len(ours), f"{trojaned} of {len(ours)} pictures are trojaned: nothing is shown")
    return f"{trojaned} of {len(ours)} trojaned; p-values are at most {worst:.3f} apart"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("programs", type=Path, help="folder of the programs")
    parser.add_argument("data", type=Path, help="folder of the test data")
    arguments = parser.parse_args()
    data = course.folder(arguments.data, "a linked MLServer")
    pictures = course.pictures(data)
    report = Report()
    port = free_port()
    address = f"127.0.0.1:{port}"
    os.environ["GIFTHORSE_SERVING__LINK__ENDPOINTS"] = json.dumps([address])
    with tempfile.TemporaryDirectory(prefix="gifthorse-linked-") as folder:
        work = Path(folder)
        with house(arguments.programs, work) as services:
            gifthorse = Gifthorse(arguments.programs, services.addresses["gateway"])
            ours = exported(gifthorse, "ours", data / course.WEIGHTS, work / "ours.onnx")
            other = exported(gifthorse, "other", data / OTHER_WEIGHTS, work / "other.onnx")
            names = ["--model", SUBJECT, "--input", ours["input"], "--output", ours["output"]]
            with mlserver(work / "ours.onnx", ours, port, work / "mlserver"):
                with report.check("MLServer: linked"):
                    version = gifthorse("model", "link", "theirs", "--endpoint", address, *names)[0]
                    require_equal(version["classCount"], course.CLASSES, "count of classes")
                    require_equal(version["linkedEndpoint"]["endpoint"], address, "endpoint")
                with report.check(f"MLServer: {len(pictures)} pictures answered as by our own engine"):
                    print(f"largest difference of a probability {agree(gifthorse, pictures):.1e}")
                with report.check("MLServer: calibrated as with our own engine"):
                    versions = ("ours", "theirs")
                    ours, theirs = (judged(gifthorse, name, data / course.CLEAN, pictures) for name in versions)
                    require_equal(theirs[0], ours[0], "what was drawn")
                for policy, margin in P_VALUE_MARGINS.items():
                    with report.check(f"MLServer: {len(pictures)} pictures judged as with our own engine, {policy}"):
                        print(same_verdicts(ours[1][policy], theirs[1][policy], margin))
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
                with report.check("MLServer: another network is not calibrated"):
                    said = gifthorse.refusal("calibrate", "theirs", "--clean", data / course.CLEAN)
                    require("LINKED_MODEL_CHANGED" in said, f"the refusal has another code: {said}")
    report.finish()


if __name__ == "__main__":
    main()
