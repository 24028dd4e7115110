"""Repairs a network of torch_models.py by a job: pruned, tuned for one epoch, written, and the same everywhere.

    torch_repaired.py PROGRAMS GATEWAY SERVING FOLDER MODEL

PROGRAMS is the folder of the programs, GATEWAY and SERVING addresses of the services, FOLDER what torch_models.py wrote,
MODEL one of its networks that has pictures and is imported. The job must choose the last activation that nothing
bypasses, and its version must answer in the serving service what its exported file answers in plain onnxruntime:
with pruned channels that are zero there too.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import tritonclient.grpc as triton
from command_line import Gifthorse
from report import Report, require, require_equal

# Two engines of different releases may add in another order.
TOLERANCE = 1e-4
# Channels of the layer that is pruned.
CHANNELS = 512
PRUNED = 100


def served(address, model, version, samples):
    """What the serving service answers for a version."""
    client = triton.InferenceServerClient(address)
    metadata = client.get_model_metadata(model, version)
    tensor = triton.InferInput(metadata.inputs[0].name, list(samples.shape), "FP32")
    tensor.set_data_from_numpy(samples)
    return client.infer(model, [tensor], version).as_numpy(metadata.outputs[0].name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("programs", type=Path, help="folder of the programs")
    parser.add_argument("gateway", help="address of the gateway")
    parser.add_argument("serving", help="address of the serving service")
    parser.add_argument("folder", type=Path, help="what torch_models.py wrote")
    parser.add_argument("model", help="name of the network")
    arguments = parser.parse_args()
    gifthorse = Gifthorse(arguments.programs, arguments.gateway)
    model = arguments.model
    with np.load(arguments.folder / f"{model}.npz") as stored:
        samples, untouched = stored["input"], stored["probabilities"]
    report = Report()
    with report.check(f"{model}: pruned and tuned for an epoch"), tempfile.TemporaryDirectory() as work:
        clean = arguments.folder / f"{model}-clean.npz"
        options = ["--channels", PRUNED, "--fine-tune", "ft", "--epochs", 1, "--parameter", "learning_rate=0.001"]
        job = gifthorse("prune", f"{model}@1", "--clean", clean, *options, "--wait")[0]
        require_equal((job["state"], job["prunedChannels"]), ("SUCCEEDED", PRUNED), "the job")
        plan = gifthorse("prune", f"{model}@1", "--clean", clean, "--dry-run")[0]
        require_equal((plan["layer"], plan["channels"]), (job["layer"], CHANNELS), "the layer chosen by default")
        version = job["version"].rsplit("/", 1)[1]
        file = Path(work) / "repaired.onnx"
        gifthorse("model", "export", f"{model}@{version}", "-o", file)
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        (alone,) = session.run(None, {session.get_inputs()[0].name: samples})
        answers = served(arguments.serving, model, version, samples)
        require(np.abs(alone - answers).max() <= TOLERANCE, "the file answers otherwise than the service")
        require(np.abs(alone - untouched).max() > TOLERANCE, "nothing has changed")
    report.finish()


if __name__ == "__main__":
    main()
