"""Where published weights and tokenizers lie: in a folder, or under a name on the Hugging Face hub."""

import json
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

NAME = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?)(@(?P<revision>[\w./-]+))?", re.ASCII)
RUNS = "runs"  # where runs lie, unless run_dir says otherwise
TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "*.model")
WEIGHTS = ("model.safetensors", "model-*.safetensors", "model.safetensors.index.json")
PICKLED = ("pytorch_model*.bin", "pytorch_model.bin.index.json")  # read without running code, where all else lacks
SETTINGS = ("config.json", "generation_config.json", "preprocessor_config.json")


def locate(source: str | Path, *, weights: bool = True) -> Path:
    """The folder of `source`: a path, or NAME or NAME@REVISION on the hub, which is downloaded into the hub's cache.

    Without `weights`, only settings and tokenizer are fetched.
    Raises FileNotFoundError that says where it looked.
    Raises PermissionError where the hub gives a model only to users who have accepted its terms.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise FileNotFoundError(f"{source} is a file: give the folder that holds it")
    match = NAME.fullmatch(str(source))
    if match is None or is_path(match["name"]):
        place = folder.absolute()
        near = nearest(place)
        raise FileNotFoundError(f"there is no folder {place}; the nearest is {near} ({source} is no name on the hub)")
    patterns = (*SETTINGS, *TOKENIZER)
    found = fetch(match, folder, (*patterns, *WEIGHTS) if weights else patterns)
    if weights and not any(found.glob("*.safetensors")):
        found = fetch(match, folder, (*patterns, *PICKLED))
    return found


def is_path(name: str) -> bool:
    """Whether OWNER/NAME means a path: it begins with the folder of runs, or with a folder that exists."""
    owner, slash, _ = name.partition("/")
    return bool(slash) and (owner == RUNS or Path(owner).is_dir())


def nearest(folder: Path) -> Path:
    """The existing folder that comes closest to this absolute path, of which a part may be misspelt."""
    place = Path(folder.anchor)
    for part in folder.parts[1:]:
        close = [part] if (place / part).is_dir() else get_close_matches(part, folders_in(place), n=1)
        if not close:
            break
        place /= close[0]
    return place


def folders_in(place: Path) -> list[str]:
    try:
        return sorted(each.name for each in place.iterdir() if each.is_dir())
    except OSError:  # a folder that one may not read
        return []


def read_json(file: Path) -> dict[str, Any]:
    """The settings in a file beside published weights. Raises ValueError where the file is damaged or holds no
    settings.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # of the text or of its encoding
        raise ValueError(f"{file} is damaged ({error}): download or copy it again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds a {type(content).__name__}, where settings by name are expected")
    return content


def fetch(match: re.Match[str], folder: Path, patterns: tuple[str, ...]) -> Path:
    """The snapshot of a model, from the local cache where the hub cannot be reached."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError

    try:
        return Path(snapshot_download(match["name"], revision=match["revision"], allow_patterns=list(patterns)))
    except GatedRepoError:
        raise PermissionError(
            f"{match[0]} is gated: accept its terms at https://huggingface.co/{match['name']}, then log in with "
            "`hf auth login` or set HF_TOKEN"
        ) from None
    except Exception as error:  # of the hub's, and of whichever HTTP library it uses today
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's own, such as a full disk
        reason = "HF_HUB_OFFLINE=1 forbids to ask the hub" if constants.HF_HUB_OFFLINE else reason_of(error)
        raise FileNotFoundError(
            f"{match[0]} was not found: there is no folder {folder.absolute()}, the cache {constants.HF_HUB_CACHE} "
            f"does not hold it, and {reason}. Without a network, copy the model's folder here and give its path."
        ) from None


def reason_of(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0].rstrip(".")
    return f"{type(error).__name__} came from the hub: {first}"
