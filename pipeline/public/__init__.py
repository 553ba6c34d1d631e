"""Measure where recovery with ReLU generative priors succeeds.

    import genprior as gp

    sweep = gp.load_sweep("quickstart")
    gp.run(sweep, "quickstart.zarr")
    gp.open("quickstart.zarr").success.mean("trial")

The folder `pipeline/public` of the source is this package, `genprior`; nothing else imports it.
Names are imported when they are asked for, so that `import genprior` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ != "genprior":
    raise ImportError("this folder is the package 'genprior'; import it by that name.")

if TYPE_CHECKING:
    from genprior.pipeline import testing
    from genprior.pipeline.calls import fit, open, plan, plot, run, status
    from genprior.pipeline.registering import analysis, experiment, generator, problem, solver
    from genprior.sweeps import Sweep, UserError, load_sweep

    __version__: str

HOMES = {
    "Sweep": "genprior.sweeps",
    "UserError": "genprior.sweeps",
    "analysis": "genprior.pipeline.registering",
    "experiment": "genprior.pipeline.registering",
    "fit": "genprior.pipeline.calls",
    "generator": "genprior.pipeline.registering",
    "load_sweep": "genprior.sweeps",
    "open": "genprior.pipeline.calls",
    "plan": "genprior.pipeline.calls",
    "plot": "genprior.pipeline.calls",
    "problem": "genprior.pipeline.registering",
    "run": "genprior.pipeline.calls",
    "solver": "genprior.pipeline.registering",
    "status": "genprior.pipeline.calls",
}

__all__ = [
    "Sweep",
    "UserError",
    "__version__",
    "analysis",
    "experiment",
    "fit",
    "generator",
    "load_sweep",
    "open",
    "plan",
    "plot",
    "problem",
    "run",
    "solver",
    "status",
    "testing",
]


if not TYPE_CHECKING:  # or type checkers would let every name pass

    def __getattr__(name: str) -> Any:
        """Import what is asked for."""
        if name == "__version__":
            from importlib.metadata import version

            found: Any = version("genprior")
        elif name == "testing":
            found = import_module("genprior.pipeline.testing")
        elif name in HOMES:
            found = getattr(import_module(HOMES[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    """List what there is, also before it was asked for."""
    return sorted({*globals(), *__all__} - {"TYPE_CHECKING", "Any", "import_module", "HOMES"})
