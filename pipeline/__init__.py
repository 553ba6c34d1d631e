"""How it runs: Click commands, Dask graphs, clusters, progress and figures."""

from .run import RunSummary, run_sweep

__all__ = ["RunSummary", "run_sweep"]
