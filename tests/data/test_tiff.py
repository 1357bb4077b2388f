"""TIFF files in every form: as tifffile reads them, or refused by what they hold."""

from itertools import product

import numpy as np
import pytest
import tifffile
from PIL import Image

from glomclf.data import read_image
from glomclf.errors import ImageError

rng = np.random.default_rng(0)
H, W = 18, 17
# Name: (colours as tifffile names them, channels, what the last one is).
FORMS = {
    "grey": ("minisblack", 1, None),
    "white is 0": ("miniswhite", 1, None),
    "grey, alpha": ("minisblack", 2, "unassalpha"),
    "grey times alpha": ("minisblack", 2, "assocalpha"),
    "grey, another": ("minisblack", 2, "unspecified"),
    "RGB": ("rgb", 3, None),
    "RGB, alpha": ("rgb", 4, "unassalpha"),
    "RGB times alpha": ("rgb", 4, "assocalpha"),
    "RGB, another": ("rgb", 4, "unspecified"),
    "CMYK": ("separated", 4, None),
    "palette": ("palette", 1, None),
}
TYPES = ["bool", "u1", "u2", "u4", "i1", "i2", "f2", "f4", "f8"]
PLANES = ["contig", "separate"]
# What is read, in any compression, as strips or tiles, in any byte order; no BigTIFF.
READ = {
    *product(FORMS, ["u1"], ["contig"]),
    *product(["RGB", "RGB, alpha"], ["u1"], ["separate"]),
    *product([f for f in FORMS if f.startswith("RGB")], ["u2"], ["contig"]),
    *product(["grey", "white is 0"], ["bool"], ["contig"]),
}


def pixels_of(type_name, n_channels):
    dtype = np.dtype(type_name)
    if dtype.kind == "f":
        return rng.random((H, W, n_channels)).astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, (H, W, n_channels)) > 0
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    return rng.integers(least, most, (H, W, n_channels), dtype, endpoint=True)


def rgb_of(form, pixels, colours):
    """Work out the RGB of what tifffile has read, in floats, on white."""
    if form == "palette":
        return colours[:, pixels].transpose(1, 2, 0) // 256.0
    pixels = pixels.reshape(H, W, -1)
    scales = {"b": 255.0, "u": 1 / 256 ** (pixels.dtype.itemsize - 1)}
    channels = np.floor(pixels * scales[pixels.dtype.kind])
    if form == "white is 0":
        return 255 - channels.repeat(3, -1)
    if form == "CMYK":
        return (255 - channels[..., :3]) * (255 - channels[..., 3:]) / 255
    kept = channels[..., : 3 if form.startswith("RGB") else 1]
    if "alpha" in form:
        alpha = channels[..., -1:]
        shown = np.minimum(kept, alpha) if "times" in form else kept * alpha / 255
        kept = shown + 255 - alpha
    return np.broadcast_to(kept, (H, W, 3))


def kinds_of(form):
    """Say in which types and planes a form can be written."""
    types = {"grey": TYPES, "white is 0": TYPES, "palette": ["u1", "u2"]}
    n_channels = FORMS[form][1]
    return product(types.get(form, TYPES[1:]), PLANES if n_channels > 1 else PLANES[:1])


def write_form(file, form, type_name, planes, way):
    """Write random pixels; return them as tifffile reads them, and the palette."""
    photometric, n_channels, extra = FORMS[form]
    pixels, colours = pixels_of(type_name, n_channels), None
    compression, tile, order, is_big = way
    if form == "palette":
        size = 3, 256 ** np.dtype(type_name).itemsize
        colours = rng.integers(0, 65536, size, np.uint16)
    tifffile.imwrite(
        file,
        np.moveaxis(pixels, -1, 0) if planes == "separate" else pixels.squeeze(),
        photometric=photometric,
        planarconfig=planes if n_channels > 1 else None,
        extrasamples=extra and [extra],
        colormap=colours,
        compression=compression,
        tile=tile,
        byteorder=order,
        bigtiff=is_big,
        metadata=None,
    )
    read = tifffile.imread(file)
    return np.moveaxis(read, 0, -1) if planes == "separate" else read, colours


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_as_tifffile_does_or_refused_by_name(tmp_path, form):
    file = tmp_path / "patch.tif"
    ways = list(product([None, "zlib"], [None, (16, 16)], "<>", [False, True]))
    named = "is a BigTIFF|signed or floating|[0-9] bits|-bit channels in sep"
    for type_name, planes in kinds_of(form):
        is_known = (form, type_name, planes) in READ
        for way in ways if is_known else ways[::7]:
            pixels, colours = write_form(file, form, type_name, planes, way)
            if is_known and not way[3]:
                off = read_image(file) - rgb_of(form, pixels, colours)
                assert np.abs(off).max() < 2.5, (type_name, planes, way)
            else:
                with pytest.raises(ImageError, match=named):
                    read_image(file)


READ_BITS = [(1, 0), (1, 1), (8, 0), (8, 1), (8, 3)]


def packed(values, bits):
    """Pack values into bytes, each row to a whole number of them."""
    shifts = np.arange(bits - 1, -1, -1)
    each = (values[..., np.newaxis].astype(np.uint64) >> shifts.astype(np.uint64)) & 1
    return np.packbits(each.reshape(len(values), -1).astype(np.uint8), axis=1)


def write(file, content, size=(W, H), order="<", **tags):
    """Write a TIFF by hand, of one strip; a tag is a number or several."""
    numbers = {
        **{256: size[0], 257: size[1], 258: 8, 259: 1, 262: 1, 273: 8, 277: 1},
        279: len(content),
        **{int(name[1:]): value for name, value in tags.items() if value is not None},
    }

    def raw(values, dtype):
        return np.array(values, f"{order}{dtype}").tobytes()

    lists, entries = b"", b""
    for tag, value in sorted(numbers.items()):
        values = [value] if isinstance(value, int) else list(value)
        place = 8 + len(content) + len(lists)
        if len(values) > 1:
            lists += raw(values, "u4")
        entries += raw([tag, 4], "u2") + raw([len(values)], "u4")
        entries += raw([place] if len(values) > 1 else values, "u4")
    start = 8 + len(content) + len(lists)
    head = {"<": b"II", ">": b"MM"}[order] + raw([42], "u2") + raw([start], "u4")
    end = raw([len(numbers)], "u2") + entries + bytes(4)
    file.write_bytes(head + content + lists + end)
    return file


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16, 24, 32])
def test_each_number_of_bits_is_read_right_or_refused(tmp_path, bits):
    values = rng.integers(0, 2**bits, (H, W), np.uint64, endpoint=False)
    rows = packed(values, bits)
    reversed_rows = np.packbits(
        np.unpackbits(rows, bitorder="little").reshape(*rows.shape, 8), axis=-1
    )
    palette = rng.integers(0, 65536, 3 * 2 ** min(bits, 8))
    for order, fill_order in product("<>", [1, 2]):
        content = (rows if fill_order == 1 else reversed_rows).tobytes()
        for kind in (0, 1, 3):
            file = write(
                tmp_path / "patch.tif",
                content,
                order=order,
                t258=bits,
                t262=kind,
                t266=fill_order,
                t320=palette if kind == 3 else None,
            )
            if (bits, kind) not in READ_BITS or fill_order == 2:
                named = rf"{bits} bits|more than 8 bits|reversed order"
                with pytest.raises(ImageError, match=named):
                    read_image(file)
                continue
            grey = (values * (255 // (2**bits - 1)))[..., np.newaxis].repeat(3, -1)
            expected = 255 - grey if kind == 0 else grey
            if kind == 3:
                expected = (palette.reshape(3, -1)[:, values] // 256).transpose(1, 2, 0)
            np.testing.assert_array_equal(read_image(file), expected)


@pytest.mark.parametrize("bits", [1, 2, 4, 12, 24, 32])
def test_other_bits_in_colours_are_refused(tmp_path, bits):
    content = packed(rng.integers(0, 2**bits, (H, 3 * W)), bits).tobytes()
    file = write(tmp_path / "a.tif", content, t262=2, t277=3, t258=[bits] * 3)
    with pytest.raises(ImageError, match=f"holds {bits} bits in a channel"):
        read_image(file)


COLOURS = Image.merge(
    "RGB",
    [Image.radial_gradient("L").resize((W, H)).rotate(turn) for turn in (0, 90, 45)],
)


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compression_changes_nothing(tmp_path, compression, predictor):
    file = tmp_path / "patch.tif"
    COLOURS.save(file, compression=compression, tiffinfo={317: predictor})
    np.testing.assert_array_equal(read_image(file), np.asarray(COLOURS))


def test_jpeg_in_tiff_is_close(tmp_path):
    COLOURS.save(tmp_path / "patch.tif", compression="jpeg", quality=98)
    off = read_image(tmp_path / "patch.tif").astype(int) - np.asarray(COLOURS)
    assert np.abs(off).mean() < 3


RGB_TAGS = {"t262": 2, "t277": 3, "t258": [8, 8, 8]}


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        ({**RGB_TAGS, "t259": 50000}, "compressed as zstd"),
        ({**RGB_TAGS, "t259": 33005}, "compressed as method 33005"),
        ({**RGB_TAGS, "t259": 6}, "compressed as tiff_jpeg"),
        ({**RGB_TAGS, "t259": 4242}, "method 4242"),
        ({**RGB_TAGS, "t262": 6}, "kind 6, compressed as raw"),
        ({**RGB_TAGS, "t262": 9}, "holds 3 channels"),
        ({**RGB_TAGS, "t262": 32844}, "holds 3 channels"),
        ({**RGB_TAGS, "t262": 1}, "holds 3 channels where 1 are known"),
        ({**RGB_TAGS, "t258": [8, 16, 8]}, "holds 8 and 16 bits"),
        ({**RGB_TAGS, "t258": [8, 8]}, "holds 3 channels"),
        ({**RGB_TAGS, "t259": 4}, "compressed as group4"),
        ({**RGB_TAGS, "t277": 4, "t258": 8, "t262": 5, "t332": 2}, "other inks"),
        ({**RGB_TAGS, "t277": 5, "t258": 8, "t338": [2, 2]}, "holds 2 more channels"),
        ({**RGB_TAGS, "t278": 4}, "not 5 strips or tiles"),
        ({**RGB_TAGS, "t284": 2}, "not 3 strips or tiles"),
        ({"t257": 2**32 - 1, "t278": 1}, "not 4294967295 strips"),
        ({**RGB_TAGS, "t279": 3 * W * H - 1}, "a strip or tile is shorter"),
        ({**RGB_TAGS, "t279": [99, 99]}, "not 1 strips or tiles"),
        ({**RGB_TAGS, "t256": [17, 17]}, "tag 256"),
        ({**RGB_TAGS, "t257": 0}, "has no pixels"),
        ({"t262": 3, "t320": [7] * 768}, "palette of 8-bit colours"),
        ({"t262": 3, "t320": [700] * 765}, "its palette has 765 values"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path, tags, named):
    file = write(tmp_path / "patch.tif", bytes(6 * W * H), **tags)
    with pytest.raises(ImageError, match=named):
        read_image(file)


def test_tags_that_make_no_pixels_are_not_even_read(tmp_path):
    odd = {"t282": [1, 2, 3], "t296": [9] * 5, "t700": [2**31] * 9, "t34665": 2**31}
    odd |= {"t34675": [0] * 500_000, "t270": [255] * 7, "t34377": [3] * 5}
    content = np.asarray(COLOURS).tobytes()
    file = write(tmp_path / "patch.tif", content, **RGB_TAGS, **odd)
    np.testing.assert_array_equal(read_image(file), np.asarray(COLOURS))


def test_damage_that_deflate_has_a_check_sum_for_is_refused(tmp_path):
    file = tmp_path / "patch.tif"
    COLOURS.save(file, compression="tiff_adobe_deflate")
    content = file.read_bytes()
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        start = page.dataoffsets[0]
        end = start + page.databytecounts[0]
    for place in range(start, end, 7):
        changed = bytearray(content)
        changed[place] ^= 1
        file.write_bytes(changed)
        with pytest.raises(ImageError, match="is damaged"):
            read_image(file)
