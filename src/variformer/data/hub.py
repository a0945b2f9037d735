"""One split of a Hugging Face data set, from the hub or from a local folder; texts and images are read from it."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..paths import FolderOrName

if TYPE_CHECKING:
    from datasets import Dataset


def load_split(
    path: FolderOrName, name: str | None, split: str, revision: str | None, damage_cure: str = ""
) -> "Dataset":
    """The table of one split. The arguments are those of `datasets.load_dataset`; a local folder goes first.

    Raises ValueError if there is no such split, FileNotFoundError if the data set is not found or damaged.
    """
    import datasets
    from pyarrow.lib import ArrowException

    folder = folder_of(path)
    try:
        if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
            return saved_split(folder, split)
        source = str(folder) if folder.is_dir() else path
        return datasets.load_dataset(source, name, split=split, revision=revision)
    except (OSError, ArrowException, datasets.exceptions.DatasetsError) as error:
        where = (
            f"looked for a folder at {folder.absolute()}, for a copy that `datasets` cached, "
            "and on the Hugging Face hub (huggingface.co)"
        )
        if folder.is_dir():
            where = f"a file in {folder.absolute()} may be damaged{damage_cure and f'; {damage_cure}'}"
        raise FileNotFoundError(
            f"could not load split {split!r} of data set {path!r} (name {name!r}, revision {revision!r}): "
            f"{where}. {first_cause(error)}"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path}: no split {split!r}, or no name {name!r}: {error}") from error


def saved_split(folder: Path, split: str) -> "Dataset":
    """A split of what `save_to_disk` wrote: a data set of several splits, or a single table, which is "train"."""
    import datasets

    saved = datasets.load_from_disk(str(folder))
    if not isinstance(saved, datasets.DatasetDict):
        saved = datasets.DatasetDict({"train": saved})
    if split not in saved:
        raise ValueError(f"there are: {', '.join(saved)}")
    return saved[split]


def require_columns(table: "Dataset", columns: Iterable[str], path: FolderOrName) -> None:
    """Raises ValueError if the table lacks one of the columns."""
    for column in columns:
        if column not in table.column_names:
            there = ", ".join(table.column_names)
            raise ValueError(f"{path}: no column {column!r}; there are: {there}. Set the name of the column.")


def folder_of(path: FolderOrName) -> Path:
    return Path(path).expanduser()


def first_cause(error: BaseException) -> str:
    """The first line of the error that began a chain."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
