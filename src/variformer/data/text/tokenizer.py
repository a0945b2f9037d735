"""Text to ids and back, with what the objectives need to know about each id."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import pre_tokenizers

from ...hub import read_json
from ...samples import Layout
from ..cache import digest_of

# Shapes: V tokenizer's size.

# How Hugging Face's files name the special tokens, with the spellings to look for where no file names them.
SPECIAL_NAMES = {
    "pad_token": ("[PAD]", "<pad>"),
    "unk_token": ("[UNK]", "<unk>"),
    "cls_token": ("[CLS]", "<s>"),
    "sep_token": ("[SEP]", "</s>"),
    "bos_token": ("<s>",),
    "eos_token": ("</s>", "<|endoftext|>"),
    "mask_token": ("[MASK]", "<mask>"),
}
_SENTINEL = re.compile(r"<extra_id_(\d+)>")
_BYTE = re.compile("<0x[0-9A-F]{2}>")


class Tokenizer:
    """A `tokenizers.Tokenizer` and the names of its special tokens, such as {"pad_token": "[PAD]"}.

    `pad unknown start end mask` are ids, or None where there is no such token. `start` is [CLS] or <s>; `end`
    is [SEP], </s> or <|endoftext|>. Text never becomes a special token unless `parse_special` is set: "[MASK]" in a
    corpus is six characters.
    """

    def __init__(self, core: tokenizers.Tokenizer, names: Mapping[str, str]) -> None:
        self.core = core
        self.names = dict(names)
        self.size = max(core.get_vocab(with_added_tokens=True).values()) + 1
        for name, token in self.names.items():
            if core.token_to_id(token) is None:
                raise ValueError(f"the tokenizer has no token {token!r}, which is named as its {name}")
        self.pad = self._id("pad_token")
        self.unknown = self._id("unk_token")
        self.start = self._id("cls_token", "bos_token")
        self.end = self._id("eos_token", "sep_token")
        self.mask = self._id("mask_token")

    def encode(self, text: str, parse_special: bool = False) -> list[int]:
        """The ids of a text; no special tokens, but with `parse_special` those that it spells out."""
        self.core.encode_special_tokens = not parse_special
        return self.core.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[tokenizers.Encoding]:
        """Encodings (`ids`, and `offsets` in characters) of many texts, in parallel; no special tokens."""
        self.core.encode_special_tokens = True
        return self.core.encode_batch(list(texts), add_special_tokens=False)

    def layout(self, pair: bool) -> Layout:
        """The special tokens that transformers puts around one text, or around a pair, with this tokenizer.

        A tokenizer that puts none between two texts gets its end token there, if it has one.
        """
        whole = self.core.encode("a", "b" if pair else None)
        places = [[n for n, each in enumerate(whole.sequence_ids) if each == text] for text in (0, 1)]
        start, stop = places[0][0], places[0][-1] + 1
        if not pair:
            return Layout(whole.ids[:start], [], whole.ids[stop:], 0)
        next_start, next_stop = places[1][0], places[1][-1] + 1
        between = whole.ids[stop:next_start] or ([] if self.end is None else [self.end])
        return Layout(whole.ids[:start], between, whole.ids[next_stop:], whole.type_ids[next_start])

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        return self.core.decode([int(id) for id in ids], skip_special_tokens=skip_special)

    @cached_property
    def sentinels(self) -> np.ndarray:
        """Ids of <extra_id_0>, <extra_id_1>, ... (Raffel et al., 2020, section 3.1.4), if any."""
        vocabulary = self.core.get_vocab(with_added_tokens=True)
        found = {int(match[1]): id for token, id in vocabulary.items() if (match := _SENTINEL.fullmatch(token))}
        return np.array([found[number] for number in sorted(found)], dtype=np.int64)

    @cached_property
    def document_start(self) -> int | None:
        """The token in front of a text that a decoder goes on from: the one that its files put in front (Llama's <s>);
        where they put none, the end of the text before (GPT-2).
        """
        added = self.core.encode("", add_special_tokens=True).ids
        return added[0] if len(added) == 1 else self.end

    @cached_property
    def byte_tokens(self) -> np.ndarray:
        """(V,) True for <0x00> to <0xFF>, bytes of characters that have no token: their text depends on neighbours."""
        return np.array([_BYTE.fullmatch(token) is not None for token in self._tokens])

    @cached_property
    def special(self) -> np.ndarray:
        """(V,) True for special tokens, and for ids that no token has."""
        added = [id for id, token in self.core.get_added_tokens_decoder().items() if token.special]
        used = list(self.core.get_vocab(with_added_tokens=True).values())
        special = np.ones(self.size, dtype=bool)
        special[used] = False
        special[added] = True
        return special

    @cached_property
    def continues_word(self) -> np.ndarray:
        """(V,) True for a token that continues a word: "##ing", or a letter with no space before it."""
        continues = [self._continues(token) for token in self._tokens]
        return np.array(continues, dtype=bool) & ~self.special

    @cached_property
    def byte_lengths(self) -> np.ndarray | None:
        """(V,) how many bytes of text each token stands for, 0 for special ones; None if not exact.

        Exact are tokenizers over bytes, or over characters with single bytes for the rare ones, which change
        no text.
        """
        core = json.loads(self.core.to_str())
        changes_text = core["normalizer"] is not None or '"add_prefix_space": true' in json.dumps(core["pre_tokenizer"])
        if changes_text or not (self._byte_level or core["model"].get("byte_fallback")):
            return None
        lengths = [len(self._bytes_of(token)) for token in self._tokens]
        return np.where(self.special, 0, np.array(lengths, dtype=np.int64))

    @property
    def fingerprint(self) -> str:
        """Changes whenever the ids of any text would, or what they mean."""
        return digest_of(self.core.to_str(), sorted(self.names.items()))

    def save(self, folder: str | Path) -> None:
        """Write the files that `Tokenizer.load` and `transformers.AutoTokenizer.from_pretrained` read."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.core.save(str(folder / "tokenizer.json"))
        sentinels = [self.core.id_to_token(int(id)) for id in self.sentinels]
        special = {**self.names, **({"additional_special_tokens": sentinels} if sentinels else {})}
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "clean_up_tokenization_spaces": False,
            **special,
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2))
        (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2))

    @classmethod
    def load(cls, path: str | Path) -> "Tokenizer":
        """Read a tokenizer.json, or a folder with one. Files beside it, or spellings, say which tokens are special."""
        path = Path(path).expanduser()
        file = path / "tokenizer.json" if path.is_dir() else path
        if not file.is_file():
            raise FileNotFoundError(
                f"no tokenizer at {str(path)!r}: looked for {str(file.absolute())!r}, which `Tokenizer.save` "
                "and transformers' `save_pretrained` write. Older files (vocab.txt, spiece.model) "
                "must be converted by loading and saving them with transformers."
            )
        try:
            core = tokenizers.Tokenizer.from_file(str(file))
        except Exception as error:  # the library has no class of its own for it
            raise ValueError(f"{file} is damaged ({error}): download or copy it again") from None
        core.no_padding()  # a file may ask for both, and they would change the ids of a corpus
        core.no_truncation()
        return cls(core, _special_names(core, file.parent))

    def __reduce__(self) -> tuple:
        return Tokenizer, (self.core, self.names)

    def _id(self, *names: str) -> int | None:
        tokens = [self.names[name] for name in names if name in self.names]
        return self.core.token_to_id(tokens[0]) if tokens else None

    @cached_property
    def _tokens(self) -> list[str]:
        return [self.core.id_to_token(id) or "" for id in range(self.size)]

    @cached_property
    def _byte_level(self) -> bool:
        """Whether tokens are spelt in the byte-level alphabet (a letter for each byte)."""
        return '"ByteLevel"' in json.dumps(json.loads(self.core.to_str())["pre_tokenizer"])

    @cached_property
    def _continuing_prefix(self) -> str | None:
        return json.loads(self.core.to_str())["model"].get("continuing_subword_prefix") or None

    def _continues(self, token: str) -> bool:
        if self._continuing_prefix:
            return token.startswith(self._continuing_prefix)
        start = self._bytes_of(token)[:1]
        return start.isalnum() or start >= b"\x80" if not token.startswith("▁") else False

    @cached_property
    def _added(self) -> set[str]:
        return {token.content for token in self.core.get_added_tokens_decoder().values()}

    def _bytes_of(self, token: str) -> bytes:
        if self._byte_level and token not in self._added:
            return bytes(_BYTE_OF[letter] for letter in token)
        if _BYTE.fullmatch(token):  # byte fallback
            return bytes([int(token[3:5], 16)])
        return token.encode()


def _special_names(core: tokenizers.Tokenizer, folder: Path) -> dict[str, str]:
    """Which token is the padding, the mask...: as the folder's files say; without such files, by spelling."""
    named: dict[str, str] = {}
    for file in (folder / "special_tokens_map.json", folder / "tokenizer_config.json"):
        content = read_json(file) if file.is_file() else {}
        for name in SPECIAL_NAMES:
            token = content.get(name)
            token = token.get("content") if isinstance(token, dict) else token  # beside "lstrip" in some files
            if isinstance(token, str):
                named[name] = token
    special = {token.content for token in core.get_added_tokens_decoder().values() if token.special}
    if not named:
        named = {name: token for name, spellings in SPECIAL_NAMES.items() for token in spellings if token in special}
    return {name: token for name, token in named.items() if core.token_to_id(token) is not None}


def _byte_alphabet() -> dict[str, int]:
    """The letter that GPT-2's byte-level alphabet gives to each byte (Radford et al., 2019)."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
    assert set(alphabet) == set(pre_tokenizers.ByteLevel.alphabet())
    return alphabet


_BYTE_OF = _byte_alphabet()
