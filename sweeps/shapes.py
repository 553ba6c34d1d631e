"""Shapes of networks: what follows from other parameters, by a make or a rule, and what may be."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, inf, log
from typing import Any, TypeGuard

from .notation import widths_label

SHAPE = ("k", "depth", "widths", "n")
MAX_RULE_DEPTH = 1000

# For each generator of fixed make: k, and the widths but n, from sparsity s and n.
MADE: dict[str, Callable[[int, int], tuple[int, tuple[int, ...]]]] = {
    "sparse": lambda s, n: (2 * s, (4 * s * n, 2 * s * n)),
    "sparse-random": lambda s, n: (s + 1, (8 * n, 2 * n)),
    "group-sparse": lambda s, n: (s + 1, (s + 1, 2 * n)),
}

# Reads k and n_1 … n_d of the network in a file.
ShapeReader = Callable[[str], tuple[int, tuple[int, ...]]]
# For each generator whose networks come from files; files are read elsewhere.
_READERS: dict[str, ShapeReader] = {}


def register_shape_reader(generator: str, read: ShapeReader) -> None:
    """Say how the file of a generator, its parameter `weights`, tells its k and widths.

    Args:
        generator: value of `generator`.
        read: raises ValueError, with the file and what is wrong, where it holds no network.
    """
    _READERS[generator] = read


def reads_shape(generator: Any) -> bool:
    """Say whether a generator's file sets its k, depth and widths."""
    return generator in _READERS


def sets_shape(generator: Any) -> bool:
    """Say whether a generator sets its k, depth and widths: by its make, or by its file."""
    return generator in MADE or reads_shape(generator)


def shape_in_file(generator: str, path: str) -> dict[str, Any]:
    """Give k, depth and widths of the network in a file.

    Raises:
        ValueError: it holds none.
    """
    k, widths = _READERS[generator](path)
    return {"k": k, "depth": len(widths), "widths": widths}


def expansive_widths(k: int, depth: int, factor: float) -> tuple[int, ...]:
    """Widths n_i = c n_{i−1} log n_{i−1}, rounded up, n_0 = k; at least one more a layer.

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
    """Widths n_i = a k d (2d − i), rounded up: every layer is narrower than the one before it.

    But for the first, which is wider than k.

    Args:
        k: latent dimension.
        depth: number of layers d.
        factor: a, the source's product C̄·α, where it is an integer: C̄ is a constant of its
            theorem and α ≥ max{2 log(C̄k)/d², log(e²C̄)}.

    Source: Cocola 2022, Appendix G.
    """
    return tuple(_ceil_times(factor, k * depth * (2 * depth - i)) for i in range(1, depth + 1))


WIDTH_RULES: dict[str, Callable[[int, int, float], tuple[int, ...]]] = {
    "expansive": expansive_widths,
    "polylogarithmic": polylogarithmic_widths,
    "contractive": contractive_widths,
}


def derived_shape(given: Mapping[str, Any]) -> dict[str, Any]:
    """Derive k, depth and widths where a generator's make, its file or a width rule sets them.

    Args:
        given: values of the parameters with the fact `shapes`; None, 0 or missing where they are
            not given.

    Returns:
        What follows, by name; nothing where nothing does, or where too little is given.

    Raises:
        ValueError: a width overflows, or a file holds no network.
    """
    generator, n = given.get("generator"), given.get("n")
    if generator in MADE:
        sparsity = given.get("sparsity")
        if not _is_count(sparsity) or not _is_count(n):
            return {}
        dimension, hidden = MADE[generator](sparsity, n)
        return {"k": dimension, "depth": len(hidden) + 1, "widths": (*hidden, n)}
    if reads_shape(generator):
        path = given.get("weights")
        return shape_in_file(str(generator), path) if isinstance(path, str) and path else {}
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
        raise ValueError(f"width_rule '{rule}' makes layers without bound here.") from None
    except (TypeError, ValueError):
        return {}


def full_widths(widths: Any, n: Any, depth: Any) -> tuple[Any, Any]:
    """Complete n_1 … n_d and n from each other; what cannot be completed is left as it is."""
    widths = tuple(widths)
    if n is None:
        return widths, widths[-1] if widths else 0
    if isinstance(depth, int) and len(widths) == depth - 1:
        return (*widths, n), n
    if widths and widths[-1] != n:
        raise ValueError(
            f"widths end in {widths[-1]} but n is {n}; the last width is n: give it once."
        )
    return widths, n


def check_shapes(k: int, depth: int, widths: tuple[int, ...]) -> None:
    """Refuse a network whose layers do not chain, or that cannot be injective.

    Raises:
        ValueError: widths and depth disagree, or a layer is narrower than the latent code.
    """
    if len(widths) != depth:
        raise ValueError(
            f"depth is {depth} but widths {widths_label(widths) or '(none)'} list {len(widths)} "
            "layers; give one width for each layer."
        )
    if k > min(widths):
        raise ValueError(
            f"k = {k} exceeds the width {min(widths)} of widths {widths_label(widths)}: a layer "
            "narrower than the code loses it. Widen it, or leave such points out with 'exclude'."
        )


def _ceil_times(factor: float, count: int) -> int:
    """Round a product up, with the factor as it is written: 1.1 · 50 is 55, not a little more."""
    return max(ceil(Fraction(str(factor)) * count), 1)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
