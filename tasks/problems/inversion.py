"""Inversion: the code of a signal that is known."""

from typing import ClassVar

from .denoising import Denoising


class Inversion(Denoising):
    """b = y*, L(y) = ½‖y − b‖²: denoising without noise.

    Source: Hand & Voroninski, Corollary 5.
    """

    name: ClassVar[str] = "inversion"
    uses: ClassVar[tuple[str, ...]] = ()
