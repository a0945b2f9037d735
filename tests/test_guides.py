"""The walk-throughs in docs/ and the menus of README.md do what they say.

Commands, files and snippets are read from the pages themselves. A page is run as one bash script in a copy of the
repository, from its first line to its last:

- a block `sh` is run as it stands, a block that begins with `# path/of/a/file` becomes that file, one that begins with
  `# at the end of path/of/a/file` is added to it, and the other `python` blocks of a page run as one program, last;
- a block `text` is what the block before it prints: each line has to occur in the output, whatever its numbers are.

`<!-- test: debug=fast old => new -->` above a block makes it smaller: `old` becomes `new` (both without spaces; `''` is
nothing), and all other words are added to its training commands. `<!-- sample -->` is above what depends on the size of
a run, such as a text that a model wrote.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md")
COPIED = ("src", "conf", "tests", "train.py", "evaluate.py", "pyproject.toml")
BLOCK = re.compile(r"(?:^<!-- (?P<note>[^\n]*?) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:#!.*\n|# @package.*\n)?# (?P<end>at the end of )?(?P<path>[\w./-]+\.(?:py|yaml|sh))\n")
# A training command to its end or to what reads its output; of several values of a key, the last one counts.
TRAINS = re.compile(
    r"((?:\b(?:python|torchrun [^\n]*?) train\.py|\bvariformer train)\b[^\n|>]*?)(\s*(?:[|>][^\n]*)?)$", re.MULTILINE
)
MARK = "=== block"
PROGRAMS = {  # what a cluster or an activated environment has; SLURM's do at once what they would queue
    "python": 'exec "{python}" "$@"',
    "variformer": 'exec "{python}" -m variformer "$@"',
    "pytest": 'exec "{python}" -m pytest -p no:cacheprovider "$@"',
    "torchrun": 'exec "{python}" -m torch.distributed.run "$@"',
    "sbatch": 'grep -q \'^#SBATCH --signal\' "$1" && exec bash "$1"',
    "srun": 'exec "$@"',
}


class Block(NamedTuple):
    kind: str  # sh, python, yaml or text
    text: str
    note: str

    @property
    def file(self) -> re.Match[str] | None:
        return FILE.match(self.text)

    @property
    def smaller(self) -> str:
        """Its text with what the comment above it says."""
        text, words = self.text, shlex.split(self.note.partition("test:")[2])
        while "=>" in words:
            place = words.index("=>")
            old, *new = words[place - 1 : place + 2 : 2]
            assert old in text, f"the comment above the block replaces {old}, which is not there:\n{text}"
            text = text.replace(old, new[0] if new else "")
            del words[place - 1 : place + 2]
        added = f" {shlex.join(words)}" if words else ""
        return TRAINS.sub(lambda found: found[1] + added + found[2], text)


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(BLOCK.findall(text)), f"{page}: a block has no kind"
    return [Block(found["kind"], found["text"], found["note"] or "") for found in BLOCK.finditer(text)]


def script(page: list[Block]) -> str:
    """All of a page; a line that begins with MARK stands before what each block prints."""
    program = [number for number, block in enumerate(page) if block.kind == "python" and not block.file]
    lines = ["set -euo pipefail"]
    for number, block in enumerate(page):
        lines.append(f"echo '{MARK} {number}'")
        if block.file:
            where, sign = shlex.quote(block.file["path"]), ">>" if block.file["end"] else ">"
            content = block.smaller[block.file.end() :] if block.file["end"] else block.smaller
            lines += [f'mkdir -p "$(dirname {where})"', f"cat {sign} {where} <<'END_OF_FILE'\n{content}END_OF_FILE"]
        elif block.kind == "sh":
            lines.append(block.smaller)
        elif number in program[-1:]:
            whole = "".join(f"print('{MARK} {each}', flush=True)\n{page[each].smaller}" for each in program)
            lines.append(f"cat > page.py <<'END_OF_FILE'\n{whole}END_OF_FILE\npython page.py")
    return "\n".join(lines) + "\n"


@pytest.fixture
def clone(tmp_path) -> Path:
    """What a reader has: the repository, and an environment with its commands."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, line in PROGRAMS.items():
        file = programs / name
        file.write_text(f"#!/bin/bash\n{line.replace('{python}', sys.executable)}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def well(text: str, folder: Path) -> str:
    """What a script prints. AssertionError where one of its commands fails."""
    own = {"PATH": f"{folder / '.venv' / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(folder / "src")}
    inherited = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    done = subprocess.run(
        ["bash", "-c", text],
        cwd=folder,
        env=inherited | own | {"OMP_NUM_THREADS": "1", "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1100,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def outputs(printed: str) -> dict[int, str]:
    """What each block of a page has printed."""
    parts = re.split(rf"^{MARK} (\d+)$", printed, flags=re.MULTILINE)
    found: dict[int, str] = {}
    for number, text in zip(parts[1::2], parts[2::2], strict=True):
        found[int(number)] = found.get(int(number), "") + text
    return found


def pattern(line: str) -> str:
    """A line of a page with any number, time or name of a directory in the place of each word that holds a digit."""
    words = [r"\S*" if re.search(r"\d", word) else re.escape(word) for word in line.split()]
    return r"^\s*" + r"\s+".join(words) + r"\s*$"


def missing(page: list[Block], printed: dict[int, str]) -> list[str]:
    """The lines that the page shows, and that the block before them has not printed."""
    gone = []
    for number, block in enumerate(page):
        if block.kind != "text" or block.note == "sample":
            continue
        before = max(each for each in range(number) if page[each].kind != "text")
        shown = [line for line in block.text.splitlines() if line.strip() not in ("", "...")]
        gone += [line for line in shown if not re.search(pattern(line), printed.get(before, ""), re.MULTILINE)]
    return gone


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed_to_its_last_line(page, clone):
    found = blocks(f"docs/{page}")
    printed = well(script(found), clone)
    assert missing(found, outputs(printed)) == [], printed


def test_a_page_is_short_and_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\((\w+\.md)\)", index)) == set(PAGES)
    assert len(index.splitlines()) <= 40
    for page in PAGES:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert len(BLOCK.sub("", text).splitlines()) <= 90, f"{page}: so much prose"


def test_a_link_of_a_page_leads_somewhere():
    for page in ["README.md", *PAGES]:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (ROOT / "docs" / target).exists(), f"docs/{page}: {target}"
