"""The analyses, each a class in its own file; docs/analyses.md shows how to add one.

`register` adds a class, also one of a notebook cell. Installed packages offer theirs as entry
points of the group `genprior.analyses`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ...sweeps import Sweep, SweepError
from ...sweeps.errors import did_you_mean
from ...sweeps.naming import is_identifier
from ...sweeps.readings import (
    forget_reading,
    judge_readings,
    readings,
    register_reading,
    registered_readings,
    reserve,
)
from .base import Analysis, Request
from .basin import Basin
from .comparison import Comparison
from .law import Law
from .scaling import Scaling
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
    "Scaling",
    "Trajectory",
    "Transition",
    "Uniform",
    "analyses",
    "analysis_of",
    "asked_by",
    "check_needs",
    "forget",
    "register",
]


def register(analysis: type[Analysis]) -> type[Analysis]:
    """Register an analysis; it replaces one of the same name. Usable as a class decorator.

    Raises:
        SweepError: it is no subclass of `Analysis`, is not complete, or takes a name of something
            else.
    """
    register_reading(analysis)
    return analysis


def _check(found: Any) -> None:
    """Refuse a class that is no analysis, or whose declarations cannot be used."""
    if not (isinstance(found, type) and issubclass(found, Analysis)):
        raise SweepError(
            "is no subclass of genprior.pipeline.analyses.Analysis; derive it from that."
        )
    if lacking := sorted(found.__abstractmethods__):
        raise SweepError(f"lacks {', '.join(lacking)}; define it.")
    json_name = getattr(found, "json_name", None)
    others = {
        getattr(other, "json_name", "")
        for other in registered_readings()
        if other.name != getattr(found, "name", "")
    }
    if not is_identifier(json_name) or json_name in {*others, *OF_FITS}:
        raise SweepError(f"has the json_name {json_name!r}; give it another one.")
    for name in ("version", "rank"):
        if type(getattr(found, name)) is not int:
            raise SweepError(f"has the {name} {getattr(found, name)!r}; give a whole number.")


# Keys of the output of `fit --json` that are not rows.
OF_FITS = ("left_out", "expected", "source", "level")


def forget(name: str) -> None:
    """Remove an analysis from the registered ones."""
    forget_reading(name)


def analyses() -> list[Analysis]:
    """List the registered analyses in the order in which they are made and printed."""
    return [reading for reading in readings() if isinstance(reading, Analysis)]


def asked_by(sweep: Sweep) -> list[Analysis]:
    """List the analyses whose table a sweep has."""
    return [found for found in analyses() if found.settings_of(sweep) is not None]


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


judge_readings(_check)
# In the order in which they are printed.
for _analysis in (Transition, Scaling, Uniform, Law, Comparison, Basin, Trajectory):
    register_reading(_analysis, built_in=True)
reserve(_names_of_trials)
