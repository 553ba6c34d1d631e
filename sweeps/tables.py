"""The tables of a point's parameters, each with its defaults, units and bounds."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from .errors import shown
from .parameter import quantity, setting


def refuse_lookalikes(value: Any, kind: Any) -> Any:
    """Refuse text and truth values for a number, and anything but a truth value for one.

    Pydantic would convert them; in a sweep file they are slips.
    """
    if kind is bool and not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {shown(value)}")
    if kind in (int, float, int | None, float | None) and isinstance(value, bool | str):
        raise ValueError(f"must be a number, got {shown(value)}")
    return value


def is_stored(info: ValidationInfo) -> bool:
    """Say whether a sweep is read from a store, which an older version may have made."""
    return bool((info.context or {}).get("stored"))


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
        symbol="noise level $\\sigma$",
        draws=True,
        success="falling",
    )
    law: Literal["gaussian", "laplace", "uniform", "student-t"] = quantity(
        "gaussian", "law of the noise's entries", draws=True
    )
    snr_db: float | None = quantity(
        None,
        "signal-to-noise ratio 10·log10(‖A y*‖/‖η‖), a ratio of norms",
        "dB",
        ge=-300,
        le=3000,
        symbol="SNR [dB]",
        draws=True,
        success="rising",
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

    enabled: bool = quantity(True, "whether dither is added before the sign is taken", draws=True)
    amplitude: float | None = quantity(
        None,
        "λ: the dither is uniform on [−λ, λ], and the back-projection is (λ/m) Σ s_i a_i, "
        "with dither or without",
        "signal units",
        gt=0,
        draws=True,
    )
    rule: Literal["fixed", "log-m"] = quantity(
        "fixed", "what sets λ: dither.amplitude, or ½ √(‖y*‖² + σ²) log m", draws=True
    )


class Solver(Strict):
    """How the descent runs; no random draw depends on it.

    Where step, tolerance and start_scale are not given, the problem sets them from its data.
    """

    method: str = setting(
        "descent",
        "descent on the generator's codes, or scikit-learn's Lasso on the signal, without any; it "
        "has the parameters penalty and max_rounds, and no codes: their errors are infinite",
        memory=True,
    )
    penalty: float = setting(
        1e-4, "weight of the Lasso's ‖y‖₁, relative to the least that gives 0, max|Aᵀb|", gt=0, lt=1
    )
    max_rounds: int = setting(
        100_000,
        "round budget of the Lasso over all coordinates, at each of its 40 penalties",
        "rounds",
        ge=1,
        le=1_000_000_000,
    )
    engine: Literal["fast", "plain"] = setting(
        "fast",
        "implementation of the descent; both give the same iterates but for rounding",
        memory=True,
    )
    step: float | None = setting(
        None,
        "step size α of the descent; by default 0.175·(2/gain)^d over the loss's curvature",
        gt=0,
        symbol="step size $\\alpha$",
    )
    max_steps: int = setting(10_000, "step budget of the descent", "steps", ge=1, le=1_000_000_000)
    tolerance: float | None = setting(
        None,
        "descent stops when the descent vector is shorter; by default 1e-10 of what it is at first",
        "signal units; to the third in spiked models",
        ge=0,
    )
    negation: bool = setting(True, "whether x is replaced by −x when f(−x) < f(x)")
    start: Literal["gaussian", "mirror", "ones", "prior"] = setting(
        "gaussian",
        "first iterate: a standard normal draw, the mirror point −ρ_d x*, all ones, or a draw like "
        "that of the true code",
    )
    start_scale: float | None = setting(
        None, "factor on a first iterate that is drawn or all ones; by default the problem's", gt=0
    )
    stall_after: int | None = setting(
        None,
        "a run stops as stalled if its best loss did not fall by 1e-9 over so many steps; 0: only "
        "seen at the end; by default 500 for noisy data and 0 otherwise",
        "steps",
        ge=0,
        le=1_000_000_000,
    )
    abandon_after: int = setting(
        0,
        "a run is abandoned if its best loss did not fall by abandon_factor over so many steps; "
        "0: never",
        "steps",
        ge=0,
        le=1_000_000_000,
    )
    abandon_factor: float = setting(
        2.0, "factor by which the best loss must fall over abandon_after steps", gt=1
    )
    audit: float = setting(
        0.1, "probability that a run to be abandoned is run to its end all the same", ge=0, le=1
    )


class Success(Strict):
    """When a trial counts as recovered."""

    metric: Literal["latent_error", "signal_error", "nearest_target"] = setting(
        "latent_error",
        "error that decides success, or whether no other of target_codes gives a nearer signal",
        memory=True,
    )
    below: float = setting(1e-3, "relative error below which a trial is a success", gt=0)


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

    draws: int = setting(200, "random candidates", ge=1, le=1_000_000_000)
    ascents: int = setting(
        4, "best candidates from which a local ascent starts", ge=0, le=1_000_000, memory=True
    )
    steps: int = setting(200, "moves tried in an ascent", "steps", ge=1, le=1_000_000_000)


class Code(Strict):
    """The Lipschitz code whose points are sent at several scales, and how they are decoded.

    Radius and domain of the generator are left out: they are units, and decide nothing.
    """

    codewords: int = quantity(
        11,
        "codewords P that the curve of a block goes through",
        ge=2,
        le=4096,
        draws=True,
        memory=True,
    )
    message: int | None = quantity(
        None,
        "message symbols of the outer code; by default k/2, rounded up",
        ge=1,
        le=64,
        draws=True,
        memory=True,
    )
    levels: int = quantity(
        3, "points that are sent, each at a scale of its own", ge=1, le=100, draws=True, memory=True
    )
    scale: float = quantity(
        96.0, "factor D between one scale and the next", gt=1, le=1e6, draws=True
    )
    decoder: Literal["points", "range"] = quantity(
        "points",
        "where a scale is looked for: among the points of the code, or in the generator's range, "
        "by coordinate descent, and then rounded to a point",
        memory=True,
    )
    starts: int = quantity(
        5, "random starts of the decoder in the range", ge=1, le=10_000, memory=True
    )
