"""What was measured, as files: benchmarks/results/<name>.json.

    python benchmarks/results.py RUN ...       keep what finished runs measured, each beside its baselines
    python benchmarks/results.py --write       write the numbers of README.md and of conf/experiment from the files
    python benchmarks/results.py               list the files, and which of them are older than their code or data

The other benchmarks keep their own file with `--keep`. A file holds the command, values, and where they come from:
versions, hardware, commit, and the fingerprint of the data's source.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "results"
MEASURED_CODE = ("src", "conf", "benchmarks/*.py")  # what a result depends on, besides versions and data


@dataclass
class Result:
    """One file of results. `source` is the node of a config that the data was read from, with its fingerprint."""

    name: str
    command: str
    values: dict[str, Any]
    environment: dict[str, Any]  # as in run.json: python, packages, hardware, code
    source: dict[str, Any] = field(default_factory=dict)

    def write(self) -> Path:
        from variformer.run_directory.directory import write_json

        FOLDER.mkdir(exist_ok=True)
        path = FOLDER / f"{self.name}.json"
        content = asdict(self)
        content.pop("name")
        content["environment"].get("code", {}).pop("untracked", None)
        write_json(path, content)
        return path

    @property
    def machine(self) -> str:
        """The hardware and versions, in words."""
        hardware, packages = self.environment["hardware"], self.environment["packages"]
        place = ", ".join(hardware["gpus"]) or f"{hardware['cores']} cores of {hardware['cpu'].replace('(R)', '')}"
        return f"{place}, torch {packages['torch']}, Python {self.environment['python']}"


def load(name: str) -> Result:
    """Raises FileNotFoundError that names the command where nothing was measured yet."""
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: `python benchmarks/results.py RUN` or a benchmark's --keep writes it"
        )
    return Result(name, **json.loads(path.read_text(encoding="utf-8")))


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def measured_here(name: str, script: str, values: dict[str, Any]) -> Result:
    """The result of a benchmark that runs now, in this process."""
    from variformer.run_directory.directory import environment

    arguments = [each for each in sys.argv[1:] if each != "--keep"]
    return Result(name, " ".join(["python", f"benchmarks/{script}", *arguments]), values, environment())


def outdated(result: Result) -> Iterator[str]:
    """Why a result may no longer hold: changes of the code, or of the data, since it was measured."""
    commit = result.environment.get("code", {}).get("commit")
    if result.environment.get("code", {}).get("dirty"):
        yield "measured with changes that are in no commit"
    if commit and (changes := commits_since(commit)):
        yield f"older than the code: {changes} commits to {', '.join(MEASURED_CODE)} since {commit[:10]}"
    if result.source and source_fingerprint(result.source["node"]) != result.source["fingerprint"]:
        yield "older than the data: the source has another fingerprint now"


def commits_since(commit: str) -> int:
    """0 where git does not know the commit, as in a shallow clone."""
    command = ["git", "rev-list", "--count", f"{commit}..HEAD", "--", *MEASURED_CODE]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return int(found.stdout) if found.returncode == 0 else 0


def source_fingerprint(node: dict[str, Any]) -> str:
    """Of the documents or images as they are now, before tokenizers and augmentation."""
    from variformer.config import instantiate
    from variformer.data.cache import cache_folder, digest_of

    source = instantiate(node, "data.source")
    if hasattr(source, "fingerprint"):
        return source.fingerprint(cache_folder())
    return digest_of({split: images.fingerprint() for split, images in source.read().items()})


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="run directories")
    parser.add_argument("--write", action="store_true", help="write README.md and conf/experiment anew")
    chosen = parser.parse_args(arguments)
    try:
        for run in chosen.runs:
            from experiments import measured

            print(measured(run).write().relative_to(ROOT))
        if chosen.write:
            from written import write

            print("\n".join(str(path.relative_to(ROOT)) for path in write()) or "all numbers are those of the files")
    except (OSError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    if not chosen.runs and not chosen.write:
        for name in names():
            print(f"{name}: {'; '.join(outdated(load(name))) or 'current'}")


if __name__ == "__main__":
    main()
