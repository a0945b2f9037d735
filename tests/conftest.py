"""Shared by all tests."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test processes share the cores
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")

import atexit
import gc
import pickle
import shutil
import sys
import tempfile
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

# Where transformers keeps the code of folders: each test process has a place of its own.
os.environ["HF_MODULES_CACHE"] = tempfile.mkdtemp(prefix="modules")
atexit.register(shutil.rmtree, os.environ["HF_MODULES_CACHE"], ignore_errors=True)

settings.register_profile("variformer", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("variformer")


def pytest_configure():
    """Hydra parses a file of conf/ once and not for each of a thousand configs, which takes half of their time."""
    from hydra._internal.config_repository import ConfigRepository
    from hydra.core.object_type import ObjectType

    load: Any = ConfigRepository.load_config
    parsed: dict[tuple, bytes] = {}

    def load_config(self, config_path):
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        if source is None or source.scheme() != "file":
            return load(self, config_path)
        file = Path(source.path, source._normalize_file_name(config_path))
        key = (source.provider, file, file.stat().st_mtime_ns, file.stat().st_size)
        if key not in parsed:
            parsed[key] = pickle.dumps(load(self, config_path))
        return pickle.loads(parsed[key])  # what Hydra takes apart is a copy

    ConfigRepository.load_config = load_config


def pytest_collection_finish():
    """The garbage collector looks less often at the two million objects that imports leave: a tenth of the time."""
    gc.set_threshold(100_000, 50, 100)


def pytest_collection_modifyitems(items):
    """Tests that fork processes which train come first: after a compiled backward pass, PyTorch refuses to fork."""
    items.sort(key=lambda item: item.path.parent.name not in ("faults", "devices"))


@pytest.fixture(scope="session")
def vocabulary():
    """1,000 ids: 0-4 special, 100 sentinels at the end, every third ordinary one continuing a word."""
    special = np.zeros(1000, dtype=bool)
    special[:5] = True
    special[-100:] = True
    continues = np.zeros(1000, dtype=bool)
    continues[7:900:3] = True
    return SimpleNamespace(
        size=1000,
        pad=0,
        end=1,
        start=2,
        mask=3,
        unknown=4,
        sentinels=np.arange(999, 899, -1),
        special=special,
        continues_word=continues,
        byte_lengths=np.where(special, 0, np.arange(1000) % 7 + 1),
    )


@pytest.fixture(scope="module")
def no_picture_of_the_curves():
    """Of runs in this process: drawing it takes longer than a few steps of training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("variformer.runs.train.draw_curves", lambda rows, path: path)
        yield


@pytest.fixture(scope="module")
def few_documents():
    """Runs in this process, and in its forks, read 45 short documents of Python's, under their own fingerprint."""
    from variformer.data import PythonDocs

    every = PythonDocs._documents
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("variformer.data.text.python_docs._VERSION", "45 short ones")
        patch.setattr(PythonDocs, "_documents", lambda self: islice(every(self), 10, 55))
        yield


@pytest.fixture(scope="session")
def composed(tmp_path_factory):
    """Overrides -> the checked config that train.py would run, its run directory under a temporary folder."""
    from hydra import compose, initialize_config_dir

    import variformer.config

    variformer.config.register_resolvers()
    runs = tmp_path_factory.mktemp("runs")
    conf = str(Path(__file__).parents[1] / "conf")

    def compose_overrides(*overrides: str) -> dict:
        folder = runs / f"run{len(list(runs.iterdir()))}"
        folder.mkdir()
        with initialize_config_dir(conf, version_base="1.3"):
            return variformer.config.compose(compose("train", overrides=[*overrides, f"run_dir={folder}"]))

    return compose_overrides


@pytest.fixture(scope="session")
def trained_before(composed):
    """This process has trained, so that those forked from it need not import and prepare the same again and again."""
    from variformer.runs.train import train

    small = ["model.width=32", "model.hidden=64", "max_steps=1", "trainer.accelerator=cpu", "trainer.progress=false"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("variformer.runs.train.draw_curves", lambda rows, path: path)
        train(composed("experiment=vit", "debug=fast", *small))
        train(composed("experiment=gpt", "debug=fast", *small, "tokenizer=bytes", "length=32", "samples=none"))


@pytest.fixture
def nothing_allowed(tmp_path, monkeypatch):
    """An empty working directory, and as in a new process no package allowed; what was imported is forgotten."""
    from variformer.config.classes import allowed_packages, annotations, entry_points, modules, signatures, targets

    cached = (allowed_packages.found, entry_points.installed, entry_points.objections, modules.source_file)
    cached += (targets.bindings, targets.stars, targets.statements, signatures.signature, annotations.adapted)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(allowed_packages.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(allowed_packages, "given", {})
    monkeypatch.setattr(allowed_packages, "folders", {})
    for each in cached:
        each.cache_clear()
    yield tmp_path
    for each in cached:
        each.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("my_study", "my_other", "evil")]:
        del sys.modules[name]
