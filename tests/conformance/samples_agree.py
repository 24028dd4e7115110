"""Sends stored samples to a served model and compares its answers.

    samples_agree.py ADDRESS MODEL SAMPLES

ADDRESS is host:port; SAMPLES is a .npz with `input` and `probabilities`, as torch_models.py writes it. The
model answers probabilities, whatever its file answered.
"""

import argparse

import numpy as np
import tritonclient.grpc as triton
from report import Report, require, require_equal

TOLERANCE = 1e-5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("address", help="host:port of the server")
    parser.add_argument("model", help="name of a loaded model")
    parser.add_argument("samples", help=".npz file")
    arguments = parser.parse_args()
    client = triton.InferenceServerClient(arguments.address)
    metadata = client.get_model_metadata(arguments.model)
    report = Report()
    with np.load(arguments.samples) as stored:
        samples, wanted = stored["input"], stored["probabilities"]

    def infer(array):
        tensor = triton.InferInput(metadata.inputs[0].name, list(array.shape), metadata.inputs[0].datatype)
        tensor.set_data_from_numpy(array)
        return client.infer(arguments.model, [tensor]).as_numpy(metadata.outputs[0].name)

    with report.check(f"{arguments.model}: one row at a time"):
        for row, probabilities in enumerate(wanted):
            answer = infer(samples[row : row + 1])[0]
            difference = float(np.abs(answer - probabilities).max())
            require(difference <= TOLERANCE, f"row {row} differs by {difference}")
            require_equal(int(answer.argmax()), int(probabilities.argmax()), f"class of row {row}")
    with report.check(f"{arguments.model}: all rows at once"):
        difference = float(np.abs(infer(samples) - wanted).max())
        require(difference <= TOLERANCE, f"differs by {difference}")
    report.finish()


if __name__ == "__main__":
    main()
