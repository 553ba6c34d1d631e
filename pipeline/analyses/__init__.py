"""The analyses, each a class in its own file; docs/analyses.md shows how to add one.

`register` adds a class, also one of a notebook cell. Installed packages offer theirs as entry
points of the group `genprior.analyses`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...sweeps import Sweep, SweepError
from ...sweeps.errors import did_you_mean
from ...sweeps.readings import forget_reading, readings, register_reading, reserve
from .base import Analysis, Request
from .basin import Basin
from .comparison import Comparison
from .law import Law
from .trajectory import Trajectory
from .transition import Transition
from .uniform import Uniform

if TYPE_CHECKING:
    from ...tasks import Experiment

__all__ = [
    "Analysis",
    "Basin",
    "Comparison",
    "Law",
    "Request",
    "Trajectory",
    "Transition",
    "Uniform",
    "analyses",
    "analysis_of",
    "check_needs",
    "forget",
    "register",
]


def register(analysis: type[Analysis]) -> type[Analysis]:
    """Register an analysis; it replaces one of the same name. Usable as a class decorator.

    Raises:
        TypeError: it is not a subclass of `Analysis`, or not complete.
        ValueError: the name of its table in sweep files is missing or taken.
    """
    if not (isinstance(analysis, type) and issubclass(analysis, Analysis)):
        raise TypeError(f"{analysis!r} is no subclass of genprior.pipeline.analyses.Analysis")
    if lacking := [name for name in ("name", "json_name") if not hasattr(analysis, name)]:
        raise TypeError(f"{analysis.__name__} lacks {' and '.join(lacking)}")
    register_reading(analysis())
    return analysis


def forget(name: str) -> None:
    """Remove an analysis from the registered ones."""
    forget_reading(name)


def analyses() -> list[Analysis]:
    """List the registered analyses in the order in which they are made and printed."""
    return [reading for reading in readings() if isinstance(reading, Analysis)]


def analysis_of(name: str) -> Analysis | None:
    """Find a registered analysis by name, or None."""
    return next((analysis for analysis in analyses() if analysis.name == name), None)


def check_needs(sweep: Sweep, kind: "Experiment") -> None:
    """Refuse a sweep with an analysis of a variable that its trials do not give.

    Raises:
        SweepError: the message names the key of the sweep file and the variable.
    """
    for analysis in analyses():
        known = [
            variable.name
            for variable in kind.variables
            if analysis.reads_codes or not variable.flags or variable.name == "success"
        ]
        for key, name in analysis.needs(sweep):
            if name in known:
                continue
            if name == "success":
                raise SweepError(
                    f"{key}: trials of task '{kind.name}' neither succeed nor fail; leave it out."
                )
            raise SweepError(
                f"{key}: trials of task '{kind.name}' give no {name!r}. {did_you_mean(name, known)}"
            )


def _names_of_trials() -> Iterable[str]:
    """Give the names of the variables of all built-in tasks."""
    from ...tasks import EXPERIMENTS

    return {variable.name for kind in EXPERIMENTS.built_in.values() for variable in kind.variables}


# In the order in which they are made: a comparison reads the fitted transitions.
for _analysis in (Transition, Uniform, Law, Comparison, Basin, Trajectory):
    register(_analysis)
reserve(_names_of_trials)
