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
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


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
    seen: set[str] = set()
    for module, path in library_files(root):
        sections = []
        for name, node in definitions(module, path):
            text = ast.get_docstring(node)
            if text and text not in seen:
                seen.add(text)
                sections.append(f"{name}\n{text}")
        if sections:
            yield Document(module, "\n\n".join(sections))


def library_files(root: Path | None = None) -> Iterator[tuple[str, Path]]:
    """(module, file) of the standard library, which lies below `root`, without tests and demonstrations.

    Raises FileNotFoundError where there are no files.
    """
    root = Path(sysconfig.get_paths()["stdlib"]) if root is None else root
    files = [path for path in sorted(root.rglob("*.py")) if _SKIPPED.isdisjoint(path.relative_to(root).parts)]
    if not files:
        raise FileNotFoundError(f"{root} holds no source of Python's standard library; use another data set")
    for path in files:
        yield ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"), path


def definitions(module: str, path: Path) -> Iterator[tuple[str, Documented]]:
    """(qualified name, node) of a module, its classes and functions, in the order of the file.

    Nothing of a file without any docstring, or of one that is no Python.
    """
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
        if isinstance(node, Documented):
            yield name, node
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
