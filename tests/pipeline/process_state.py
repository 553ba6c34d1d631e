"""Print as JSON what of a process differs after one run, and after two runs that overlap."""

import json
import logging
import multiprocessing
import os
import random
import resource
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import dask
import distributed  # noqa: F401 - its defaults must be there before
import matplotlib as mpl
import matplotlib.pyplot

import genprior as gp

SWEEP = gp.load_sweep("quickstart").override(["k=2,4", "m=8,16", "trials=8", "blocks.trials=2"])
LOGGERS = ("distributed", "tornado", "asyncio", "matplotlib")


def state() -> dict[str, Any]:
    """What a caller has for the whole process."""
    known = {n: logging.getLogger(n) for n in sorted(logging.root.manager.loggerDict)}
    ours = {name: logger for name, logger in known.items() if name.split(".")[0] in LOGGERS}
    return {
        "levels": {name: logger.level for name, logger in ours.items()},
        "handlers": {name: len(logger.handlers) for name, logger in ours.items()},
        "environment": dict(os.environ),
        "dask": repr(dask.config.config),
        "path": list(sys.path),
        "style": repr(dict(mpl.rcParams)),
        "warnings": repr(warnings.filters),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "method": multiprocessing.get_start_method(allow_none=True),
        "random": random.getstate(),
    }


def changed(before: dict[str, Any]) -> list[str]:
    """Name what differs; loggers of modules that were imported meanwhile are new, not changed."""
    after = state()
    for key in ("levels", "handlers"):
        after[key] = {name: after[key][name] for name in before[key]}
    return [key for key, value in before.items() if after[key] != value]


def run(folder: Path, name: str, trials: int, **options: Any) -> None:
    """Run and draw."""
    gp.run(SWEEP.override([f"trials={trials}"]), folder / name, progress=False, **options)
    gp.plot(folder / name)._repr_png_()


def main(folder: Path, scheduler: str) -> None:
    """Run once, then twice at a time: the second run begins in the first and ends after it."""
    run(folder, "imports", 1, scheduler="synchronous")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (50, hard))  # fewer than a worker process needs
    before, options = state(), {"scheduler": scheduler, "workers": 1}
    run(folder, "one", 4, **options)
    once = changed(before)
    runs = [
        threading.Thread(target=run, args=(folder, name, trials), kwargs=options)
        for name, trials in (("a", 4), ("b", 40))
    ]
    for thread in runs:
        thread.start()
        time.sleep(0.3)
    for thread in runs:
        thread.join()
    done = [gp.status(folder / name).trials.done for name in ("one", "a", "b")]
    # Filters of warnings are one list for all threads, and libraries change it in each of them.
    twice = [name for name in changed(before) if name != "warnings"]
    print(json.dumps({"once": once, "twice": twice, "done": done}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
