"""The parameters of networks: how a generator or a width rule derives them, and their checks."""

from collections.abc import Collection, Mapping
from functools import lru_cache, partial
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from ...sweeps.labels import list_label
from ...sweeps.parameter import quantity
from ...sweeps.parameters import PARAMETERS, names_with
from ...sweeps.point import Derivation, Given, NotDerivedError, PointBase
from ..notation import MAX_WIDTH, Count, Size, Widths, parse_widths
from .shapes import check_shapes, derived_shape, full_widths, sets_shape, shape_if_known, shape_of

SETS_SHAPE = {"generator", "width_rule"}


class NetworkParameters(PointBase):
    """The parameters of a network.

    `widths` lists n_1 … n_d. If `n` is given, `widths` may leave the last one out. Some generators,
    files of trained networks, and width rules set the parameters that they derive.
    """

    fitting: ClassVar[tuple[str, ...]] = ("k", "depth", "widths", "n")

    k: Size = quantity(
        ...,
        "latent dimension",
        symbol="latent dimension $k$",
        short="$k$",
        draws=True,
        shapes=True,
        memory=True,
        labelled=True,
        success="falling",
    )
    depth: int = quantity(
        ...,
        "number of weight layers",
        ge=1,
        le=1000,
        symbol="depth $d$",
        short="$d$",
        carried_by=("widths",),
        shapes=True,
        memory=True,
        labelled=True,
        success="falling",
    )
    widths: Widths = quantity(
        (),
        "layer widths n_1 … n_d",
        draws=True,
        shapes=True,
        memory=True,
        labelled=True,
        list_depth=1,
    )
    n: int = quantity(
        0,
        "signal dimension",
        ge=1,
        le=MAX_WIDTH,
        symbol="signal dimension $n$",
        short="$n$",
        carried_by=("widths",),
        shapes=True,
        absent=0,
        memory=True,
        labelled=True,
    )
    generator: str = quantity(
        "gaussian",
        "network: Gaussian weights; the identity's, whose range is the codes ≥ 0; one whose range "
        "is sparse vectors, of explicit, random or group-sparse make; or the weights of a file",
        draws=True,
        shapes=True,
        memory=True,
    )
    gain: float = quantity(1.0, "variance of a weight times its layer's width", gt=0, draws=True)
    last_layer: Literal["relu", "linear"] = quantity(
        "relu", "whether a ReLU follows the last layer", draws=True, memory=True
    )
    width_rule: Literal["listed", "expansive", "polylogarithmic", "contractive"] = quantity(
        "listed",
        "where widths come from: widths, or n_i = c n_{i−1} log n_{i−1}, n_i = c k log Π e n_j/k, "
        "n_i = c k d (2d − i) with c the width_factor",
        carried_by=("widths",),
        shapes=True,
    )
    width_factor: float | None = quantity(
        None,
        "constant c of the width rule",
        gt=0,
        le=1e9,
        symbol="constant $a$ of the widths",
        carried_by=("widths",),
        shapes=True,
    )
    sparsity: Count = quantity(
        0,
        "nonzero entries of a sparse generator's signals, which sets k, depth and widths",
        symbol="sparsity $s$",
        short="$s$",
        carried_by=("widths", "k"),
        shapes=True,
        absent=0,
        success="falling",
    )
    wedge_angle: float = quantity(
        0.1,
        "angle α of the wedges of generator sparse-random",
        "rad",
        ge=1e-7,
        lt=0.785,
        draws=True,
    )
    weights: str = quantity(
        "",
        "file of a trained network's weights, .npz or .safetensors",
        draws=True,
        shapes=True,
        memory=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _complete_widths(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = {**values, **_derived(values)}
        widths, n = full_widths(
            parse_widths(values.get("widths", ())), values.get("n"), values.get("depth")
        )
        return {**values, "widths": widths, "n": n}

    @classmethod
    def missing(cls, given: Given) -> str | None:
        """Name a parameter that a sweep lacks: k or depth, or n for an experiment without network.

        None if there is none, or if every generator of the sweep sets k and depth.
        """
        needed = ("k", "depth" if given.has("depth") else "n")
        lacking = next((name for name in needed if name not in given.names), None)
        generators = given.values("generator") if lacking is not None else ()
        return None if generators and all(map(sets_shape, generators)) else lacking

    @classmethod
    def derivation(cls, name: str, given: Given) -> Derivation | None:
        """Derive n from widths, and k, depth and widths from a generator or a width rule."""
        if name == "n":
            return Derivation(_last_width, needs=("widths",))
        if name == "depth" and not given.has(name):
            # In an experiment without a network, one layer of width n stands for the signal.
            return Derivation(lambda values: 1)
        if name not in ("k", "depth", "widths") or not SETS_SHAPE & set(given.names):
            return None
        shapes = map(shape_if_known, given.values("generator"))
        needed = {need for shape in shapes if shape is not None for need in shape.needs}
        takes = tuple(dict.fromkeys((*names_with("shapes"), *sorted(needed))))
        return Derivation(partial(_value_of_shape, name), takes=takes)

    @classmethod
    def completion(cls, name: str) -> Derivation | None:
        """Complete widths with n."""
        if name != "widths":
            return None
        return Derivation(_complete, needs=("widths", "n", "depth"))

    @classmethod
    def check_fit(cls, values: Mapping[str, Any], given: Collection[str]) -> None:
        """Refuse widths that do not fit depth or n, or that are narrower than the code.

        Raises:
            NotDerivedError: a generator or a width rule did not derive them.
            ValueError: they do not fit together.
        """
        k, depth, widths, n = (values[name] for name in cls.fitting)
        try:
            full, _ = full_widths(parse_widths(widths or ()), n if "n" in given else None, depth)
            check_shapes(k, depth, full)
        except ValueError as error:
            if not widths and SETS_SHAPE & set(given):
                raise NotDerivedError(str(error)) from None
            raise


def _last_width(values: Mapping[str, Any]) -> int | None:
    widths = parse_widths(values["widths"]) if values.get("widths") else ()
    return widths[-1] if widths else None


def _value_of_shape(name: str, values: Mapping[str, Any]) -> Any:
    return derived_shape(values).get(name)


def _complete(values: Mapping[str, Any]) -> tuple[int, ...]:
    return _completed(values.get("widths"), values.get("n"), values.get("depth"))


@lru_cache(maxsize=4096)
def _completed(widths: Any, n: Any, depth: Any) -> tuple[int, ...]:
    try:
        return tuple(full_widths(parse_widths(widths or ()), n or None, depth)[0])
    except ValueError:  # such a point is excluded, or refused elsewhere
        return ()


def _derived(values: dict[str, Any]) -> dict[str, Any]:
    """Derive the parameters that a generator or a width rule sets.

    Raises:
        ValueError: a parameter that it needs is not given, or a given value differs from the
            derived one.
    """
    generator, rule = values.get("generator"), values.get("width_rule", "listed")
    shape = shape_of(generator)
    in_file = shape is not None and shape.in_file
    if shape is not None:
        if in_file and all(values.get(name) for name in ("k", "depth", "widths")):
            # The file is not read here: later the network is compared with these values.
            return {}
        needed = shape.needs
    elif rule != "listed":
        needed = ("width_factor",)
    else:
        return {}
    what = f"generator '{generator}'" if shape else f"width_rule '{rule}'"
    for name in needed:
        if not values.get(name):
            raise ValueError(f"{what} needs '{name}', the {PARAMETERS[name].description}.")
    if shape and rule != "listed":
        raise ValueError(f"{what} sets its own widths; leave width_rule out.")
    derived = derived_shape(values)
    if in_file:
        what = f"the network of weights {values['weights']!r}"
    for name, value in derived.items():
        given = values.get(name)
        if name == "widths":
            written = parse_widths(given or ())
            given = tuple(written) if isinstance(written, list | tuple) else written
            if given in ((), value[:-1] if values.get("n") else value):
                continue
        if given not in (None, value):
            verb = "has" if in_file else "sets"
            raise ValueError(f"{what} {verb} {name} {_written(value)}, but it is given as "
                             f"{_written(given)}; leave it out.")  # fmt: skip
    return derived


def _written(value: Any) -> str:
    return list_label(value) if isinstance(value, tuple) else str(value)
