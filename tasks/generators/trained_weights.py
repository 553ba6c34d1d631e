"""Order named arrays as the layers of a network, and check that they fit together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..numerics.network import Matrix, Vector

# Arrays as a file holds them, of any type.
Arrays: TypeAlias = Mapping[str, NDArray[Any]]

OWN_NAME = re.compile(r"(weights|biases)_([1-9][0-9]{0,5})")
OWN_FAMILY = "weights_N"
STATE_NAME = re.compile(r"(.*?)(0|[1-9][0-9]{0,5})\.(weight|bias)")
CODES = "codes"
MATRIX, VECTOR, ROWS = ("outputs", "inputs"), ("outputs",), ("codes", "k")
FLOATS = (np.float16, np.float32, np.float64)


class WeightsError(ValueError):
    """Arrays or a file that hold no usable network; says so in one line."""


@dataclass(frozen=True)
class TrainedWeights:
    """The layers of a trained network.

    Attributes:
        weights: W_1 … W_d, W_i of shape (n_i, n_{i−1}).
        biases: b_1 … b_d; empty if there are none, or all are 0.
        codes: rows are codes typical of the training data, shape (rows, k); None if not known.
    """

    weights: tuple[Matrix, ...]
    biases: tuple[Vector, ...] = ()
    codes: Matrix | None = None

    @property
    def k(self) -> int:
        """Latent dimension."""
        return int(self.weights[0].shape[1])

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths n_1 … n_d."""
        return tuple(len(weight) for weight in self.weights)


class _Name(NamedTuple):
    """The parts of a name; `family` is what the names of one network's layers share."""

    family: str
    layer: int
    is_weight: bool


def assemble(arrays: Arrays) -> TrainedWeights:
    """Put named arrays in order, as float64.

    Args:
        arrays: `weights_1`, `biases_1`, … or `0.weight`, `0.bias`, …, and `codes`.

    Raises:
        WeightsError: they are no network; names the array.
    """
    weight_names, bias_names = _ordered([name for name in arrays if name != CODES])
    weights = {name: _numbers(name, arrays[name], MATRIX) for name in weight_names}
    biases = {name: _numbers(name, arrays[name], VECTOR) for name in bias_names}
    _check_chain(weights, biases)
    codes = _numbers(CODES, arrays[CODES], ROWS) if CODES in arrays else None
    first = weights[weight_names[0]]
    if codes is not None and codes.shape[1] != first.shape[1]:
        raise WeightsError(
            f"codes has {codes.shape[1]} columns but {weight_names[0]} has {first.shape[1]}; each "
            "row is a code."
        )
    if codes is not None and not codes.any():
        raise WeightsError("codes has no entry but 0; give typical codes, or leave it out.")
    shifts = tuple(biases.values()) if any(bias.any() for bias in biases.values()) else ()
    return TrainedWeights(tuple(weights.values()), shifts, codes)


def layer_shapes(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, tuple[int, ...]]:
    """Compute k and n_1 … n_d from the shapes of named arrays.

    Raises:
        WeightsError: they are no network.
    """
    weight_names, bias_names = _ordered([name for name in shapes if name != CODES])
    blank = {name: np.broadcast_to(np.float64(0), shape) for name, shape in shapes.items()}
    weights = {name: blank[name] for name in weight_names}
    if any(weight.ndim != len(MATRIX) or not weight.size for weight in weights.values()):
        raise WeightsError("weights have the shape (outputs, inputs).")
    _check_chain(weights, {name: blank[name] for name in bias_names})
    return weights[weight_names[0]].shape[1], tuple(len(weight) for weight in weights.values())


def _ordered(names: list[str]) -> tuple[list[str], list[str]]:
    """Give the names of weights and of biases, layer by layer."""
    known = {name: _parse(name) for name in sorted(names)}
    if len(families := sorted({part.family for part in known.values()})) > 1:
        raise WeightsError(f"it holds several networks, {' and '.join(families)}; keep one.")
    weights = {part.layer: name for name, part in known.items() if part.is_weight}
    biases = {part.layer: name for name, part in known.items() if not part.is_weight}
    if not weights:
        raise WeightsError("it holds no weights; name them weights_1, weights_2, ….")
    lacking = next(layer for layer in count(1) if layer not in weights)
    if families == [OWN_FAMILY] and lacking < max(weights):
        raise WeightsError(
            f"weights_{lacking} is missing, and there is weights_{max(weights)}; number the "
            "layers from 1."
        )
    if biases and (alone := sorted(set(weights) ^ set(biases))):
        has, lacks = ("biases", "weights") if alone[0] in biases else ("weights", "biases")
        raise WeightsError(
            f"layer {alone[0]} has {has} and no {lacks}; give each layer both (zeros are enough), "
            "or no layer biases."
        )
    return [weights[layer] for layer in sorted(weights)], [
        biases[layer] for layer in sorted(biases)
    ]


def _parse(name: str) -> _Name:
    if own := OWN_NAME.fullmatch(name):
        return _Name(OWN_FAMILY, int(own[2]), own[1] == "weights")
    if state := STATE_NAME.fullmatch(name):
        return _Name(f"{state[1]}N.weight", int(state[2]), state[3] == "weight")
    raise WeightsError(
        f"array {name!r} has an unknown name; rename it to weights_1, biases_1, … or 0.weight, "
        "0.bias, … with any prefix, or codes."
    )


def _numbers(name: str, array: NDArray[Any], shape: tuple[str, ...]) -> NDArray[np.float64]:
    """Convert an array to float64; refuse another type or rank, and entries that are not finite."""
    if array.dtype not in FLOATS:
        raise WeightsError(wrong_type(name, array.dtype))
    if array.ndim != len(shape) or not array.size:
        expected = ", ".join(shape) + ("," if len(shape) == 1 else "")
        raise WeightsError(f"{name} has shape {array.shape}, not ({expected}).")
    if wrong := int((~np.isfinite(array)).sum()):
        raise WeightsError(f"{name} has {wrong} of {array.size} entries that are NaN or infinite.")
    return np.array(array, dtype=np.float64, order="C")


def wrong_type(name: str, found: object) -> str:
    """Give the message for an array whose type is not read."""
    return f"{name} has type {found}; store it as float64, float32 or float16."


def _check_chain(weights: Mapping[str, Matrix], biases: Mapping[str, Vector]) -> None:
    """Refuse layers that do not chain; say so if they would chain when transposed."""
    complaint = _complaint(weights, biases)
    if not complaint:
        return
    if not _complaint({name: weight.T for name, weight in weights.items()}, biases):
        complaint += (
            " Transposed they would fit: weights have the shape (outputs, inputs), as in PyTorch, "
            "and not (inputs, outputs), as in scikit-learn and Keras."
        )
    raise WeightsError(complaint)


def _complaint(weights: Mapping[str, Matrix], biases: Mapping[str, Vector]) -> str:
    """Say what does not fit; empty if all layers fit."""
    for (below, lower), (above, upper) in pairwise(weights.items()):
        if upper.shape[1] != lower.shape[0]:
            return (
                f"{above} has {upper.shape[1]} columns but {below} has {lower.shape[0]} rows; each "
                "layer's input must match the previous layer's output."
            )
    for (name, weight), (other, bias) in zip(weights.items(), biases.items(), strict=False):
        if bias.size != weight.shape[0]:
            return (
                f"{other} has {bias.size} entries but {name} has {weight.shape[0]} rows; each row "
                "has one bias."
            )
    return ""
