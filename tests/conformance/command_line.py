"""The command line against one gateway, as the conformance scripts use it."""

import json
import subprocess

from report import require

TIMEOUT_S = 280


class Gifthorse:
    """`gifthorse --json`; called with the words of a command."""

    def __init__(self, programs, gateway):
        self._base = [str(programs / "gifthorse"), "--gateway", gateway, "--json"]

    def __call__(self, *arguments):
        """The objects it prints; a refusal fails the check."""
        done = self._run(arguments)
        said = (done.stdout + done.stderr).strip()[-500:]
        require(done.returncode == 0, f"gifthorse {' '.join(map(str, arguments))[:200]} failed: {said}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def refusal(self, *arguments):
        """What it says when it is refused, whichever stream it says it on."""
        done = self._run(arguments)
        require(done.returncode == 1, f"gifthorse {arguments} ended with {done.returncode}, wanted a refusal")
        return done.stdout + done.stderr

    def _run(self, arguments):
        command = [*self._base, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
