"""The numbers of README.md and of conf/experiment, written from benchmarks/results.

README.md marks each such part: `<!-- measured: NAME -->` ... `<!-- measured: end -->`. In an experiment's head it is
the lines from `# Cost:` to the end of the head, or to an empty comment line.
"""

import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments import METRICS
from results import ROOT, Result, load

README, EXPERIMENTS = ROOT / "README.md", ROOT / "conf" / "experiment"
MARKED = re.compile(r"(<!-- measured: (?!end)(\w+) -->\n).*?(\n<!-- measured: end -->)", re.DOTALL)
COST = re.compile(r"^# Cost: .*\n(?:# \S.*\n)*", re.MULTILINE)
WIDTH = 120
AFTER = {"distilbert": "bert", "deit": "vit"}  # a student and the experiment that makes its teacher
ORDER = ["gpt", "bert", "modern_bert", "roberta", "albert", "distilbert", "electra", "t5", "ul2", "bart", "vit", "deit"]


def write() -> list[Path]:
    """Write every file whose numbers are not those of the results; say which."""
    changed = []
    for path, text in expected():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def expected() -> Iterator[tuple[Path, str]]:
    """Each file with measured numbers, and its text as it should be."""
    readme = README.read_text(encoding="utf-8")
    yield README, MARKED.sub(lambda found: found[1] + PARTS[found[2]]() + found[3], readme)
    for name in ORDER:
        path = EXPERIMENTS / f"{name}.yaml"
        head = lambda _, name=name: experiment_head(load(f"experiment_{name}"))  # noqa: E731
        yield path, COST.sub(head, path.read_text(encoding="utf-8"), count=1)


def experiment_head(result: Result) -> str:
    """The lines of an experiment's head."""
    values = result.values
    cost = f"Cost: {duration(values['seconds'])} after the start of Python, on {result.machine}, seed {values['seed']}."
    shown = [f"{words} {value:.3f}{beside(values, name)}" for name, words, value in shown_metrics(values)]
    lines = [*wrapped(cost), *wrapped(f"Result on the validation split: {', '.join(shown)}.")]
    return "".join(f"# {line}\n" for line in lines)


def beside(values: dict[str, Any], metric: str) -> str:
    found = ", ".join(f"{name} {value:.3f}" for name, value in values["baselines"].get(metric, {}).items())
    return f" ({found})" if found else ""


def shown_metrics(values: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """(name, words, value) of the metrics that have a baseline."""
    for name, words in METRICS.items():
        if name in values["metrics"] and name in values["baselines"]:
            yield name, words, values["metrics"][name]


def experiments() -> str:
    """A table with one experiment in each row, and where it was measured."""
    rows = [
        "| experiment | parameters | time | result on the validation split | to beat |",
        "|---|---|---|---|---|",
    ]
    results = {name: load(f"experiment_{name}") for name in ORDER}
    for name, result in results.items():
        values = result.values
        after = f", after `experiment={AFTER[name]}`" if name in AFTER else ""
        shown = list(shown_metrics(values))
        reached = ", ".join(f"{words} {value:.3f}" for _, words, value in shown)
        to_beat = "; ".join(f"{beside(values, metric)[2:-1]}" for metric, _, _ in shown)
        parameters = f"{values['parameters'] / 1e6:.2g}M"
        rows.append(
            f"| `experiment={name}` | {parameters} | {duration(values['seconds'])}{after} | {reached} | {to_beat} |"
        )
    return "\n".join([*places(results.values()), "Times leave out the start of Python.", "", *rows])


def places(results: Any) -> list[str]:
    """One sentence for each machine and seed that results come from."""
    found = dict.fromkeys(f"Measured on {result.machine}, seed {result.values['seed']}." for result in results)
    return list(found)


def language() -> str:
    result = load("language_baselines")
    return table(result, "Bits per byte of the same held-out documents, with the same tokens.")


def steps() -> str:
    return table(load("training_steps"), "")


def overhead() -> str:
    return table(load("lightning_overhead"), "")


def table(result: Result, title: str) -> str:
    head = f"{title} Measured by `{result.command}` on {result.machine}.".strip()
    return "\n".join([head, "", *result.values["table"]])


def fresh_clone() -> str:
    result = load("fresh_clone")
    seconds = result.values["seconds"]
    return f"From a fresh clone that takes {duration(seconds)} on {result.machine}, installation included."


def sample() -> str:
    return "\n".join(["```", *load("fresh_clone").values["sample"], "```"])


def sweep() -> str:
    result = load("sweep")
    said = f"What the first ends with, after {duration(result.values['seconds'])} on {result.machine}:"
    return "\n".join([said, "", "```", *result.values["lines"], "```"])


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 2, break_on_hyphens=False)


PARTS: dict[str, Callable[[], str]] = {
    each.__name__: each for each in (experiments, language, steps, overhead, fresh_clone, sample, sweep)
}
