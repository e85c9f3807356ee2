"""A zip of a folder of images, unpacked.

It was made by somebody else and may be anything: it is written nowhere but into the folder asked for, and is refused before
it can fill memory or disk. Knows nothing of what the folder then is as a dataset (folder).
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kdviz.data.folder import MAX_CLASSES, MAX_IMAGES, Progress, is_image, is_litter
from kdviz.errors import DataUnavailable, InvalidValue, quoted
from kdviz.i18n import N_

MAX_ENTRIES = 2 * MAX_IMAGES + 10_000  # macOS puts a twin beside every file
MAX_FOLDERS = 4 * MAX_CLASSES
MAX_DEPTH = 10  # of folders in folders
MAX_UNPACKED = 4 * 10**9  # bytes

_Parts = tuple[str, ...]
_CHUNK = 1 << 20
_BAD_ZIP = (
    zipfile.BadZipFile, zlib.error, struct.error,
    EOFError, LookupError, NotImplementedError, OSError, OverflowError, RuntimeError, ValueError,
)  # fmt: skip
"""What Python's zip reader raises for a zip that is not in order."""


def unpack(content: bytes | Path | BinaryIO, to: Path, progress: Progress = lambda share: None) -> Path:
    """Unpack a zip's images into a new folder and return it; whatever fails, nothing of it stays.

    Class folders keep their names, but for characters that some systems do not allow. What is not an image is not written.
    Raises InvalidValue where the zip is damaged, protected, too large, or would reach outside the folder; DataUnavailable where
    the folder cannot be written.
    """
    with contextlib.ExitStack() as closing:
        try:
            stream = closing.enter_context(content.open("rb")) if isinstance(content, Path) else content
            to.mkdir(parents=True)
        except OSError as error:
            raise _unwritable(to, error) from None
        if isinstance(stream, bytes):
            stream = io.BytesIO(stream)
        try:
            _write(closing.enter_context(_opened(stream)), to, progress)
        except OSError as error:
            shutil.rmtree(to, ignore_errors=True)
            raise _unwritable(to, error) from None
        except BaseException:
            shutil.rmtree(to, ignore_errors=True)
            raise
    return to


def _opened(stream: BinaryIO) -> zipfile.ZipFile:
    # Counted in the bytes themselves, before Python builds an object for each of what may be millions.
    if _occurrences(stream, b"PK\x01\x02") > MAX_ENTRIES:
        raise InvalidValue(N_("the zip has more than {limit} entries: leave some images out"), limit=MAX_ENTRIES)
    try:
        return zipfile.ZipFile(stream)
    except _BAD_ZIP:
        stream.seek(0)
        if stream.read(2) == b"PK":
            raise _damaged() from None
        raise InvalidValue(N_("this is not a zip file: make a zip of the folder that holds the class folders")) from None


def _occurrences(stream: BinaryIO, of: bytes) -> int:
    stream.seek(0)
    found, last = 0, b""
    while chunk := stream.read(_CHUNK):
        found += (last + chunk).count(of)
        last = chunk[1 - len(of) :]
    stream.seek(0)
    return found


def _checked(entries: list[zipfile.ZipInfo]) -> tuple[dict[_Parts, None], dict[_Parts, zipfile.ZipInfo]]:
    """Return a zip's folders, the outer ones first, and its images, by the parts of their names; without litter.

    Folders of what is not an image are among them, so that a class of such files is reported as empty. Raises InvalidValue
    where any entry is not what a zip of images has.
    """
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED:
        raise InvalidValue(
            N_("the zip unpacks to {size:.1f} GB, more than {limit:g} GB: make the images smaller or leave some out"),
            size=unpacked / 1e9, limit=MAX_UNPACKED / 1e9,
        )  # fmt: skip
    folders: dict[_Parts, None] = {}
    images = {}
    for entry in entries:
        name = _decoded(entry)
        _check_entry(entry, name)
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if not parts or any(is_litter(part) for part in parts):
            continue
        is_folder = name.endswith("/")
        folders |= dict.fromkeys(parts[:depth] for depth in range(1, len(parts) + is_folder))
        if len(folders) > MAX_FOLDERS:
            raise InvalidValue(N_("the zip has more than {limit} folders: leave some classes out"), limit=MAX_FOLDERS)
        if not is_folder and is_image(name):
            images[parts] = entry  # of two with one name the later counts, as everywhere
        if len(images) > MAX_IMAGES:
            raise InvalidValue(N_("the zip has more than {limit} images: leave some out"), limit=MAX_IMAGES)
    if not images:
        raise InvalidValue(
            N_("the zip has no PNG, JPEG, WebP or GIF images: make a zip of the folder that holds the class folders")
        )
    return folders, images


def _decoded(entry: zipfile.ZipInfo) -> str:
    """Return an entry's name: UTF-8, also where macOS does not say so, or the code page of Windows in Taiwan."""
    name = entry.orig_filename
    if not entry.flag_bits & 0x800:
        for encoding in ("utf-8", "cp950"):
            with contextlib.suppress(UnicodeError):
                name = entry.orig_filename.encode("cp437").decode(encoding)
                break
    return unicodedata.normalize("NFC", name)


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    shown = quoted(name, 80)
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/"):
        raise InvalidValue(
            N_("the zip has an entry {entry} that would lie outside its folder: make it again from the class folders"),
            entry=shown,
        )
    if "\\" in name:
        raise InvalidValue(
            N_("the zip has an entry {entry} with a backslash in its name: make it again with another program"), entry=shown
        )
    if name.count("/") > MAX_DEPTH:
        raise InvalidValue(
            N_("the zip has an entry {entry} inside more than {limit} folders: make it again from the class folders"),
            entry=shown, limit=MAX_DEPTH,
        )  # fmt: skip
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InvalidValue(
            N_("the zip has an entry {entry} that is a link: make it again with the images themselves"), entry=shown
        )
    if entry.flag_bits & 0x1:
        raise InvalidValue(N_("the zip is protected by a password: make it again without one"))
    # A few kB of the other compressions may unpack to gigabytes in memory at once.
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidValue(
            N_("the zip has an entry {entry} that is not compressed in the ordinary way (deflate): make it again"), entry=shown
        )


def _write(archive: zipfile.ZipFile, to: Path, progress: Progress) -> None:
    folders, images = _checked(archive.infolist())
    numbers: Counter[Path] = Counter()

    def unused(path: Path) -> Path:
        """Return a path, with a number where another name has come to the same."""
        free = path
        while free.exists():
            numbers[path] += 1
            free = path.with_name(f"{path.stem}-{numbers[path] + 1}{path.suffix}")
        return free

    places: dict[_Parts, Path] = {(): to}
    for parts in folders:
        places[parts] = unused(places[parts[:-1]] / _allowed(parts[-1]))
        places[parts].mkdir()
    for number, (parts, entry) in enumerate(images.items()):
        if number % 64 == 0:
            progress(number / len(images))
        with unused(places[parts[:-1]] / _allowed(parts[-1])).open("xb") as file:
            for chunk in _chunks(archive, entry):
                file.write(chunk)
    progress(1.0)


def _chunks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield an entry's content. It is never longer than the entry declares: zipfile ends there and compares the checksum."""
    try:
        with archive.open(entry) as packed:
            while chunk := packed.read(_CHUNK):
                yield chunk
    except _BAD_ZIP:
        raise _damaged() from None


def _allowed(part: str) -> str:
    """Return a part of a name without what Windows does not allow, and short enough for every file system."""
    part = re.sub(r'[<>:"|?*\x00-\x1f]', "_", part).rstrip(". ") or "_"
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", part):
        part = "_" + part
    ending = Path(part).suffix if is_image(part) else ""
    return part.removesuffix(ending).encode()[:200].decode(errors="ignore") + ending


def _damaged() -> InvalidValue:
    return InvalidValue(N_("the zip is damaged or cut short: copy it or make it again"))


def _unwritable(to: Path, error: OSError) -> DataUnavailable:
    return DataUnavailable(
        N_("the zip cannot be unpacked to {folder} ({reason}): free some space or set KDVIZ_DATA"),
        folder=quoted(to),
        reason=error.strerror,
    )
