"""Measures serving beside a bare ONNX Runtime loop and MLServer, all in one run on the same two cores.

    peers.py PROGRAMS MODEL.onnx

PROGRAMS is the folder with gifthorse, gifthorse-serving and gifthorse-load. Servers get core 0, the generator
gets core 1. Every round measures each subject once, so that a machine that slows down slows them all; the
table shows medians over the rounds. Without MLServer in this Python environment that comparison is skipped.
Exits 1 when a bar is missed.
"""

import argparse
import contextlib
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from processes import free_port, json_of, pinned, running

SERVER_CORE, LOAD_CORE = 0, 1
START_TIMEOUT_S = 60
MODEL = "subject"
BATCH = 32
WARM_UP_S = 1
# The bars this project set itself.
LEAST_SHARE_OF_BARE = 0.70
MOST_ADDED_MS = 1.0
LEAST_TIMES_MLSERVER = 3.0
# Pages that an allocator keeps or returns between two looks.
MEMORY_NOISE_KIB = 1024
SETTLED_AFTER_REQUESTS = 10_000


class Load:
    """The gRPC load generator on its own core."""

    def __init__(self, arguments, address):
        self._command = [str(arguments.programs / "gifthorse-load"), address, MODEL]

    def run(self, seconds, *options):
        """One measurement; refused requests end the run, because they are cheap."""
        command = pinned(LOAD_CORE, [*self._command, "--wait", "30", "--warm-up", str(WARM_UP_S), *options])
        outcome = json_of(command, timeout_s=seconds + 90)
        if outcome["errors"]:
            raise SystemExit(f"requests were refused: {outcome['errors']} ({' '.join(command)})")
        return outcome

    def at_concurrency(self, concurrency, seconds):
        """So many callers for so many seconds."""
        return self.run(seconds, "--concurrency", str(concurrency), "--seconds", str(seconds))


@contextlib.contextmanager
def mlserver(arguments, work, batched):
    """MLServer with the same file, in its leanest configuration; yields a load generator for it."""
    folder = Path(work) / ("batched" if batched else "plain")
    (folder / MODEL).mkdir(parents=True)
    ports = {name: free_port() for name in ("http_port", "grpc_port", "metrics_port")}
    settings = {"host": "127.0.0.1", **ports, "debug": False, "parallel_workers": 0, "metrics_endpoint": None}
    inputs = [{"name": name, "datatype": "FP32", "shape": shape} for name, shape in onnx_inputs(arguments.onnx)]
    model = {
        "name": MODEL,
        "implementation": "mlserver_runtime.OnnxModel",
        "inputs": inputs,
        "parameters": {"uri": str(arguments.onnx.resolve()), "version": "1"},
    }
    if batched:
        model |= {"max_batch_size": BATCH, "max_batch_time": 0.002}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / MODEL / "model-settings.json").write_text(json.dumps(model))
    command = pinned(SERVER_CORE, [str(Path(sys.executable).with_name("mlserver")), "start", str(folder)])
    environment = {"PYTHONPATH": str(Path(__file__).parent), "PYTHONDONTWRITEBYTECODE": "1"}
    log = folder / "log"
    with running(command, log, [ports["grpc_port"]], START_TIMEOUT_S, environment, folder):
        yield Load(arguments, f"127.0.0.1:{ports['grpc_port']}")


@contextlib.contextmanager
def serving(arguments, work, core=None):
    """Our serving over the store in `work`; yields its address and process id."""
    address = f"127.0.0.1:{free_port()}"
    program = str(arguments.programs / "gifthorse-serving")
    command = [program, "--listen", address, "--set", f"store.url={Path(work) / 'store'}"]
    if core is not None:
        command = pinned(core, command)
    port = int(address.rpartition(":")[2])
    with running(command, Path(work) / "serving.log", [port], START_TIMEOUT_S) as process:
        yield address, process.pid


def import_model(arguments, work):
    """Puts the model into the store, through a serving of its own: what it leaves in memory is not measured."""
    with serving(arguments, work) as (address, _):
        gifthorse = [arguments.programs / "gifthorse", "--gateway", address]
        command = [*gifthorse, "model", "import", MODEL, arguments.onnx]
        subprocess.run(command, check=True, stdout=sys.stderr, timeout=START_TIMEOUT_S)


def onnx_inputs(file):
    """Names and shapes of the model's inputs, with -1 for a free axis."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return [
        (tensor.name, [length if isinstance(length, int) else -1 for length in tensor.shape])
        for tensor in session.get_inputs()
    ]


def bare(arguments):
    """The bare loop on the servers' core."""
    script = str(Path(__file__).with_name("bare.py"))
    command = [sys.executable, script, str(arguments.onnx), str(arguments.seconds / 2), "1", str(BATCH)]
    return json_of(pinned(SERVER_CORE, command), timeout_s=arguments.seconds + 60)


def measure(arguments, work):
    """All rounds; a list of values by the name of what was measured."""
    values = {}

    def add(name, value):
        values.setdefault(name, []).append(value)

    import_model(arguments, work)
    with contextlib.ExitStack() as stack:
        address, process = stack.enter_context(serving(arguments, work, SERVER_CORE))
        ours = Load(arguments, address)
        peers = {}
        if importlib.util.find_spec("mlserver"):
            for name, batched in (("MLServer", False), ("MLServer, batching", True)):
                peers[name] = stack.enter_context(mlserver(arguments, work, batched))
        else:
            print("SKIPPED: MLServer is not installed in this Python environment")
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
            loop = bare(arguments)
            add("bare loop, batch 1, rows/s", loop["1"]["rowsPerSecond"])
            add("bare loop, batch 1, p50 ms", loop["1"]["p50Ms"])
            add(f"bare loop, batch {BATCH}, rows/s", loop[str(BATCH)]["rowsPerSecond"])
            outcome = ours.at_concurrency(BATCH, arguments.seconds)
            add("serving, 32 callers, requests/s", outcome["requestsPerSecond"])
            add("serving, 32 callers, p50 ms", outcome["latencyMs"]["p50"])
            add("serving, 32 callers, p99 ms", outcome["latencyMs"]["p99"])
            outcome = ours.at_concurrency(1, arguments.seconds / 2)
            add("serving, 1 caller, p50 ms", outcome["latencyMs"]["p50"])
            for name, load in peers.items():
                outcome = load.at_concurrency(BATCH, arguments.seconds)
                add(f"{name}, 32 callers, requests/s", outcome["requestsPerSecond"])
                add(f"{name}, 32 callers, p50 ms", outcome["latencyMs"]["p50"])
        memory = soak(arguments, ours, process) if arguments.soak else []
    return {name: statistics.median(rounds) for name, rounds in values.items()}, memory


def soak(arguments, ours, process):
    """Resident memory of serving over many requests."""
    print(f"soak of {arguments.soak} requests", file=sys.stderr, flush=True)
    options = ["--requests", str(arguments.soak), "--concurrency", str(BATCH), "--watch-pid", str(process)]
    return ours.run(arguments.soak_seconds, *options)["memory"]


def bars(values, memory):
    """What was promised: (what, measured, bar, whether it holds)."""
    requests = values["serving, 32 callers, requests/s"]
    for batch in (1, BATCH):
        share = requests / values[f"bare loop, batch {batch}, rows/s"]
        bar = f">= {LEAST_SHARE_OF_BARE}"
        yield f"serving / bare loop, batch {batch}", f"{share:.2f}", bar, share >= LEAST_SHARE_OF_BARE
    added = values["serving, 1 caller, p50 ms"] - values["bare loop, batch 1, p50 ms"]
    yield "p50 of 1 caller - bare run, ms", f"{added:.2f}", f"<= {MOST_ADDED_MS}", added <= MOST_ADDED_MS
    peers = [values[name] for name in values if name.startswith("MLServer") and name.endswith("requests/s")]
    if peers:
        times = requests / max(peers)
        yield "serving / MLServer (the better one)", f"{times:.1f}", f">= {LEAST_TIMES_MLSERVER}", (
            times >= LEAST_TIMES_MLSERVER
        )
    settled = [point["residentKib"] for point in memory if point["requests"] >= SETTLED_AFTER_REQUESTS]
    if settled:
        growth = settled[-1] - settled[0]
        yield "memory growth after 10,000 requests, KiB", f"{growth}", f"<= {MEMORY_NOISE_KIB}", (
            growth <= MEMORY_NOISE_KIB
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("programs", type=Path, help="folder of the programs")
    parser.add_argument("onnx", type=Path, help="a classifier with one FP32 input")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6, help="of each measurement")
    parser.add_argument("--soak", type=int, default=0, metavar="REQUESTS", help="measure memory over so many")
    parser.add_argument("--soak-seconds", type=float, default=600, help="most that the soak may take")
    parser.add_argument("--json", type=Path, help="file for everything that was measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gifthorse-bench-") as work:
        values, memory = measure(arguments, work)
    print(f"{'medians of ' + str(arguments.rounds) + ' rounds':44} {'value':>10}")
    for name, value in values.items():
        print(f"{name:44} {value:10.2f}")
    for point in memory:
        name = f"resident memory after {point['requests']} requests, KiB"
        print(f"{name:44} {point['residentKib']:10}")
    verdicts = list(bars(values, memory))
    print()
    print(f"{'bar':44} {'measured':>10} {'wanted':>10}")
    for what, measured, bar, holds in verdicts:
        print(f"{what:44} {measured:>10} {bar:>10} {'ok' if holds else 'MISSED'}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"medians": values, "memory": memory}, indent=2) + "\n")
    sys.exit(0 if all(holds for *_, holds in verdicts) else 1)


if __name__ == "__main__":
    main()
