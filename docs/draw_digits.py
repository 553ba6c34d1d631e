"""Draw digits, and their recovery from few and from many measurements.

    python docs/draw_digits.py digits.toml digits.png

reads the sweep file that docs/train_digits_decoder.py prints. The upper row shows signals
G(x*). A row below shows the signals G(x) where descent ended. A column has the same digit and the
same start.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from genprior.sweeps import Grid
from genprior.sweeps.catalogue import load_sweep
from genprior.tasks.instance import draw_instance
from genprior.tasks.solvers.descent import descend

COLUMNS = 10


def main() -> None:
    """Run a trial for each column and each m, and draw the signals."""
    parser = argparse.ArgumentParser(description="Draw recovered digits.")
    parser.add_argument("sweep", help="sweep file with an axis m")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--m", type=int, nargs="+", default=[8, 12, 16, 24, 40])
    options = parser.parse_args()

    rows = {}
    for m in options.m:
        sweep = load_sweep(options.sweep).override([f"m={m}"])
        point = Grid(sweep).point((0,) * len(sweep.axes))
        instances = [draw_instance(point, trial, sweep.seed, ["m"]) for trial in range(COLUMNS)]
        rows["true"] = [instance.signal for instance in instances]
        rows[f"m = {m}"] = [
            instance.objective.network(
                descend(
                    instance.objective,
                    instance.method,
                    instance.start,
                    max_steps=point.solver.max_steps,
                ).state.code
            )
            for instance in instances
        ]
    below = point.success.below
    rows = {"true": rows.pop("true"), **rows}
    figure, axes = plt.subplots(len(rows), COLUMNS, figsize=(0.6 * COLUMNS + 0.7, 0.62 * len(rows)))
    for line, (label, signals) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(label, rotation=0, ha="right", va="center")
        for cell, signal, true in zip(line, signals, rows["true"], strict=True):
            cell.imshow(signal.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            is_recovered = np.linalg.norm(signal - true) < below * np.linalg.norm(true)
            frame = "tab:green" if is_recovered else "tab:red"
            cell.set(xticks=[], yticks=[])
            cell.spines[:].set_color("tab:gray" if signal is true else frame)
            cell.spines[:].set_linewidth(1.5)
    figure.subplots_adjust(0.11, 0.01, 0.995, 0.99, wspace=0.06, hspace=0.08)
    figure.savefig(options.picture, dpi=130)


if __name__ == "__main__":
    main()
