"""Running sweeps: commands, executors, clusters, progress, analyses and figures."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .run.runner import run_sweep
    from .run.summary import RunSummary

__all__ = ["RunSummary", "run_sweep"]


def __getattr__(name: str) -> Any:
    """Import a name at its first use: the command line's help needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .run import runner

    return getattr(runner, name)
