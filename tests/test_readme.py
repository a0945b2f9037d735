"""What the README's tables say is true. `python tests/test_readme.py` writes that of the systems anew."""

import importlib.util
import re
from functools import cache
from pathlib import Path

import systems
import torch
import yaml

ROOT = Path(__file__).parents[1]
README, CONF = ROOT / "README.md", ROOT / "conf"
BEGIN, END = "<!-- systems: written by tests/test_readme.py -->", "<!-- systems: end -->"
REFRESH = "the table of systems in README.md is stale; `python tests/test_readme.py` writes this one:\n\n"
COLUMNS = ("system", "model=", "sizes, with their parameters", "objective", "import", "export", "parity")


def table() -> str:
    rows = [" | ".join(COLUMNS), "|".join("---" for _ in COLUMNS), *(" | ".join(row(name)) for name in counts())]
    return "\n".join(f"| {cells} |" if "---" not in cells else f"|{cells}|" for cells in rows)


def row(name: str) -> tuple[str, ...]:
    """One system: a file of conf/model."""
    title = re.match(r"# ([^(:]+)", (CONF / "model" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert title, f"conf/model/{name}.yaml must begin with the name of the system"
    model_type, classes = formats(name)
    tests = ", ".join(f"[{path.name}]({path.relative_to(ROOT)})" for path in parity_tests(classes[0]))
    objectives = ", ".join(f"`{each}`" for each in objectives_of(name))
    exports = ", ".join([f"`{classes[0]}`", *(f"`…For{each.partition('For')[2]}`" for each in classes[1:])])
    return title[1].strip(), f"`{name}`", sizes(name), objectives, f"`{model_type}`", exports, tests


@cache
def counts() -> dict[str, dict[str, int]]:
    """The sizes whose parameters tests/models/test_parameter_counts.py counts, of all systems."""
    path = ROOT / "tests" / "models" / "test_parameter_counts.py"
    spec = importlib.util.spec_from_file_location("parameter_counts", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PUBLISHED


def sizes(name: str) -> str:
    """`vit_tiny/16` and `vit_tiny/32` are one size with two sizes of patches, and count as the first."""
    patches: dict[str, list[str]] = {}
    numbers: dict[str, int] = {}
    for key, count in counts()[name].items():
        size, _, patch = key.partition("/")
        patches.setdefault(size, []).append(f"/{patch}" if patch else "")
        numbers.setdefault(size, count)
    return ", ".join(f"{size}{' '.join(patches[size])} {short(numbers[size])}" for size in patches)


def short(count: int) -> str:
    millions = count / 10**6
    return f"{millions / 1000:.3g}B" if millions >= 999.5 else f"{millions:.3g}M"


def objectives_of(name: str) -> list[str]:
    """Those of the experiments that train the system's class."""
    found = [choices(path) for path in sorted((CONF / "experiment").rglob("*.yaml"))]
    found = [each for each in found if each["/model"] != "source"]  # which any system may be
    return sorted({each["/objective"] for each in found if target_of(each["/model"]) == target_of(name)})


@cache
def target_of(name: str) -> str:
    """The class of a file of conf/model, or of the one that it builds on."""
    node = yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text(encoding="utf-8"))
    return node.get("_target_") or target_of(node["defaults"][0])


def choices(experiment: Path) -> dict[str, str]:
    """Group -> option, with those of the experiments that it builds on."""
    found: dict[str, str] = {}
    for entry in (yaml.safe_load(experiment.read_text(encoding="utf-8")) or {}).get("defaults", []):
        if isinstance(entry, str) and entry.startswith("/experiment/"):
            found |= choices(CONF / f"{entry[1:]}.yaml")
        elif isinstance(entry, dict):
            found |= {key.removeprefix("override "): option for key, option in entry.items()}
    return found


def formats(name: str) -> tuple[str, list[str]]:
    """Their model type, and their classes that our checkpoints become: the family's own, then those for tasks."""
    from variformer.weights.huggingface import config_of, to_huggingface
    from variformer.weights.tables import FAMILIES

    with torch.device("meta"):
        model = systems.small(name)
    to_huggingface(model)  # raises where a tensor has no name
    config = config_of(model)
    tasks = [task.theirs for task in FAMILIES[config["model_type"]].tasks]
    return config["model_type"], [*config["architectures"], *tasks]


def parity_tests(architecture: str) -> list[Path]:
    """The test of all systems, and those that build transformers' models of this family by hand."""
    theirs = re.compile(rf"\b{re.split('For|LMHead', architecture)[0]}Config\b")
    files = sorted((ROOT / "tests" / "parity").glob("test_*.py"))
    others = [path for path in files if theirs.search(path.read_text(encoding="utf-8"))]
    return [ROOT / "tests" / "parity" / "test_systems.py", *others]


def section() -> str:
    text = README.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1, f"README.md needs {BEGIN} and {END} once each"
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()


def test_the_table_of_systems_is_current():
    assert section() == table(), REFRESH + table()


def test_every_system_is_in_the_table():
    files = {path.stem for path in (CONF / "model").glob("*.yaml")} - {"parts", "source"}
    assert files == counts().keys()


def test_every_system_has_an_objective_of_its_own():
    assert [name for name in counts() if not objectives_of(name)] == []


def test_each_fault_in_the_readme_has_its_test():
    named = re.findall(r"(slow: )?\[(test_\w+)\]\((tests/\S+\.py)\)", README.read_text(encoding="utf-8"))
    assert len(named) > 20
    for slow, name, path in named:
        decorated = re.search(rf"((?:^@.*\n)*)^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
        assert decorated, f"{path} has no {name}"
        assert ("@pytest.mark.slow" in decorated[1]) == bool(slow), f"{path}::{name}: is it slow?"


if __name__ == "__main__":
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
