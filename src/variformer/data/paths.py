"""From paths, folders and patterns to files."""

import difflib
import glob
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

Wanted = Callable[[Path], bool]


def find_files(patterns: Sequence[str], wanted: Wanted) -> list[Path]:
    """Paths, folders and patterns -> files, those of each in alphabetical order, none twice.

    Of a folder these are the `wanted` files at any depth, without hidden files and folders. A path that exists is
    not taken for a pattern. Raises FileNotFoundError, with the cause, if one of them gives no file or is a link to
    nothing.
    """
    files: dict[Path, Path] = {}
    for pattern in patterns:
        expanded = os.path.expanduser(pattern)
        found = [path for path in _candidates(expanded, wanted) if _is_file(path)]
        if not found:
            raise FileNotFoundError(f"no file matches {pattern!r}; {_cause(expanded)}")
        for path in found:
            files.setdefault(path.resolve(), path)
    return list(files.values())


def _candidates(path: str, wanted: Wanted) -> Iterable[Path]:
    if os.path.isdir(path):
        return _below(Path(path), wanted)
    if os.path.lexists(path):
        return [Path(path)]
    return map(Path, sorted(glob.glob(_literal_where_it_exists(path), recursive=True)))


def _below(folder: Path, wanted: Wanted) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if wanted(path) and not _hidden(path.relative_to(folder)))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_file(path: Path) -> bool:
    if path.is_symlink() and not path.exists():
        raise FileNotFoundError(f"{path} is a link to {os.readlink(path)}, which is not there; mend or remove the link")
    return path.is_file()


def _literal_where_it_exists(pattern: str) -> str:
    """`set[1]/*.txt` -> `set[[]1]/*.txt` where there is a folder `set[1]`."""
    parts = Path(pattern).parts
    known = 0
    while known < len(parts) and os.path.lexists(os.path.join(*parts[: known + 1])):
        known += 1
    return os.path.join(*map(glob.escape, parts[:known]), *parts[known:]) if parts else pattern


def _cause(path: str) -> str:
    """Why a path or pattern gives no file, or the nearest name that there is."""
    if os.path.isdir(path):
        return f"the folder {path!r} holds no file of a known kind"
    if os.path.lexists(path):
        return "it is neither a file nor a folder"
    if found := glob.glob(_literal_where_it_exists(path), recursive=True):
        return f"it matches only folders, such as {found[0]!r}; name the folder itself, or end the pattern in /**/*"
    folder, name = Path(path).absolute().parent, Path(path).name
    while not folder.exists():
        folder, name = folder.parent, folder.name
    if not folder.is_dir():
        return f"{str(folder)!r} is a file, not a folder"
    escape = "; in a pattern [[] stands for a bracket" if "[" in path else ""
    return _nearest(folder, name) + escape


def _nearest(folder: Path, name: str) -> str:
    try:
        close = difflib.get_close_matches(name, os.listdir(folder), n=1, cutoff=0.5)
    except OSError as error:
        return f"the folder {str(folder)!r} cannot be read: {error.strerror}"
    return f"the nearest is {str(folder / close[0])!r}" if close else f"nothing alike in {str(folder)!r}"
