"""A zip becomes the folder it was made of; whatever else comes is one sentence, and writes nowhere else."""

from __future__ import annotations

import io
import random
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdviz.data import archive, folder
from kdviz.errors import DataUnavailable, InvalidValue, UserError
from tests.test_folder import lay, numbered, one_sentence, picture, sentences


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as made:
        for name, file in files.items():
            made.writestr(name, file)
    return content.getvalue()


def tree(top: Path) -> dict[str, bytes | None]:
    return {place.relative_to(top).as_posix(): place.read_bytes() if place.is_file() else None for place in top.rglob("*")}


PETS = {**numbered("pets/cat", 0, 4), **numbered("pets/狗", 1, 4)}


@pytest.mark.parametrize("kind", ["bytes", "path", "stream"])
def test_a_zip_is_unpacked_and_is_the_folder_it_was_made_of(kind: str, tmp_path: Path) -> None:
    content = zipped({**PETS, "pets/": b"", "pets/bird/": b"", "pets/cat/notes.txt": b"x", "pets/fish/a.zip": zipped(PETS)})
    (tmp_path / "pets.zip").write_bytes(content)
    given: Any = {"bytes": content, "path": tmp_path / "pets.zip", "stream": io.BytesIO(content)}[kind]
    if isinstance(given, io.BytesIO):
        given.read()  # its position is not at the beginning
    seen: list[float] = []
    there = archive.unpack(given, tmp_path / "deep" / "own-pets", seen.append)
    assert there == tmp_path / "deep" / "own-pets" and seen[0] == 0 and seen[-1] == 1
    assert {name: file for name, file in tree(there).items() if file is not None} == PETS  # nothing but the images
    report = folder.inspect(there)
    assert report.classes == (("cat", 3, 1), ("狗", 3, 1))
    assert sentences(report.faults) == ["classes without an image are left out (2): 'bird', 'fish'"]


def test_litter_in_a_zip_is_not_written(tmp_path: Path) -> None:
    litter = ["__MACOSX/pets/cat/._00.png", "pets/.DS_Store", "pets/cat/.00.png", "pets/Thumbs.db/1.png"]
    there = archive.unpack(zipped({**PETS, **dict.fromkeys(litter, picture())}), tmp_path / "to")
    assert {name for name, file in tree(there).items() if file is not None} == set(PETS)


@pytest.mark.parametrize("encoding", ["utf-8", "cp950"])
def test_a_name_without_a_mark_of_its_encoding_is_understood(encoding: str, tmp_path: Path) -> None:
    # 功 in cp950 ends with the byte of a backslash, which is none.
    raw = "成功/1.png".encode(encoding)
    marked = zipped({"x" * len(raw): picture()})
    there = archive.unpack(marked.replace(b"x" * len(raw), raw), tmp_path / "to")
    assert set(tree(there)) == {"成功", "成功/1.png"}


def test_names_that_some_systems_do_not_allow_are_replaced(tmp_path: Path) -> None:
    names = {
        "a?b/1.png": "a_b/1.png", "a*b/1.png": "a_b-2/1.png", "a_b/1.png": "a_b-3/1.png", "con/aux.png": "_con/_aux.png",
        "dr./1.png": "dr/1.png", "./x//y/1.png": "x/y/1.png", "x/1:2.png": "x/1_2.png", "x/1|2.png": "x/1_2-2.png",
        f"x/{'影' * 200}.png": f"x/{'影' * 66}.png", "x/e\u0301.png": "x/é.png", "x/a\x01.png": "x/a_.png",
    }  # fmt: skip
    there = archive.unpack(zipped({name: picture((n, 0, 0)) for n, name in enumerate(names)}), tmp_path / "to")
    written = {name: file for name, file in tree(there).items() if file is not None}
    assert written == {name: picture((n, 0, 0)) for n, name in enumerate(names.values())}


def test_of_two_entries_with_one_name_the_last_counts(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("a/1.png", picture(1))
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("a/1.png", picture(2))
    there = archive.unpack(content.getvalue(), tmp_path / "to")
    assert (there / "a" / "1.png").read_bytes() == picture(2)


def link() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        entry = zipfile.ZipInfo("pets/cat/passwords.png")
        entry.create_system, entry.external_attr = 3, 0o120777 << 16
        made.writestr(entry, "/etc/passwd")
    return content.getvalue()


def renamed(name: str) -> bytes:
    """Return a zip with an entry of a name that zipfile itself would not write."""
    stand_in = "x" * len(name.encode())
    return zipped({**PETS, stand_in: picture()}).replace(stand_in.encode(), name.encode())


def declaring(content: bytes, size: int, name: bytes = b"a/1.png") -> bytes:
    """Return a zip whose directory and local header say that an entry unpacks to a size."""
    changed = bytearray(content)
    for signature, offset, start in ((b"PK\x03\x04", 22, 30), (b"PK\x01\x02", 24, 46)):
        at = -1
        while (at := changed.find(signature, at + 1)) >= 0:
            if changed[at + start : at + start + len(name)] == name:
                struct.pack_into("<I", changed, at + offset, size)
    return bytes(changed)


def encrypted() -> bytes:
    content = bytearray(zipped({"a/1.png": picture()}))
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def flipped(content: bytes) -> bytes:
    """Return a zip with a changed byte in the middle of its first file."""
    changed = bytearray(content)
    changed[60] ^= 0xFF
    return bytes(changed)


def bombs() -> bytes:
    """Return a zip of 500 entries that each declare 4 GB, as the recursive and overlapping bombs do."""
    return declaring(zipped({f"a/{n:05}.png": b"0" for n in range(500)}), 0xFFFFFFF0, name=b"a/")


BAD_ZIPS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty file": (lambda: b"", "this is not a zip file: make a zip"),
    "an image": (picture, "this is not a zip file: make a zip"),
    "text": (lambda: b"hello" * 1000, "this is not a zip file"),
    "a tar": (lambda: b"\x1f\x8b" + bytes(1000), "this is not a zip file"),
    "cut in half": (lambda: (content := zipped(PETS))[: len(content) // 2], "damaged or cut short: copy it"),
    "cut at its end": (lambda: zipped(PETS)[:-1], "damaged or cut short"),
    "cut at its beginning": (lambda: b"PK" + zipped(PETS)[200:], "damaged or cut short"),
    "a byte changed": (lambda: flipped(zipped(PETS)), "damaged or cut short"),
    "garbage after PK": (lambda: b"PK\x03\x04" + random.Random(1).randbytes(5000), "damaged or cut short"),
    "zeros in its directory": (
        lambda: (content := zipped(PETS))[: (at := content.index(b"PK\x01\x02"))] + bytes(50) + content[at + 50 :], "damaged"),
    "no entries": (lambda: zipped({}), "has no PNG, JPEG, WebP or GIF images: make a zip of"),
    "no images": (lambda: zipped({"a/1.txt": b"x", "b/2.zip": zipped(PETS)}), "has no PNG, JPEG, WebP or GIF images"),
    "parent": (lambda: renamed("../evil.png"), "'../evil.png' that would lie outside its folder: make it again"),
    "parent within": (lambda: renamed("pets/../../evil.png"), "would lie outside its folder"),
    "absolute": (lambda: renamed("/tmp/evil.png"), "would lie outside its folder"),
    "drive letter": (lambda: renamed("C:/evil.png"), "would lie outside its folder"),
    "drive letter alone": (lambda: renamed("c:evil.png"), "would lie outside its folder"),
    "parent that is no image": (lambda: renamed("../.bashrc"), "would lie outside its folder"),
    "backslashes": (lambda: renamed("..\\evil.png"), "with a backslash in its name: make it again"),
    "network drive": (lambda: renamed("\\\\host\\evil.png"), "with a backslash in its name"),
    "a link": (link, "'pets/cat/passwords.png' that is a link: make it again with the images"),
    "encrypted": (encrypted, "protected by a password: make it again without one"),
    "bzip2": (lambda: zipped(PETS, zipfile.ZIP_BZIP2), "not compressed in the ordinary way (deflate): make it again"),
    "lzma": (lambda: zipped(PETS, zipfile.ZIP_LZMA), "not compressed in the ordinary way"),
    "too deep": (lambda: zipped({"a/" * 500 + "1.png": picture()}), "inside more than 10 folders: make it again"),
    "5,000 classes": (lambda: zipped({f"{n}/1.png": picture() for n in range(5000)}), "has more than 4000 folders: leave"),
    "folders in folders": (lambda: zipped({f"{n}/" + "x/" * 8: b"" for n in range(500)} | PETS), "has more than 4000 folders"),
    "bomb": (bombs, "unpacks to 2147.5 GB, more than 4 GB: make the images smaller"),
    "lies, too small": (lambda: declaring(zipped({"a/1.png": bytes(10_000_000)}), 1000), "damaged or cut short"),
    "lies, gigabytes": (lambda: declaring(zipped({"a/1.png": picture()}), 0xFFFFFFF0), "unpacks to 4.3 GB, more than 4 GB"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ZIPS)
def test_a_bad_zip_is_one_sentence_at_once_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    make, words = BAD_ZIPS[case]
    content = make()
    lay(tmp_path, {"beside/1.png": picture(), "home/": b""})
    before = tree(tmp_path)
    begun = time.process_time()
    with pytest.raises(InvalidValue) as caught:
        archive.unpack(content, tmp_path / "home" / "to")
    assert time.process_time() - begun < 1
    one_sentence(caught.value, words)
    assert tree(tmp_path) == before


def test_no_byte_changed_in_a_zip_writes_elsewhere_or_raises_anything_else(tmp_path: Path) -> None:
    content = zipped({"a/1.png": picture(), "b/2.png": picture(1), "b/": b""})
    (tmp_path / "in").mkdir()
    draw = random.Random(0)
    for number in range(150):
        changed = bytearray(content)
        for _ in range(draw.randint(1, 3)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        try:
            archive.unpack(bytes(changed), tmp_path / "in" / str(number))
        except UserError as error:
            one_sentence(error)
            assert not (tmp_path / "in" / str(number)).exists()
    assert [place.name for place in tmp_path.iterdir()] == ["in"]
    assert all(place.suffix == ".png" for place in (tmp_path / "in").rglob("*") if place.is_file())


def test_too_many_entries_and_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_IMAGES", 7)
    with pytest.raises(InvalidValue, match="the zip has more than 7 images: leave some out"):
        archive.unpack(zipped(PETS), tmp_path / "to")
    monkeypatch.setattr(archive, "MAX_ENTRIES", 7)
    with pytest.raises(InvalidValue, match="the zip has more than 7 entries: leave some images out"):
        archive.unpack(zipped(PETS), tmp_path / "to")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_touched(tmp_path: Path) -> None:
    before = tree(lay(tmp_path, {"to/mine.png": picture()}))
    with pytest.raises(DataUnavailable) as caught:
        archive.unpack(zipped(PETS), tmp_path / "to")
    one_sentence(caught.value, str(tmp_path / "to"), "cannot be unpacked to", "KDVIZ_DATA")
    with pytest.raises(DataUnavailable):
        archive.unpack(zipped(PETS), tmp_path / "to" / "mine.png" / "below")
    assert tree(tmp_path) == before


def test_whoever_stops_the_unpacking_finds_nothing_of_it(tmp_path: Path) -> None:
    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.unpack(zipped(PETS), tmp_path / "to", stop)
    assert list(tmp_path.iterdir()) == []
