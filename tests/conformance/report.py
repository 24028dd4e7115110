"""How the conformance scripts report: one line a check, and an exit code that says whether all held."""

import contextlib
import sys
import traceback


class Report:
    """Runs named checks, prints `NAME ok` or `NAME FAILED: why` for each, and remembers failures."""

    def __init__(self):
        self._failed = []
        self._passed = 0

    @contextlib.contextmanager
    def check(self, name):
        """A check: whatever is raised inside makes it fail, and the next check still runs."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a check may fail in any way, and each way is reported
            self._failed.append(name)
            where = traceback.extract_tb(error.__traceback__)[-1]
            why = " ".join(str(error).split()) or type(error).__name__
            print(f"{name} FAILED: {why} (line {where.lineno}: {where.line})", flush=True)
        else:
            self._passed += 1
            print(f"{name} ok", flush=True)

    def finish(self):
        """Ends the process: 0 when every check held and there was at least one, else 1."""
        print(f"{self._passed} ok, {len(self._failed)} failed", flush=True)
        sys.exit(0 if self._passed and not self._failed else 1)


def require(condition, message):
    """Fails the check around it with `message` unless `condition` holds."""
    if not condition:
        raise AssertionError(message)


def require_equal(found, wanted, what):
    """Fails the check around it unless the two are equal."""
    require(found == wanted, f"{what} is {found!r}, wanted {wanted!r}")
