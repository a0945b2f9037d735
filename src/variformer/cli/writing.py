"""`variformer generate` and `variformer fill`: a trained model writes to the terminal."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..hub import locate
from .common import ALLOW, Checkpoint, permit, user_errors

Run = Annotated[str, typer.Argument(help="A run directory, a Hugging Face folder, or a name on its hub.")]
Prompt = Annotated[str, typer.Argument(help="The text to go on from, or to rewrite (T5, BART); - reads it from stdin.")]
Blanks = Annotated[str, typer.Argument(help="A text in which ____ (or [MASK], <mask>) stands for what is missing.")]

COUNT = typer.Option(help="New tokens at most (default 128)")
TEMPERATURE = typer.Option(help="Divides scores before a token is drawn; 0 takes the best token (default 0)")
TOP_K = typer.Option(help="Draw among so many of the likeliest tokens (default all)")
TOP_P = typer.Option(help="Draw among the likeliest tokens whose probabilities add up to it (default 1)")
MIN_P = typer.Option(help="Draw among tokens so many times as likely as the likeliest (default 0)")
PENALTY = typer.Option(help="Above 1: tokens that were there before become less likely (default 1)")
BEAMS = typer.Option(help="Texts that are written at once, of which the likeliest is taken (default 1)")
LENGTH = typer.Option(help="Of beams: above 0 favours long texts (default 1)")
EARLY = typer.Option(help="Of beams: true, false or never (default false)")
SAMPLES = typer.Option(help="Texts to write (default 1)")
STOP = typer.Option(help="A string before which the text ends, such as '\\n\\n'; may be given several times.")
SEED = typer.Option(help="Of the random numbers (default 0)")

BETWEEN = "\n---\n"  # texts


def generate(
    run: Run,
    prompt: Prompt,
    count: Annotated[int | None, COUNT] = None,
    temperature: Annotated[float | None, TEMPERATURE] = None,
    top_k: Annotated[int | None, TOP_K] = None,
    top_p: Annotated[float | None, TOP_P] = None,
    min_p: Annotated[float | None, MIN_P] = None,
    repetition_penalty: Annotated[float | None, PENALTY] = None,
    beams: Annotated[int | None, BEAMS] = None,
    length_penalty: Annotated[float | None, LENGTH] = None,
    early_stopping: Annotated[str | None, EARLY] = None,
    samples: Annotated[int | None, SAMPLES] = None,
    stop: Annotated[list[str] | None, STOP] = None,
    seed: Annotated[int | None, SEED] = None,
    checkpoint: Checkpoint = "last",
    allow_: Annotated[list[str] | None, ALLOW] = None,
) -> None:
    """Write what follows a prompt (GPT), or what it becomes (T5, BART), while it is written.

    Without options the likeliest tokens are taken. `--temperature 0.8 --top-p 0.9` draws them at random, and
    `--beams 4` looks for the likeliest text.
    """
    given: dict[str, Any] = {
        **{"count": count, "temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p},
        **{"repetition_penalty": repetition_penalty, "beams": beams, "length_penalty": length_penalty},
        **{"early_stopping": {"true": True, "false": False}.get(early_stopping or "", early_stopping)},
        **{"samples": samples, "stop": [unescaped(each) for each in stop or ()], "seed": seed},
    }
    with user_errors():
        permit(allow_)
        folder = locate(run)  # a wrong name is reported before the slow imports
        text = sys.stdin.read() if prompt == "-" else prompt
        write(folder, text, {name: value for name, value in given.items() if value is not None}, checkpoint)


def write(folder: Path, prompt: str, options: dict[str, Any], checkpoint: str) -> None:
    """Print the texts, a single one piece by piece, and on stderr what a reader has to know."""
    from ..api.interface import load
    from ..exchange.generation_settings import generation_settings

    loaded = load(folder, checkpoint)
    if left := generation_settings(folder).left:
        settings = ", ".join(f"{name}={value}" for name, value in left.items())
        print(f"its generation_config.json is not applied: {settings}", file=sys.stderr)
    decoding = loaded.decoding(options)
    streamed = decoding.samples == 1
    (texts,) = loaded.write([prompt], decoding, show if streamed else None)
    print("" if streamed else BETWEEN.join(each.text for each in texts))
    if any(each.ended == "length" for each in texts):
        print("the text ends where the model can read no more tokens", file=sys.stderr)


def fill(
    run: Run,
    text: Blanks,
    choices: Annotated[int, typer.Option(min=1, help="Candidates for each blank, of a masked language model.")] = 3,
    checkpoint: Checkpoint = "last",
    allow_: Annotated[list[str] | None, ALLOW] = None,
) -> None:
    """Fill the blanks of a text: with words (BERT and its kin), with spans (T5), or by writing it anew (BART)."""
    with user_errors():
        permit(allow_)
        folder = locate(run)
        from ..api.interface import load

        filled = load(folder, checkpoint).fill(text, choices)
    print(filled.text)
    for number, blank in enumerate(filled.blanks, 1):
        shown = (each.text if each.probability is None else f"{each.text} {each.probability:.0%}" for each in blank)
        print(f"{number:>3}  {', '.join(shown)}")


def show(number: int, piece: str) -> None:
    print(piece, end="", flush=True)


def unescaped(text: str) -> str:
    r"""A line feed for \n, a tab for \t: shells hand both over as they are."""
    return text.replace("\\n", "\n").replace("\\t", "\t")
