"""Shapes of networks: how k, depth and widths follow from other parameters, and their checks."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, inf, log
from typing import Any, NamedTuple, TypeGuard

from ...sweeps import SweepError
from ...sweeps.labels import list_label

MAX_RULE_DEPTH = 1000


class Shape(NamedTuple):
    """How a generator's k and widths n_1 … n_d follow from other parameters.

    Attributes:
        needs: the other parameters.
        derive: computes k and the widths from their values by name; raises ValueError if it cannot.
        in_file: whether k and the widths are read from the file `weights`.
    """

    needs: tuple[str, ...]
    derive: Callable[[Mapping[str, Any]], tuple[int, tuple[int, ...]]]
    in_file: bool = False


def made_of_sparsity(make: Callable[[int, int], tuple[int, tuple[int, ...]]]) -> Shape:
    """Make the shape of a generator of sparse vectors.

    Args:
        make: computes k, and all widths except the last one, from the sparsity s and n.
    """

    def derive(given: Mapping[str, Any]) -> tuple[int, tuple[int, ...]]:
        k, hidden = make(given["sparsity"], given["n"])
        return k, (*hidden, given["n"])

    return Shape(("sparsity", "n"), derive)


def shape_of(generator: Any) -> Shape | None:
    """Give the shape of a generator; None if it does not follow from other parameters.

    Raises:
        SweepError: there is no generator of that name.
    """
    from . import generator_class

    return generator_class(generator).shape if isinstance(generator, str) else None


def shape_if_known(generator: Any) -> Shape | None:
    """Give the shape of a generator; None also if there is no generator of that name."""
    try:
        return shape_of(generator)
    except SweepError:
        return None


def reads_shape(generator: Any) -> bool:
    """Say whether k, depth and widths of a generator are read from its file."""
    shape = shape_if_known(generator)
    return shape is not None and shape.in_file


def sets_shape(generator: Any) -> bool:
    """Say whether a generator sets k, depth and widths, or reads them from its file."""
    return shape_of(generator) is not None


def shape_in_file(generator: str, path: str) -> dict[str, Any]:
    """Read k, depth and widths of the network in a file.

    Raises:
        ValueError: the file does not hold a network.
    """
    shape = shape_of(generator)
    assert shape is not None
    k, widths = shape.derive({"weights": path})
    return {"k": k, "depth": len(widths), "widths": widths}


def expansive_widths(k: int, depth: int, factor: float) -> tuple[int, ...]:
    """Widths n_i = c n_{i−1} log n_{i−1}, rounded up, n_0 = k; at least n_{i−1} + 1.

    Args:
        k: latent dimension.
        depth: number of layers d.
        factor: c.

    Source: Hand & Voroninski, Theorem 1.
    """
    widths = [k]
    for _ in range(depth):
        widths.append(max(ceil(factor * widths[-1] * log(widths[-1])), widths[-1] + 1))
    return tuple(widths[1:])


def polylogarithmic_widths(k: int, depth: int, factor: float) -> tuple[int, ...]:
    """Widths n_1 = C k, n_i = C k log Π_{j<i} (e n_j/k), rounded up.

    Args:
        k: latent dimension.
        depth: number of layers d.
        factor: C.

    Source: Cocola 2022, Assumption B.2.
    """
    widths, logarithms = [_ceil_times(factor, k)], 0.0
    for _ in range(depth - 1):
        logarithms += 1 + log(widths[-1] / k)
        widths.append(max(ceil(factor * k * logarithms), 1))
    return tuple(widths)


def contractive_widths(k: int, depth: int, factor: float) -> tuple[int, ...]:
    """Widths n_i = a k d (2d − i), rounded up.

    Every layer except the first is narrower than the layer before it.

    Args:
        k: latent dimension.
        depth: number of layers d.
        factor: a, the product C̄·α of the source, which takes it as an integer. C̄ is a constant
            of its theorem, and α ≥ max{2 log(C̄k)/d², log(e²C̄)}.

    Source: Cocola 2022, Appendix G.
    """
    return tuple(_ceil_times(factor, k * depth * (2 * depth - i)) for i in range(1, depth + 1))


WIDTH_RULES: dict[str, Callable[[int, int, float], tuple[int, ...]]] = {
    "expansive": expansive_widths,
    "polylogarithmic": polylogarithmic_widths,
    "contractive": contractive_widths,
}


def derived_shape(given: Mapping[str, Any]) -> dict[str, Any]:
    """Derive k, depth and widths if a generator, its file or a width rule sets them.

    Args:
        given: values of the parameters with the fact `shapes`, by name. A parameter that is not
            given is None, 0 or missing.

    Returns:
        The derived values by name; empty if nothing sets them, or if too few parameters are given.

    Raises:
        ValueError: a width overflows, or a file does not hold a network.
    """
    shape = shape_if_known(given.get("generator"))
    if shape is not None:
        if not all(_is_given(given.get(name)) for name in shape.needs):
            return {}
        dimension, widths = shape.derive(given)
        return {"k": dimension, "depth": len(widths), "widths": widths}
    rule, factor = given.get("width_rule"), given.get("width_factor")
    k, depth = given.get("k"), given.get("depth")
    if rule not in WIDTH_RULES or factor is None or not _is_count(k) or not _is_count(depth):
        return {}
    if depth > MAX_RULE_DEPTH:
        return {}
    try:
        return {"widths": WIDTH_RULES[rule](k, depth, float(factor))}
    except OverflowError:
        if factor == inf:
            return {}
        raise ValueError(
            f"width_rule '{rule}' gives a width that overflows; lower width_factor, k or depth."
        ) from None
    except (TypeError, ValueError):
        return {}


def full_widths(widths: Any, n: Any, depth: Any) -> tuple[Any, Any]:
    """Complete widths n_1 … n_d by n, or n by widths, if one lacks it.

    Returns:
        The widths and n, each unchanged if it cannot be completed.

    Raises:
        ValueError: the last width is not n.
    """
    widths = tuple(widths)
    if n is None:
        return widths, widths[-1] if widths else 0
    if isinstance(depth, int) and len(widths) == depth - 1:
        return (*widths, n), n
    if widths and widths[-1] != n:
        raise ValueError(
            f"widths end in {widths[-1]} but n is {n}; the last width is n; give only one of them."
        )
    return widths, n


def check_shapes(k: int, depth: int, widths: tuple[int, ...]) -> None:
    """Refuse widths that do not fit depth, or that are too small for an injective network.

    Raises:
        ValueError: widths and depth disagree, or a layer is narrower than the latent code.
    """
    if len(widths) != depth:
        raise ValueError(
            f"depth is {depth} but widths {list_label(widths) or '(none)'} list {len(widths)} "
            "layers; give one width for each layer."
        )
    if k > min(widths):
        raise ValueError(
            f"k = {k} exceeds the width {min(widths)} of widths {list_label(widths)}: a layer "
            "narrower than the code loses it. Widen it, or leave such points out with 'exclude'."
        )


def _ceil_times(factor: float, count: int) -> int:
    """Round up the product with a factor as it is written: 1.1 · 50 is exactly 55. At least 1."""
    return max(ceil(Fraction(str(factor)) * count), 1)


def _is_given(value: Any) -> bool:
    return bool(value) if isinstance(value, str) else _is_count(value) or isinstance(value, float)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
