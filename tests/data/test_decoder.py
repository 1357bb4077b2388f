"""Pillow's switches and libtiff's complaints."""

import threading

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin

from glomclf.data import read_image
from glomclf.data.decoder import as_delivered
from glomclf.errors import ImageError

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
SWITCHES = [
    (ImageFile, "LOAD_TRUNCATED_IMAGES", True),
    (Image, "MAX_IMAGE_PIXELS", 4),
    (TiffImagePlugin, "READ_LIBTIFF", True),
    (PngImagePlugin, "MAX_TEXT_CHUNK", 1),
]


@pytest.mark.parametrize(("place", "name", "value"), SWITCHES)
@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "jpg"])
def test_no_switch_of_pillow_changes_anything(
    tmp_path, monkeypatch, suffix, place, name, value
):
    file = tmp_path / f"patch.{suffix}"
    Image.fromarray(PIXELS).save(file, icc_profile=bytes(999))
    before = read_image(file)
    monkeypatch.setattr(place, name, value)
    np.testing.assert_array_equal(read_image(file), before)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match="is damaged"):
        read_image(file)
    assert getattr(place, name) is value


def test_switches_stay_as_delivered_until_the_last_thread_has_left(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with as_delivered():
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(60)
    with as_delivered():
        assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    leave.set()
    thread.join()
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_what_libtiff_complains_of_is_refused_and_not_printed(tmp_path, capfd):
    file = tmp_path / "patch.tif"
    Image.fromarray(PIXELS).save(file, compression="tiff_lzw")
    content = bytearray(file.read_bytes())
    content[30:90] = b"\xff" * 60
    file.write_bytes(content)
    with pytest.raises(ImageError, match="decoder error"):
        read_image(file)
    assert capfd.readouterr().err == ""
    with Image.open(file) as image, pytest.raises(OSError, match="decoder error"):
        image.load()  # who uses Pillow hears it as ever
    assert capfd.readouterr().err
