"""What generation_config.json of a published model says: which tokens end a text, and how its authors write."""

from pathlib import Path
from typing import Any, NamedTuple

from ..hub import read_json
from ..run_directory.directory import RunDirectory
from .loading import is_run

NAME = "generation_config.json"
NEUTRAL = {  # what changes nothing, or has no counterpart here
    "do_sample": False,
    "early_stopping": False,
    "length_penalty": 1.0,
    "min_length": 0,
    "no_repeat_ngram_size": 0,
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
}
WITHOUT_TEXT = ("_from_model_config", "transformers_version", "max_length", "max_new_tokens", "use_cache")


class GenerationSettings(NamedTuple):
    """`ends` end a text; None: the tokenizer's. `left` are further settings, which nobody has asked for."""

    ends: list[int] | None
    left: dict[str, Any]


def generation_settings(folder: Path) -> GenerationSettings:
    """Of a run directory or a Hugging Face folder; of one without the file, none."""
    file = (RunDirectory(folder).imported if is_run(folder) else folder) / NAME
    found = read_json(file) if file.is_file() else {}
    ends = found.get("eos_token_id")
    left = {
        name: value
        for name, value in found.items()
        if not name.endswith("token_id") and name not in WITHOUT_TEXT and value not in (None, NEUTRAL.get(name))
    }
    return GenerationSettings([ends] if isinstance(ends, int) else ends, left)
