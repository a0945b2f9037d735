"""The `variformer` command. Each command imports what it needs when it runs, so that `--help` answers at once."""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..config import folders_of, saved_config
from ..hub import locate
from . import writing
from .common import ALLOW, Checkpoint, permit, user_errors

app = typer.Typer(
    help="Variants of the transformer: trained, evaluated, and exchanged with Hugging Face.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}  # Hydra reads the command line itself

Source = Annotated[str, typer.Argument(help="A Hugging Face folder, or a name on its hub: gpt2, or gpt2@REVISION.")]


class Split(StrEnum):
    """What an evaluation may read."""

    val = "val"
    test = "test"


def show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("variformer"))
        raise typer.Exit


@app.callback()
def main(
    show_version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """The options of all commands."""


@app.command("train", context_settings=OVERRIDES, add_help_option=False, options_metavar="KEY=VALUE ...")
def train_(context: typer.Context) -> None:
    """Train one experiment, or with -m several: `variformer train --help` lists keys and options."""
    from .commands import train

    train(context.args)


@app.command("evaluate", context_settings=OVERRIDES, add_help_option=False, options_metavar="run_dir=RUN KEY=VALUE ...")
def evaluate_(context: typer.Context) -> None:
    """Score a run: `variformer evaluate run_dir=RUN split=test checkpoint=best`."""
    from .commands import evaluate

    evaluate(context.args)


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

    The run can then be evaluated (`variformer evaluate run_dir=RUN_DIR`), fine-tuned (`variformer train
    init_from=RUN_DIR ...`) and exported. Without --data it is evaluated on Python's documentation or on scikit-learn's
    digits.
    """
    with user_errors():
        locate(source)
        from ..exchange.importing import import_model

        run = import_model(source, run_dir, data)
        record = run.facts()
        if record["anew"]:
            print(f"{source} has no {', '.join(record['anew'])}: the run has initial values there")
        print(f"{record['parameters']:,} parameters from {source}\nrun directory: {run.path}")


@app.command("export")
def export_(
    run_dir: Annotated[Path, typer.Argument(help="The directory of a run.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write; new or empty. Or an ONNX file: NAME.onnx.")],
    checkpoint: Checkpoint = "last",
    max_shard_size: Annotated[
        str, typer.Option(help="Files of weights above this size are split, such as 500MB.")
    ] = "5GB",
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
    allow_: Annotated[list[str] | None, ALLOW] = None,
) -> None:
    """Write a run as a Hugging Face folder: weights, config, tokenizer or image processor, and a model card.

    `AutoModelFor...from_pretrained(FOLDER)` of transformers reads it and gives the same scores. If no class of
    transformers has the model's parts, the folder holds the model's own code: then give `trust_remote_code=True`, too.

    With NAME.onnx in place of a folder, a file for ONNX Runtime is written, and its scores are compared with the
    model's. That needs `pip install 'variformer[onnx]'`.
    """
    with user_errors():
        permit(allow_)
        size = bytes_of(max_shard_size)
        saved_config(run_dir)  # a wrong directory is reported before the slow imports
        if folder.suffix == ".onnx":
            from ..exchange.onnx_file import export_onnx

            print(*export_onnx(run_dir, folder, checkpoint=checkpoint, force=force), sep="\n")
            return
        from ..exchange.exporting import class_line, export

        written = export(run_dir, folder, checkpoint=checkpoint, max_shard_bytes=size, force=force)
        for file in sorted(written.iterdir()):
            print(f"{file.stat().st_size:>14,}  {file.name}")
        print(f"folder: {written}\n{class_line(written)}")


@app.command()
def info(
    source: Annotated[str, typer.Argument(help="A run directory, a Hugging Face folder, or a name on its hub.")],
    checkpoint: Checkpoint = "last",
    allow_: Annotated[list[str] | None, ALLOW] = None,
) -> None:
    """Show what a model is: its class, sizes and parameters, and the metrics of a run."""
    with user_errors():
        permit(allow_)
        locate(source)
        from ..exchange.describing import description

        for name, value in description(source, checkpoint).items():
            print(f"{name:<12} {value}")


@app.command("predict")
def predict_(
    source: Annotated[str, typer.Argument(help="A tuned run, a Hugging Face folder, or a name on its hub.")],
    file: Annotated[str, typer.Argument(help="Rows to answer: csv, tsv, json, jsonl or parquet, also as .gz.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write: NAME.jsonl or NAME.csv.")],
    columns: Annotated[
        list[str] | None, typer.Option(help="text=COLUMN, where the file calls a field otherwise; several times.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Rows that are computed at once.")] = 64,
    checkpoint: Annotated[
        str | None, typer.Option(help="last, best, or a file in checkpoints/; best, if there is one.")
    ] = None,
    continue_: Annotated[bool, typer.Option("--continue", help="Go on behind the last line of --out.")] = False,
    allow_: Annotated[list[str] | None, ALLOW] = None,
) -> None:
    """Answer each row of a file with a tuned model, in the order of the file: classes, values.

    The lines are written as they come; memory does not grow with the file.
    """
    with user_errors():
        permit(allow_)
        locate(source)
        from ..runs.predict import predict

        named = dict(each.split("=", 1) for each in columns or () if "=" in each)
        if len(named) < len(columns or ()):
            raise ValueError("--columns: give FIELD=COLUMN, such as text=review")
        count = predict(source, file, out, columns=named, batch=batch, checkpoint=checkpoint, continues=continue_)
        print(f"{count:,} rows: {out}")


@app.command()
def significance(
    run_a: Annotated[str, typer.Argument(help="The directory of a run.")],
    run_b: Annotated[str, typer.Argument(help="The directory of the run that it is compared with.")],
    split: Annotated[Split, typer.Option(help="The split that both were evaluated on.")] = Split.test,
    metric: Annotated[str | None, typer.Option(help="Such as f1; by default what RUN_A monitors.")] = None,
    checkpoint: Checkpoint = "last",
    draws: Annotated[int, typer.Option(min=1, help="How many times samples are drawn.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    allow_: Annotated[list[str] | None, ALLOW] = None,
) -> None:
    """Say whether two runs differ: the difference in a metric, its interval of 95%, and p by the paired bootstrap.

    Evaluate both before, on the same samples: `variformer evaluate run_dir=RUN split=test`.
    """
    with user_errors():
        permit(allow_)
        for run in (run_a, run_b):
            saved_config(Path(run))  # a wrong directory is reported before the slow imports
        from ..runs.significance import significance as compared

        found = compared(run_a, run_b, split.value, metric, checkpoint, draws, seed)
        print(*found.lines(split.value), sep="\n")


@app.command()
def wandb_sweep(
    name: Annotated[str, typer.Argument(help="A search: NAME.yaml in sweep/ of your or the package's configs.")],
    conf: Annotated[Path, typer.Option(help="Your folder of configs; the file is written to its sweep/wandb.")] = Path(
        "conf"
    ),
) -> None:
    """Write a search as a file for Weights & Biases, whose server then proposes the values to its agents.

    To search without a server: `variformer train -m sweep=NAME`.
    """
    with user_errors():
        from ..sweeps.wandb import write_sweep

        print(f"now run: wandb sweep {write_sweep(name, conf)}")


app.command("generate")(writing.generate)
app.command("fill")(writing.fill)


@app.command("help")
def help_(
    key: Annotated[str, typer.Argument(help="A key with dots, or a group: optimizer.lr, model/positions, experiment.")],
) -> None:
    """Show what a key of a config means, takes and is by default, or what the options of a group are."""
    from ..config.explaining.keys import explained

    try:
        print(explained(key, folders_of([])))
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        raise typer.Exit(2) from None


@app.command("new")
def new_(name: Annotated[str, typer.Argument(help="The package to write, and the folder: my_study.")]) -> None:
    """Write a small project of your own: an experiment, a model, an objective, a callback, and a test that passes."""
    with user_errors():
        from .studies import write_study

        folder = write_study(name)
        print(f"{folder}: now `cd {folder.name}`, then `variformer train experiment={name}` and `pytest`")


def bytes_of(size: str) -> int:
    """500MB -> 500,000,000. Raises ValueError if the text is not a size."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMG]?)B?", size.strip(), re.IGNORECASE)
    if match is None or float(match[1]) == 0:
        raise ValueError(f"--max-shard-size: {size!r} is not a size; give one such as 500MB or 5GB")
    return int(float(match[1]) * 1000 ** ["", "K", "M", "G"].index(match[2].upper()))
