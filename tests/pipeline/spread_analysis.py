"""An analysis as a package from outside would write it."""

from collections.abc import Iterable
from typing import Any

import xarray as xr
from matplotlib.figure import Figure
from pydantic import Field
from rich.table import Table

from genprior.pipeline.analyses import Analysis, Request
from genprior.pipeline.show.canvas import Look, new_canvas
from genprior.store import StoreInfo
from genprior.sweeps import Sweep
from genprior.sweeps.tables import Strict


class Spreads(Strict):
    """Which quantile of a variable is measured, and along which axis it is drawn."""

    over: str
    quantile: float = Field(0.9, gt=0, lt=1, description="which one")


class Spread(Analysis):
    """A quantile of the latent error over trials, in every cell."""

    name = "spread"
    settings = Spreads
    settings_name = "spreads"
    json_name = "quantiles"
    counted_like = "quantile"

    def names(self) -> Iterable[str]:
        return ("quantile",)

    def axes(self, sweep: Sweep) -> Iterable[tuple[str, str]]:
        settings = self.settings_of(sweep)
        return [("spreads.over", settings.over)] if settings else ()

    def needs(self, sweep: Sweep) -> Iterable[tuple[str, str]]:
        return [("spreads", "latent_error")] if self.settings_of(sweep) else ()

    def compute(self, request: Request) -> xr.Dataset:
        error = request.trials.load(["latent_error"])["latent_error"]
        quantile = error.quantile(self.settings_of(request.sweep).quantile, "trial")
        label = {"long_name": "quantile of the latent error", "units": "1"}
        return xr.Dataset({"quantile": quantile.drop_vars("quantile").assign_attrs(label)})

    def records(self, dataset: xr.Dataset) -> list[dict[str, Any]]:
        return [
            {"k": int(k), "m": int(m), "quantile": float(dataset["quantile"].sel(k=k, m=m))}
            for k in dataset["k"].values
            for m in dataset["m"].values
        ]

    def table(self, dataset: xr.Dataset) -> Table:
        table = Table("k", "m", "ninth decile")
        for row in self.records(dataset):
            table.add_row(str(row["k"]), str(row["m"]), f"{row['quantile']:.3f}")
        return table

    def shows(self, info: StoreInfo) -> bool:
        return self.settings_of(info.sweep) is not None

    def draw(self, request: Request, dataset: xr.Dataset, look: Look) -> Figure:
        canvas = new_canvas(1, look)
        over = self.settings_of(request.sweep).over
        dataset["quantile"].plot.line(x=over, ax=canvas.axes[0])
        return canvas.finish()
