"""Files and groups of the user in a store: found, checked and carried over by an extension."""

import errno
import filecmp
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .analyses import is_ours
from .documents import ANALYSIS, CHUNKS, DOCUMENT, BrokenDocumentError, read_document
from .errors import StoreError
from .exchange import copy_access, owner_of
from .holders import held_for_run
from .info import StoreInfo
from .ordinary import UnsafeFileError, read_file

UNFINISHED = re.compile(r".*\.[0-9a-f]{32}\.partial")  # temporary files of a zarr that was killed


def find_foreign(path: Path, arrays: dict[str, int]) -> list[Path]:
    """List what genprior did not make in a store.

    Args:
        path: the store.
        arrays: the store's own arrays, coordinates included: the number of dimensions by name.

    Returns:
        Paths relative to the store. A folder of the user is one entry.
    """
    foreign = []
    for entry in _entries(path):
        if entry.name in arrays and entry.is_dir() and not entry.is_symlink():
            foreign += _in_array(entry, arrays[entry.name])
        elif entry.name == ANALYSIS and entry.is_dir() and not entry.is_symlink():
            foreign += [
                inner for inner in _entries(entry) if not is_ours(inner) and owner_of(inner) is None
            ]
        else:
            foreign.append(entry)
    return [entry.relative_to(path) for entry in foreign]


def _entries(folder: Path) -> list[Path]:
    """List a folder that genprior made, without its metadata and zarr's temporary files."""
    names = sorted(os.listdir(folder))
    return [folder / n for n in names if n != DOCUMENT and not UNFINISHED.fullmatch(n)]


def _in_array(array: Path, depth: int) -> list[Path]:
    """Find what is neither metadata nor a chunk in an array's folder."""
    foreign = [entry for entry in _entries(array) if entry.name != CHUNKS]
    return foreign + list(_in_chunks(array / CHUNKS, depth) if (array / CHUNKS).is_dir() else ())


def _in_chunks(folder: Path, depth: int) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name.isdecimal() and is_folder == (depth > 1):
                if is_folder:
                    yield from _in_chunks(Path(entry.path), depth - 1)
            elif is_folder or not UNFINISHED.fullmatch(entry.name):
                yield Path(entry.path)


def check_foreign(
    info: StoreInfo, foreign: list[Path], shape: dict[str, int], reordered: Collection[str] = ()
) -> None:
    """Refuse to carry an array of the user over that would not fit the new store.

    Args:
        info: the store.
        foreign: what genprior did not make in it, from `find_foreign`.
        shape: the new size of each dimension.
        reordered: dimensions of the same size whose values get another order.

    Raises:
        StoreError: an array of the user next to the results lies along an axis that changes or is
            not in the new store; the message names it.
    """
    old = dict(zip(info.layout.dims, info.layout.shape, strict=True))
    for name in (str(entry) for entry in foreign if len(entry.parts) == 1):
        try:
            document = read_document(info.path / name)
        except (FileNotFoundError, BrokenDocumentError, UnsafeFileError):
            continue
        if document.get("node_type") != "array":
            continue
        dims = document.get("dimension_names")
        dims = [dim for dim in dims if isinstance(dim, str)] if isinstance(dims, list) else []
        lost = [dim for dim in dims if dim in old and dim not in shape]
        if lost:
            raise StoreError(
                f"{info.path / name}: genprior did not make this array, and it lies along "
                f"{lost[0]}, which the new store does not have. Move it into a group, or out of "
                "the store."
            )
        grown = [dim for dim in dims if dim in old and old[dim] != shape[dim]]
        moved = [dim for dim in dims if dim in reordered]
        if grown:
            raise StoreError(
                f"{info.path / name}: genprior did not make this array, and it lies along "
                f"{grown[0]}, which grows from {old[grown[0]]} to {shape[grown[0]]} values: it "
                "would no longer fit, and xarray could not open the store. Move it into a group, "
                "or out of the store."
            )
        if moved:
            raise StoreError(
                f"{info.path / name}: genprior did not make this array, and it lies along "
                f"{moved[0]}, whose values get another order. Move it out of the store."
            )


@contextmanager
def nested_stores_locked(path: Path, foreign: list[Path]) -> Iterator[None]:
    """Lock the stores that lie inside a store, so that nothing writes them while they move.

    Raises:
        StoreError: one of them is being written.
    """
    with ExitStack() as stack:
        for entry in foreign:
            inner = path / entry
            for folder, _, files in os.walk(inner) if not inner.is_symlink() else ():
                metadata = Path(folder, DOCUMENT)
                if DOCUMENT in files and _is_a_store(metadata):
                    stack.enter_context(held_for_run(metadata.parent))
        yield


def _is_a_store(document: Path) -> bool:
    """Say whether a document may be that of a store."""
    try:
        return b"genprior_format" in read_file(document)
    except (OSError, UnsafeFileError):
        return False


def carry(path: Path, new: Path, foreign: list[Path], share: bool = True) -> None:
    """Carry what genprior did not make over into a new folder, by hard links or else by copies.

    Symbolic links stay symbolic links. Modes and times are kept.

    Args:
        path: the store.
        new: the new folder.
        foreign: paths relative to the store, from `find_foreign`.
        share: whether files are linked; False if the store remains, so that a change in one of
            them would be a change in both.

    Raises:
        StoreError: genprior writes something of the same name there.
        OSError: a special file cannot be copied.
    """
    for entry in foreign:
        for parent in reversed(entry.parents[:-1]):
            if not (new / parent).is_dir():
                (new / parent).mkdir()
                shutil.copystat(path / parent, new / parent)
                if (path / parent / DOCUMENT).is_file():
                    shutil.copy2(path / parent / DOCUMENT, new / parent / DOCUMENT)
        if os.path.lexists(new / entry):
            raise StoreError(
                f"{path / entry} was not made by genprior, which has to write there; rename it, "
                "and repeat the same command."
            )
        _carry(path / entry, new / entry, share)


def _carry(source: Path, target: Path, share: bool) -> None:
    mode = source.lstat().st_mode
    if stat.S_ISLNK(mode):
        target.symlink_to(source.readlink())
    elif stat.S_ISDIR(mode):
        target.mkdir()
        copy_access(source, target)
        for entry in sorted(source.iterdir()):
            _carry(entry, target / entry.name, share)
        shutil.copystat(source, target)
    elif not (share and _linked(source, target)):
        if not stat.S_ISREG(mode):
            raise OSError(errno.ENOTSUP, "a special file cannot be copied", str(source))
        shutil.copy2(source, target)


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def same_content(one: Path, other: Path) -> bool:
    """Say whether two files, links or folders have the same names and bytes in them."""
    modes = one.lstat().st_mode, other.lstat().st_mode
    if all(map(stat.S_ISLNK, modes)):
        return one.readlink() == other.readlink()
    if all(map(stat.S_ISDIR, modes)):
        names = sorted(os.listdir(one))
        return names == sorted(os.listdir(other)) and all(
            same_content(one / name, other / name) for name in names
        )
    return all(map(stat.S_ISREG, modes)) and filecmp.cmp(one, other, shallow=False)
