"""Train a decoder of handwritten digits and write its weights for genprior.

It needs scikit-learn (the extra `baselines`) and takes about ten seconds on one core:

    python docs/train_digits_decoder.py digits.npz

The code of a digit is its principal components, scaled to variance 1. The decoder has two hidden
layers of ReLUs and a linear layer. It learns to compute the digit from the code.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor

SWEEP = """\
# {stem}.toml
title = "How many measurements does a handwritten digit need?"
trials = 40

[axes]
m = "4:40:4"                     # number of measurements, of {n} pixels

[parameters]
generator = "trained"
weights = "{path}"
last_layer = "linear"
success.metric = "signal_error"
success.below = 0.01
solver.max_steps = 3000          # steps

[fit]
along = "m"
"""


def main() -> None:
    """Train the decoder, write its weights, and print its errors and a sweep file."""
    parser = argparse.ArgumentParser(description="Train a decoder of handwritten digits.")
    parser.add_argument("path", type=Path, help="file to write, .npz")
    parser.add_argument("--latent", type=int, default=10, help="numbers in a code")
    parser.add_argument("--hidden", type=int, nargs="+", default=[50, 100], help="hidden widths")
    parser.add_argument("--epochs", type=int, default=300, help="passes over the training digits")
    options = parser.parse_args()

    pixels = load_digits().data / 16  # 1797 digits of 8 × 8 pixels, from 0 to 1
    training, held_out = train_test_split(pixels, test_size=0.2, random_state=0)
    components = PCA(options.latent, whiten=True, random_state=0).fit(training)
    decoder = MLPRegressor(
        hidden_layer_sizes=options.hidden,
        batch_size=50,
        max_iter=options.epochs,
        n_iter_no_change=options.epochs,
        random_state=0,
    )
    # The number of passes is fixed, so a warning that more would help is not needed.
    warnings.simplefilter("ignore", ConvergenceWarning)
    decoder.fit(components.transform(training), training)

    codes = components.transform(held_out)
    linear = components.inverse_transform(codes)
    print(f"relative error on held-out digits: {relative(decoder.predict(codes), held_out):.3f}")
    print(f"of the principal components alone: {relative(linear, held_out):.3f}")
    # The weights of scikit-learn have shape (inputs, outputs).
    arrays = {f"weights_{i}": weight.T for i, weight in enumerate(decoder.coefs_, start=1)}
    arrays |= {f"biases_{i}": bias for i, bias in enumerate(decoder.intercepts_, start=1)}
    np.savez(options.path, **arrays, codes=codes)
    print(f"wrote {options.path}; a sweep file for it:\n")
    print(SWEEP.format(stem=options.path.stem, path=options.path, n=pixels.shape[1]), end="")


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """Compute ‖found − expected‖/‖expected‖ over all digits together."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


if __name__ == "__main__":
    main()
