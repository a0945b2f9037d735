"""What a small sweep ends with, as the README shows it.

python benchmarks/sweep_example.py --keep
"""

import argparse
import subprocess
import sys
import tempfile
import time

from results import ROOT, Result, measured_here

COMMAND = "train.py -m experiment=gpt optimizer.lr=0.01,0.02 model/positions=learned,rotary max_steps=60 compile=none"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/sweep.json")
    parser.add_argument("overrides", nargs="*", help="more of the sweep's overrides")
    chosen = parser.parse_args(arguments)
    result = swept(chosen.overrides)
    print("\n".join(result.values["lines"]))
    if chosen.keep:
        print(result.write().relative_to(ROOT))


def swept(overrides: list[str]) -> Result:
    """Run the sweep in a new folder. Raises CalledProcessError where it fails."""
    script, *fixed = COMMAND.split()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        command = [sys.executable, str(ROOT / script), *fixed, *overrides]
        done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
        seconds = time.perf_counter() - began
    result = measured_here("sweep", "sweep_example.py", {"seconds": round(seconds, 1), "lines": closing(done.stdout)})
    result.command = f"python {COMMAND}"
    return result


def closing(output: str) -> list[str]:
    """The table of trials and all that follows it, without where the repository lies."""
    lines = [line.rstrip().replace(f"{ROOT}/", "") for line in output.splitlines()]
    first = max(number for number, line in enumerate(lines) if line.startswith("trial "))
    return lines[first:]


if __name__ == "__main__":
    main()
