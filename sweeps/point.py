"""The parameters of one point of a sweep, and how they must fit together."""

from typing import Any, Literal, Self

from pydantic import model_validator

from .notation import MAX_WIDTH, Codes, Count, Size, Widths, code_rows, parse_widths, widths_label
from .parameter import flat_values, quantity
from .shapes import check_shapes, derived_shape, full_widths, shape_of
from .tables import Code, Dither, Noise, Plane, Search, Solver, Strict, Success


class Point(Strict):
    """Every parameter of one trial, checked.

    `widths` lists n_1 … n_d. Where `n` is given, `widths` may leave the last one out. Generators of
    fixed make, files of trained networks, and width rules set what they derive.
    """

    problem: str = quantity(
        "compressed-sensing", "recovery problem", draws=True, memory=True, labelled=True
    )
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
    target: int = quantity(
        0,
        "which of several targets, all met by the same network, measurements, noise and dither",
        ge=0,
        le=1_000_000_000,
    )
    target_norm: float = quantity(
        1.0, "norm ‖y*‖ of the true signal", "signal units", ge=1e-30, le=1e30, draws=True
    )
    target_codes: Codes = quantity(
        "",
        "true codes that target numbers, as in '1 0; 1 0.5'; empty: they are drawn",
        draws=True,
        memory=True,
        list_depth=2,
    )
    m: Count = quantity(
        0,
        "number of measurements",
        symbol="number of measurements $m$",
        short="$m$",
        draws=True,
        absent=0,
        memory=True,
        labelled=True,
        success="rising",
    )
    samples: Count = quantity(
        0,
        "number of samples N of the spiked Wishart model",
        draws=True,
        absent=0,
        memory=True,
        success="rising",
    )
    ensemble: Literal["gaussian", "rademacher", "laplace", "subsampled-dct", "student-t"] = (
        quantity(
            "gaussian",
            "measurement ensemble; entries of all have the same variance",
            draws=True,
            memory=True,
            labelled=True,
        )
    )
    student_df: float = quantity(
        5.0,
        "degrees of freedom ν of Student's t, where measurements or noise have that law",
        gt=2,
        draws=True,
    )
    noise: Noise = Noise()
    dither: Dither = Dither()
    solver: Solver = Solver()
    success: Success = Success()
    plane: Plane = Plane()
    condition: str = quantity(
        "wdc",
        "deterministic condition whose constant is bounded from below",
        memory=True,
        labelled=True,
    )
    search: Search = Search()
    code: Code = Code()

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

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        check_shapes(self.k, self.depth, self.widths)
        codes = self.codes
        if codes and len(codes[0]) != self.k:
            raise ValueError(
                f"target_codes have {len(codes[0])} coordinates and k is {self.k}; give k of them."
            )
        if codes and self.target >= len(codes):
            raise ValueError(
                f"target is {self.target} and target_codes list {len(codes)}, counted from 0."
            )
        if self.success.metric == "nearest_target" and len(codes) < 2:
            raise ValueError("success.metric 'nearest_target' needs two target_codes or more.")
        return self

    def __reduce__(self) -> Any:
        """Pickle values: a class with tables that were added is made again by each process."""
        from .parameters import make_point

        return make_point, (flat_values(self),)

    @property
    def relu_layers(self) -> int:
        """Number of layers that end in a ReLU."""
        return self.depth - (self.last_layer == "linear")

    @property
    def codes(self) -> tuple[tuple[float, ...], ...]:
        """The rows of `target_codes`."""
        return code_rows(self.target_codes) if self.target_codes else ()


def _derived(values: dict[str, Any]) -> dict[str, Any]:
    """Give what a generator's make or a width rule sets.

    Raises:
        ValueError: too little is given for it, or something else than what it sets.
    """
    generator, rule = values.get("generator"), values.get("width_rule", "listed")
    shape = shape_of(generator)
    in_file = shape is not None and shape.in_file
    if shape is not None:
        if in_file and all(values.get(name) for name in ("k", "depth", "widths")):
            # Nothing is left to read a file for; whether they agree is checked with the network.
            return {}
        needed = shape.needs
    elif rule != "listed":
        needed = ("width_factor",)
    else:
        return {}
    what = f"generator '{generator}'" if shape else f"width_rule '{rule}'"
    for name in needed:
        if not values.get(name):
            raise ValueError(f"{what} needs '{name}', the {Point.model_fields[name].description}.")
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
            makes = "has" if in_file else "makes"
            raise ValueError(f"{what} {makes} {name} {_label(value)}, and it is given as "
                             f"{_label(given)}; leave it out.")  # fmt: skip
    return derived


def _label(value: Any) -> str:
    return widths_label(value) if isinstance(value, tuple) else str(value)
