"""Arrays of unequal lengths, one after the other in a file that is memory-mapped."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import numpy as np

from ...ranges import Count

# Shapes: N rows, L values of one row, W numbers of one value.


class Ragged:
    """N rows of (L,) or (L, W) values.

    values: of all rows, one after the other
    offsets: (N + 1,) where each row begins, and the end
    """

    def __init__(self, values: np.ndarray, offsets: np.ndarray, path: Path | None = None) -> None:
        self.values, self.offsets, self._path = values, offsets, path

    @classmethod
    def open(cls, path: Path) -> "Ragged":
        """Open what a `RaggedFile` of this path wrote; ValueError if the files are damaged."""
        offsets = np.load(path.with_suffix(".offsets.npy"), mmap_mode="r")
        layout = np.load(path.with_suffix(".layout.npy"))
        size = int(offsets[-1]) * int(np.prod(layout.shape[1:])) * layout.itemsize
        if path.with_suffix(".bin").stat().st_size != size:
            raise ValueError(f"{path.with_suffix('.bin')} is damaged: its size is wrong. Delete {path.parent}")
        shape = (int(offsets[-1]), *layout.shape[1:])
        if shape[0] == 0:  # an empty file cannot be mapped
            return cls(layout, offsets, path)
        return cls(np.memmap(path.with_suffix(".bin"), layout.dtype, "r", shape=shape), offsets, path)

    @classmethod
    def of(cls, rows: Iterable[np.ndarray], dtype: np.dtype | type, width: tuple[Count, ...] = ()) -> "Ragged":
        """In memory. `width` is the shape of one value."""
        kept = [np.asarray(row, dtype) for row in rows]
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in kept], dtype=np.int64)])
        return cls(np.concatenate([np.zeros((0, *width), dtype), *kept]), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """(N,)"""
        return np.diff(self.offsets)

    def __reduce__(self) -> tuple:
        # A worker process opens the files again; pickling the arrays would copy them.
        if self._path is not None:
            return Ragged.open, (self._path,)
        return Ragged, (np.asarray(self.values), np.asarray(self.offsets))


class RaggedFile:
    """Writes the rows of a `Ragged`, one by one. `width` is the shape of one value."""

    def __init__(self, path: Path, dtype: np.dtype | type, width: tuple[Count, ...] = ()) -> None:
        self.path, self.layout = path, np.zeros((0, *width), dtype)
        self._lengths: list[int] = []
        self._file = open(path.with_suffix(".bin"), "wb")  # noqa: SIM115  (closed by __exit__)

    def add(self, row: np.ndarray) -> None:
        self._file.write(np.ascontiguousarray(row, self.layout.dtype).tobytes())
        self._lengths.append(len(row))

    @property
    def total(self) -> int:
        """Values of all rows."""
        return sum(self._lengths)

    def remove(self) -> None:
        for kind in (".bin", ".offsets.npy", ".layout.npy"):
            self.path.with_suffix(kind).unlink()

    def __enter__(self) -> "RaggedFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if error is None:
            offsets = np.concatenate([[0], np.cumsum(self._lengths, dtype=np.int64)])
            np.save(self.path.with_suffix(".offsets.npy"), offsets)
            np.save(self.path.with_suffix(".layout.npy"), self.layout)
