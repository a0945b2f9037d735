"""How long the README's first command takes on a fresh clone, installation included: `make train`.

    python benchmarks/fresh_clone.py --keep

The clone is of the last commit. It has caches of its own, so that nothing is there but what uv keeps of packages. With
`--keep` the run is also kept as the result of its experiment.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

from experiments import measured
from results import ROOT, Result
from written import duration


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="train", help="of the Makefile")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/fresh_clone.json")
    parser.add_argument("--folder", type=Path, help="where to clone to; what is made there stays")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        seconds, run = timed(chosen.folder or Path(temporary), chosen.target)
        print(f"make {chosen.target}: {duration(seconds)}")
        if chosen.keep:
            experiment = measured(run)
            values = {"seconds": round(seconds, 1), "sample": last_sample(run)}
            result = Result("fresh_clone", f"make {chosen.target}", values, experiment.environment, experiment.source)
            for each in (experiment, result):
                print(each.write().relative_to(ROOT))


def timed(folder: Path, target: str) -> tuple[float, Path]:
    """Clone into `folder` and run there: the seconds, and the newest run. Raises CalledProcessError where it fails."""
    clone, caches = folder / "clone", folder / "caches"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    own = {"VARIFORMER_CACHE": str(caches / "data"), "TORCHINDUCTOR_CACHE_DIR": str(caches / "compiled")}
    began = time.perf_counter()
    subprocess.run(["make", target], cwd=clone, env=inherited | own, check=True)
    seconds = time.perf_counter() - began
    return seconds, max((clone / "runs").glob("*/*/metrics.json"), key=lambda path: path.stat().st_mtime).parent


def last_sample(run: Path) -> list[str]:
    files = sorted((run / "samples").glob("*.txt"))
    return [line.rstrip() for line in files[-1].read_text(encoding="utf-8").strip().splitlines()] if files else []


if __name__ == "__main__":
    main()
