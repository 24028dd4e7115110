"""Guards a network of torch_models.py with the default detectors, and with those that look at a layer.

    torch_guarded.py PROGRAMS GATEWAY FOLDER MODEL

PROGRAMS is the folder of the programs, GATEWAY the address of the services, FOLDER what torch_models.py wrote, MODEL
one of its networks that has pictures and is imported. None of the default detectors may be left out, every score must
be a number, and under the default policy a client of the Open Inference Protocol gets the guarded answer.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton
from command_line import Gifthorse
from report import Report, require, require_equal

DEFAULT = ["channel_dropout", "region_paste", "strip_entropy", "strip_margin"]
AT_A_LAYER = ["channel_dropout", "region_paste_layer"]
# A bank of ten leaves too few pictures for one in a hundred.
ALPHA = 0.1
TOLERANCE = 1e-5
CLEAN_VERDICT, TROJANED_VERDICT = 2, 3


def finite(values, what):
    """Fails unless there are numbers, all of them finite and not all the same."""
    # The JSON mapping writes NaN and infinities as texts.
    bad = [value for value in values if isinstance(value, str) or not math.isfinite(value)]
    require(values and not bad, f"{what} has {bad or 'nothing'} among its scores")
    require(len(set(values)) > 1, f"{what} is {values[0]} for every picture")


def calibrated(gifthorse, model, clean, wanted, *options):
    """Calibrates; the calibration must hold all these detectors, with sound scores."""
    command = ["calibrate", model, "--clean", clean, "--overlays", 10, "--alpha", ALPHA, *options]
    calibration = gifthorse(*command)[0]
    notes = calibration.get("notes", [])
    held = sorted(one["settings"]["detector"] for one in calibration["detectors"])
    require_equal(held, wanted, f"the list of detectors, with the notes {notes},")
    require(not any("left out" in note for note in notes), f"something is left out: {notes}")
    for one in calibration["detectors"]:
        name = one["settings"]["detector"]
        finite([one.get("mean", 0.0), one.get("standardDeviation", 0.0)], f"the calibration of {name}")
        require(one.get("standardDeviation", 0.0) > 0.0, f"{name} says the same of every picture")
    return calibration["name"]


def measured(gifthorse, model, fresh, calibration, wanted):
    """Scores of pictures that the calibration has not seen, by every detector of it."""
    by_calibration = ["--calibration", calibration, "--detector", "fused", "--alpha", ALPHA]
    evaluation = gifthorse("evaluate", model, "--clean", fresh, *by_calibration)[0]["evaluation"]
    scores = {one["detector"]: one["cleanScores"] for one in evaluation["detectors"]}
    require_equal(sorted(set(scores) - {"fused"}), wanted, "the list of measured detectors")
    for detector, found in scores.items():
        finite(found, detector)
    require_equal(evaluation["cleanAccuracy"]["estimate"], 1.0, "the share of pictures named as in PyTorch")


def guarded_answers(address, model, samples):
    """What a client of the Open Inference Protocol gets of a guarded model."""
    client = triton.InferenceServerClient(address)
    metadata = client.get_model_metadata(model)
    tensor = triton.InferInput(metadata.inputs[0].name, list(samples.shape), "FP32")
    tensor.set_data_from_numpy(samples)
    answer = client.infer(model, [tensor])
    names = (metadata.outputs[0].name, "guard_verdict", "guard_p_value", "network_probabilities")
    return [answer.as_numpy(name) for name in names]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("programs", type=Path, help="folder of the programs")
    parser.add_argument("gateway", help="address of the services")
    parser.add_argument("folder", type=Path, help="what torch_models.py wrote")
    parser.add_argument("model", help="name of the network")
    arguments = parser.parse_args()
    gifthorse = Gifthorse(arguments.programs, arguments.gateway)
    model, of = arguments.model, lambda part: arguments.folder / f"{arguments.model}{part}.npz"
    report = Report()
    with report.check(f"{model}: the default detectors"):
        calibration = calibrated(gifthorse, model, of("-clean"), DEFAULT)
        measured(gifthorse, model, of("-fresh"), calibration, DEFAULT)
    with report.check(f"{model}: detectors that look at a layer"):
        named = [word for detector in AT_A_LAYER for word in ("--detector", detector)]
        calibration = calibrated(gifthorse, model, of("-clean"), AT_A_LAYER, *named, "--no-policy")
        measured(gifthorse, model, of("-fresh"), calibration, AT_A_LAYER)
    with report.check(f"{model}: guarded by the default policy"):
        with np.load(of("")) as stored:
            samples, wanted = stored["input"], stored["probabilities"]
        answers, verdicts, p_values, own = guarded_answers(arguments.gateway, model, samples)
        require_equal(answers.shape, (len(samples), wanted.shape[1] + 1), "the shape of the answer")
        require(np.abs(own - wanted).max() <= TOLERANCE, "the network's own probabilities are others")
        require(bool(np.all((p_values > 0) & (p_values <= 1))), f"p-values are {p_values}")
        require(set(verdicts.tolist()) <= {CLEAN_VERDICT, TROJANED_VERDICT}, f"verdicts are {verdicts}")
        require_equal((answers.argmax(axis=1) == wanted.shape[1]).tolist(),
                      (verdicts == TROJANED_VERDICT).tolist(), "index M")
    report.finish()


if __name__ == "__main__":
    main()
