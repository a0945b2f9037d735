"""The configs that runs have saved: config.yaml of a run directory, and the one in a run.json.

They are read with today's keys and class names, whichever version of the code wrote them.
"""

import json
import warnings
from collections.abc import Container, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..classes.moved import with_current_targets
from ..errors import ConfigError
from ..heads import parted
from .run_folder import contents

if TYPE_CHECKING:
    from omegaconf import DictConfig

Saved = TypeVar("Saved", bound=MutableMapping[Any, Any])


def saved_config(run_dir: Path) -> "DictConfig":
    """The config.yaml of a run.

    Raises FileNotFoundError, which lists what is there, if there is none. Raises ConfigError if it has interpolations,
    since they could read this machine's environment.
    """
    from omegaconf import OmegaConf

    path = run_dir / "config.yaml"
    if not path.is_file():
        candidates = ((p, contents(p)) for p in (run_dir, *run_dir.resolve().parents) if p.is_dir())
        folder, names = next(((p, names) for p, names in candidates if names), (run_dir, ["nothing"]))
        there = ", ".join(sorted(name for name in names if name != run_dir.name)[:10]) or "nothing else"
        raise FileNotFoundError(f"run_dir={run_dir} is not a run: no config.yaml (in {folder} there is {there})")
    saved = read_yaml(path)
    if "${" in repr(OmegaConf.to_container(saved, resolve=False)):  # ${oc.env:TOKEN}, in a run that somebody sent
        raise ConfigError([f"{path}: has an interpolation (${{...}}), but a run's config has only plain values"])
    refuse_permission(saved, path)
    return with_current_keys(saved, path)


def read_yaml(path: Path) -> "DictConfig":
    """Raises ConfigError, in one line, if the file is no YAML or holds no keys."""
    import yaml
    from omegaconf import DictConfig, OmegaConf

    try:
        saved = OmegaConf.load(path)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError([f"{path} is damaged ({' '.join(str(error).split())}): copy it again"]) from None
    if not isinstance(saved, DictConfig):
        raise ConfigError([f"{path} holds no keys, but the config of a run does: copy it again"])
    return saved


def recorded_config(source: Path) -> dict[str, Any]:
    """The config in the record of a run. `source` is a run directory or a run.json.

    Raises FileNotFoundError or ConfigError if there is none.
    """
    path, record = record_of(source)
    if "config" not in record:
        raise ConfigError([f"repeat: {path} holds no config, because an earlier version of the code wrote it"])
    if "${" in json.dumps(record["config"]):  # ${oc.env:TOKEN}, in a record that somebody sent
        raise ConfigError([f"repeat: {path} has an interpolation (${{...}}), but a run's config has only plain values"])
    refuse_permission(record["config"], path)
    return with_current_keys(record["config"], path)


def record_of(source: Path) -> tuple[Path, dict[str, Any]]:
    """The path and the content of the run.json that `source` is, or that lies in the run directory `source`."""
    path = source / "run.json" if source.is_dir() else source
    if not path.is_file():
        raise FileNotFoundError(f"repeat={source} is not a run: there is no {path}")
    try:
        return path, json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError([f"repeat: {path} is not the record of a run ({error})"]) from error


def refuse_permission(saved: Container[str], source: Path) -> None:
    """Raises ConfigError if the config of a run would allow packages. Somebody else may have written it."""
    if "allow" in saved:
        raise ConfigError([f"{source}: has the key `allow`, which the config of a run must not have; remove it"])


def with_current_keys(config: Saved, source: Path) -> Saved:
    """The config that `source` holds, with the keys and class names of today. The config is changed in place."""
    parted(with_current_targets(config))
    trainer = config.get("trainer") or {}
    if "validation_batches" in trainer:
        batches = trainer.pop("validation_batches")
        size = config.get("eval_batch") or config.get("micro_batch") or config["global_batch"]
        trainer["validation_samples"] = None if batches is None else samples_of(batches, size, source)
    data = config.get("data") or {}
    if set(data) == {"_target_", "_partial_", "source"}:  # of an import, from when TextData left bad documents out
        data["on_bad"] = "skip"
    return config


def samples_of(batches: int, size: int, source: Path) -> int:
    """The samples in the `trainer.validation_batches` of an earlier version, which were the first of the split."""
    samples = batches * size
    warnings.warn(
        f"{source} has trainer.validation_batches={batches}, now trainer.validation_samples={samples}: as many, but "
        "from all parts of the split, so that new validation metrics differ a little from earlier ones",
        stacklevel=3,
    )
    return samples
