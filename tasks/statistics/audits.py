"""How often abandoning a run was wrong, estimated from audited runs, which went on to their end."""

from collections.abc import Sequence
from contextlib import suppress

import xarray as xr

from ...sweeps import SweepError
from ...sweeps.variables import Flag
from ..experiments import EXPERIMENTS
from ..experiments.recovery import Abandonment
from .intervals import wilson_interval


def audited_variable(task: str) -> str | None:
    """Name the variable of an experiment that says which runs were abandoned or audited.

    It is known by its codes; None if the experiment has none, or is not here.
    """
    codes = tuple(Flag(state.value, state.name.lower()) for state in Abandonment)
    with suppress(SweepError):
        for variable in EXPERIMENTS.find(task).variables:
            if variable.flags == codes:
                return variable.name
    return None


def audit_abandonment(
    abandonment: xr.DataArray,
    over: Sequence[str] | None = None,
    *,
    level: float = 0.95,
) -> xr.Dataset:
    """Count abandoned and audited runs, and estimate how many were wrongly abandoned.

    Audited runs are a random part of the hopeless runs. The share of them that recovered only
    after they had become hopeless estimates the share of the abandoned runs that would have
    recovered.

    Args:
        abandonment: codes of `Abandonment`, or NaN where not run.
        over: dims to count over; all if None.
        level: coverage of the Wilson interval.

    Returns:
        Over the other dims: `abandoned`, `audited`, `audited_wrong`, `wrong_rate` (NaN without
        audits), `wrong_rate_low`, `wrong_rate_high`.
    """
    abandoned = (abandonment == Abandonment.ABANDONED).sum(over)
    wrong = (abandonment == Abandonment.AUDITED_WRONG).sum(over)
    runs = (abandonment == Abandonment.AUDITED).sum(over) + wrong
    low, high = wilson_interval(wrong.values, runs.values, level)
    values = {
        "abandoned": abandoned,
        "audited": runs,
        "audited_wrong": wrong,
        "wrong_rate": wrong / runs.where(runs > 0),
        "wrong_rate_low": runs.copy(data=low),
        "wrong_rate_high": runs.copy(data=high),
    }
    return xr.Dataset(
        {
            name: value.assign_attrs(long_name=LONG_NAMES[name], units="1")
            for name, value in values.items()
        }
    )


LONG_NAMES = {
    "abandoned": "abandoned runs",
    "audited": "hopeless runs that went on to their end for an audit",
    "audited_wrong": "those of them that recovered only after they had become hopeless",
    "wrong_rate": "rate of wrongly abandoned runs",
    "wrong_rate_low": "rate of wrongly abandoned runs, lower Wilson bound",
    "wrong_rate_high": "rate of wrongly abandoned runs, upper Wilson bound",
}
