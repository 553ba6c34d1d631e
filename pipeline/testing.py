"""Checks of a user's own classes, as `genprior.testing`."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..sweeps import Sweep
from ..tasks.testing import (
    BrokenError,
    check_experiment,
    check_generator,
    check_problem,
    check_solver,
    told_in_a_line,
)

if TYPE_CHECKING:
    import xarray as xr

    from .analyses import Analysis

__all__ = [
    "check_analysis",
    "check_experiment",
    "check_generator",
    "check_problem",
    "check_solver",
]

# 6 points whose recoveries take milliseconds.
SWEEP: dict[str, Any] = {
    "name": "check",
    "trials": 5,
    "axes": {"k": [2, 3], "m": [3, 9, 27]},
    "parameters": {"depth": 1, "widths": [30], "solver": {"max_steps": 100}},
}


@told_in_a_line
def check_analysis(analysis: "type[Analysis]", /, **sweep: Any) -> None:
    """Check that a class keeps the contract of an analysis.

    A small sweep of recoveries over k and m is run, fitted and drawn. Checked is that variables are
    labelled and their names reserved, that rows are plain values without NaN, that the stored
    analysis is equal to the computed one, and that the picture is a figure.

    Args:
        analysis: the class; it need not be registered.
        sweep: more keys of the sweep file, for example the analysis's own table.

    Raises:
        AssertionError: the contract is broken; the message says how.
    """
    from ..store import read_info
    from .analyses import Request, analysis_of, forget, register
    from .fit.fitting import fit_store
    from .run.runner import run_sweep
    from .show.figures import draw

    name = analysis.name
    known = analysis_of(name)
    if known is not None and type(known) is not analysis:
        raise BrokenError(f"{name}: another analysis has that name; choose another one.")
    register(analysis)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "check.zarr")
            run_sweep(Sweep.parse({**SWEEP, **sweep}), path)
            fits = fit_store(path)
            if name not in fits:
                raise BrokenError(
                    f"{name}: fit does not make it; give the table of the sweep file that asks for "
                    "it."
                )
            dataset = fits[name]
            _check_labels(analysis(), dataset)
            _check_rows(analysis(), dataset)
            _check_stored(path, name, dataset)
            request = Request(read_info(path))
            if analysis().shows(request.info):
                _check_picture(name, draw(request.info))
    finally:
        if known is None:
            forget(name)


def _check_labels(analysis: "Analysis", dataset: "xr.Dataset") -> None:
    reserved = set(analysis.names())
    for name, variable in dataset.data_vars.items():
        if not variable.attrs.get("long_name"):
            raise BrokenError(f"{analysis.name}: variable {name!r} has no long_name.")
        if variable.dtype.kind in "iuf" and "units" not in variable.attrs:
            raise BrokenError(f"{analysis.name}: variable {name!r} has no units.")
        if name not in reserved and name not in ("crashed", "reference_crashed"):
            raise BrokenError(f"{analysis.name}: names() does not give its variable {name!r}.")


def _check_rows(analysis: "Analysis", dataset: "xr.Dataset") -> None:
    rows = analysis.records(dataset)
    try:
        json.dumps([rows, analysis.summary(dataset)], allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BrokenError(f"{analysis.name}: its rows are not JSON: {error}.") from None
    if not rows:
        raise BrokenError(f"{analysis.name}: records() gives no rows.")
    if analysis.table(dataset).row_count == 0:
        raise BrokenError(f"{analysis.name}: table() gives a table without rows.")


def _check_stored(path: Path, name: str, dataset: "xr.Dataset") -> None:
    import xarray as xr

    with xr.open_zarr(path, group=f"analysis/{name}") as stored:
        for variable in dataset.data_vars:
            if not stored[variable].equals(dataset[variable]):
                raise BrokenError(f"{name}: {variable!r} changes when it is stored and read.")


def _check_picture(name: str, figure: Any) -> None:
    from matplotlib.figure import Figure

    if not isinstance(figure, Figure) or not figure.axes:
        raise BrokenError(f"{name}: draw() does not give a figure with axes.")
