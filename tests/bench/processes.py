"""Starting pinned processes and ending them, each by its own handle."""

import contextlib
import json
import os
import socket
import subprocess
import time

END_TIMEOUT_S = 20


def free_port():
    """A loopback port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def pinned(cores, command):
    """`command` on one core, or on several given as `0,1`."""
    return ["taskset", "-c", str(cores), *map(str, command)]


@contextlib.contextmanager
def running(command, log, ready_ports, timeout_s, environment=None, folder=None):
    """A process that listens on the given loopback ports while the block runs, then is ended."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder,
            env={**os.environ, **(environment or {})},
        )
    try:
        for port in ready_ports:
            wait_for_port(process, port, time.monotonic() + timeout_s, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(process, port, deadline, log):
    """Returns once the port accepts; fails when the process ends or the time is over."""
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            with open(log, errors="replace") as text:
                tail = text.read()[-3000:]
            raise SystemExit(f"{process.args[:5]} does not listen on port {port}:\n{tail}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def json_of(command, timeout_s):
    """The last line a command prints, as JSON."""
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=timeout_s, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])
