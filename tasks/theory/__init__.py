"""The papers' theory as functions: angles, expected landscapes, rates of sample complexity."""

from .angles import (
    angle_between,
    angle_map,
    iterated_angles,
    mirror_ratio,
    pair_matrix,
    phaseless_mirror_ratio,
)
from .expected_losses import (
    expected_descent,
    expected_loss,
    mirror_decrease,
    mirror_hessian,
    phaseless_expected_descent,
    phaseless_expected_loss,
    spiked_expected_descent,
    spiked_expected_loss,
)
from .sample_complexity import (
    contractive_widths,
    expansive_measurements,
    expansive_widths,
    linear_noise_error,
    lipschitz_lower_bound,
    noise_error,
    one_bit_lower_bound,
    one_bit_measurements,
    pattern_measurements,
    polylogarithmic_widths,
)

__all__ = [
    "angle_between",
    "angle_map",
    "contractive_widths",
    "expansive_measurements",
    "expansive_widths",
    "expected_descent",
    "expected_loss",
    "iterated_angles",
    "linear_noise_error",
    "lipschitz_lower_bound",
    "mirror_decrease",
    "mirror_hessian",
    "mirror_ratio",
    "noise_error",
    "one_bit_lower_bound",
    "one_bit_measurements",
    "pair_matrix",
    "pattern_measurements",
    "phaseless_expected_descent",
    "phaseless_expected_loss",
    "phaseless_mirror_ratio",
    "polylogarithmic_widths",
    "spiked_expected_descent",
    "spiked_expected_loss",
]
