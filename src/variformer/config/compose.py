"""From what Hydra composed to a plain, resolved and checked config; on resume, from what the run itself was given."""

import secrets
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from .check import ConfigError, check
from .nearest import hint

HYDRAS_OWN = {".hydra", ".hydra_resumed", "train.log"}
ALWAYS_NEW = ("run_dir", "resume")  # what a resumed run's command line says about itself


def register_resolvers() -> None:
    """The only two. `${stamp:}`: time to the microsecond and a random id, drawn once per process.
    `${hydra_folder:RESUME}`: where Hydra keeps its own record; a resumed run does not overwrite the first one.
    """
    from omegaconf import OmegaConf

    def stamp() -> str:
        return f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}-{secrets.token_hex(4)}"

    def hydra_folder(resume: bool) -> str:
        return ".hydra_resumed" if resume else ".hydra"

    OmegaConf.register_new_resolver("stamp", stamp, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("hydra_folder", hydra_folder, replace=True)


def compose(config: Any) -> dict[str, Any]:
    """A DictConfig from Hydra -> the run's config. Raises ConfigError or FileNotFoundError that say what to mend."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if config.resume:
        config = resumed(Path(config.run_dir))
    try:
        plain = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError([f"{getattr(error, 'full_key', None) or 'config'}: {error}"]) from error
    assert isinstance(plain, dict)
    check(plain)  # type: ignore[arg-type]
    if plain["objective"] is None:
        raise ConfigError(["objective: a run that trains needs one; conf/objective/ holds those there are"])
    return plain  # type: ignore[return-value]


def discard(run_dir: Path) -> None:
    """Remove the folder that Hydra made for a run which never began: it holds nothing but Hydra's own notes."""
    if run_dir.is_dir() and not contents(run_dir):
        shutil.rmtree(run_dir)
        if not any(run_dir.parent.iterdir()):
            run_dir.parent.rmdir()


def resumed(run_dir: Path) -> Any:
    """The config that the run was started with, changed by what this command line sets."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    saved = load(run_dir)
    for override in OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task)):
        key = override.key_or_group
        if key in ALWAYS_NEW:
            continue
        if OmegaConf.select(saved, key, default=OmegaConf) is OmegaConf or isinstance(saved.get(key), dict):
            raise ConfigError([f"{key}: not a value of the run in {run_dir}{hint(key, [str(k) for k in saved])}"])
        OmegaConf.update(saved, key, override.value())
    saved.resume, saved.run_dir = True, str(run_dir)
    return saved


def contents(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name not in HYDRAS_OWN]


def load(run_dir: Path) -> Any:
    """The config.yaml of a run. Raises FileNotFoundError, saying what is there, where there is none."""
    from omegaconf import OmegaConf

    path = run_dir / "config.yaml"
    if not path.is_file():
        candidates = ((p, contents(p)) for p in (run_dir, *run_dir.resolve().parents) if p.is_dir())
        folder, names = next(((p, names) for p, names in candidates if names), (run_dir, ["nothing"]))
        there = ", ".join(sorted(name for name in names if name != run_dir.name)[:10]) or "nothing else"
        raise FileNotFoundError(f"run_dir={run_dir} is not a run: no config.yaml (in {folder} there is {there})")
    return OmegaConf.load(path)
