"""Every measured number in README.md and conf/experiment is that of a file in benchmarks/results."""

import re
import warnings

import results
import written

MEASURED = re.compile(r"\d+ min \d+ s|(?<![=\d])\d\.\d{3,}|\d+(?:\.\d+)?%|\b\d+\.\d+ (?:ms|times)\b")
SYSTEMS = re.compile(r"<!-- systems: written.*?<!-- systems: end -->", re.DOTALL)


def test_the_text_is_that_of_the_results():
    for path, text in written.expected():
        assert path.read_text(encoding="utf-8") == text, f"{path} is stale: python benchmarks/results.py --write"


def test_no_measured_number_stands_outside_of_its_part():
    readme = SYSTEMS.sub("", written.MARKED.sub("", written.README.read_text(encoding="utf-8")))
    assert MEASURED.findall(readme) == []
    for path in written.EXPERIMENTS.glob("*.yaml"):
        head = "".join(line for line in path.read_text().splitlines(True) if line.startswith("#"))
        assert MEASURED.findall(written.COST.sub("", head)) == [], path


def test_every_experiment_has_a_result_or_says_that_it_has_none():
    unmeasured = {each.stem for each in written.EXPERIMENTS.glob("*.yaml") if "# Not measured.\n" in each.read_text()}
    assert {path.stem for path in written.EXPERIMENTS.glob("*.yaml")} - unmeasured == set(written.ORDER)


def test_results_older_than_their_code_or_data_are_named():
    """Not a failure: most commits change no number. `python benchmarks/results.py` lists the same."""
    for name in results.names():
        for reason in results.outdated(results.load(name)):
            warnings.warn(f"benchmarks/results/{name}.json: {reason}", stacklevel=1)
