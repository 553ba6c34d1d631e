"""The scaling law: how the 50 % points of all groups grow with k, depth and widths."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ...sweeps import Grid, Sweep, SweepError
from ...sweeps.errors import did_you_mean
from ...sweeps.sharing import share_along
from ...sweeps.tables import Strict
from .base import Analysis, Request
from .transition import is_clustered, transition_axis

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.table import Table

    from ...store import StoreInfo
    from ..show.canvas import Look

FIGURES = ("tau", "lack_of_fit", "evidence", "groups", "curve", "curve_weight", "converged")


class ScalingLaw(Strict):
    """The terms of a law of the 50 % points, and the theorems' shapes that are compared with it."""

    terms: tuple[str, ...]
    shapes: tuple[str, ...] = ()


class Scaling(Analysis):
    """Exponents of the 50 % points of all groups, and one constant for each shape of a theorem."""

    name = "scaling"
    after = ("transition",)
    settings = ScalingLaw
    settings_name = "scaling"
    json_name = "scaling"
    counted_like = "used"
    takes_along = True
    version = 2
    rank = 3

    def names(self) -> Iterable[str]:
        """Give the names of its variables, its dimensions and the fields of its rows."""
        from ...tasks.statistics.scaling import LONG_NAMES

        fields = {"kind", "low", "high", "value", "log_odds", "meaning", "reason"}
        return {*LONG_NAMES, *FIGURES, *fields, "term", "theory"}

    def needs(self, sweep: Sweep) -> Iterable[tuple[str, str]]:
        """Give success as the variable that it reads."""
        return [("scaling", "success")] if self.settings_of(sweep) else ()

    def check(self, sweep: Sweep) -> None:
        """Refuse a law without terms or without the axis of a fit, and unknown names.

        Raises:
            SweepError: the message names the key.
        """
        law = self.settings_of(sweep)
        if law is None:
            return
        from ...tasks.theory.terms import SHAPES, TERMS

        if sweep.fit.along is None:
            raise SweepError("scaling: it is about the 50 % points along fit.along; give that too.")
        if sweep.fit.along in law.terms:
            raise SweepError(
                f"scaling.terms: {sweep.fit.along!r} is fit.along; the law says how its 50 % point "
                "grows with others."
            )
        if not law.terms:
            raise SweepError(f"scaling.terms: it is empty; give some of {', '.join(TERMS)}.")
        for key, given, known in (
            ("scaling.terms", law.terms, TERMS),
            ("scaling.shapes", law.shapes, SHAPES),
        ):
            for name in given:
                if name not in known:
                    raise SweepError(f"{key}: no {name!r}. {did_you_mean(name, known)}")
            if twice := [name for name in known if list(given).count(name) > 1]:
                raise SweepError(f"{key}: {twice[0]!r} is there twice.")

    def check_draws(self, grid: Grid) -> None:
        """Refuse draws that are shared along the axis: the law counts trials as independent."""
        along = grid.sweep.fit.along
        if self.settings_of(grid.sweep) is not None and along is not None:
            _check_separate(share_along(grid, along, "fit.along"), along, "scaling")

    def asked(self, info: "StoreInfo", along: str | None) -> dict[str, Any] | None:
        """Give the settings, with axis and direction of the transitions."""
        settings, fit = super().asked(info, along), info.sweep.fit
        transition = {"along": along or fit.along, "direction": fit.direction}
        return None if settings is None else settings | transition

    def check_request(self, request: Request) -> None:
        """Refuse an axis along which no transition can be fitted."""
        transition_axis(request.info, request.along)

    def refuse(self, request: Request) -> None:
        """Refuse draws that are shared along the axis: the law counts trials as independent."""
        axis = transition_axis(request.info, request.along)
        shared = is_clustered(request.info, axis, request.along)
        _check_separate(shared, axis, f"{request.info.path}: scaling")

    def compute(self, request: Request) -> "xr.Dataset":
        """Fit the law.

        Raises:
            SweepError: too few groups cross 50 %, or the grid cannot tell the terms apart.
        """
        from ...sweeps.directions import expected_direction, given_direction
        from ...tasks.statistics.group_laws import TermsError
        from ...tasks.statistics.scaling import fit_scaling
        from ...tasks.theory.terms import TERMS
        from .scaling_terms import ALWAYS_FREE, group_terms, way_out

        info, law = request.info, self.settings_of(request.sweep)
        axis = transition_axis(info, request.along)
        # That of the transitions: where the outcomes speak against the expected one, they decide.
        fitted = request.fits.get("transition")
        direction = given_direction(info.sweep, axis) or expected_direction(info.sweep, axis) or 1
        if fitted is not None and fitted.attrs["along"] == axis and fitted["direction"].size:
            direction = int(fitted["direction"].values.flat[0])
        found = group_terms(Grid(info.sweep), axis, law.terms, law.shapes)
        success = request.trials.load_worst(["success"])["success"]
        try:
            return fit_scaling(
                success,
                axis,
                found.terms,
                of=found.quantity,
                offset=found.offset,
                shapes=found.shapes,
                slopes=[name for name in ALWAYS_FREE if name in law.terms],
                direction=direction,
            )
        except TermsError as error:
            advice = way_out(Grid(info.sweep), axis, [TERMS[name].formula for name in error.terms])
            raise SweepError(f"{info.path}: scaling: {error} {advice}".rstrip()) from None
        except ValueError as error:
            raise SweepError(f"{info.path}: scaling: {error}") from None

    def design(self, grid: Grid) -> list[dict[str, Any]]:
        """Give the power to prefer the shape that holds over each other one.

        Raises:
            SweepError: the grid cannot tell the terms apart, or has too few groups.
        """
        from .scaling_design import powers

        law = self.settings_of(grid.sweep)
        try:
            return powers(grid, str(grid.sweep.fit.along), law.terms, law.shapes)
        except ValueError as error:
            raise SweepError(f"scaling: {error}") from None

    def design_text(self, rows: list[dict[str, Any]]) -> str:
        """Write which shapes the grid can tell apart."""
        from .scaling_design import described

        return described(rows)

    def records(self, dataset: "xr.Dataset") -> list[dict[str, Any]]:
        """Give a row for each term, each shape of a theorem, and each group that is left out."""
        import numpy as np

        from ...tasks.theory.terms import SHAPES, TERMS
        from ..fit.rows import plain

        rows = []
        for name in dataset["term"].values.tolist():
            at = dataset.sel(term=name)
            rows.append(
                {
                    "kind": "term",
                    "term": name,
                    "meaning": TERMS[name].meaning if name in TERMS else "",
                    "value": plain(at["exponent"].item()),
                    "low": plain(at["exponent_low"].item()),
                    "high": plain(at["exponent_high"].item()),
                }
            )
        for name in dataset["theory"].values.tolist() if "theory" in dataset.dims else ():
            at = dataset.sel(theory=name)
            rows.append(
                {
                    "kind": "shape",
                    "term": name,
                    "meaning": SHAPES[name].source,
                    "value": plain(at["shape_constant"].item()),
                    "low": plain(at["shape_constant_low"].item()),
                    "high": plain(at["shape_constant_high"].item()),
                    "lack_of_fit": plain(at["shape_lack_of_fit"].item()),
                    "tau": plain(at["shape_tau"].item()),
                    "log_odds": plain(at["shape_evidence"].item() - dataset.attrs["evidence"]),
                }
            )
        left_out = dataset["left_out"].values
        dims = [str(dim) for dim in dataset["left_out"].dims]
        for index in np.argwhere(left_out != ""):
            coordinates = zip(dims, index, strict=True)
            values = {dim: plain(dataset[dim].values[at].item()) for dim, at in coordinates}
            rows.append({"kind": "left out", **values, "reason": str(left_out[tuple(index)])})
        return rows

    def summary(self, dataset: "xr.Dataset") -> dict[str, Any]:
        """Give the figures of the law as a whole."""
        from ..fit.rows import plain

        figures = {name: plain(dataset.attrs[name]) for name in FIGURES}
        return {"scaling_law": {"of": dataset.attrs["of"], **figures}}

    def table(self, dataset: "xr.Dataset") -> "Table":
        """Make a table of the exponents and of the shapes."""
        from ..show.scaling_tables import scaling

        return scaling(self.records(dataset), dataset)

    def shows(self, info: "StoreInfo") -> bool:
        """Say whether the sweep asks for the law, and its picture shows success."""
        from ..show.canvas import shown_variable

        return self.settings_of(info.sweep) is not None and shown_variable(info) == "success"

    def draw(self, request: Request, dataset: "xr.Dataset", look: "Look") -> "Figure":
        """Draw the 50 % points against the law, and what the law and the shapes leave over."""
        from ..show.scaling_figures import draw_scaling

        return draw_scaling(request.info, dataset, look)


def _check_separate(shared: bool, axis: str, where: str) -> None:
    if shared:
        raise SweepError(
            f"{where}: the same draws are used all along '{axis}'; the law counts trials as "
            "independent."
        )
