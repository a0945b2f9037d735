"""Python's own documentation: about 2 MB of real English that every machine with Python already holds."""

import ast
import platform
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..cache import digest_of
from ..contracts import Split
from .document import Document

_VERSION = 1  # count up whenever the documents below change
# Tests and demonstrations are no documentation; pydoc_data is read as what it is, the language reference.
_SKIPPED = {"test", "tests", "idle_test", "idlelib", "lib2to3", "turtledemo", "pydoc_data"}
_SKIPPED |= {"site-packages", "dist-packages"}
_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class PythonDocs:
    """The language reference (a document for each topic) and the library's docstrings (one for each module).

    Nothing occurs twice, since copies would leak between splits: neither the same docstring (decimal and
    _pydecimal) nor a topic that is part of another. The documents are the same for everyone on the same
    version of Python.
    """

    def read(self) -> dict[Split, Iterator[Document]]:
        return {"train": self._documents()}

    def fingerprint(self, cache: Path) -> str:
        return digest_of(
            "PythonDocs",
            _VERSION,
            platform.python_implementation(),
            platform.python_version(),
            platform.system(),
        )

    def contents(self, cache: Path) -> dict[str, str]:
        version = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}"
        return {"the documentation of the installed Python": f"{version}, version {_VERSION}"}

    def _documents(self) -> Iterator[Document]:
        from pydoc_data.topics import topics

        yield from _topics(topics)
        yield from _library(Path(sysconfig.get_paths()["stdlib"]))


def _topics(topics: dict[str, str]) -> Iterator[Document]:
    """The topics, longest first, without those that are mere parts of longer ones ("with" of "compound")."""
    seen: set[str] = set()
    for topic, text in sorted(topics.items(), key=lambda item: (-len(item[1]), item[0])):
        paragraphs = {" ".join(paragraph.split()) for paragraph in text.split("\n\n")}
        telling = {paragraph for paragraph in paragraphs if len(paragraph) >= 80}
        if not telling or not telling <= seen:
            yield Document(f"pydoc_data.topics:{topic}", text)
        seen |= telling


def _library(root: Path) -> Iterator[Document]:
    files = [path for path in sorted(root.rglob("*.py")) if _SKIPPED.isdisjoint(path.relative_to(root).parts)]
    if not files:
        raise FileNotFoundError(f"{root} holds no source of Python's standard library; use another data set")
    seen: set[str] = set()
    for path in files:
        module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        sections = []
        for name, text in _docstrings(module, path):
            if text not in seen:
                seen.add(text)
                sections.append(f"{name}\n{text}")
        if sections:
            yield Document(module, "\n\n".join(sections))


def _docstrings(module: str, path: Path) -> Iterator[tuple[str, str]]:
    """(qualified name, docstring) of everything documented in one file, in its order."""
    source = path.read_bytes()
    if b'"""' not in source and b"'''" not in source:  # parsing takes most of the time
        return
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # some files of the library are bad on purpose
        return
    pending: list[tuple[str, ast.AST]] = [(module, tree)]
    while pending:
        name, node = pending.pop()
        if isinstance(node, _Documented) and (text := ast.get_docstring(node)):
            yield name, text
        # Definitions may lie under `if` and `try`, but not inside expressions, which are most of the tree.
        children = [
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case)
        ]
        pending += [(_qualified(name, child), child) for child in reversed(children)]


def _qualified(parent: str, node: ast.AST) -> str:
    defines = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    return f"{parent}.{getattr(node, 'name', None)}" if defines else parent
