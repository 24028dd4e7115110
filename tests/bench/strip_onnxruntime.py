"""STRIP by onnxruntime and NumPy, and bare loops over the same passes, in so many threads.

    strip_onnxruntime.py THREADS MODEL.onnx OVERLAYS.npy IMAGES.npy SECONDS

`script` is what one writes by hand: all blends of one image in NumPy, one run, the entropies in NumPy. The bare
loops neither blend nor look at the answers: `bareWhole` runs the network on one batch of as many rows as there are
overlays; `bareCut` runs it as the detector does, cut behind its first convolution: the part before on one row,
the part behind, up to the logits, on all rows. `barePooled` leaves out the first rectifier and pooling too, which
the detector does itself while it blends.

Prints one line of JSON: for each scans a second, the processor time of a scan, and the script's scores of the
first images in bit.
"""

import json
import sys
import time

import numpy as np
import onnx
import onnxruntime
from onnx.utils import Extractor

WARM_UP_SCANS = 5
SCORES = 20


def session(model, threads):
    """A session in so many threads; they spin between runs, as they do unless told otherwise."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def script(whole, overlays):
    """The score of an image, as one writes it by hand."""
    name = whole.get_inputs()[0].name

    def score(image):
        answers = whole.run(None, {name: image + overlays})[0]
        entropies = -np.sum(answers * np.log2(np.maximum(answers, np.finfo(np.float32).tiny)), axis=1)
        return float(entropies.mean())

    return score


def bare_whole(whole, overlays):
    """The passes of a scan and nothing else."""
    feeds = {whole.get_inputs()[0].name: overlays}
    return lambda _: whole.run(None, feeds)


def bare_cut(model, threads, overlays, behind):
    """The passes of a scan behind the first node of a kind, and the first convolution of one image."""
    name = model.graph.input[0].name
    first = {node.op_type: node.output[0] for node in reversed(model.graph.node)}
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    extractor = Extractor(onnx.shape_inference.infer_shapes(model))

    def part(start, end, threads):
        return session(extractor.extract_model([start], [end]), threads)

    # One row in one thread: a second pool of threads that spin would take the processors from the first.
    front, back = part(name, first["Conv"], 1), part(first[behind], softmax.input[0], threads)
    feeds = {first[behind]: part(name, first[behind], 1).run(None, {name: overlays})[0]}

    def passes(image):
        front.run(None, {name: image[None]})
        return back.run(None, feeds)

    return passes


def rate(work, images, seconds):
    """Scans a second over images taken in turn, and the processor time of one in milliseconds."""
    for image in images[:WARM_UP_SCANS]:
        work(image)
    done, start, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        work(images[done % len(images)])
        done += 1
    rate = done / (time.perf_counter() - start)
    return {"scansPerSecond": rate, "processorMs": (time.process_time() - used) / done * 1e3}


def main():
    threads, file, overlays, images, seconds = sys.argv[1:]
    threads, seconds = int(threads), float(seconds)
    overlays, images = np.load(overlays), np.load(images)
    model = onnx.load(file)
    whole = session(model, threads)
    by_hand = script(whole, overlays)
    scores = [by_hand(image) for image in images[:SCORES]]
    outcome = {"script": rate(by_hand, images, seconds) | {"scores": scores}}
    # A session whose threads spin would take the processors from the next.
    outcome["bareWhole"] = rate(bare_whole(whole, overlays), images, seconds)
    del whole, by_hand
    for name, behind in (("bareCut", "Conv"), ("barePooled", "MaxPool")):
        work = bare_cut(model, threads, overlays, behind)
        outcome[name] = rate(work, images, seconds)
        del work
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
