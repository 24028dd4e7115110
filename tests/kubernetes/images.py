"""Runs the house out of its images; images.sh says how they came about."""

import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PREFIX = "localhost/gifthorse"
BASE = f"{PREFIX}/debian:12"
PROGRAMS = ("gateway", "serving", "detector", "trainer", "worker", "cli")
USER = 10001
PATIENCE = 60


class Failure(Exception):
    """Something is not as it should be."""


class Images:
    def __init__(self, options):
        self.options = options

    def buildah(self, *arguments):
        return subprocess.run(
            ["buildah", *self.options, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    def mounted(self, image):
        """A container of an image, and where its root is."""
        container = self.buildah("from", "--pull-never", image)
        return container, self.buildah("mount", container)


def size(root):
    """What a node unpacks; a registry keeps it compressed."""
    used = subprocess.run(["du", "--summarize", "--bytes", root], check=True, capture_output=True, text=True)
    return int(used.stdout.split()[0])


class Image:
    """An image, and its root mounted."""

    def __init__(self, images, program):
        self.program = program
        self.container, self.root = images.mounted(f"{PREFIX}/{program}:test")
        self.size = size(self.root)
        described = json.loads(images.buildah("inspect", self.container))
        self.settings = described["OCIv1"]["config"]
        self._check()

    def _check(self):
        if self.settings["User"] != f"{USER}:{USER}":
            raise Failure(f"{self.program} runs as {self.settings['User']}")
        [entry] = self.settings["Entrypoint"]
        if not os.access(Path(self.root) / entry.lstrip("/"), os.X_OK):
            raise Failure(f"{self.program} starts {entry}, which is not there")
        labels = self.settings["Labels"]
        for label in ("title", "description", "licenses", "version", "revision"):
            if not labels.get(f"org.opencontainers.image.{label}"):
                raise Failure(f"{self.program} has no label {label}")
        runtime, torch = (
            bool(list(Path(self.root).glob(f"opt/*/lib/{name}"))) for name in ("libonnxruntime.so", "libtorch_cpu.so")
        )
        if runtime != (self.program in ("serving", "detector", "worker")) or torch != (self.program == "worker"):
            raise Failure(f"{self.program}: ONNX Runtime {runtime}, libtorch {torch}")

    def command(self, store, arguments):
        """The program as a kubelet would start it: its own root, read-only, and /tmp and the store to write to."""
        root = self.root
        mounts = [
            f"mount --bind {root} {root}",
            f"mount -t tmpfs -o mode=1777 scratch {root}/tmp",
            f"mkdir -p {root}/var/lib/gifthorse && mount --bind {store} {root}/var/lib/gifthorse",
            f"mount --rbind /dev {root}/dev && mount -t proc proc {root}/proc",
            f"mount -o remount,bind,ro {root}",
        ]
        # Only the mounts need a shell, which is the machine's; setpriv and unshare then put the program in its place.
        inside = " && ".join(mounts) + (
            ' && exec setpriv --no-new-privs --bounding-set=-all,+setuid,+setgid,+sys_chroot --inh-caps=-all '
            f'unshare --root={root} --wd=/ --setgid={USER} --setuid={USER} -- "$@"'
        )
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", inside, "sh",
                *self.settings["Entrypoint"], *arguments]

    def environment(self):
        return dict(variable.split("=", 1) for variable in self.settings["Env"])

    def start(self, store, *arguments):
        return subprocess.Popen(
            self.command(store, arguments), env=self.environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )


def announced(process, program):
    """The addresses that a service says it listens on."""
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    line = process.stdout.readline() if ready else ""
    if not line:
        process.kill()
        raise Failure(f"{program} did not start: {process.stderr.read()[-2000:]}")
    return json.loads(line)


def page(address, path):
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def ready(address, program):
    until = time.monotonic() + PATIENCE
    while True:
        code, text = page(address, "/ready")
        if code == 200:
            return
        if time.monotonic() > until:
            raise Failure(f"{program} is not ready: {text}")
        time.sleep(0.2)


def held(program, process):
    """What the kernel says of the running program: whose it is, and what it may do. Answers its number."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = dict(line.split(":\t", 1) for line in (entry / "status").read_text().splitlines() if ":\t" in line)
            command = (entry / "cmdline").read_bytes().split(b"\0")[0].decode()
        except (OSError, ValueError):
            continue
        if command != f"/opt/gifthorse/bin/gifthorse-{program}" or not descends(int(entry.name), process.pid):
            continue
        if status["Uid"].split() != [str(USER)] * 4 or int(status["CapEff"], 16) or status["NoNewPrivs"] != "1":
            raise Failure(f"{program} runs as {status['Uid']} with {status['CapEff']}")
        root = [line.split() for line in (entry / "mountinfo").read_text().splitlines() if line.split()[4] == "/"]
        if not root or "ro" not in root[-1][5].split(","):
            raise Failure(f"the root of {program} is not read-only: {root}")
        return int(entry.name)
    raise Failure(f"the process of {program} was not found")


def descends(process, ancestor):
    while process > 1:
        if process == ancestor:
            return True
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return False


def main(table, work, options):
    images = Images(options)
    store = Path(work) / "store"
    store.mkdir(exist_ok=True)
    os.chown(store, USER, USER)
    container, root = images.mounted(BASE)
    base = size(root)
    images.buildah("rm", container)
    built = {program: Image(images, program) for program in PROGRAMS}
    running, numbers, urls = {}, {}, {}
    common = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    folder = ["--set", "store.url=/var/lib/gifthorse"]
    try:
        for program in ("serving", "detector", "trainer", "gateway"):
            given = list(common)
            if program != "gateway":
                given += folder
            if program == "trainer":
                given += ["--set", "launcher.kind=none"]
            for upstream in {"detector": ["serving"], "gateway": ["serving", "detector", "trainer"]}.get(program, []):
                given += ["--set", f'upstream.{upstream}.urls=["http://{urls[upstream]}"]']
            began = time.monotonic()
            process = running[program] = built[program].start(store, *given)
            addresses = announced(process, program)
            urls[program] = addresses["grpc"]
            if page(addresses["admin"], "/live")[0] != 200:
                raise Failure(f"{program} is not alive")
            ready(addresses["admin"], program)
            numbers[program] = held(program, process)
            print(f"{program}: alive and ready after {time.monotonic() - began:.1f} s, as {USER}, root read-only")
        for program, arguments, word in (
            ("cli", ["--gateway", urls["gateway"], "model", "list"], ""),
            ("worker", ["--trainer", f"http://{urls['trainer']}"], "there is no job to run"),
        ):
            process = built[program].start(store, *arguments)
            said, wrong = process.communicate(timeout=PATIENCE)
            if process.returncode != 0 or word not in said:
                raise Failure(f"{program} ended with {process.returncode}: {said}{wrong}")
            print(f"{program}: {' '.join(arguments[-2:])}: {said.strip() or 'done'}")
        # As the kubelet ends them, the front first.
        for program in reversed(list(running)):
            began = time.monotonic()
            os.kill(numbers[program], signal.SIGTERM)
            if running[program].wait(timeout=PATIENCE) != 0:
                raise Failure(f"{program} ended with {running[program].returncode}")
            print(f"{program}: ended in good order after {time.monotonic() - began:.1f} s")
    finally:
        for process in running.values():
            process.kill()
        for image in built.values():
            images.buildah("rm", image.container)
    with open(table, "w") as file:
        print("| image | MB unpacked | of which beside the base |\n|---|---|---|", file=file)
        for program in PROGRAMS:
            whole = built[program].size
            print(f"| {program} | {whole / 1e6:.0f} | {(whole - base) / 1e6:.0f} |", file=file)
        print(f"| the base, Debian 12 | {base / 1e6:.0f} | |", file=file)
    print("images: 6 passed")


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
