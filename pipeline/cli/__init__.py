"""The command line: each command parses, makes one call, and prints.

Each command imports what it needs when it runs, so that `--help` and small commands start fast.
"""

from . import fit, merge, plan, plot, run, status, submit, sweeps, verify
from .group import main

__all__ = [
    "fit", "main", "merge", "plan", "plot", "run", "status", "submit", "sweeps", "verify",
]  # fmt: skip
