import ast

import pytest

from variformer.data import PythonDocs
from variformer.data.text.python_docs import _topics, definitions


@pytest.fixture(scope="module")
def documents():
    return list(PythonDocs().read()["train"])


def test_about_two_megabytes_of_topics_and_modules(documents):
    names = [document.name for document in documents]
    assert len(set(names)) == len(names) > 400
    assert {"pydoc_data.topics:compound", "argparse", "asyncio.tasks", "email"} <= set(names)
    assert 1.5e6 < sum(len(document.text) for document in documents) < 4e6
    assert not [name for name in names if name.startswith(("test.", "idlelib", "lib2to3", "turtledemo"))]


def test_a_docstring_lies_under_its_qualified_name(documents):
    text = next(document.text for document in documents if document.name == "textwrap")
    assert "textwrap.TextWrapper.wrap\nwrap(text : string) -> [string]" in text


def test_hardly_any_paragraph_occurs_in_two_documents(documents):
    pages: dict[str, set[str]] = {}
    for document in documents:
        for paragraph in document.text.split("\n\n"):
            if len(" ".join(paragraph.split())) >= 80:
                pages.setdefault(" ".join(paragraph.split()), set()).add(document.name)
    repeated = [paragraph for paragraph, names in pages.items() if len(names) > 1]
    assert len(pages) > 8000
    assert len(repeated) < 0.01 * len(pages)  # what is left: warnings and parameters that two docstrings share


def test_a_topic_that_is_part_of_another_is_left_out():
    long = "A paragraph that is long enough to tell one topic from another, unlike short ones such as headings."
    topics = {
        "part": f"Title\n\n{long}",
        "whole": f"{long}\n\n{long} More.",
        "other": f"{long}\n\n{long} Else.",
    }
    names = [document.name for document in _topics(topics)]
    assert names == ["pydoc_data.topics:other", "pydoc_data.topics:whole"]


def test_docstrings_equal_those_of_the_abstract_tree(tmp_path):
    source = '''"""Module."""
import sys
def f():
    """F."""
    def inner():
        """Inner."""
    return lambda: """no docstring"""
if sys:
    class C:
        """C."""
        async def g(self):
            """G."""
try:
    pass
except ImportError:
    def fallback():
        """Fallback."""
match sys:
    case 1:
        def matched():
            """Matched."""
'''
    (tmp_path / "m.py").write_text(source)
    nodes = [(name, ast.get_docstring(node)) for name, node in definitions("m", tmp_path / "m.py")]
    found = [(name, text) for name, text in nodes if text]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    expected = {ast.get_docstring(node) for node in ast.walk(ast.parse(source)) if isinstance(node, documented)}
    assert {text for _, text in found} == expected
    assert [name for name, _ in found] == [
        *("m", "m.f", "m.f.inner", "m.C", "m.C.g", "m.fallback", "m.matched"),
    ]


def test_a_file_that_is_not_python_is_passed_over(tmp_path):
    (tmp_path / "bad.py").write_text('"""text""" = (')
    assert list(definitions("bad", tmp_path / "bad.py")) == []


def test_fingerprint_does_not_change(tmp_path):
    assert PythonDocs().fingerprint(tmp_path) == PythonDocs().fingerprint(tmp_path / "elsewhere")
