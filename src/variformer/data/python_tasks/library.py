"""What Python brings along, walked in sorted order, and the document of data=python_docs that each piece is from."""

import ast
import hashlib
import platform
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..cache import digest_of
from ..contracts import Split
from ..labelled import Example, LabelledFiles
from ..text.cleaning import clean
from ..text.python_docs import Documented, PythonDocs, definitions, library_files

VERSION = 1  # count up whenever the examples of a class below change

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Described(NamedTuple):
    """A module, class or function with a docstring."""

    module: str
    name: str
    node: Documented
    text: str


class PythonTask:
    """Examples made of the installed Python: the same for everyone on the same version of it.

    Each example has as its group the document of data=python_docs that it is from. So it takes the split of that
    document where `validation` and `test` are the same: a model that was trained on those documents was not trained
    on what it is tested on.
    """

    def read(self) -> dict[Split, Iterator[Example]]:
        return {"train": self._examples()}

    def fingerprint(self, cache: Path) -> str:
        version = [platform.python_implementation(), platform.python_version(), platform.system()]
        return digest_of(type(self).__name__, VERSION, version, self.settings())

    def contents(self, cache: Path) -> dict[str, str]:
        return PythonDocs().contents(cache) | {f"the examples of {type(self).__name__}": str(VERSION)}

    def settings(self) -> list[object]:
        """What else decides which examples there are."""
        return []

    def only(self, files: Sequence[str]) -> LabelledFiles:
        return LabelledFiles(None, test=list(files))

    def columns_there(self) -> Sequence[str]:
        return ()

    def class_names(self) -> Sequence[str] | None:
        return None

    def __str__(self) -> str:
        return type(self).__name__

    def _examples(self) -> Iterator[Example]:
        raise NotImplementedError


@cache
def documents() -> dict[str, str]:
    """Of each document of data=python_docs its cleaned text, by name: what its split follows from."""
    return {document.name: clean(document.text) for document in PythonDocs().read()["train"]}


def described() -> Iterator[Described]:
    """All that has a docstring in the standard library; a docstring that occurs twice comes once."""
    seen: set[str] = set()
    for module, path in library_files():
        for name, node in definitions(module, path):
            text = ast.get_docstring(node)
            if text and text not in seen:
                seen.add(text)
                yield Described(module, name, node, text)


def all_functions() -> Iterator[tuple[str, str, Function]]:
    """(module, qualified name, node) of every function, also of those without a docstring."""
    for module, path in library_files():
        for name, node in definitions(module, path):
            if isinstance(node, Function):
                yield module, name, node


def functions() -> Iterator[tuple[Described, Function]]:
    """The functions that have a docstring, without those that are named like `_this`."""
    for each in described():
        if isinstance(each.node, Function) and not re.match(r"_[^_]", each.node.name):
            yield each, each.node


def group_of(module: str) -> str:
    """The document that the docstrings of a module are in; where there is none, its name."""
    return documents().get(module, module)


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, on one line."""
    paragraph = " ".join(text.strip().partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s+(?=[A-Z])", paragraph)[0]


def signature(node: Function) -> str:
    """name(first, second=3), without annotations."""
    arguments = ast.parse(f"def f({ast.unparse(node.args)}): 0").body[0]
    assert isinstance(arguments, Function)
    everything = [*arguments.args.posonlyargs, *arguments.args.args, *arguments.args.kwonlyargs]
    for argument in [*everything, arguments.args.vararg, arguments.args.kwarg]:
        if argument is not None:
            argument.annotation = None
    return f"{node.name}({ast.unparse(arguments.args)})"


def chance(*words: str) -> float:
    """A number in [0, 1) that follows from words alone."""
    digest = hashlib.sha1("\0".join(words).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
