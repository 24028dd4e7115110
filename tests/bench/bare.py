"""A bare ONNX Runtime loop in one thread: what the engine does when no server is around it.

    bare.py MODEL.onnx SECONDS BATCH...

Prints one line of JSON: for each batch size rows a second and the median run in milliseconds.
"""

import json
import statistics
import sys
import time

import numpy as np
import onnxruntime

WARM_UP_RUNS = 20


def measure(session, batch, seconds):
    """Runs the model on batches for so many seconds."""
    name, shape = session.get_inputs()[0].name, session.get_inputs()[0].shape
    array = np.random.default_rng(1).random([batch, *shape[1:]], dtype=np.float32)
    feeds = {name: array}
    for _ in range(WARM_UP_RUNS):
        session.run(None, feeds)
    times = []
    start = before = time.perf_counter()
    while before - start < seconds:
        session.run(None, feeds)
        now = time.perf_counter()
        times.append(now - before)
        before = now
    return {"rowsPerSecond": batch * len(times) / (before - start), "p50Ms": statistics.median(times) * 1e3}


def main():
    model, seconds, *batches = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    print(json.dumps({batch: measure(session, int(batch), float(seconds)) for batch in batches}))


if __name__ == "__main__":
    main()
