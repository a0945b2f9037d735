"""Training that starts from the weights of an earlier model: `init_from=PATH_OR_NAME`."""

import logging
from pathlib import Path
from typing import Any

from torch import nn

from ..data import Tokenizer
from ..hub import locate
from ..weights.transfer import belongs, fit, offset_of
from .loading import origin_of, tokenizer_of
from .teacher import digest

log = logging.getLogger(__name__)


def start_from(source: str, model: nn.Module, tokenizer: Tokenizer | None) -> dict[str, Any]:
    """Copy what fits from `source` into `model`, log the rest, and return what is worth keeping in the run's record.

    Raises ValueError where tokenizers or weights do not fit each other, FileNotFoundError where there is no source.
    """
    folder = locate(source)
    theirs = tokenizer_of(folder)
    if tokenizer is not None and theirs is not None:
        require_same_tokens(tokenizer, theirs, folder)
    origin, anew = origin_of(folder)
    tensors = {name: tensor for name, tensor in origin.state_dict().items() if not belongs(name, anew)}
    report = fit(model, tensors, offset_of(origin))
    for line in report.lines():
        log.info("init_from=%s: %s", source, line)
    changed = {"resized": report.resized, "shortened": report.shortened, "new": report.new}
    return {"source": source, "folder": str(folder.resolve()), "sha256": digest(tensors)} | changed


def require_same_tokens(ours: Tokenizer, theirs: Tokenizer, folder: Path) -> None:
    """Raises ValueError where an id means one token to the run and another, or none, to the weights."""
    known = theirs.core.get_vocab(with_added_tokens=True)
    mine = ours.core.get_vocab(with_added_tokens=True)
    strangers = sorted((id, token) for token, id in mine.items() if known.get(token) != id)
    if strangers:
        shown = ", ".join(f"{token!r} ({id})" for id, token in strangers[:5])
        raise ValueError(
            f"the run's tokenizer is not that of init_from: {len(strangers)} of its {len(mine)} tokens have another id "
            f"there or none, such as {shown}; set tokenizer=pretrained tokenizer.path={folder}"
        )
