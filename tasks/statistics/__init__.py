"""Fits of labelled results: rates, transitions, laws, comparisons, and their intervals.

The functions below take objects of xarray, such as variables of a store that `gp.open` gives, and
give labelled ones; `fit_transition` and `wilson_interval` take counts. They are imported at first
use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparisons import compare_rates, compare_transitions
    from .fits import fit_transitions
    from .intervals import wilson_interval
    from .law_fits import fit_laws
    from .placed_trials import over_values
    from .rates import success_rate
    from .scaling import fit_scaling
    from .transitions import fit_transition
    from .uniform import worst_over_targets

MODULES = {
    "compare_rates": "comparisons",
    "compare_transitions": "comparisons",
    "fit_laws": "law_fits",
    "fit_scaling": "scaling",
    "fit_transition": "transitions",
    "fit_transitions": "fits",
    "over_values": "placed_trials",
    "success_rate": "rates",
    "wilson_interval": "intervals",
    "worst_over_targets": "uniform",
}
__all__ = [
    "compare_rates",
    "compare_transitions",
    "fit_laws",
    "fit_scaling",
    "fit_transition",
    "fit_transitions",
    "over_values",
    "success_rate",
    "wilson_interval",
    "worst_over_targets",
]

if not TYPE_CHECKING:  # with this function, type checkers would accept every name

    def __getattr__(name: str) -> Any:
        """Import a function at its first use."""
        if name not in MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f".{MODULES[name]}", __name__), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    """List the functions, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
