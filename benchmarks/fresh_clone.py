"""How long the README's first command takes on a fresh clone, installation included: `make train`.

    python benchmarks/fresh_clone.py --keep

The clone is of the last commit. It has caches of its own, so that nothing is there but what uv keeps of packages.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from experiments import measured
from results import ROOT, Result
from written import duration


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="train", help="of the Makefile")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/fresh_clone.json")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = timed(Path(folder), chosen.target)
    print(f"make {chosen.target}: {duration(result.values['seconds'])}")
    if chosen.keep:
        print(result.write().relative_to(ROOT))


def timed(folder: Path, target: str) -> Result:
    """Clone into `folder` and run there. Raises CalledProcessError where the command fails."""
    clone, caches = folder / "clone", folder / "caches"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    own = {"VARIFORMER_CACHE": str(caches / "data"), "TORCHINDUCTOR_CACHE_DIR": str(caches / "compiled")}
    began = time.perf_counter()
    subprocess.run(["make", target], cwd=clone, env=inherited | own, check=True)
    seconds = time.perf_counter() - began
    run = max((clone / "runs").glob("*/*/metrics.json"), key=lambda path: path.stat().st_mtime).parent
    result: Any = measured(run)
    values = result.values | {"seconds": round(seconds, 1), "sample": last_sample(run)}
    values["in_the_run"] = json.loads((run / "metrics.json").read_text())["seconds"]
    return Result("fresh_clone", f"make {target}", values, result.environment, result.source)


def last_sample(run: Path) -> list[str]:
    files = sorted((run / "samples").glob("*.txt"))
    return [line.rstrip() for line in files[-1].read_text(encoding="utf-8").strip().splitlines()] if files else []


if __name__ == "__main__":
    main()
