"""Which source files go along with a model, and what they say."""

import ast
import sys

import pytest
import torch
import transformers as hf

from variformer.config.classes import targets as allowed
from variformer.portable.code import code_of, remove_code
from variformer.portable.heads import head_of
from variformer.portable.reading import read
from variformer.portable.sources import collect

from .conftest import SYSTEMS, built, part

STAMP = "1.2.3 (commit abc)"
LAYERS = {
    "by_layer",
    *("attention", "block", "embedding", "feed_forward", "initialise", "positions", "ranges"),
    *("stochastic_depth", "transformer", "heads", "hidden", "by_layer", "contracts"),
}
OWN = {
    "vit": {"vit", "classification"},
    "deit": {"deit", "vit", "classification"},
    "roberta": {"roberta", "bert", "masked_language_modeling"},
    "gpt": {"gpt", "causal_language_modeling", "decoding"},
    "t5": {"t5", "sequence_to_sequence", "decoding"},
}


def code(node) -> dict[str, str]:
    return code_of(node, head_of(built(node)), STAMP)


@pytest.mark.parametrize("system", OWN)
def test_what_the_model_needs_goes_out_and_no_more(system):
    files = code(SYSTEMS[system])
    common = {"configuration_variformer", "modeling_variformer", "parts"}
    assert {file.removesuffix(".py") for file in files} == OWN[system] | LAYERS | common


def test_the_code_needs_torch_and_transformers_alone():
    for name, text in code({**SYSTEMS["roberta"], "norm": part("RMSNorm")}).items():
        tree = ast.parse(text)
        assert ast.get_docstring(tree), name
        assert "\t" not in text and max(map(len, text.splitlines())) <= 120, name
        for statement in ast.walk(tree):
            if isinstance(statement, ast.ImportFrom) and not statement.level:
                assert statement.module.partition(".")[0] in {"torch", "transformers"} | sys.stdlib_module_names, name
            assert not isinstance(statement, ast.ImportFrom) or statement.level < 2
        assert "annotated_types" not in text and "import variformer" not in text
        first = "\n".join(text.splitlines()[:4])
        assert "exported" in first and (name == "parts.py" or (STAMP in first and "Apache-2.0" in first))


def test_sources_of_papers_go_along():
    text = code(SYSTEMS["gpt"])["gpt.py"]
    assert "Radford et al., 2019" in text and "from . import initialise" in text
    assert "from .positions import LearnedPositions, Positions, Sizes" in text
    assert "# which objectives train the model" in code(SYSTEMS["gpt"])["contracts.py"]


def test_the_sum_of_all_code_is_in_the_config_of_each_folder():
    one, other = code(SYSTEMS["gpt"]), code({**SYSTEMS["gpt"], "norm": part("RMSNorm")})
    assert (
        one["gpt.py"] == other["gpt.py"] and one["configuration_variformer.py"] != other["configuration_variformer.py"]
    )


def test_code_of_an_earlier_export_is_removed_and_nothing_else(tmp_path):
    for name, text in code(SYSTEMS["gpt"]).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "mine.py").write_text("# my notes\n")
    remove_code(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.py"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """(name of a file, its text) -> a package of a user's own, which configs may name."""
    folder = tmp_path / "somebodys"
    (folder / "sub").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('run')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(allowed, "ALLOWED", (*allowed.ALLOWED, "somebodys"))

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text)
        for each in (allowed.source_file, allowed.bindings, allowed.stars, allowed.statements):
            each.cache_clear()

    return write


MODEL = '''"""A model of my own."""
import math
from variformer.layers import (
    Attention as Attends,
    PreNormBlock,
    initialise,
)
from . import numbers
from .sub.positions import Mine

class Model(GPT):
    def forward(self):
        from .numbers import TWO
        return TWO
'''


def test_a_users_module_goes_along_with_what_it_imports(package):
    package("model.py", MODEL)
    package("numbers.py", "import torch\nTWO = 2\n")
    package("sub/positions.py", "from variformer.models import GPT\nfrom ..numbers import TWO\nclass Mine(GPT): pass")
    node = {"_target_": "somebodys.model.Model"}
    modules = collect([node["_target_"]])
    assert {"somebodys.model", "somebodys.numbers", "somebodys.sub.positions", "variformer.models.gpt"} <= set(modules)
    files = code_of(node, head_of(built(SYSTEMS["gpt"])), STAMP)
    assert "from . import initialise, numbers" not in files["model.py"]
    expected = (
        "import math\nfrom . import initialise\nfrom .attention import Attention as Attends\n"
        "from .block import PreNormBlock\nfrom . import numbers\nfrom .somebodys_sub_positions import Mine\n"
    )
    assert expected in files["model.py"] and "        from .numbers import TWO\n" in files["model.py"]
    assert "from .numbers import TWO" in files["somebodys_sub_positions.py"]
    assert (
        "from .numbers import __name__ as _" in files["causal_language_modeling.py"]
        and "somebodys.model, but for imports as it was" in files["model.py"]
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import torch\nimport einops", r"model\.py:2 imports einops, which cannot go along: .* may import torch"),
        ("def f():\n    from numpy import array", r"model\.py:2 imports numpy"),
        ("from variformer.objectives import NextToken", r"model\.py:1 imports variformer\.objectives, which cannot"),
        ("from variformer.layers import *", r"model\.py:1 imports everything of variformer\.layers, .*: name what"),
        ("import somebodys.numbers", r"model\.py:1 imports somebodys\.numbers, .*: write `from somebodys\.numbers"),
    ],
)
def test_an_import_that_cannot_go_along_is_refused(package, text, reason):
    package("model.py", f"{text}\nclass Model: pass\n")
    with pytest.raises(ValueError, match=reason) as refused:
        collect(["somebodys.model.Model"])
    assert "\n" not in str(refused.value)


def test_a_model_of_no_known_kind_is_refused():
    with pytest.raises(ValueError, match=r"no class for Linear, only for these: causal decoder.*`kind`"):
        head_of(built({"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 2}))


OWN_MODEL = '''"""A decoder whose scores are capped."""
from variformer.models import GPT

from .capping import capped


class Capped(GPT):
    """Gemma 2's cap."""

    def __init__(self, **gpt):
        super().__init__(**gpt)

    def forward(self, tokens, mask=None, cache=None):
        return capped(super().forward(tokens, mask, cache))
'''


def test_a_users_model_is_read_by_transformers(package, written):
    package("__init__.py", "")
    package("capped.py", OWN_MODEL)
    package("capping.py", '"""A cap."""\nimport torch\n\n\ndef capped(x):\n    return 3 * torch.tanh(x / 3)\n')
    ours, folder = written({**SYSTEMS["gpt"], "_target_": "somebodys.capped.Capped"})
    theirs = hf.AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
    tokens = torch.randint(3, 17, (2, 6))
    assert torch.equal(theirs(tokens).logits, ours(tokens)) and ours(tokens).abs().max() < 3
    assert "somebodys" not in theirs.model.__class__.__module__
    assert type(read(folder).model) is type(ours)
