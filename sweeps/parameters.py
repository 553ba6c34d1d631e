"""The parameters of one point of a sweep: names, units, bounds, and how they must fit together."""

from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from .errors import shown
from .shapes import MADE, derived_shape

MAX_WIDTH = 10_000_000


def parse_widths(written: Any) -> Any:
    """Accept widths as a list or as their label, `700-650`."""
    if isinstance(written, int) and not isinstance(written, bool):
        return (written,)
    if isinstance(written, str):
        return tuple(int(part) if part.isdecimal() else part for part in written.split("-"))
    if isinstance(written, list | tuple) and any(isinstance(width, bool) for width in written):
        raise ValueError(f"widths must be whole numbers, got {shown(written)}")
    return written


def widths_label(widths: tuple[int, ...]) -> str:
    """Write widths n_1 … n_d as text, `700-650`."""
    return "-".join(str(width) for width in widths)


def code_rows(label: str) -> tuple[tuple[float, ...], ...]:
    """Read codes as they are written, `1 0; 1 0.5`."""
    return tuple(tuple(float(number) for number in row.split()) for row in label.split(";"))


def check_codes(written: Any) -> Any:
    """Refuse what is no list of different codes of one length, and write it in one way."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        written = str(written)
    if not isinstance(written, str) or not written:
        return written
    try:
        if "_" in written:
            raise ValueError
        rows = code_rows(written)
    except ValueError:
        raise ValueError(f"must be codes as in '1 0; 1 0.5', got {shown(written)}") from None
    if len({len(row) for row in rows}) > 1 or not rows[0]:
        raise ValueError(f"must be codes of the same length, got {shown(written)}")
    if not all(isfinite(number) for row in rows for number in row):
        raise ValueError(f"must be finite numbers, got {shown(written)}")
    if len(set(rows)) < len(rows):
        raise ValueError(f"must be different codes, got {shown(written)}")
    # Every digit, for codes are part of a point's identity.
    return "; ".join(" ".join(repr(number).removesuffix(".0") for number in row) for row in rows)


Codes = Annotated[str, BeforeValidator(check_codes)]
Size = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
Count = Annotated[int, Field(ge=0, le=MAX_WIDTH)]
Widths = Annotated[tuple[Size, ...], BeforeValidator(parse_widths)]


def quantity(default: Any, description: str, units: str = "1", **bounds: Any) -> Any:
    """Declare a parameter with its long name and its unit."""
    return Field(default, description=description, json_schema_extra={"units": units}, **bounds)


def refuse_lookalikes(value: Any, kind: Any) -> Any:
    """Refuse text and truth values for a number, and anything but a truth value for one.

    Pydantic would convert them; in a sweep file they are slips.
    """
    if kind is bool and not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {shown(value)}")
    if kind in (int, float, int | None, float | None) and isinstance(value, bool | str):
        raise ValueError(f"must be a number, got {shown(value)}")
    return value


class Strict(BaseModel):
    """A frozen table that refuses unknown keys, and values that only look like its numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_lookalikes(cls, value: Any, info: ValidationInfo) -> Any:
        return refuse_lookalikes(value, cls.model_fields[str(info.field_name)].annotation)


class Noise(Strict):
    """Noise of the data: independent entries by sigma, or of fixed norm by SNR; not both.

    For one-bit it is added before the sign is taken; in spiked models it is the matrix's.
    """

    sigma: float = quantity(
        0.0,
        "standard deviation of the noise",
        "signal units; squared in the Wigner model",
        ge=0,
    )
    law: Literal["gaussian", "laplace", "uniform", "student-t"] = quantity(
        "gaussian", "law of the noise's entries"
    )
    snr_db: float | None = quantity(
        None,
        "signal-to-noise ratio 10·log10(‖A y*‖/‖η‖), a ratio of norms",
        "dB",
        ge=-300,
        le=3000,
    )

    @model_validator(mode="after")
    def _one_law(self) -> Self:
        if self.sigma > 0 and self.snr_db is not None:
            raise ValueError(
                f"'noise.sigma' is {self.sigma} and 'noise.snr_db' is {self.snr_db}; give one."
            )
        return self


class Dither(Strict):
    """Dither of one-bit measurements."""

    enabled: bool = quantity(True, "whether dither is added before the sign is taken")
    amplitude: float | None = quantity(
        None,
        "λ: the dither is uniform on [−λ, λ], and the back-projection is (λ/m) Σ s_i a_i, "
        "with dither or without",
        "signal units",
        gt=0,
    )
    rule: Literal["fixed", "log-m"] = quantity(
        "fixed", "what sets λ: dither.amplitude, or ½ √(‖y*‖² + σ²) log m"
    )


class Solver(Strict):
    """How the descent runs; no random draw depends on it.

    Where step, tolerance and start_scale are not given, the problem sets them from its data.
    """

    method: Literal["descent", "lasso"] = quantity(
        "descent",
        "descent on the generator's codes, or scikit-learn's Lasso on the signal, without any; it "
        "has the parameters penalty and max_steps, and no codes: their errors are infinite",
    )
    penalty: float = quantity(
        1e-4, "weight of the Lasso's ‖y‖₁, relative to the least that gives 0, max|Aᵀb|", gt=0, lt=1
    )
    engine: Literal["fast", "plain"] = quantity(
        "fast", "implementation of the descent; both give the same iterates but for rounding"
    )
    step: float | None = quantity(
        None,
        "step size α of the descent; by default 0.175·(2/gain)^d over the loss's curvature",
        gt=0,
    )
    max_steps: int = quantity(10_000, "step budget", "steps", ge=1, le=1_000_000_000)
    tolerance: float | None = quantity(
        None,
        "descent stops when the descent vector is shorter; by default 1e-10 of what it is at first",
        "signal units; to the third in spiked models",
        ge=0,
    )
    negation: bool = quantity(True, "whether x is replaced by −x when f(−x) < f(x)")
    start: Literal["gaussian", "mirror", "ones", "prior"] = quantity(
        "gaussian",
        "first iterate: a standard normal draw, the mirror point −ρ_d x*, all ones, or a draw like "
        "that of the true code",
    )
    start_scale: float | None = quantity(
        None, "factor on a first iterate that is drawn or all ones; by default the problem's", gt=0
    )
    stall_after: int | None = quantity(
        None,
        "a run stops as stalled if its best loss did not fall by 1e-9 over so many steps; 0: only "
        "seen at the end; by default 500 for noisy data and 0 otherwise",
        "steps",
        ge=0,
        le=1_000_000_000,
    )
    abandon_after: int = quantity(
        0,
        "a run is abandoned if its best loss did not fall by abandon_factor over so many steps; "
        "0: never",
        "steps",
        ge=0,
        le=1_000_000_000,
    )
    abandon_factor: float = quantity(
        2.0, "factor by which the best loss must fall over abandon_after steps", gt=1
    )
    audit: float = quantity(
        0.1, "probability that a run to be abandoned is run to its end all the same", ge=0, le=1
    )


class Success(Strict):
    """When a trial counts as recovered."""

    metric: Literal["latent_error", "signal_error", "nearest_target"] = quantity(
        "latent_error",
        "error that decides success, or whether no other of target_codes gives a nearer signal",
    )
    below: float = quantity(1e-3, "relative error below which a trial is a success", gt=0)


class Plane(Strict):
    """Where on a plane of codes a landscape is looked at: x = ‖x*‖ (along·e_1 + across·e_2).

    e_1 is the direction of x*, e_2 a random one orthogonal to it.
    """

    along: float = quantity(0.0, "coordinate along the true code", "‖x*‖", ge=-1e6, le=1e6)
    across: float = quantity(
        0.0, "coordinate along a random direction orthogonal to the true code", "‖x*‖",
        ge=-1e6, le=1e6,
    )  # fmt: skip


class Search(Strict):
    """How hard the largest violation of a condition is looked for."""

    draws: int = quantity(200, "random candidates", ge=1, le=1_000_000_000)
    ascents: int = quantity(
        4, "best candidates from which a local ascent starts", ge=0, le=1_000_000
    )
    steps: int = quantity(200, "moves tried in an ascent", "steps", ge=1, le=1_000_000_000)


class Code(Strict):
    """The Lipschitz code whose points are sent at several scales, and how they are decoded.

    Radius and domain of the generator are left out: they are units, and decide nothing.
    """

    codewords: int = quantity(
        11, "codewords P that the curve of a block goes through", ge=2, le=4096
    )
    message: int | None = quantity(
        None, "message symbols of the outer code; by default k/2, rounded up", ge=1, le=64
    )
    levels: int = quantity(3, "points that are sent, each at a scale of its own", ge=1, le=100)
    scale: float = quantity(96.0, "factor D between one scale and the next", gt=1, le=1e6)
    decoder: Literal["points", "range"] = quantity(
        "points",
        "where a scale is looked for: among the points of the code, or in the generator's range, "
        "by coordinate descent, and then rounded to a point",
    )
    starts: int = quantity(5, "random starts of the decoder in the range", ge=1, le=10_000)


class Point(Strict):
    """Every parameter of one trial, checked.

    `widths` lists n_1 … n_d. Where `n` is given, `widths` may leave the last one out. Generators of
    fixed make, and width rules, set what they derive.
    """

    problem: str = quantity("compressed-sensing", "recovery problem")
    k: Size = quantity(..., "latent dimension")
    depth: int = quantity(..., "number of weight layers", ge=1, le=1000)
    widths: Widths = quantity((), "layer widths n_1 … n_d")
    n: int = quantity(0, "signal dimension", ge=1, le=MAX_WIDTH)
    generator: Literal[
        "gaussian", "identity", "sparse", "sparse-random", "group-sparse", "trained"
    ] = quantity(
        "gaussian",
        "network: Gaussian weights; the identity's, whose range is the codes ≥ 0; one whose range "
        "is sparse vectors, of explicit, random or group-sparse make; or the weights of a file",
    )
    gain: float = quantity(1.0, "variance of a weight times its layer's width", gt=0)
    last_layer: Literal["relu", "linear"] = quantity(
        "relu", "whether a ReLU follows the last layer"
    )
    width_rule: Literal["listed", "expansive", "polylogarithmic", "contractive"] = quantity(
        "listed",
        "where widths come from: widths, or n_i = c n_{i−1} log n_{i−1}, n_i = c k log Π e n_j/k, "
        "n_i = c k d (2d − i) with c the width_factor",
    )
    width_factor: float | None = quantity(None, "constant c of the width rule", gt=0, le=1e9)
    sparsity: Count = quantity(
        0, "nonzero entries of a sparse generator's signals, which sets k, depth and widths"
    )
    wedge_angle: float = quantity(
        0.1, "angle α of the wedges of generator sparse-random", "rad", gt=0, lt=0.785
    )
    weights: str = quantity("", "file of a trained network's weights, .npz or .safetensors")
    target: int = quantity(
        0,
        "which of several targets, all met by the same network, measurements, noise and dither",
        ge=0,
        le=1_000_000_000,
    )
    target_norm: float = quantity(
        1.0, "norm ‖y*‖ of the true signal", "signal units", ge=1e-30, le=1e30
    )
    target_codes: Codes = quantity(
        "", "true codes that target numbers, as in '1 0; 1 0.5'; empty: they are drawn"
    )
    m: Count = quantity(0, "number of measurements")
    samples: Count = quantity(0, "number of samples N of the spiked Wishart model")
    ensemble: Literal["gaussian", "rademacher", "laplace", "subsampled-dct", "student-t"] = (
        quantity("gaussian", "measurement ensemble; entries of all have the same variance")
    )
    student_df: float = quantity(
        5.0, "degrees of freedom ν of Student's t, where measurements or noise have that law", gt=2
    )
    noise: Noise = Noise()
    dither: Dither = Dither()
    solver: Solver = Solver()
    success: Success = Success()
    plane: Plane = Plane()
    condition: Literal["wdc", "r2wdc", "rric", "one-bit"] = quantity(
        "wdc", "deterministic condition whose constant is bounded from below"
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
    if generator in MADE:
        needed: tuple[str, ...] = ("sparsity", "n")
    elif rule != "listed":
        needed = ("width_factor",)
    else:
        return {}
    what = f"generator '{generator}'" if generator in MADE else f"width_rule '{rule}'"
    for name in needed:
        if not values.get(name):
            raise ValueError(f"{what} needs '{name}', the {PARAMETERS[name].description}.")
    if generator in MADE and rule != "listed":
        raise ValueError(f"{what} sets its own widths; leave width_rule out.")
    derived = derived_shape(values)
    for name, value in derived.items():
        given = values.get(name)
        if name == "widths":
            written = parse_widths(given or ())
            given = tuple(written) if isinstance(written, list | tuple) else written
            if given in ((), value[:-1] if values.get("n") else value):
                continue
        if given not in (None, value):
            raise ValueError(f"{what} makes {name} {_label(value)}, and it is given as "
                             f"{_label(given)}; leave it out.")  # fmt: skip
    return derived


def _label(value: Any) -> str:
    return widths_label(value) if isinstance(value, tuple) else str(value)


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


def parameter_fields(model: type[BaseModel] = Point, prefix: str = "") -> dict[str, FieldInfo]:
    """List every parameter by its dotted name, `solver.step` for example."""
    fields: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields |= parameter_fields(kind, f"{prefix}{name}.")
        else:
            fields[f"{prefix}{name}"] = field
    return fields


PARAMETERS = parameter_fields()
# Given as 0: not given. Which of them a point needs depends on its problem.
ABSENT = ("n", "m", "samples", "sparsity")
# The tasks that have a parameter, or those of a table; what is not listed all have.
_DESCENDING = ("recovery", "landscape")
_WITH_NETWORK = (*_DESCENDING, "condition")
TASKS_WITH = {
    **dict.fromkeys(("problem", "samples", "target", "target_codes", "solver"), _DESCENDING),
    **dict.fromkeys(
        ("generator", "gain", "last_layer", "depth", "widths", "width_rule", "width_factor",
         "sparsity", "wedge_angle", "weights", "target_norm", "noise", "dither"),
        _WITH_NETWORK,
    ),
    "success": ("recovery",),
    "plane": ("landscape",),
    "condition": ("condition",),
    "search": ("condition",),
    "code": ("successive-decoding",),
}  # fmt: skip


def task_has(task: str, name: str) -> bool:
    """Say whether a task has a parameter; one that no parameter names, as in tests, has all."""
    tasks = TASKS_WITH.get(name.split(".")[0])
    known = {each for group in TASKS_WITH.values() for each in group}
    return tasks is None or task not in known or task in tasks


GROUPS = {name.split(".")[0] for name in PARAMETERS if "." in name}


def parameter_attributes(name: str) -> dict[str, str]:
    """Give the long name and the unit of a parameter, for the coordinate that carries it."""
    field = PARAMETERS[name]
    extra = field.json_schema_extra
    units = extra.get("units", "1") if isinstance(extra, dict) else "1"
    return {"long_name": field.description or name, "units": str(units)}


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into nested tables."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, leaf = name.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return tree


def flat_values(point: BaseModel, prefix: str = "") -> dict[str, Any]:
    """List a point's values by dotted name."""
    values: dict[str, Any] = {}
    for name in type(point).model_fields:
        value = getattr(point, name)
        if isinstance(value, BaseModel):
            values |= flat_values(value, f"{prefix}{name}.")
        else:
            values[f"{prefix}{name}"] = value
    return values
