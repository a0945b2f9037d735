"""Pictures of a sweep: how the search went, which keys mattered, and which values went together."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from .axis import Axis, axes_of, axis, is_even_in_logarithm, short
from .space import Space
from .trials import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST_TO_COMPARE = 2
FEWEST_FOR_IMPORTANCES = 4  # with fewer trials, the importances are random
MARKS = {"done": ("o", "C0"), "pruned": ("v", "0.6")}


def draw_figures(
    folder: Path, trials: Sequence[Trial], monitor: str, mode: str, space: Space
) -> tuple[list[Path], list[str]]:
    """The pictures that can be drawn of these trials, and for each of the others a line that says why not."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn, reasons = [], []
    for name, draw in FIGURES.items():
        try:
            figure = draw(trials, monitor, mode, space)
        except TooFew as reason:
            reasons.append(f"no {name}.png: {reason}")
            continue
        figure.savefig(folder / f"{name}.png", dpi=130)
        drawn.append(folder / f"{name}.png")
    return drawn, reasons


class TooFew(ValueError):
    """There are too few trials or keys for a picture. The message says how many it needs."""


def finished(trials: Sequence[Trial], fewest: int = 1) -> list[Trial]:
    """The trials that reached their end with a finite value. Raises TooFew if there are fewer than `fewest`."""
    ended = [trial for trial in trials if trial.status == "done" and trial.value is not None and isfinite(trial.value)]
    if len(ended) < fewest:
        raise TooFew(f"it takes {fewest} finished trial{'s' * (fewest > 1)}, and there are {len(ended)}")
    return ended


def values(trials: Sequence[Trial]) -> list[float]:
    return [trial.value for trial in trials if trial.value is not None]


def draw_history(trials: Sequence[Trial], monitor: str, mode: str, space: Space) -> "Figure":
    """The value of every trial in the order of their numbers, and the best value so far."""
    from matplotlib.ticker import MaxNLocator

    best_of: Callable[[float, float], float] = min if mode == "min" else max
    ended = sorted(finished(trials), key=lambda trial: trial.number)
    figure, axes = canvas(6.4, 4.0)
    for status, (marker, color) in MARKS.items():
        shown = {t.number: t.value for t in trials if t.status == status and t.value is not None and isfinite(t.value)}
        if shown:
            axes.scatter(list(shown), list(shown.values()), label=status, marker=marker, color=color)
    best = list(accumulate(values(ended), best_of))
    axes.step([trial.number for trial in ended], best, where="post", color="C3", alpha=0.7, label="best so far")
    failed = [trial.number for trial in trials if trial.status == "failed"]
    if failed:
        bottom = axes.get_xaxis_transform()
        axes.plot(failed, [0.03] * len(failed), "x", color="C3", transform=bottom, label="failed")
    if is_even_in_logarithm(values(ended)):
        use_logarithmic_scale(axes)
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))  # the default's steps
    axes.set(xlabel="trial", ylabel=monitor)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=9)
    return figure


def use_logarithmic_scale(axes: "Axes") -> None:
    """Use ticks at 0.1, 0.2, 0.5 and so on where there are few powers of 10, or none."""
    from matplotlib.ticker import LogLocator

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1e4 * low else (1,)))
    axes.yaxis.set_major_formatter(lambda y, _: short(y))
    axes.minorticks_off()


def draw_importances(trials: Sequence[Trial], monitor: str, mode: str, space: Space) -> "Figure":
    """The fraction of the values' variance that each key explains, by functional ANOVA (Hutter et al., 2014)."""
    ended = finished(trials, FEWEST_FOR_IMPORTANCES)
    swept = axes_of(ended, space)
    if len(swept) < 2:
        raise TooFew(f"it takes two keys that vary, and there {'is one' if swept else 'are none'}")
    weights = importances(swept, values(ended))
    keys = sorted(weights, key=weights.__getitem__)
    figure, axes = canvas(6.4, 1.2 + 0.42 * len(keys))
    bars = axes.barh(keys, [weights[key] for key in keys], color="C0", height=0.6)
    axes.bar_label(bars, fmt="%.2f", padding=4, fontsize=9)
    axes.set(xlim=(0, 1.1 * max(weights.values())), xlabel=f"importance for {monitor}, {len(ended)} finished trials")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def importances(swept: Sequence[Axis], reached: Sequence[float]) -> dict[str, float]:
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    if len(set(reached)) == 1:
        raise TooFew("all trials came to the same value")
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    optuna.logging.set_verbosity(verbosity)
    distributions = {each.label: each.distribution() for each in swept}
    for value, *given in zip(reached, *(each.values() for each in swept), strict=True):
        params = dict(zip(distributions, given, strict=True))
        study.add_trial(create_trial(value=value, params=params, distributions=distributions))
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))


def draw_parallel_coordinates(trials: Sequence[Trial], monitor: str, mode: str, space: Space) -> "Figure":
    """A line for each finished trial, from its swept values to the value that it reached; the best lies on top."""
    ended = finished(trials, FEWEST_TO_COMPARE)
    columns = [*axes_of(ended, space), axis(monitor, list(map(repr, values(ended))))]
    figure, axes = canvas(1.2 + 1.5 * len(columns), 4.2)
    heights = [column.heights() for column in columns]
    goodness = [1 - height if mode == "min" else height for height in heights[-1]]
    from matplotlib import colormaps

    worst_first = sorted(range(len(ended)), key=lambda index: (goodness[index], -ended[index].number))
    best = ended[worst_first[-1]].number
    for index in worst_first:
        is_best = index == worst_first[-1]
        color = "C3" if is_best else colormaps["viridis_r"](goodness[index])
        line = [column[index] for column in heights]
        axes.plot(line, color=color, linewidth=2.5 if is_best else 1.2, alpha=1.0 if is_best else 0.75)
    draw_columns(axes, columns)
    axes.set_title(f"{len(ended)} finished trials, darker is better; red is the best, trial {best}", fontsize=10)
    return figure


def draw_columns(axes: "Axes", columns: Sequence[Axis]) -> None:
    for place, column in enumerate(columns):
        axes.axvline(place, color="0.3", linewidth=0.8)
        for height, text in column.ticks():
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1}
            axes.text(place + 0.04, height, text, fontsize=8, va="center", bbox=box)
    axes.set(xlim=(-0.05, len(columns) - 0.45), ylim=(-0.04, 1.04), yticks=[])
    axes.set_xticks(range(len(columns)), [broken(column.label) for column in columns], fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def canvas(width: float, height: float) -> tuple["Figure", "Axes"]:
    """A figure of a size in inches with one set of axes. It does not use pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def broken(key: str) -> str:
    """A long key over several lines."""
    return key if len(key) < 14 else key.replace("/", "/\n").replace(".", ".\n")


FIGURES = {
    "history": draw_history,
    "importances": draw_importances,
    "parallel_coordinates": draw_parallel_coordinates,
}
