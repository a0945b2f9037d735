"""What a `_target_` may name, on a package that tries every way out."""

import sys

import pytest

from variformer.config.classes import targets

FILES = {
    "__init__.py": """
import os
import subprocess as shell
from os import system
from subprocess import run as execute
from collections import *
from .inner import Good, helper as renamed
from .starred import *
from . import inner, loop
from .loop import around
if TYPE_CHECKING:
    from .late import Late
try:
    from .late import Tried
except ImportError:
    pass
alias = os.system
class Own: ...
class _Hidden: ...
raise RuntimeError("imported")
""",
    "inner.py": "import os\nclass Good: ...\ndef helper(): ...\n",
    "starred.py": "class Shining: ...\n",
    "late.py": "class Late: ...\nclass Tried: ...\n",
    "loop.py": "from . import loop\nfrom .round import around\n",
    "round.py": "from .loop import around\n",
    "deep/module.py": "class Below: ...\nfrom ..inner import Good\nfrom .sibling import Sibling\n",
    "deep/sibling.py": "class Sibling: ...\n",
}


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A package whose import fails, allowed as if it were ours."""
    for name, text in FILES.items():
        file = tmp_path / "planted" / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(targets, "ALLOWED", ("planted", "torch.nn"))
    for cached in (targets.source_file, targets.bindings, targets.stars, targets.statements):
        cached.cache_clear()
    yield
    for cached in (targets.source_file, targets.bindings, targets.stars, targets.statements):
        cached.cache_clear()
    assert "planted" not in sys.modules


@pytest.mark.parametrize(
    ("target", "module"),
    [
        ("planted.Own", "planted"),
        ("planted.Good", "planted.inner"),
        ("planted.inner.Good", "planted.inner"),
        ("planted.Shining", "planted.starred"),
        ("planted.Late", "planted.late"),
        ("planted.Tried", "planted.late"),
        ("planted.deep.module.Below", "planted.deep.module"),
        ("planted.deep.module.Good", "planted.inner"),
        ("planted.deep.module.Sibling", "planted.deep.sibling"),
    ],
)
def test_classes_are_found_where_they_are_defined(planted, monkeypatch, target, module):
    definition = targets.find(target)
    assert definition.module == module
    assert definition.node.name == target.rpartition(".")[2]


@pytest.mark.parametrize(
    "target",
    [
        "planted.os",
        "planted.shell",
        "planted.system",
        "planted.execute",
        "planted.alias",
        "planted.inner",  # a module
        "planted.around",  # imported in a circle
        "planted.loop.loop",
        "planted.renamed",  # a function, and the package is not ours
        "planted._Hidden",
        "planted.__init__.Own",
        "planted.inner.os",
        "planted.Own\n",
        "planted.\N{CYRILLIC CAPITAL LETTER O}wn",
        "planted_too.Own",
        "Planted.Own",
    ],
)
def test_nothing_else_is(planted, target):
    with pytest.raises(LookupError, match="not allowed"):
        targets.find(target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("planted.OrderedDict", "does not exist"),  # from a star import of another package
        ("planted.inner.os.system", "has no module `os`"),
        ("planted.os.system", "`planted` has no module `os`"),
        ("planted.Own.method", "has no module `Own`"),
        ("planted.Goood", "did you mean `Good`"),
        ("planted.inmer.Good", "did you mean `inner`"),
    ],
)
def test_what_is_not_there_is_said(planted, target, message):
    with pytest.raises(LookupError, match=message):
        targets.find(target)
