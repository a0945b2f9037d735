"""Folders that a command will write, checked before any work is done."""

import os
import tempfile
from pathlib import Path


def require_writable(folder: Path) -> None:
    """Raises OSError, in one line that says why, unless files can be written into `folder` or it can be made."""
    place = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    if not place.is_dir():
        raise NotADirectoryError(f"{folder} cannot be written: {place} is a file; choose another folder")
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".variformer", dir=place))
    except OSError as error:
        raise type(error)(f"{folder} cannot be written: {place}: {error.strerror}; choose another folder") from None
