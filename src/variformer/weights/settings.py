"""What a config.json says, read by what each value must be: its writers have used null, lists and other names too."""

import math
from collections.abc import Mapping
from typing import Any

# Names of transformers' GPT2Config, T5Config, BartConfig and DistilBertConfig that stand for another (attribute_map),
# GPT-2's first one for its positions, and Bloom's for its width.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "n_embd": ("hidden_size",),
    "n_head": ("num_attention_heads",),
    "n_layer": ("num_hidden_layers",),
    "n_positions": ("max_position_embeddings", "n_ctx"),
    "d_model": ("hidden_size",),
    "d_kv": ("head_dim",),
    "num_heads": ("num_attention_heads",),
    "num_layers": ("num_hidden_layers",),
    "encoder_attention_heads": ("num_attention_heads",),
    "encoder_layers": ("num_hidden_layers",),
    "dim": ("hidden_size",),
    "n_heads": ("num_attention_heads",),
    "n_layers": ("num_hidden_layers",),
    "hidden_size": ("n_embed",),
}


class Settings:
    """The values of a config.json. One that is null counts as absent.

    A method that is given no default needs the value. All raise ValueError that names the value that does not do.
    """

    def __init__(self, values: Mapping[str, Any]):
        self.values = values

    def find(self, name: str) -> Any:
        """The value under this name or another spelling of it; None where it is absent."""
        said = (self.values.get(each) for each in (name, *SPELLINGS.get(name, ())))
        return next((value for value in said if value is not None), None)

    def given(self, name: str, default: Any) -> Any:
        value = self.find(name)
        if value is None and default is None:
            raise ValueError(f"it does not say {name!r}, which a {self.values['model_type']} needs")
        return default if value is None else value

    def size(self, name: str, default: int | None = None) -> int:
        return whole(name, self.given(name, default), least=1)

    def token(self, name: str, default: int | None = None) -> int:
        """An id."""
        return whole(name, self.given(name, default), least=0)

    def side(self, name: str, default: int | None = None) -> int:
        """Of a square, in pixels: a number, or a list of two equal ones."""
        value = self.given(name, default)
        if isinstance(value, list) and value and value != value[:1] * 2:
            raise ValueError(f"{name} is {value!r}, but only squares are supported")
        return whole(name, value[0] if isinstance(value, list) and value else value, least=1)

    def heads(self, name: str, width: str, default: int | None = None) -> int:
        """How many heads share the width (or the heads) that is called so."""
        heads = self.size(name, default)
        if self.size(width) % heads:
            raise ValueError(f"{name} is {heads}, which does not divide {width}={self.size(width)}")
        return heads

    def fraction(self, name: str, default: float | None = None) -> float:
        """Between 0 and 1."""
        value = number(name, self.given(name, default))
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value!r}, but must lie between 0 and 1")
        return value

    def positive(self, name: str, default: float | None = None) -> float:
        value = number(name, self.given(name, default))
        if value <= 0:
            raise ValueError(f"{name} is {value!r}, but must be positive")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self.given(name, default)
        if not isinstance(value, bool):
            raise ValueError(f"{name} is {value!r}, but must be true or false")
        return value

    def choice(self, name: str, known: Mapping[str, Any], default: str) -> Any:
        """What the word stands for."""
        value = self.given(name, default)
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"{name} is {value!r}, which is unknown here; known: {', '.join(known)}")
        return known[value]

    def section(self, name: str) -> "Settings":
        """Settings within these; none where it is absent."""
        value = self.find(name)
        if value is not None and not isinstance(value, dict):
            raise ValueError(f"{name} is {value!r}, but must hold settings by name")
        return Settings(value or {})

    def classes(self) -> int:
        """How many, by their names or their number; transformers leaves two out."""
        labels = self.find("id2label")
        if labels is not None and not (isinstance(labels, dict) and labels):
            raise ValueError(f"id2label is {labels!r}, but must map the number of each class to its name")
        return len(labels) if labels else self.size("num_labels", 2)

    def architectures(self) -> list[str]:
        """The classes of theirs that the checkpoint is of; older files may say none."""
        said = self.find("architectures") or []
        if not isinstance(said, list):
            raise ValueError(f"architectures is {said!r}, but must be a list of classes")
        return said

    def require(self, **expected: Any) -> None:
        """Refuses what asks for a computation that our model does not do."""
        for name, value in expected.items():
            if self.find(name) not in (None, value):
                raise ValueError(f"{name}={self.find(name)!r} is not supported, only {value!r}")


def whole(name: str, value: Any, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is {value!r}, but must be a whole number from {least} on")
    return value


def number(name: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}, but must be a number")
    return value
