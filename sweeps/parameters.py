"""The parameters of one point of a sweep, and how they must fit together."""

from collections.abc import Callable, Collection
from typing import Any, Literal, Self

from pydantic import BaseModel, create_model, model_validator
from pydantic.fields import FieldInfo

from .errors import SweepError
from .notation import MAX_WIDTH, Codes, Count, Size, Widths, code_rows, parse_widths, widths_label
from .parameter import Facts, derived, facts_of, forget_derived, quantity
from .shapes import check_shapes, derived_shape, full_widths, shape_of
from .tables import Code, Dither, Noise, Plane, Search, Solver, Strict, Success
from .told import ask


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
        """Pickle values: a class with tables that were added is made anew by each process."""
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
            makes = "has" if in_file else "makes"
            raise ValueError(f"{what} {makes} {name} {_label(value)}, and it is given as "
                             f"{_label(given)}; leave it out.")  # fmt: skip
    return derived


def _label(value: Any) -> str:
    return widths_label(value) if isinstance(value, tuple) else str(value)


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
# Tables of parameters that classes from outside declare.
_ADDED: dict[str, type[BaseModel]] = {}


def add_table(name: str, table: type[BaseModel]) -> None:
    """Let points have a table of parameters, each declared by `quantity`, with a default.

    Args:
        name: of the table, in sweep files.
        table: the model, a subclass of `Strict`.

    Raises:
        SweepError: the name is taken, or a parameter has no default.
    """
    if _ADDED.get(name) is table:
        return
    if name not in _ADDED and (name in Point.model_fields or not name.isidentifier()):
        raise SweepError(f"a table of parameters cannot be named {name!r}; choose another name.")
    fields = parameter_fields(table, f"{name}.")
    if lacking := [each for each, field in fields.items() if field.is_required()]:
        raise SweepError(f"parameter '{lacking[0]}' has no default; give it one.")
    remove_table(name)
    _ADDED[name] = table
    PARAMETERS.update(fields)
    forget_derived()


def remove_table(name: str) -> None:
    """Take a table back that was added."""
    if _ADDED.pop(name, None) is not None:
        for parameter in [each for each in PARAMETERS if each.startswith(f"{name}.")]:
            del PARAMETERS[parameter]
        forget_derived()


@derived
def point_model() -> type[Point]:
    """Give what a point is: `Point`, with the tables that were added."""
    if not _ADDED:
        return Point
    added: dict[str, Any] = {name: (table, table()) for name, table in _ADDED.items()}
    return create_model("Point", __base__=Point, **added)


def make_point(values: dict[str, Any]) -> Point:
    """Make a point of its values by name, dotted or in tables.

    Raises:
        ValidationError: they do not fit together.
    """
    return point_model().model_validate(nested(values))


# Who knows the experiments says which parameters, or tables of them, one has; None: all.
_TOLD: list[Callable[[str], Collection[str] | None]] = []


def tell_tasks(parameters_of: Callable[[str], Collection[str] | None]) -> None:
    """Say who knows which parameters an experiment has.

    Args:
        parameters_of: gives names of parameters, or of tables; None for all. It raises SweepError
            for a name that is none.
    """
    _TOLD.append(parameters_of)


def task_has(task: str, name: str) -> bool:
    """Say whether an experiment has a parameter."""
    ask()
    try:
        known = _TOLD[-1](task) if _TOLD else None
    except SweepError:
        # That there is no such experiment is said where it is looked for.
        known = None
    return known is None or name in known or name.split(".")[0] in known


@derived
def groups() -> frozenset[str]:
    """List the tables of parameters, such as `solver`."""
    return frozenset(name.split(".")[0] for name in PARAMETERS if "." in name)


@derived
def facts(name: str) -> Facts:
    """Give the facts of a parameter."""
    return facts_of(PARAMETERS[name])


@derived
def names_with(fact: str) -> tuple[str, ...]:
    """List the parameters of which a fact is told, such as those with `draws`, in their order."""
    untold = getattr(Facts(), fact)
    return tuple(name for name in PARAMETERS if getattr(facts(name), fact) != untold)


def parameter_attributes(name: str) -> dict[str, str]:
    """Give the long name and the unit of a parameter, for the coordinate that carries it."""
    return {"long_name": PARAMETERS[name].description or name, "units": facts(name).units}


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
