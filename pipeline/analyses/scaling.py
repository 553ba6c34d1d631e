"""The scaling law: how the 50 % points of all groups grow with k, depth and widths."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ...sweeps import Grid, Sweep, SweepError, point_identity
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
    """The terms of a law of the 50 % points, and what is compared with it.

    `shapes` are those of theorems, each with one constant; `forms` are laws that have something
    else instead of one term.
    """

    terms: tuple[str, ...]
    shapes: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()


class Scaling(Analysis):
    """Exponents of the 50 % points of all groups, and one constant for each shape of a theorem."""

    name = "scaling"
    after = ("transition",)
    settings = ScalingLaw
    settings_name = "scaling"
    json_name = "scaling"
    counted_like = "used"
    takes_along = True
    version = 4
    rank = 3
    drawn_instead = "transition"

    def names(self) -> Iterable[str]:
        """Give the names of its variables, its dimensions and the fields of its rows."""
        from ...tasks.statistics.scaling import LONG_NAMES

        fields = {"kind", "low", "high", "value", "log_odds", "meaning", "reason"}
        return {*LONG_NAMES, *FIGURES, *fields, "term", "theory", "form"}

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
        from ...tasks.theory.terms import FORMS, SHAPES, TERMS

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
            ("scaling.forms", law.forms, FORMS),
        ):
            for name in given:
                if name not in known:
                    raise SweepError(f"{key}: no {name!r}. {did_you_mean(name, known)}")
            if twice := [name for name in known if list(given).count(name) > 1]:
                raise SweepError(f"{key}: {twice[0]!r} is there twice.")
        for name in law.forms:
            if FORMS[name].replaces not in law.terms:
                raise SweepError(
                    f"scaling.forms: {name!r} stands instead of the term "
                    f"{FORMS[name].replaces!r}, which scaling.terms does not have."
                )

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
        from .scaling_terms import ALWAYS_FREE, form_values, group_terms, way_out

        info, law = request.info, self.settings_of(request.sweep)
        axis = transition_axis(info, request.along)
        # That of the transitions: where the outcomes speak against the expected one, they decide.
        fitted = request.fits.get("transition")
        direction = given_direction(info.sweep, axis) or expected_direction(info.sweep, axis) or 1
        if fitted is not None and fitted.attrs["along"] == axis and fitted["direction"].size:
            direction = int(fitted["direction"].values.flat[0])
        found = group_terms(info.grid, axis, law.terms, law.shapes)
        success = request.trials.load_worst(["success"])["success"]
        try:
            law_of_groups = fit_scaling(
                success,
                axis,
                found.terms,
                of=found.quantity,
                offset=found.offset,
                shapes=found.shapes,
                forms=form_values(info.grid, axis, law.forms),
                slopes=[name for name in ALWAYS_FREE if name in law.terms],
                direction=direction,
            )
        except TermsError as error:
            advice = way_out(info.grid, axis, [TERMS[name].formula for name in error.terms])
            raise SweepError(f"{info.path}: scaling: {error} {advice}".rstrip()) from None
        except ValueError as error:
            raise SweepError(f"{info.path}: scaling: {error}") from None
        same = _same_draws(info.grid, axis, law_of_groups["used"])
        return law_of_groups.assign_attrs(same_draws=" ".join(same))

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
        """Give a row for each term, shape, form, and group that is left out."""
        import numpy as np

        from ...tasks.statistics.outcomes import EXCLUDED
        from ...tasks.theory.terms import FORMS, SHAPES, TERMS
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
        for name in dataset["form"].values.tolist() if "form" in dataset.dims else ():
            at = dataset.sel(form=name)
            rows.append(
                {
                    "kind": "form",
                    "term": name,
                    "meaning": FORMS[name].meaning,
                    "value": plain(at["form_value"].item()),
                    "low": plain(at["form_low"].item()),
                    "high": plain(at["form_high"].item()),
                    "log_odds": plain(at["form_evidence"].item() - dataset.attrs["evidence"]),
                }
            )
        left_out = dataset["left_out"].values
        dims = [str(dim) for dim in dataset["left_out"].dims]
        for index in np.argwhere((left_out != "") & (left_out != EXCLUDED)):
            coordinates = zip(dims, index, strict=True)
            values = {dim: plain(dataset[dim].values[at].item()) for dim, at in coordinates}
            rows.append({"kind": "left out", **values, "reason": str(left_out[tuple(index)])})
        return rows

    def summary(self, dataset: "xr.Dataset") -> dict[str, Any]:
        """Give the figures of the law as a whole."""
        from ..fit.rows import plain

        figures = {name: plain(dataset.attrs[name]) for name in FIGURES}
        same = dataset.attrs.get("same_draws", "").split()
        return {"scaling_law": {"of": dataset.attrs["of"], **figures, "same_draws": same}}

    def table(self, dataset: "xr.Dataset") -> "Table":
        """Make a table of the exponents and of the shapes."""
        from ..show.scaling_tables import scaling

        return scaling(self.records(dataset), dataset)

    def shows(self, info: "StoreInfo") -> bool:
        """Say whether the sweep asks for the law, and its picture shows success."""
        from ..show.canvas import shown_variable

        return self.settings_of(info.sweep) is not None and shown_variable(info) == "success"

    def draw(self, request: Request, dataset: "xr.Dataset", look: "Look") -> "Figure":
        """Draw the 50 % points, with the law in one panel and each shape in another one."""
        from ..show.scaling_figures import draw_scaling

        return draw_scaling(request.info, dataset, look)


def _same_draws(grid: Grid, along: str, used: "xr.DataArray") -> list[str]:
    """Name the axes along which groups of the law have the same draws.

    Args:
        grid: the points.
        along: the axis of the transitions.
        used: which groups enter the law, which counts them as independent.
    """
    from .scaling_terms import groups_of

    dims = [name for name in grid.dims if name != along]
    first: dict[str, dict[str, int]] = {}
    found = set()
    for index, _, point in groups_of(grid, along):
        at = dict(zip(dims, index, strict=True))
        if not used.isel({dim: i for dim, i in at.items() if dim in used.dims}).item():
            continue
        known = first.setdefault(point_identity(point, (*grid.sweep.paired, along)), at)
        found |= {dim for dim in used.dims if known[str(dim)] != at[str(dim)]}
    return [dim for dim in dims if dim in found]


def _check_separate(shared: bool, axis: str, where: str) -> None:
    if shared:
        raise SweepError(
            f"{where}: the same draws are used all along '{axis}'; the law counts trials as "
            "independent."
        )
