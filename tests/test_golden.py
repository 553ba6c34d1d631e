"""Numbers that no change of the inside may move: identities, sizes and outcomes of every preset.

A change that means to move them raises a kernel version, and makes the file again:
`python tests/test_golden.py`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genprior.sweeps import Grid, Sweep, draws_of, load_sweep, point_identity, preset_names
from genprior.tasks import task_kind

FILE = Path(__file__).with_name("golden.json")
GOLDEN: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
POINTS = 3
# What keeps a trial short, by task.
SHORT = {
    "recovery": {"max_steps": 40},
    "landscape": {"max_steps": 40},
    "trajectory": {"max_steps": 40},
    "condition": {"draws": 6, "ascents": 1, "steps": 4},
    "successive-decoding": {},
}
# Other problems, ensembles, generators and starts than presets have, in a small network.
SMALL = {"k": 3, "depth": 2, "widths": [20, 40], "solver": {"max_steps": 40}}
MADE = {"sparsity": 1, "n": 12, "solver": {"max_steps": 40}, "success": {"metric": "signal_error"}}
EXTRA: dict[str, dict[str, Any]] = {
    "inversion": {"problem": "inversion", **SMALL},
    "noisy": {"m": 20, "noise": {"sigma": 0.01, "law": "laplace"}, **SMALL},
    "linear last": {"m": 20, "last_layer": "linear", "gain": 2.0, **SMALL},
    "plain": {"m": 20, **SMALL, "solver": {"max_steps": 40, "engine": "plain"}},
    "lasso": {"m": 20, **SMALL, "solver": {"method": "lasso"}, "success.metric": "signal_error"},
    "abandoned": {"m": 4, **SMALL, "solver": {"max_steps": 400, "abandon_after": 20}},
    "codes": {
        "problem": "one-bit", "m": 50, "k": 2, "depth": 1, "widths": [8], "generator": "identity",
        "target_codes": "1 0; 1 0.5", "success.metric": "nearest_target", "dither.rule": "fixed",
        "dither.amplitude": 1.5, "solver": {"max_steps": 40, "start": "ones"},
    },
    "sparse": {"generator": "sparse", "m": 8, **MADE},
    "sparse-random": {"generator": "sparse-random", "m": 8, **MADE},
    "group-sparse": {"generator": "group-sparse", "m": 8, **MADE},
    "prior": {"m": 20, **SMALL, "solver": {"max_steps": 40, "start": "prior"}},
    "polylogarithmic": {
        "m": 20, "k": 3, "depth": 2, "width_rule": "polylogarithmic", "width_factor": 4.0,
        "solver": {"max_steps": 40},
    },
}  # fmt: skip


def sweeps() -> dict[str, Sweep]:
    made = {name: load_sweep(name) for name in preset_names()}
    for name, parameters in EXTRA.items():
        made[name] = Sweep.parse({"trials": 2, "seed": 5, "parameters": parameters})
    return made


def short(sweep: Sweep) -> Sweep:
    prefix = "search" if sweep.task == "condition" else "solver"
    asked = [f"{prefix}.{key}={value}" for key, value in SHORT[sweep.task].items()]
    is_ours = sweep.name in EXTRA or not sweep.axes
    return sweep if is_ours else sweep.override(asked)


def measure(sweep: Sweep) -> dict[str, Any]:
    kind, grid = task_kind(sweep.task), Grid(short(sweep))
    kind.check(grid)
    indices = list(grid.distinct(grid.dims, POINTS)) if grid.dims else [()]
    points = [grid.point(index) for index in indices]
    drawn = [kind.draw(p, draws_of(p, 1, sweep.seed, sweep.paired)) for p in points[:2]]
    ran = [trial.run() for trial in drawn]
    return {
        "hash": sweep.hash,
        "identities": [point_identity(point, sweep.paired) for point in points],
        "memory": [kind.memory(point) for point in points],
        "outcomes": [{k: float(v) for k, v in values.items()} for values in ran],
        "variables": [
            [v.name, v.dtype, v.units, [[f.code, f.meaning] for f in v.flags]]
            for v in kind.variables
        ],
    }


@pytest.mark.parametrize("name", sorted({*preset_names(), *EXTRA}))
def test_identities_sizes_and_outcomes_are_those_on_record(name: str) -> None:
    found, known = measure(sweeps()[name]), GOLDEN[name]
    for key in ("hash", "identities", "memory", "variables"):
        assert found[key] == known[key]
    for ours, theirs in zip(found["outcomes"], known["outcomes"], strict=True):
        assert list(ours) == list(theirs)
        for variable, value in theirs.items():
            # Rounding decides at which step the Lasso meets its tolerance.
            near = 0.01 if variable == "iterations" else 1e-6
            assert ours[variable] == pytest.approx(value, rel=near, abs=1e-9), variable


if __name__ == "__main__":
    np.seterr(all="ignore")
    text = json.dumps({name: measure(sweep) for name, sweep in sweeps().items()}, indent=1)
    FILE.write_text(text + "\n", encoding="utf-8")
