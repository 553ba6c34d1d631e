"""One law of the thresholds of all groups: how the 50 % point grows along the other axes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import ndtri

from .counts import Counts
from .fits import checked_success
from .intervals import wilson_interval
from .links import Floats
from .regression import Regression, regress
from .thresholds import Thresholds, fit_thresholds

METHOD = (
    "log thresholds with shared slopes and ceiling, then meta-regression with their covariance: "
    "REML, Knapp–Hartung"
)
CONSTANT = "constant"
LONG_NAMES = {
    "exponent": "exponent of a term, or logarithm of the constant",
    "exponent_low": "exponent of a term, or logarithm of the constant, lower bound",
    "exponent_high": "exponent of a term, or logarithm of the constant, upper bound",
    "threshold": "{of} at 50 % success",
    "threshold_low": "{of} at 50 % success, lower bound",
    "threshold_high": "{of} at 50 % success, upper bound",
    "law": "{of} at 50 % success, by the law",
    "used": "whether a group enters the law: its success crosses 50 % among its values",
    "shape_constant": "{of} at 50 % success over a shape",
    "shape_constant_low": "{of} at 50 % success over a shape, lower bound",
    "shape_constant_high": "{of} at 50 % success over a shape, upper bound",
    "shape_law": "{of} at 50 % success, by a shape with its constant",
    "shape_tau": "scatter of the logarithm of {of} at 50 % success about a shape",
    "shape_lack_of_fit": "p-value of a shape without scatter",
    "shape_evidence": "log evidence of a shape with scatter",
}


class ScalingLaw(NamedTuple):
    """A fitted law of thresholds.

    Attributes:
        regression: of the logarithms of the thresholds on the terms.
        thresholds: of the groups that enter.
        used: indices of these groups.
    """

    regression: Regression
    thresholds: Thresholds
    used: list[int]


def fit_scaling(
    success: xr.DataArray,
    along: str,
    terms: Mapping[str, xr.DataArray],
    *,
    of: str | None = None,
    offset: xr.DataArray | float = 0.0,
    shapes: Mapping[str, xr.DataArray] | None = None,
    slopes: Sequence[str] = (),
    direction: int = 1,
    level: float = 0.95,
) -> xr.Dataset:
    """Fit ln(50 % point) = constant + Σ exponent · term over all groups.

    Groups enter if their success crosses one half among the positions that were run: somewhere the
    lower Wilson bound is above ½, and somewhere the upper one below.

    Args:
        success: 1, 0 or NaN (not run), dims (…groups…, along, "trial") in any order.
        along: dimension with positive positions.
        terms: by name, the values of a term over dimensions of the groups: the logarithm of what
            the law is a power of, or a number of which it is an exponential.
        of: name of what the law is about; `along` if None.
        offset: logarithm of what the law is about over the position, over dimensions of the groups.
        shapes: by name, the logarithm of a law without a constant, over dimensions of the groups;
            the constant is fitted.
        slopes: names of terms on which the logarithm of the slope depends.
        direction: +1 where success rises with the position, −1 where it falls.
        level: coverage of the intervals.

    Returns:
        Over "term" (the constant first) `exponent` and bounds; over the groups `threshold` and
        bounds, `law` and `used`; over "theory" `shape_constant` and bounds, `shape_tau`,
        `shape_lack_of_fit` and `shape_evidence`, and over (theory, groups) `shape_law`. Attributes:
        `tau`, the scatter of ln(50 % point) about the law, `lack_of_fit`, the p-value of no
        scatter, `evidence`, `groups`, the number that enter, `lapse` and `method`.

    Raises:
        ValueError: too few groups enter, a term does not vary, or terms are not independent in the
            groups that enter; the message names them.
    """
    success, positions = checked_success(success, along)
    groups = [str(dim) for dim in success.dims[:-2]]
    one = success.isel({along: 0, "trial": 0}, drop=True)

    def column(values: xr.DataArray | float) -> Floats:
        whole = xr.zeros_like(one, dtype=float) + values
        return np.asarray(whole.transpose(*groups).values, dtype=float).ravel()

    columns = {name: column(values) for name, values in terms.items()}
    offsets = column(offset)
    law = fit_law_of_groups(_counts(success, positions), columns, slopes, direction, level, offsets)
    given = {name: column(values) for name, values in (shapes or {}).items()}
    result = xr.Dataset(coords=_coordinates(success, along, [CONSTANT, *columns], list(given)))
    for name, (dims, values) in _variables(law, columns, offsets, given, level).items():
        shape = tuple(result.sizes[d] for d in dims) + one.shape * (name in BY_GROUP)
        whole = (*dims, *groups) if name in BY_GROUP else dims
        label = {"long_name": LONG_NAMES[name].format(of=of or along), "units": "1"}
        if name in BY_GROUP[:-1] and of in (None, along):
            label["units"] = success[along].attrs.get("units", "1")
        result[name] = (whole, np.reshape(values, shape), label)
    regression = law.regression
    result.attrs = {
        "along": along, "of": of or along, "level": level, "method": METHOD,
        "groups": len(law.used), "tau": regression.tau, "lack_of_fit": regression.lack_of_fit,
        "evidence": regression.evidence, "lapse": law.thresholds.lapse,
    }  # fmt: skip
    return result


def _coordinates(
    success: xr.DataArray, along: str, terms: list[str], shapes: list[str]
) -> dict[str, object]:
    kept = {str(n): c for n, c in success.coords.items() if not {along, "trial"} & set(c.dims)}
    return {**kept, "term": terms, **({"theory": shapes} if shapes else {})}


def fit_law_of_groups(
    counted: Sequence[Counts],
    columns: Mapping[str, Floats],
    slopes: Sequence[str] = (),
    direction: int = 1,
    level: float = 0.95,
    offsets: Floats | None = None,
) -> ScalingLaw:
    """Fit the law to counts; the arguments are those of `fit_scaling`, a value for each group.

    Raises:
        ValueError: as `fit_scaling`.
    """
    used = [number for number, counts in enumerate(counted) if _crosses(counts, level)]
    names = [CONSTANT, *columns]
    if len(used) <= len(names):
        raise ValueError(
            f"{len(used)} of {len(counted)} groups cross 50 % among the values that were run; a "
            f"law of {len(columns)} {'term' if len(columns) == 1 else 'terms'} needs "
            f"{len(names) + 1}."
        )
    design = np.column_stack([np.ones(len(used)), *(values[used] for values in columns.values())])
    check_terms(design, names)
    slope = np.column_stack([np.ones(len(used)), *(columns[name][used] for name in slopes)])
    thresholds = fit_thresholds([counted[number] for number in used], slope, direction)
    if offsets is not None:
        thresholds = thresholds._replace(values=thresholds.values + offsets[used])
    regression = regress(thresholds.values, thresholds.covariance, design, level)
    return ScalingLaw(regression, thresholds, used)


def _counts(success: xr.DataArray, positions: Floats) -> list[Counts]:
    wins = (success == 1).sum("trial").values.reshape(-1, positions.size)
    runs = success.notnull().sum("trial").values.reshape(-1, positions.size)
    return [
        Counts(positions[n > 0], k[n > 0].astype(float), n[n > 0].astype(float))
        for k, n in zip(wins, runs, strict=True)
    ]


def _crosses(counts: Counts, level: float) -> bool:
    """Say whether success is above one half somewhere, and below it somewhere."""
    if not counts.n.size:
        return False
    low, high = wilson_interval(counts.k, counts.n, level)
    return bool(low.max() > 0.5 > high.min())


def check_terms(design: Floats, names: Sequence[str]) -> None:
    """Refuse terms that the groups cannot tell apart.

    Raises:
        ValueError: names a term that does not vary, or the first that depends on those before it.
    """
    scaled = design / np.linalg.norm(design, axis=0).clip(1e-300)
    for last in range(1, design.shape[1]):
        if np.ptp(design[:, last]) <= 1e-9 * max(1.0, float(np.abs(design[:, last]).max())):
            raise ValueError(f"term {names[last]!r} has one value in all groups; vary it.")
        if np.linalg.matrix_rank(scaled[:, : last + 1], tol=1e-6) <= last:
            before = ", ".join(repr(name) for name in names[1:last])
            raise ValueError(
                f"term {names[last]!r} follows from {before} in these groups, so that their "
                "exponents cannot be told apart; vary one without the others."
            )


def descent_scale(k: ArrayLike, depth: ArrayLike) -> Floats:
    """Give the scale of ln m of the transitions of descent, as a pilot of 18 groups showed it."""
    ratio, layers = 12 / np.asarray(k, dtype=float), np.asarray(depth, dtype=float) / 2
    return np.asarray(0.19 * ratio**0.6 * layers**0.9, dtype=float)


BY_GROUP = ("threshold", "threshold_low", "threshold_high", "law", "shape_law", "used")
Variables = dict[str, tuple[tuple[str, ...], Floats]]


def _variables(
    law: ScalingLaw,
    columns: Mapping[str, Floats],
    offsets: Floats,
    shapes: Mapping[str, Floats],
    level: float,
) -> Variables:
    """Give the variables of a fitted law, with the dimensions that are not the groups."""
    fit, found = law.regression, law.thresholds
    names = ("exponent", "exponent_low", "exponent_high")
    values = (fit.coefficients, fit.low, fit.high)
    result: Variables = {n: (("term",), v) for n, v in zip(names, values, strict=True)}
    reach = float(ndtri((1 + level) / 2)) * np.sqrt(np.diag(found.covariance))
    design = np.column_stack([np.ones(offsets.size), *columns.values()])
    result["law"] = ((), np.exp(design @ fit.coefficients))
    for name, logs in (
        ("threshold", found.values),
        ("threshold_low", found.values - reach),
        ("threshold_high", found.values + reach),
    ):
        whole = np.full(offsets.size, np.nan)
        whole[law.used] = np.exp(logs)
        result[name] = ((), whole)
    used = np.zeros(offsets.size)
    used[law.used] = 1
    result["used"] = ((), used)
    return result | (_shapes(law, shapes, level) if shapes else {})


def _shapes(law: ScalingLaw, shapes: Mapping[str, Floats], level: float) -> Variables:
    """Fit the constant of each shape."""
    found, one = law.thresholds, np.ones((len(law.used), 1))
    fits = [
        regress(found.values - logs[law.used], found.covariance, one, level)
        for logs in shapes.values()
    ]
    dims = ("theory",)
    constants = np.array([fit.coefficients[0] for fit in fits])
    laws = np.exp(constants[:, None] + np.array(list(shapes.values())))
    return {
        "shape_constant": (dims, np.exp(constants)),
        "shape_constant_low": (dims, np.exp(np.array([fit.low[0] for fit in fits]))),
        "shape_constant_high": (dims, np.exp(np.array([fit.high[0] for fit in fits]))),
        "shape_tau": (dims, np.array([fit.tau for fit in fits])),
        "shape_lack_of_fit": (dims, np.array([fit.lack_of_fit for fit in fits])),
        "shape_evidence": (dims, np.array([fit.evidence for fit in fits])),
        "shape_law": (dims, laws),
    }
