"""Temporary folders that the next comparison deletes if this process is killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from loadgate.errors import os_error_text
from loadgate.folder_locks import deleting, in_use

PREFIX = "loadgate-ab-"


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a new folder for temporary files, and delete it at the end of the block."""
    with contextlib.ExitStack() as stack:
        folder = next(made for made in _new_folders() if _is_held(made, stack))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _new_folders() -> Iterator[Path]:
    while True:
        yield Path(tempfile.mkdtemp(prefix=PREFIX))


def _is_held(folder: Path, stack: contextlib.ExitStack) -> bool:
    """Lock a new folder. Return False if another comparison has deleted it before."""
    with contextlib.suppress(FileNotFoundError):
        stack.enter_context(in_use(folder))
    return folder.exists()


def delete_left_folders() -> Iterator[str]:
    """Delete the temporary folders that killed processes of this user have left. Yield a line for each failure."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
                continue
            with deleting(folder) as is_free:
                if is_free:
                    shutil.rmtree(folder)
        except FileNotFoundError:
            continue  # its owner has just deleted it
        except OSError as error:
            yield f"{folder}: could not be deleted: {os_error_text(error)}"
