"""A folder of images becomes arrays in a known order; whatever else comes is one sentence."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdviz.data import folder
from kdviz.errors import DataUnavailable, InvalidValue, UserError


def picture(colour: tuple[int, int, int] | int = 0, size: tuple[int, int] = (10, 12), kind: str = "PNG") -> bytes:
    """Return an image file of one colour; grey where the colour is a number."""
    content = io.BytesIO()
    Image.new("L" if isinstance(colour, int) else "RGB", size, colour).save(content, kind)
    return content.getvalue()


def noise(seed: int, size: tuple[int, int] = (64, 64), kind: str = "JPEG") -> bytes:
    content = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


def lay(top: Path, files: dict[str, bytes]) -> Path:
    """Write files by their names relative to a folder; a name that ends with a slash is an empty folder."""
    top.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        place = top / name
        (place if name.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            place.write_bytes(content)
    return top


def numbered(place: str, number: int, count: int) -> dict[str, bytes]:
    """Return images 0..count-1 of class `number`, whose colour tells class, image and place."""
    mark = sum(place.encode()) % 250
    return {f"{place}/{n:02}.png": picture((number, n, mark)) for n in range(count)}


def colours(arrays: folder.Arrays, which: slice) -> list[tuple[int, ...]]:
    """Return the colour of every image of a part, sorted. Images of one colour keep it, however they are resized."""
    pixels = arrays.pixels[which]
    assert (pixels == pixels[:, :1, :1]).all()
    return sorted(map(tuple, pixels[:, 0, 0].tolist()))


def parts(arrays: folder.Arrays) -> tuple[list[tuple[int, ...]], ...]:
    train, validation, _ = arrays.counts
    where = (slice(0, train), slice(train, train + validation), slice(train + validation, None))
    return tuple(colours(arrays, which) for which in where)


def sentences(faults: Sequence[UserError]) -> list[str]:
    return [str(fault) for fault in faults]


def both(top: Path) -> tuple[folder.Report, folder.Arrays]:
    """Inspect and read a folder, and hold the two against each other."""
    report = folder.inspect(top)
    arrays = folder.read(top, folder.shape(report))
    assert report.counts == arrays.counts and report.images == len(arrays.pixels) == len(arrays.labels)
    assert tuple(entry.name for entry in report.classes) == arrays.class_names
    train, validation, _ = arrays.counts
    learned = np.bincount(arrays.labels[: train + validation], minlength=len(arrays.class_names))
    tested = np.bincount(arrays.labels[train + validation :], minlength=len(arrays.class_names))
    assert [tuple(entry[1:]) for entry in report.classes] == list(zip(learned.tolist(), tested.tolist(), strict=True))
    assert sentences(report.faults) == sentences(arrays.faults)
    assert arrays.pixels.dtype == np.uint8 and arrays.labels.dtype == np.int64
    assert arrays.pixels.shape[1:] == folder.shape(report)
    return report, arrays


def one_sentence(error: UserError, *words: str) -> None:
    sentence = str(error)
    assert "\n" not in sentence and len(sentence) < 300
    for word in words:
        assert word in sentence


# Layouts


def test_a_plain_folder_holds_out_a_fifth_of_each_class_for_test(tmp_path: Path) -> None:
    lay(tmp_path, {**numbered("zebra", 1, 30), **numbered("ant", 0, 10)})
    report, arrays = both(tmp_path)
    assert arrays.class_names == ("ant", "zebra")  # sorted, whatever order the folders were made in
    assert report.classes == (("ant", 8, 2), ("zebra", 24, 6))
    assert report.counts == (7 + 20, 1 + 4, 8)  # a sixth of 8 and of 24 for validation
    train, validation, test = parts(arrays)
    assert len({*train, *validation, *test}) == 40  # every image once
    for number, label in enumerate(arrays.labels):
        assert arrays.pixels[number, 0, 0, 0] == label
    assert sentences(report.faults) == []


def test_each_part_is_shuffled_and_the_same_every_time(tmp_path: Path) -> None:
    one = lay(tmp_path / "one", {**numbered("a", 0, 20), **numbered("b", 1, 20)})
    other = lay(tmp_path / "other", {**numbered("b", 1, 20), **numbered("a", 0, 20)})  # made in another order
    first, again = folder.read(one, (8, 8, 3)), folder.read(other, (8, 8, 3))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.labels, again.labels)
    train = first.labels[: first.counts[0]]
    assert 0 < train[: len(train) // 2].mean() < 1  # not one class after the other


def test_train_and_test_folders_are_kept_apart(tmp_path: Path) -> None:
    files = {**numbered("train/a", 0, 12), **numbered("train/b", 1, 6), **numbered("test/a", 0, 3), **numbered("test/b", 1, 2)}
    report, arrays = both(lay(tmp_path, files))
    assert report.classes == (("a", 12, 3), ("b", 6, 2)) and report.counts == (15, 3, 5)
    train, validation, test = parts(arrays)
    test_marks = {sum(b"test/a") % 250, sum(b"test/b") % 250}
    assert {colour[2] for colour in test} == test_marks
    assert not {colour[2] for colour in train + validation} & test_marks
    assert Counter(colour[0] for colour in validation) == {0: 2, 1: 1}


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Validation"])
def test_a_validation_folder_stands_for_a_missing_test_folder(name: str, tmp_path: Path) -> None:
    files = {
        **numbered("train/a", 0, 6),
        **numbered("train/b", 1, 6),
        **numbered(f"{name}/a", 0, 2),
        **numbered(f"{name}/b", 1, 2),
    }
    report, arrays = both(lay(tmp_path, files))
    assert report.counts == (10, 2, 4)
    assert {colour[2] for colour in parts(arrays)[2]} == {sum(f"{name}/{of}".encode()) % 250 for of in "ab"}


def test_a_validation_folder_beside_test_is_the_validation_split(tmp_path: Path) -> None:
    files = {f"{part}/{of}/{n}.png": picture((label, n, mark))
             for mark, (part, count) in enumerate([("train", 6), ("val", 3), ("test", 4)])
             for label, of in enumerate("ab") for n in range(count)}  # fmt: skip
    report, arrays = both(lay(tmp_path, files))
    assert report.counts == (12, 6, 8) and report.classes == (("a", 9, 4), ("b", 9, 4))
    assert [{colour[2] for colour in part} for part in parts(arrays)] == [{0}, {1}, {2}]


@pytest.mark.parametrize("beside", [{}, {"test/": b""}, {"test/a/": b"", "test/b/": b""}, {"test/1.png": picture()}])
def test_a_train_folder_alone_gives_its_own_test(beside: dict[str, bytes], tmp_path: Path) -> None:
    report, _ = both(lay(tmp_path, {**numbered("train/a", 0, 10), **numbered("train/b", 1, 10), **beside}))
    assert report.classes == (("a", 8, 2), ("b", 8, 2))
    assert len(report.faults) == (0 if not beside or "test/a/" in beside else 1)  # a test folder without classes is told


@pytest.mark.parametrize("around", ["pets/", "download/pets/", "Train of thought/"])
@pytest.mark.parametrize("inside", [("",), ("train/", "test/")])
def test_wrapping_folders_are_looked_through(around: str, inside: tuple[str, ...], tmp_path: Path) -> None:
    files = {name: content for part in inside for of in "ab" for name, content in numbered(f"{around}{part}{of}", 0, 5).items()}
    report, _ = both(lay(tmp_path, {**files, "README.txt": b"read me", "__MACOSX/pets/._a": b"", ".DS_Store": b""}))
    assert [entry.name for entry in report.classes] == ["a", "b"] and report.images == 10 * len(inside)
    assert report.faults == ()


def test_litter_is_not_seen(tmp_path: Path) -> None:
    litter = ["__MACOSX/a/1.png", ".git/1.png", "a/.hidden.png", "a/._1.png", "a/Thumbs.db", "b/desktop.ini", "a/.cache/1.png"]
    report, _ = both(lay(tmp_path, {**numbered("a", 0, 3), **numbered("b", 1, 3), **dict.fromkeys(litter, picture())}))
    assert report.images == 6 and report.faults == () and len(report.classes) == 2


def test_folders_inside_a_class_belong_to_it_and_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    lay(tmp_path, {**numbered("a/summer", 0, 3), **numbered("a/winter/snow", 0, 2), **numbered("b", 1, 5)})
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    report, _ = both(tmp_path)
    assert [entry.name for entry in report.classes] == ["a", "b"] and report.images == 10


def test_class_names_may_be_of_any_script(tmp_path: Path) -> None:
    names = ["貓", "狗", "naïve cat", "Ωμέγα", "a b", "🦊", "O'Hara {x}"]
    files = {name: content for number, of in enumerate(names) for name, content in numbered(of, number, 3).items()}
    report, _ = both(lay(tmp_path / "影像", {**files, "鳥/": b""}))
    assert [entry.name for entry in report.classes] == sorted(names)
    assert sentences(report.faults) == ["classes without an image are left out (1): '鳥'"]
    assert report.faults[0].translated() == str(report.faults[0])
    assert str(UserError.from_json(report.faults[0].to_json())) == str(report.faults[0])


def test_a_class_name_of_bytes_that_are_no_text_can_be_written_down(tmp_path: Path) -> None:
    lay(tmp_path, {**numbered("a", 0, 5), **numbered("b", 1, 5)})
    try:
        (tmp_path / "a").rename(tmp_path / os.fsdecode(b"caf\xe9"))
    except OSError:
        pytest.skip("this file system has no such names")
    report, _ = both(tmp_path)
    assert [entry.name.encode() for entry in report.classes] == [b"b", rb"caf\xe9"]


def test_two_images_of_a_class_are_one_to_learn_and_one_to_test(tmp_path: Path) -> None:
    report, _ = both(lay(tmp_path, {**numbered("a", 0, 2), **numbered("b", 1, 3), **numbered("c", 2, 1)}))
    assert report.classes == (("a", 1, 1), ("b", 2, 1), ("c", 1, 0))
    assert report.counts == (3, 1, 2)  # the second image of b is for validation
    assert sentences(report.faults) == [
        "some classes have no test image, so that their accuracy stays unknown (1): 'c'",
        "some classes have a single training image, which is little to learn from (2): 'a', 'c'",
    ]


def test_every_class_keeps_a_training_image(tmp_path: Path) -> None:
    counts = [1, 2, 3, 4, 5, 7, 11, 29]
    files = {name: file for label, count in enumerate(counts) for name, file in numbered(f"{label}", label, count).items()}
    _, arrays = both(lay(tmp_path, files))
    train, validation, test = parts(arrays)
    assert {colour[0] for colour in train} == set(range(8))
    assert {colour[0] for colour in test} == set(range(1, 8))
    assert len(train) + len(validation) + len(test) == sum(counts) == len({*train, *validation, *test})


def test_classes_of_one_split_only(tmp_path: Path) -> None:
    files = {
        **numbered("train/a", 0, 6), **numbered("train/b", 1, 6), **numbered("train/new", 2, 6), "train/none/": b"",
        **numbered("test/a", 0, 2), **numbered("test/b", 1, 2), **numbered("test/old", 3, 4), **numbered("val/odd", 4, 1),
    }  # fmt: skip
    report, arrays = both(lay(tmp_path, files))
    assert report.classes == (("a", 6, 2), ("b", 6, 2), ("new", 6, 0))
    assert {colour[0] for part in parts(arrays) for colour in part} == {0, 1, 2}
    assert sentences(report.faults) == [
        "classes without an image are left out (1): 'none'",
        "classes without a training image are left out with their other images (2): 'odd', 'old'",
        "some classes have no test image, so that their accuracy stays unknown (1): 'new'",
    ]


# What the images are


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    files = {f"{of}/{n}.png": picture(40 * n + label) for label, of in enumerate("ab") for n in range(5)}
    report, arrays = both(lay(tmp_path, files))
    assert (report.grey, report.colour) == (10, 0) and arrays.pixels.shape == (10, 10, 10, 1)
    assert sorted(arrays.pixels[:, 0, 0, 0].tolist()) == sorted(40 * n + label for label in range(2) for n in range(5))


def test_one_colour_image_gives_all_three_channels(tmp_path: Path) -> None:
    files = {f"{of}/{n}.png": picture(40 * n) for of in "ab" for n in range(5)}
    report, arrays = both(lay(tmp_path, {**files, "a/9.png": picture((255, 0, 0))}))
    assert (report.grey, report.colour) == (10, 1) and arrays.pixels.shape[3] == 3
    assert (255, 0, 0) in [tuple(colour) for colour in arrays.pixels[:, 0, 0].tolist()]


def test_every_format_is_read(tmp_path: Path) -> None:
    kinds = {"png": "PNG", "jpg": "JPEG", "JPEG": "JPEG", "WebP": "WEBP", "gif": "GIF"}
    files = {f"{of}/1.{suffix}": picture((0, 128, 255), kind=kind) for of in "ab" for suffix, kind in kinds.items()}
    report, arrays = both(lay(tmp_path, files))
    assert report.images == 10 and report.faults == ()
    assert np.abs(arrays.pixels.astype(int) - (0, 128, 255)).max() <= 4


def test_sizes_are_told_and_decide_the_side(tmp_path: Path) -> None:
    sizes = [(20, 10), (40, 30), (300, 20), (16, 64), (50, 50)]
    files = {f"{of}/{n}.png": picture((1, 2, n), size) for of in "ab" for n, size in enumerate(sizes)}
    report, _ = both(lay(tmp_path, files))
    assert (report.smallest, report.median, report.largest) == ((20, 10), (40, 30), (300, 20))
    assert report.shorter_side == folder.size(report) == 20
    assert report.bytes == sum(map(len, files.values()))


@pytest.mark.parametrize(("side", "prepared"), [(1, 8), (8, 8), (9, 9), (28, 28), (32, 32), (33, 32), (500, 32)])
def test_the_side_is_at_least_8_and_at_most_32(side: int, prepared: int, tmp_path: Path) -> None:
    files = {f"{of}/{n}.png": picture((1, 2, 3), (side + n, side)) for of in "ab" for n in range(2)}
    report, arrays = both(lay(tmp_path, files))
    assert folder.size(report) == prepared and arrays.pixels.shape[1:] == (prepared, prepared, 3)


def test_the_central_square_is_kept(tmp_path: Path) -> None:
    wide = Image.new("RGB", (60, 20), (255, 0, 0))
    wide.paste((0, 255, 0), (20, 0, 40, 20))
    content = io.BytesIO()
    wide.save(content, "PNG")
    _, arrays = both(lay(tmp_path, {f"{of}/{n}.png": content.getvalue() for of in "ab" for n in range(2)}))
    assert (arrays.pixels == (0, 255, 0)).all()


# Files that are not in order

TRUNCATED = noise(3)[:2000]


def test_unreadable_files_are_left_out_and_told(tmp_path: Path) -> None:
    bad = {"a/text.jpg": b"not an image", "a/zero.png": b"", "b/bmp.png": picture(1, kind="BMP"), "b/zzz.gif": b"GIF89a"}
    good = {**numbered("a", 0, 5), **numbered("b", 1, 5)}
    report, arrays = both(lay(tmp_path, {**good, **bad, "a/notes.txt": b"", "b/clip.mp4": b"", "loose.png": picture()}))
    assert report.images == 10 and report.classes == (("a", 4, 1), ("b", 4, 1))
    assert sentences(report.faults) == [
        "files that are not PNG, JPEG, WebP or GIF are left out (2): 'a/notes.txt', 'b/clip.mp4'",
        "images outside the class folders are left out (1): 'loose.png'",
        "files that cannot be read as images are left out (4): 'a/text.jpg', 'a/zero.png', 'b/bmp.png', …",
    ]
    assert len(colours(arrays, slice(None))) == 10


def test_a_truncated_image_is_found_when_it_is_read(tmp_path: Path) -> None:
    lay(tmp_path, {**numbered("a", 0, 5), **numbered("b", 1, 5), "a/cut.jpg": TRUNCATED, "a/cut.png": noise(1, kind="PNG")[:900]})
    assert folder.inspect(tmp_path).images == 12  # its header is in order
    arrays = folder.read(tmp_path, (8, 8, 3))
    assert sum(arrays.counts) == len(arrays.pixels) == 10
    assert sentences(arrays.faults) == ["files that cannot be read as images are left out (2): 'a/cut.jpg', 'a/cut.png'"]


def test_a_class_whose_images_all_prove_unreadable_is_left_out(tmp_path: Path) -> None:
    lay(tmp_path, {**numbered("a", 0, 5), "b/cut.jpg": TRUNCATED, **numbered("c", 2, 5)})
    assert len(folder.inspect(tmp_path).classes) == 3
    arrays = folder.read(tmp_path, (8, 8, 3))
    assert arrays.class_names == ("a", "c") and arrays.labels.max() == 1
    assert (arrays.pixels[:, 0, 0, 0] == 2 * arrays.labels).all()


# Folders that cannot be a dataset

FATAL: dict[str, tuple[dict[str, bytes], str]] = {
    "empty": ({}, "has no training images in class folders: put the PNG"),
    "images without class folders": ({"1.png": picture(), "2.png": picture()}, "has no training images in class folders"),
    "empty classes": ({"a/": b"", "b/": b""}, "has no training images in class folders"),
    "only other files": ({"a/1.txt": b"", "b/1.tif": b""}, "has no training images in class folders"),
    "only unreadable files": ({"a/1.png": b"", "b/1.png": b"x"}, "has no training images in class folders"),
    "one class": (numbered("cat", 0, 5), "has training images of one class only, 'cat': add a folder"),
    "one class and an empty one": ({**numbered("cat", 0, 5), "dog/": b""}, "has training images of one class only, 'cat'"),
    "one class to learn": (
        {**numbered("train/a", 0, 5), **numbered("test/b", 0, 5)},
        "has training images of one class only, 'a'",
    ),
    "no train": ({**numbered("test/a", 0, 5), **numbered("val/a", 0, 5)}, "has a folder 'test' but no folder train: name"),
    "single images": ({**numbered("a", 0, 1), **numbered("b", 0, 1)}, "a single image, which leaves none for test: add"),
    "5,000 classes": ({f"{n}/": b"" for n in range(5000)}, "has 5000 class folders, more than the 1000 that are possible"),
}


@pytest.mark.parametrize("case", FATAL)
def test_a_folder_that_cannot_be_a_dataset_is_one_sentence_at_once(case: str, tmp_path: Path) -> None:
    files, words = FATAL[case]
    lay(tmp_path / "own-pets", files)
    for reach in (folder.inspect, lambda top: folder.read(top, (8, 8, 3))):
        begun = time.process_time()
        with pytest.raises(InvalidValue) as caught:
            reach(tmp_path / "own-pets")
        assert time.process_time() - begun < 1
        one_sentence(caught.value, "own-pets", words)
        assert str(tmp_path) not in str(caught.value)


def test_too_many_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_IMAGES", 9)
    with pytest.raises(InvalidValue, match="has more than the 9 images that are possible: take some out"):
        folder.inspect(lay(tmp_path, {**numbered("a", 0, 5), **numbered("b", 1, 5)}))


def test_what_is_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(DataUnavailable) as caught:
            folder.inspect(place)
        one_sentence(caught.value, str(place), "is not a folder: give")


def test_a_folder_that_may_not_be_read_is_one_sentence(tmp_path: Path) -> None:
    lay(tmp_path, {**numbered("a", 0, 5), **numbered("b", 1, 5)})
    (tmp_path / "b").chmod(0)
    try:
        list((tmp_path / "b").iterdir())
    except PermissionError:
        with pytest.raises(DataUnavailable) as caught:
            folder.inspect(tmp_path)
        one_sentence(caught.value, str(tmp_path / "b"), "cannot be read (Permission denied): allow it")
    else:
        pytest.skip("this user may read everything")
    finally:
        (tmp_path / "b").chmod(0o700)


def test_an_image_of_too_many_bytes_is_not_even_opened(tmp_path: Path) -> None:
    lay(tmp_path, {**numbered("a", 0, 5), **numbered("b", 1, 5)})
    with (tmp_path / "a" / "large.png").open("wb") as file:
        file.write(picture())
        file.truncate(20_000_001)  # takes no room on the disk
    report, _ = both(tmp_path)
    assert report.images == 10
    assert sentences(report.faults) == ["images of more than 20 MB are left out (1): 'a/large.png'"]


def test_a_loop_of_links_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(DataUnavailable) as caught:
        folder.inspect(tmp_path)
    assert "cannot be read" in str(caught.value) and "\n" not in str(caught.value)


# Progress and stopping


def test_progress_rises_to_one(tmp_path: Path) -> None:
    lay(tmp_path, {**numbered("a", 0, 80), **numbered("b", 1, 80)})
    for work in (folder.inspect, lambda top, progress: folder.read(top, (8, 8, 3), progress)):
        seen: list[float] = []
        work(tmp_path, seen.append)
        assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == 1


def test_reading_stops_when_asked(tmp_path: Path) -> None:
    lay(tmp_path, {**numbered("a", 0, 80), **numbered("b", 1, 80)})
    answers = iter([False, True])
    with pytest.raises(folder.Stopped):
        folder.read(tmp_path, (8, 8, 3), stop=lambda: next(answers))
    assert list(answers) == []


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pets", "own-pets"),
        ("My Pets.zip", "own-my-pets"),
        ("My_Pets.v2.ZIP", "own-my-pets-v2"),
        ("/media/me/Pets/", "own-pets"),
        ("C:\\Users\\me\\Pets.zip", "own-pets"),
        ("Café", "own-cafe"),
        ("貓狗.zip", "own-images"),
        ("貓 cats", "own-cats"),
        ("own-pets", "own-pets"),
        ("../..", "own-images"),
        ("", "own-images"),
        (".zip", "own-images"),
        ("x" * 100, "own-" + "x" * 36),
        ("a" * 35 + " b", "own-" + "a" * 35),
    ],
)
def test_a_name_becomes_an_identifier(name: str, expected: str) -> None:
    assert folder.identifier(name, []) == expected


def test_an_identifier_is_taken_once() -> None:
    taken: list[str] = []
    for _ in range(12):
        taken.append(folder.identifier("x" * 100 + ".zip", taken))
    assert len(set(taken)) == 12 and max(map(len, taken)) == 40
    assert taken[0] == "own-" + "x" * 36 and taken[1] == "own-" + "x" * 34 + "-2" and taken[11].endswith("-12")


def test_it_needs_neither_torch_nor_scikit_learn_nor_streamlit(tmp_path: Path) -> None:
    lay(tmp_path, {**numbered("a", 0, 5), **numbered("b", 1, 5)})
    code = (
        "import sys; from pathlib import Path; from kdviz.data import folder; report = folder.inspect(Path(sys.argv[1]));"
        "folder.read(Path(sys.argv[1]), folder.shape(report));"
        "print([module for module in ('torch', 'torchvision', 'sklearn', 'streamlit') if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
