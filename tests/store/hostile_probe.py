"""Use stores as the commands do, with little memory, and print as JSON what came of it.

Arguments: a sweep file, and stores. Every command is given a minute.
"""

import json
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import genprior as gp
from genprior.pipeline.cli import main

MEMORY = 6 * 2**30  # bytes of addresses
SECONDS = 60


def late(*arguments: Any) -> None:
    raise TimeoutError


def opened(store: str) -> list[Any]:
    """Open a store and load it, which is when a chunk is read; then xarray says what is wrong."""
    dataset = gp.open(store)
    try:
        dataset.load()
    except (RuntimeError, ValueError) as error:
        return [1, f"genprior: {str(error).splitlines()[0]}"]
    return [0, ""]


def attempt(sweep: str, store: str) -> dict[str, Any]:
    """The exit status of each command and its last line; of `gp.open` the same."""
    outcomes: dict[str, Any] = {}
    commands = {
        "status": ["status", store],
        "fit": ["fit", store],
        "plot": ["plot", store, "-o", f"{store}.png"],
        "run": ["run", sweep, store, "--scheduler", "synchronous"],
    }
    for name, arguments in {"open": [], **commands}.items():
        signal.alarm(SECONDS)
        try:
            if name == "open":
                outcomes[name] = opened(store)
                continue
            result = CliRunner().invoke(main, arguments)
            lines = result.stderr.splitlines()
            if result.exception and not isinstance(result.exception, SystemExit):
                lines = traceback.format_exception(result.exception)
            outcomes[name] = [result.exit_code, "\n".join(lines[-1:]) if len(lines) < 9 else lines]
        except gp.UserError as error:
            outcomes[name] = [error.exit_status, f"genprior: {error}"]
        except BaseException:
            outcomes[name] = [-1, traceback.format_exc()]
        finally:
            signal.alarm(0)
    return outcomes


def run(sweep: str, stores: list[str]) -> None:
    """Try the first store before anything is limited: it is sound, and imports what there is."""
    signal.signal(signal.SIGALRM, late)
    sound = attempt(sweep, stores[0])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    outcomes, grown = {}, {}
    for name, store in ((Path(store).parent.name, store) for store in stores[1:]):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcomes[name] = attempt(sweep, store)
        grown[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"sound": sound, "kilobytes": grown, "outcomes": outcomes}))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
