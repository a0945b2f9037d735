"""The `variformer` command. What a command needs is imported when it runs, so that help answers at once."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..config import load
from ..hub import locate

app = typer.Typer(
    help="Variants of the transformer: weights in from Hugging Face and out to it. (Training: `python train.py`.)",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Source = Annotated[str, typer.Argument(help="A Hugging Face folder, or a name on its hub: gpt2, or gpt2@REVISION.")]
Checkpoint = Annotated[str, typer.Option(help="last, best, or the name of a file in the run's checkpoints/.")]


@app.command("import")
def import_(
    source: Source,
    run_dir: Annotated[Path, typer.Argument(help="The run directory to write; new or empty.")],
    data: Annotated[
        str | None,
        typer.Option(help="What to evaluate it on: text files (a path or glob), or a folder of images, one per class."),
    ] = None,
) -> None:
    """Make a run directory of a published model.

    It can then be evaluated (`python evaluate.py run_dir=RUN_DIR`), tuned (`python train.py init_from=RUN_DIR ...`) and
    exported. Without --data it is evaluated on Python's own documentation, or on scikit-learn's digits.
    """
    with told():
        locate(source)
        from .importing import import_model

        run = import_model(source, run_dir, data)
        record = run.facts()
        if record["anew"]:
            print(f"{source} has no {', '.join(record['anew'])}: the run has initial values there")
        print(f"{record['parameters']:,} parameters from {source}\nrun directory: {run.path}")


@app.command("export")
def export_(
    run_dir: Annotated[Path, typer.Argument(help="The directory of a run.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write; new or empty.")],
    checkpoint: Checkpoint = "last",
    max_shard_size: Annotated[
        str, typer.Option(help="Files of weights above this size are split, such as 500MB.")
    ] = "5GB",
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds something already.")] = False,
) -> None:
    """Write a run as a Hugging Face folder: weights, config, tokenizer or image processor, and a model card.

    `AutoModelFor...from_pretrained(FOLDER)` of transformers reads it and gives the same scores. A model with parts that
    no class of transformers has goes out with its own modelling code: there, give `trust_remote_code=True`, too.
    """
    with told():
        size = bytes_of(max_shard_size)
        load(run_dir)  # a wrong directory is answered before the heavy imports
        from .exporting import class_line, export

        written = export(run_dir, folder, checkpoint=checkpoint, max_shard_bytes=size, force=force)
        for file in sorted(written.iterdir()):
            print(f"{file.stat().st_size:>14,}  {file.name}")
        print(f"folder: {written}\n{class_line(written)}")


@app.command()
def info(
    source: Annotated[str, typer.Argument(help="A run directory, a Hugging Face folder, or a name on its hub.")],
    checkpoint: Checkpoint = "last",
) -> None:
    """Tell what a model is: its class, sizes, parameters, and for a run its metrics."""
    with told():
        locate(source)
        from .describing import description

        for name, value in description(source, checkpoint).items():
            print(f"{name:<12} {value}")


@app.command()
def wandb_sweep(
    name: Annotated[str, typer.Argument(help="The name of a search: NAME.yaml in conf/sweep.")],
    conf: Annotated[Path, typer.Option(help="The folder of configs.")] = Path("conf"),
) -> None:
    """Write a search as a file for Weights & Biases, whose server then proposes the values to its agents.

    To search without a server: `python train.py -m sweep=NAME`.
    """
    with told():
        from ..sweeps.wandb import write_sweep

        print(f"now run: wandb sweep {write_sweep(name, conf)}")


@contextmanager
def told() -> Iterator[None]:
    """Errors that a user can mend, as their message alone."""
    try:
        yield
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None


def bytes_of(size: str) -> int:
    """500MB -> 500,000,000. Raises ValueError for what is no size."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMG]?)B?", size.strip(), re.IGNORECASE)
    if match is None or float(match[1]) == 0:
        raise ValueError(f"--max-shard-size: {size!r} is no size such as 500MB or 5GB")
    return int(float(match[1]) * 1000 ** ["", "K", "M", "G"].index(match[2].upper()))
