"""The parameters of problems: target, measurements and noise."""

from typing import Literal, Self

from pydantic import model_validator

from ...sweeps.parameter import quantity
from ...sweeps.point import PointBase
from ...sweeps.tables import Strict
from ..notation import Codes, Count, code_rows


class ProblemParameters(PointBase):
    """The parameter that names the problem."""

    problem: str = quantity(
        "compressed-sensing", "recovery problem", draws=True, memory=True, labelled=True
    )


class TargetParameters(PointBase):
    """The parameters of the target, the code and signal to recover."""

    target: int = quantity(
        0,
        "which of several targets, all met by the same network, measurements, noise and dither",
        ge=0,
        le=1_000_000_000,
        variant=True,
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

    @property
    def codes(self) -> tuple[tuple[float, ...], ...]:
        """The codes of `target_codes`, each of k numbers; empty if they are drawn."""
        return code_rows(self.target_codes) if self.target_codes else ()


class MeasurementParameters(PointBase):
    """The parameters for the amount of data."""

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


class Noise(Strict):
    """Noise of the data: independent entries, given by `sigma`, or a fixed norm, given by `snr_db`.

    Only one of the two may be given. In one-bit recovery the noise is added before the sign is
    taken; in spiked models it is the noise of the matrix.
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
        instead_of=("noise.sigma",),
        success="rising",
    )

    @model_validator(mode="after")
    def _one_law(self) -> Self:
        if self.sigma > 0 and self.snr_db is not None:
            raise ValueError(
                f"'noise.sigma' is {self.sigma} and 'noise.snr_db' is {self.snr_db}; give one."
            )
        return self


class NoiseParameters(PointBase):
    """The noise of the data."""

    noise: Noise = Noise()
