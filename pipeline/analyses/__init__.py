"""The analyses, each a class in a file of its own; docs/analyses.md shows how to add one.

`register` makes one known, also one from a notebook cell; installed packages offer theirs as entry
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
    """Make an analysis known, in place of one of the same name; a decorator of its class.

    Raises:
        TypeError: it is no analysis, or lacks something.
        ValueError: its table in the sweep file has no name, or one that is taken.
    """
    if not (isinstance(analysis, type) and issubclass(analysis, Analysis)):
        raise TypeError(f"{analysis!r} is no subclass of genprior.pipeline.analyses.Analysis")
    if lacking := [name for name in ("name", "json_name") if not hasattr(analysis, name)]:
        raise TypeError(f"{analysis.__name__} lacks {' and '.join(lacking)}")
    register_reading(analysis())
    return analysis


def forget(name: str) -> None:
    """Take an analysis back."""
    forget_reading(name)


def analyses() -> list[Analysis]:
    """List the analyses in the order in which they are made, printed and listed."""
    return [reading for reading in readings() if isinstance(reading, Analysis)]


def analysis_of(name: str) -> Analysis | None:
    """Find an analysis by name; None if there is none of that name here."""
    return next((analysis for analysis in analyses() if analysis.name == name), None)


def check_needs(sweep: Sweep, kind: "Experiment") -> None:
    """Refuse an analysis of a variable that no trial gives.

    Raises:
        SweepError: with the key that asks for it.
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
    """Name what trials of any task give."""
    from ...tasks import KINDS

    return {variable.name for kind in KINDS.values() for variable in kind.variables}


# A comparison is of the transitions, if there are any, and comes after them.
for _analysis in (Transition, Uniform, Law, Comparison, Basin, Trajectory):
    register(_analysis)
reserve(_names_of_trials)
