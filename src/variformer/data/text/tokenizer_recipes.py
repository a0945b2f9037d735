"""Kinds of tokenizers, and how each is trained on texts."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Core

from ...hub import locate
from ...paths import PathOrName
from ...ranges import Count, Whole
from ..cache import digest_of
from .tokenizer import Tokenizer

_VERSION = 1  # part of every fingerprint: count up whenever a recipe's result changes
_BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
_GENERAL_NAMES = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>"}


class Recipe(Protocol):
    def train(self, texts: Iterable[str]) -> Tokenizer:
        """Make the tokenizer. The same texts give the same one; a tokenizer that learns nothing reads no text."""

    def fingerprint(self) -> str:
        """Text that changes whenever the same texts would give another tokenizer."""


class _Fingerprint:
    def fingerprint(self) -> str:
        return digest_of(_VERSION, repr(self))


@dataclass(frozen=True)
class WordPiece(_Fingerprint):
    """BERT's: words and punctuation, cut greedily into pieces such as "##ing".

    Schuster and Nakajima, 2012; Devlin et al., 2018, section 3. Not lossless: white space is not kept,
    `lowercase` removes case and accents, a word with characters that never occurred in training is [UNK].
    """

    vocab_size: Count = 4096
    lowercase: bool = True

    def train(self, texts: Iterable[str]) -> Tokenizer:
        names = {
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "mask_token": "[MASK]",
        }
        special = list(names.values())
        _check_size(self.vocab_size, len(special) + 4)
        normalizer = normalizers.BertNormalizer(lowercase=self.lowercase)
        core = Core(models.WordPiece(_word_pieces(texts, self.vocab_size, special, normalizer), unk_token="[UNK]"))
        core.normalizer = normalizer
        core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        core.decoder = decoders.WordPiece()
        core.add_special_tokens(special)
        core.post_processor = _surround(core, "[CLS]", "[SEP]")
        return Tokenizer(core, names)


@dataclass(frozen=True)
class ByteLevelBPE(_Fingerprint):
    """GPT-2's: byte pairs merged within words (Radford et al., 2019, section 2.2). Lossless."""

    vocab_size: Count = 4096

    def train(self, texts: Iterable[str]) -> Tokenizer:
        core = _train_byte_pairs(texts, self.vocab_size, ["<|endoftext|>"])
        return Tokenizer(core, {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"})


@dataclass(frozen=True)
class RobertaBPE(_Fingerprint):
    """RoBERTa's and BART's: GPT-2's byte pairs and five special tokens (Liu et al., 2019). Lossless."""

    vocab_size: Count = 4096

    def train(self, texts: Iterable[str]) -> Tokenizer:
        core = _train_byte_pairs(texts, self.vocab_size, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
        core.post_processor = _surround(core, "<s>", "</s>")
        ends = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
        return Tokenizer(core, {"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>", **ends})


@dataclass(frozen=True)
class Unigram(_Fingerprint):
    """T5's: the likeliest pieces under a unigram model (Kudo, 2018; Raffel et al., 2020, section 2.2).

    `vocab_size` counts the sentinels, which are the last ids: <extra_id_0> is the highest. Not lossless:
    NFKC, every run of white space becomes one space, and characters that never occurred in training are
    <unk>.
    """

    vocab_size: Count = 4096
    sentinels: Whole = 100

    def train(self, texts: Iterable[str]) -> Tokenizer:
        special = ["<pad>", "</s>", "<unk>"]
        _check_size(self.vocab_size, len(special) + self.sentinels + 1)
        core = Core(models.Unigram())
        spaces = [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
        core.normalizer = normalizers.Sequence([normalizers.NFKC(), *spaces])
        core.pre_tokenizer = pre_tokenizers.Metaspace()
        core.decoder = decoders.Metaspace()
        core.train_from_iterator(
            texts,
            trainers.UnigramTrainer(
                vocab_size=self.vocab_size - self.sentinels,
                special_tokens=special,
                unk_token="<unk>",
                initial_alphabet=sorted(set("".join(special))),  # to spell them out where a text does
                show_progress=False,
            ),
        )
        core.model = _reproducible(core)
        core.add_special_tokens([f"<extra_id_{number}>" for number in reversed(range(self.sentinels))])
        core.post_processor = _surround(core, None, "</s>")
        return Tokenizer(core, {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"})


@dataclass(frozen=True)
class ByteLevel(_Fingerprint):
    """A token for each byte (Xue et al., 2022, "ByT5"). Lossless; learns nothing from the texts."""

    def train(self, texts: Iterable[str]) -> Tokenizer:
        special = list(_GENERAL_NAMES.values())
        core = Core(models.BPE(vocab={token: id for id, token in enumerate([*special, *_BYTES])}, merges=[]))
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        core.decoder = decoders.ByteLevel()
        core.add_special_tokens(special)
        return Tokenizer(core, _GENERAL_NAMES)


@dataclass(frozen=True)
class CharacterLevel(_Fingerprint):
    """A token for each character of the training texts; any other is spelt in bytes, <0xE2>.... Lossless."""

    def train(self, texts: Iterable[str]) -> Tokenizer:
        special = list(_GENERAL_NAMES.values())
        characters = sorted({character for text in texts for character in set(text)})
        tokens = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *characters]
        core = Core(models.BPE(vocab={token: id for id, token in enumerate(tokens)}, merges=[], byte_fallback=True))
        core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
        core.add_special_tokens(special)
        return Tokenizer(core, _GENERAL_NAMES)


@dataclass(frozen=True)
class Pretrained:
    """A tokenizer that exists already: a tokenizer.json, a folder or run directory with one, or a name on the hub."""

    path: PathOrName

    def train(self, texts: Iterable[str]) -> Tokenizer:
        return Tokenizer.load(self.location())

    def fingerprint(self) -> str:
        tokenizer = self.train([])
        return digest_of(_VERSION, "Pretrained", tokenizer.core.to_str(), tokenizer.names)

    def location(self) -> Path:
        """The file, or the folder that it lies in."""
        path = Path(self.path).expanduser()
        if path.is_file() or path.suffix == ".json":
            return path
        folder = locate(self.path, weights=False)
        return folder / "tokenizer" if (folder / "tokenizer" / "tokenizer.json").is_file() else folder


def _word_pieces(
    texts: Iterable[str], vocab_size: int, special: list[str], normalizer: normalizers.Normalizer
) -> dict[str, int]:
    """A WordPiece vocabulary that is a function of the texts.

    The library numbers characters, and so breaks ties, in an order that differs from run to run; here the
    commonest characters, each as itself and as a continuation ("##a"), are given to it in a fixed order.
    """
    texts = list(texts) if isinstance(texts, Iterator) else texts
    characters: Counter[str] = Counter()
    for text in texts:
        characters.update(text)
    counts: Counter[str] = Counter()
    for character, count in characters.items():
        counts.update(dict.fromkeys(normalizer.normalize_str(character).strip(), count))
    alphabet = sorted(counts, key=lambda character: (-counts[character], character))[: vocab_size // 4]
    core = Core(models.WordPiece(unk_token=special[1]))
    core.normalizer, core.pre_tokenizer = normalizer, pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        special_tokens=[*special, *(f"##{character}" for character in alphabet)],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return core.get_vocab()


def _reproducible(core: Core) -> models.Unigram:
    """A trained Unigram model as a function of the texts: what differs from run to run is removed.

    Two things differ. Parallel sums have noise. And characters that no other piece needs get the lowest score, raised
    by 0.0001 for each, in a random order. Here all of these get the lowest score.
    """
    model = json.loads(core.to_str())["model"]
    # The trainer gives special tokens the best score of all, so that a "<pad>" in a text would become one.
    special, pieces = [(token, -1000.0) for token, _ in model["vocab"][:3]], model["vocab"][3:]
    lowest = min((score for _, score in pieces), default=0.0)
    raised = lowest + 1e-4 * sum(len(piece) == 1 for piece, _ in pieces)
    scores = {piece: round(lowest if len(piece) == 1 and score <= raised else score, 6) for piece, score in pieces}
    pieces = sorted(scores.items(), key=lambda piece: (-piece[1], piece[0]))
    return models.Unigram([*special, *pieces], model["unk_id"])


def _train_byte_pairs(texts: Iterable[str], vocab_size: int, special: Sequence[str]) -> Core:
    _check_size(vocab_size, len(special) + len(_BYTES))
    core = Core(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size, special_tokens=list(special), initial_alphabet=_BYTES, show_progress=False
        ),
    )
    return core


def _surround(core: Core, start: str | None, end: str) -> processors.PostProcessor:
    """What Hugging Face adds around one text and between two; our own encoding adds nothing."""
    before = f"{start} " if start else ""
    return processors.TemplateProcessing(
        single=f"{before}$A {end}",
        pair=f"{before}$A {end} $B:1 {end}:1",
        special_tokens=[(token, core.token_to_id(token)) for token in (start, end) if token],
    )


def _check_size(vocab_size: int, least: int) -> None:
    if vocab_size < least:
        raise ValueError(f"vocab_size={vocab_size} leaves no room: this tokenizer needs at least {least}")
