"""What `variformer predict` does: answers to the rows of a file, in its order, as they come."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from ..data.labelled.example import Example
from ..exchange.folders import require_writable
from .answering import answering

WINDOW = 64  # batches that are sorted by length, and written, together
KINDS = (".jsonl", ".csv")


def predict(
    source: str,
    file: str,
    out: str | Path,
    *,
    columns: Mapping[str, str | None] | None = None,
    batch: int = 64,
    checkpoint: str | None = None,
    continues: bool = False,
) -> int:
    """Write a line for each row of `file` to `out`, a .jsonl or .csv file, and return how many lines it has.

    Rows are read in windows of 64 batches, so that memory does not grow with the file; each window is on disk before
    the next is read. With `continues`, an earlier `out` goes on behind its last whole line.
    Raises FileExistsError where there is an earlier one, and ValueError where that belongs to another file.
    """
    out = Path(out)
    if out.suffix not in KINDS:
        raise ValueError(f"--out {out}: give a name that ends in {' or '.join(KINDS)}")
    if out.exists() and not continues:
        raise FileExistsError(f"{out} exists: go on with --continue, or choose another name")
    require_writable(out.parent)
    out.parent.mkdir(parents=True, exist_ok=True)
    task = answering(source, file, columns, checkpoint)
    total, last = written(out)
    skip(task.examples, total, last, out)
    with out.open("ab") as opened, counting(total) as count:
        while window := list(islice(task.examples, WINDOW * batch)):
            answers = task.answers(window, batch)
            rows = [{"name": each.name, **answer} for each, answer in zip(window, answers, strict=True)]
            write(opened, lines(rows, out.suffix, head=total == 0))
            total += len(rows)
            count(len(rows))
    if task.data.rows_cut:
        print(f"{task.data.rows_cut} rows are longer than the model reads, and were cut", file=sys.stderr)
    return total


def lines(rows: list[dict[str, Any]], suffix: str, head: bool) -> str:
    """The rows as JSON, one a line; or as csv, in which what is no number or text is JSON."""
    if suffix == ".jsonl":
        return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if head:
        writer.writerow(rows[0])
    for row in rows:
        writer.writerow(json.dumps(x, ensure_ascii=False) if isinstance(x, dict | list) else x for x in row.values())
    return text.getvalue()


def write(file: IO[bytes], text: str) -> None:
    file.write(text.encode())
    file.flush()
    os.fsync(file.fileno())


def written(out: Path) -> tuple[int, str | None]:
    """How many rows an earlier output has, and the name of the last. What is behind the last whole line is cut off."""
    if not out.exists() or not out.stat().st_size:
        return 0, None
    count, end, last = 0, 0, b""
    with out.open("rb+") as file:
        for line in file:
            if line.endswith(b"\n"):
                count, end, last = count + 1, end + len(line), line
        file.truncate(end)
    if out.suffix == ".csv":
        count -= 1
    if count < 1:
        return 0, None
    text = last.decode()
    return count, json.loads(text)["name"] if out.suffix == ".jsonl" else next(csv.reader([text]))[0]


def skip(examples: Iterator[Example], count: int, last: str | None, out: Path) -> None:
    """Read past the rows that are written already. Raises ValueError where those are of another file."""
    name = None
    for each in islice(examples, count):
        name = each.name
    if name != last:
        raise ValueError(f"{out} goes up to {last}, which is not row {count} of this file: give --out another name")


@contextmanager
def counting(done: int) -> Iterator[Callable[[int], None]]:
    """A function that adds rows to a display of how many are done, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    shown = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn())
    with Progress(*columns, console=shown, disable=not shown.is_terminal) as progress:
        bar = progress.add_task("", total=None, completed=done)
        yield lambda rows: progress.advance(bar, rows)
