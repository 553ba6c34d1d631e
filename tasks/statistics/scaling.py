"""One law of the thresholds of all groups: how the 50 % point grows along the other axes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri

from .counts import Counts, counts_by_cell, tried
from .fits import checked_success
from .group_laws import CONSTANT, GroupLaw, fit_law_of_groups
from .links import Floats
from .regression import regress, regress_form

METHOD = (
    "log thresholds with laws of slopes and ceilings, averaged over links and axes, then "
    "meta-regression with their covariance: REML, Knapp–Hartung"
)
LONG_NAMES = {
    "exponent": "exponent of a term, or logarithm of the constant",
    "exponent_low": "exponent of a term, or logarithm of the constant, lower bound",
    "exponent_high": "exponent of a term, or logarithm of the constant, upper bound",
    "threshold": "{of} at 50 % success",
    "threshold_low": "{of} at 50 % success, lower bound",
    "threshold_high": "{of} at 50 % success, upper bound",
    "law": "{of} at 50 % success, by the law",
    "ceiling": "level at which success ends, by a law of the groups",
    "used": "whether a group enters the law",
    "left_out": "why a group is left out of the law, empty if it enters",
    "shape_constant": "{of} at 50 % success over a shape",
    "shape_constant_low": "{of} at 50 % success over a shape, lower bound",
    "shape_constant_high": "{of} at 50 % success over a shape, upper bound",
    "shape_law": "{of} at 50 % success, by a shape with its constant",
    "shape_tau": "scatter of the logarithm of {of} at 50 % success about a shape",
    "shape_lack_of_fit": "p-value of a shape without scatter",
    "shape_evidence": "log evidence of a shape with scatter",
    "form_value": "number b of a form that replaces a term",
    "form_low": "number b of a form that replaces a term, lower bound",
    "form_high": "number b of a form that replaces a term, upper bound",
    "form_evidence": "log evidence of the law with a form instead of its term",
    "form_law": "{of} at 50 % success, by the law with a form instead of its term",
}


class FormValues(NamedTuple):
    """What may hold instead of a term, at every group.

    Attributes:
        replaces: the name of the term.
        numbers: values of its free number b, increasing.
        values: the logarithm of the law's part, over "b" and dimensions of the groups.
    """

    replaces: str
    numbers: Floats
    values: xr.DataArray


def fit_scaling(
    success: xr.DataArray,
    along: str,
    terms: Mapping[str, xr.DataArray],
    *,
    of: str | None = None,
    offset: xr.DataArray | float = 0.0,
    shapes: Mapping[str, xr.DataArray] | None = None,
    forms: Mapping[str, FormValues] | None = None,
    slopes: Sequence[str] = (),
    direction: int = 1,
    level: float = 0.95,
) -> xr.Dataset:
    """Fit ln(50 % point) = constant + Σ exponent · term over all groups.

    A group enters if its 50 % point is known within the scale of its curve, also where only a part
    of the curve is among the positions; `left_out` says why others do not.

    Args:
        success: 1, 0 or NaN (not run), dims (…groups…, along, "trial") in any order.
        along: dimension with positive positions.
        terms: by name, the values of a term over dimensions of the groups: the logarithm of what
            the law is a power of, or a number of which it is an exponential.
        of: name of what the law is about; `along` if None.
        offset: logarithm of what the law is about over the position, over dimensions of the groups,
            and `along` where it is rounded; NaN for groups that are no part of the law.
        shapes: by name, the logarithm of a law without a constant, over dimensions of the groups;
            the constant is fitted.
        forms: by name, what may hold instead of one term of the law.
        slopes: names of terms on which slopes and ceilings depend: the logarithm of the slope, and
            the logit of the distance of the ceiling from 1.
        direction: +1 where success rises with the position, −1 where it falls.
        level: coverage of the intervals.

    Returns:
        Over "term" (the constant first) `exponent` and bounds; over the groups `threshold` and
        bounds, `law`, `ceiling`, `used` and `left_out`; over "theory" `shape_constant` and bounds,
        `shape_tau`, `shape_lack_of_fit` and `shape_evidence`, and over (theory, groups)
        `shape_law`; NaN where a group that enters has no value of the shape; over "form"
        `form_value`, `form_low`, `form_high` and `form_evidence`, and over (form, groups)
        `form_law`. Attributes:
        `tau`, the scatter of ln(50 % point) about the law, `lack_of_fit`, the p-value of no
        scatter, `evidence`, `groups`, the number that enter, `curve`, the likeliest link and axis,
        `curve_weight`, its posterior probability, `converged`, whether the fit of the curves did,
        and `method`.

    Raises:
        ValueError: too few groups enter, a term does not vary, or terms are not independent in the
            groups that enter; the message names them.
    """
    if direction not in (1, -1):
        raise ValueError(f"direction is {direction!r}; it must be +1 or −1.")
    if unknown := [name for name in slopes if name not in terms]:
        raise ValueError(f"slopes names {unknown[0]!r}, which is no term.")
    if CONSTANT in terms:
        raise ValueError(f"terms names {CONSTANT!r}, which every law has; give it another name.")
    success, positions = checked_success(success, along)
    if not success.sizes["trial"]:
        raise ValueError("success has no trials.")
    if np.unique(positions).size < 2:
        raise ValueError(f"{along!r} has one value, {positions[0]:g}; a transition needs more.")
    groups = [str(dim) for dim in success.dims[:-2]]
    one = success.isel({along: 0, "trial": 0}, drop=True)

    def column(name: str, values: xr.DataArray | float, like: xr.DataArray = one) -> Floats:
        whole = xr.zeros_like(like, dtype=float) + values
        if dict(whole.sizes) != dict(like.sizes):
            raise ValueError(
                f"{name} has sizes {dict(xr.DataArray(values).sizes)}, with labels that are not "
                f"those of the groups, {dict(like.sizes)}."
            )
        return np.asarray(whole.transpose(*like.dims).values, dtype=float).ravel()

    columns = {name: column(f"term {name!r}", values) for name, values in terms.items()}
    offsets = column("offset", offset, success.isel(trial=0, drop=True))
    asked = np.asarray(np.isfinite(offsets.reshape(-1, positions.size)).any(axis=1))
    counted = _counts(success, positions, offsets)
    law = fit_law_of_groups(counted, columns, slopes, direction, level, asked)
    given = {name: column(f"shape {name!r}", v) for name, v in (shapes or {}).items()}
    families = {
        name: (form, np.array([column(f"form {name!r}", form.values.isel(b=i, drop=True))
                               for i in range(form.numbers.size)]))
        for name, form in (forms or {}).items()
    }  # fmt: skip
    names = [CONSTANT, *columns], list(given), list(families)
    result = xr.Dataset(coords=_coordinates(success, along, *names))
    found = _variables(law, columns, given, level) | _forms(law, columns, families, level)
    for name, (dims, values) in found.items():
        shape = tuple(result.sizes[d] for d in dims) + one.shape * (name in BY_GROUP)
        whole = (*dims, *groups) if name in BY_GROUP else dims
        label = {"long_name": LONG_NAMES[name].format(of=of or along)}
        if name in OF_POSITIONS and of in (None, along):
            label["units"] = success[along].attrs.get("units", "1")
        elif name != "left_out":
            label["units"] = "1"
        result[name] = (whole, np.reshape(values, shape), label)
    regression = law.regression
    result.attrs = {
        "along": along, "of": of or along, "level": level, "method": METHOD,
        "groups": len(law.used), "tau": regression.tau, "lack_of_fit": regression.lack_of_fit,
        "evidence": regression.evidence, "curve": law.thresholds.shape,
        "curve_weight": law.thresholds.weight, "converged": int(law.thresholds.converged),
    }  # fmt: skip
    return result


def _coordinates(
    success: xr.DataArray, along: str, terms: list[str], shapes: list[str], forms: list[str]
) -> dict[str, object]:
    kept = {str(n): c for n, c in success.coords.items() if not {along, "trial"} & set(c.dims)}
    others = {"theory": shapes, "form": forms}
    return {**kept, "term": terms, **{name: there for name, there in others.items() if there}}


def _counts(success: xr.DataArray, positions: Floats, offsets: Floats) -> list[Counts]:
    """Count the outcomes of each group at what the law is about, pooled where it is the same."""
    wins, runs = (counts.values.reshape(-1, positions.size) for counts in counts_by_cell(success))
    with np.errstate(invalid="ignore"):
        about = np.where(offsets == 0, 1.0, np.exp(offsets)).reshape(runs.shape) * positions
    if not np.isfinite(about[runs > 0]).all():
        raise ValueError("offset has a value that is not finite.")
    return [
        tried(x[n > 0], k[n > 0], n[n > 0], None) if n.any() else Counts(*np.zeros((3, 0)))
        for x, k, n in zip(about, wins, runs, strict=True)
    ]


OF_POSITIONS = ("threshold", "threshold_low", "threshold_high", "law", "shape_law", "form_law")
BY_GROUP = (*OF_POSITIONS, "ceiling", "used", "left_out")
Variables = dict[str, tuple[tuple[str, ...], NDArray[Any]]]


def _variables(
    law: GroupLaw,
    columns: Mapping[str, Floats],
    shapes: Mapping[str, Floats],
    level: float,
) -> Variables:
    """Give the variables of a fitted law, with the dimensions that are not the groups."""
    fit, found = law.regression, law.thresholds
    names = ("exponent", "exponent_low", "exponent_high")
    values = (fit.coefficients, fit.low, fit.high)
    result: Variables = {n: (("term",), v) for n, v in zip(names, values, strict=True)}
    reach = float(ndtri((1 + level) / 2)) * np.sqrt(np.diag(found.covariance))
    design = np.column_stack([np.ones(len(law.reasons)), *columns.values()])
    result["law"] = ((), np.exp(design @ fit.coefficients))
    for name, of_used in (
        ("threshold", np.exp(found.values)),
        ("threshold_low", np.exp(found.values - reach)),
        ("threshold_high", np.exp(found.values + reach)),
        ("ceiling", 1 - found.lapses),
    ):
        whole = np.full(len(law.reasons), np.nan)
        whole[law.used] = of_used
        result[name] = ((), whole)
    result["used"] = ((), np.array([0.0 if reason else 1.0 for reason in law.reasons]))
    result["left_out"] = ((), np.array(law.reasons, dtype=np.dtypes.StringDType()))
    return result | (_shapes(law, shapes, level) if shapes else {})


def _shapes(law: GroupLaw, shapes: Mapping[str, Floats], level: float) -> Variables:
    """Fit the constant of each shape."""
    found, one = law.thresholds, np.ones((len(law.used), 1))
    names = ("constant", "constant_low", "constant_high", "tau", "lack_of_fit", "evidence")
    fitted = np.full((len(shapes), len(names)), np.nan)
    for row, logs in zip(fitted, shapes.values(), strict=True):
        if not np.isfinite(logs[law.used]).all():
            continue  # such as k log(n/k) with a layer as narrow as k
        fit = regress(found.values - logs[law.used], found.covariance, one, level)
        constant = np.exp([fit.coefficients[0], fit.low[0], fit.high[0]])
        row[:] = (*constant, fit.tau, fit.lack_of_fit, fit.evidence)
    laws = fitted[:, :1] * np.exp(np.array(list(shapes.values())))
    result: Variables = {
        f"shape_{name}": (("theory",), fitted[:, number]) for number, name in enumerate(names)
    }
    return result | {"shape_law": (("theory",), laws)}


def _forms(
    law: GroupLaw,
    columns: Mapping[str, Floats],
    forms: Mapping[str, tuple[FormValues, Floats]],
    level: float,
) -> Variables:
    """Fit each form instead of the term that it replaces."""
    if not forms:
        return {}
    found, fits, laws = law.thresholds, [], np.full((len(forms), len(law.reasons)), np.nan)
    for row, (form, values) in zip(laws, forms.values(), strict=True):
        kept = [values_of for name, values_of in columns.items() if name != form.replaces]
        design = np.column_stack([np.ones(len(law.reasons)), *kept])[law.used]
        fit = regress_form(
            found.values, found.covariance, design, form.numbers, values[:, law.used], level
        )
        row[law.used] = np.exp(fit.law)
        fits.append((fit.value, fit.low, fit.high, fit.evidence))
    figures = np.array(fits).T
    names = ("value", "low", "high", "evidence")
    result: Variables = {
        f"form_{name}": (("form",), column) for name, column in zip(names, figures, strict=True)
    }
    return result | {"form_law": (("form",), laws)}
