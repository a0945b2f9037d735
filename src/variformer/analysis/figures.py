"""Figures drawn from what runs wrote."""

from collections.abc import Iterable
from pathlib import Path

LEFT_OUT = ("speed/", "spent/")


def draw_curves(rows: Iterable[tuple[int, str, float]], path: Path) -> Path:
    """(step, metric, value) rows -> one panel per quantity, training and validation together."""
    from matplotlib.figure import Figure

    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for step, name, value in rows:
        split, _, quantity = name.partition("/")
        if split == "lr":  # one panel for all groups of parameters
            split, quantity = quantity, "learning rate"
        if not name.startswith(LEFT_OUT):
            panels.setdefault(quantity, {}).setdefault(split, []).append((step, value))
    columns = min(len(panels), 3) or 1
    lines = -(-len(panels) // columns) or 1
    figure = Figure(figsize=(4.4 * columns, 3.0 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis, (quantity, curves) in zip(axes, panels.items(), strict=False):
        for split, points in curves.items():
            axis.plot(
                *zip(*points, strict=True),
                label=split,
                marker="o" if len(points) < 20 else None,
                markersize=3,
            )
        axis.set_title(quantity.replace("_", " "), fontsize=10)
        axis.set_xlabel("optimizer steps", fontsize=9)
        axis.grid(alpha=0.3)
        if len(curves) > 1:
            axis.legend(fontsize=9)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path
