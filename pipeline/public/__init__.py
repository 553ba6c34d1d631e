"""Measure where recovery with ReLU generative priors succeeds.

    import genprior as gp

    sweep = gp.load_sweep("quickstart")
    gp.run(sweep, "quickstart.zarr")
    gp.open("quickstart.zarr").success.mean("trial")

The folder `pipeline/public` of the source is the package `genprior`; no other module imports it.
Names are imported at their first use, so that `import genprior` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ != "genprior":
    raise ImportError("this folder is the package 'genprior'; import it by that name.")

if TYPE_CHECKING:
    from genprior.pipeline import testing
    from genprior.pipeline.calls import fit, merge, open, plan, plot, run, status, verify
    from genprior.pipeline.registering import (
        analysis,
        condition,
        experiment,
        generator,
        problem,
        solver,
    )
    from genprior.sweeps import Sweep, UserError, load_sweep

    __version__: str

MODULES = {
    "Sweep": "genprior.sweeps",
    "UserError": "genprior.sweeps",
    "analysis": "genprior.pipeline.registering",
    "condition": "genprior.pipeline.registering",
    "experiment": "genprior.pipeline.registering",
    "fit": "genprior.pipeline.calls",
    "generator": "genprior.pipeline.registering",
    "load_sweep": "genprior.sweeps",
    "merge": "genprior.pipeline.calls",
    "open": "genprior.pipeline.calls",
    "plan": "genprior.pipeline.calls",
    "plot": "genprior.pipeline.calls",
    "problem": "genprior.pipeline.registering",
    "run": "genprior.pipeline.calls",
    "solver": "genprior.pipeline.registering",
    "status": "genprior.pipeline.calls",
    "verify": "genprior.pipeline.calls",
}

__all__ = [
    "Sweep",
    "UserError",
    "__version__",
    "analysis",
    "condition",
    "experiment",
    "fit",
    "generator",
    "load_sweep",
    "merge",
    "open",
    "plan",
    "plot",
    "problem",
    "run",
    "solver",
    "status",
    "testing",
    "verify",
]


if not TYPE_CHECKING:  # with this function, type checkers would accept every name

    def __getattr__(name: str) -> Any:
        """Import a name at its first use."""
        if name == "__version__":
            from importlib.metadata import version

            value: Any = version("genprior")
        elif name == "testing":
            value = import_module("genprior.pipeline.testing")
        elif name in MODULES:
            value = getattr(import_module(MODULES[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """List all public names, also those that are not imported yet."""
    return sorted({*globals(), *__all__} - {"TYPE_CHECKING", "Any", "import_module", "MODULES"})
