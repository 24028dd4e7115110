"""The running services, driven through the command line."""

import json
import subprocess
from pathlib import Path

import h5py
import numpy as np
from PIL import Image


class Gifthorse:
    """The command line against one gateway."""

    def __init__(self, program, gateway, work):
        self._command = [str(program), "--gateway", gateway]
        self._work = Path(work)

    def run(self, *arguments):
        """One command with `--json`; the objects it prints."""
        command = [*self._command, *map(str, arguments), "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def dataset(self, name, images, labels):
        """Stores images `[N, C, H, W]` with their classes; the name of the data set."""
        path = self._work / f"{name}.h5"
        with h5py.File(path, "w") as file:
            file["data"], file["label"] = images, labels
        self.run("dataset", "add", name, path)
        return f"datasets/{name}"

    def calibrate(self, network, clean, *options):
        """Calibrates; the calibration's name."""
        reply = self.run("calibrate", network, "--clean", clean, *options)[0]
        return reply.get("calibration", reply)["name"]

    def named_right(self, network, images, labels):
        """Which images `[N, C, H, W]` the network names right."""
        folder = self._work / f"{network}-pictures"
        folder.mkdir()
        paths = []
        for number, image in enumerate(images.transpose(0, 2, 3, 1)):
            paths.append(folder / f"{number:03}.png")
            Image.fromarray(image.astype(np.uint8)).save(paths[-1])
        answers = self.run("classify", network, *paths)
        return np.array([answer["networkLabel"] for answer in answers]) == labels
