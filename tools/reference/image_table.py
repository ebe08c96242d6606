"""The table of test pictures: each file with what herd must make of it, and pictures to begin with.

Expected pixels are Pillow's after exif_transpose, laid over white; where a file's meaning is computed
here (image_files.py), Pillow must agree, except in the cases that DIFFERS names with the reason.
"""

import io
import pathlib
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "data" / "images"
DIFFERS = {
    "png_gray16.png": "Pillow clips 16-bit gray at 255 instead of keeping the high byte",
    "png_gray16_interlaced.png": "Pillow clips 16-bit gray at 255 instead of keeping the high byte",
    "png_gray16_key.png": "Pillow clips 16-bit gray at 255 instead of keeping the high byte",
    "png_gray4_key.png": "Pillow compares stretched samples with the unstretched key",
    "png_gray2_key.png": "Pillow compares stretched samples with the unstretched key",
    "png_rgb16_key.png": "Pillow compares high bytes with the 16-bit key",
    "png_text_bomb.png": "Pillow refuses the picture for its text",
    "jpeg_exif_wrong_two_values.jpg": "Pillow takes the first of two values",
    "webp_offset_opaque.webp": "Pillow paints the bare canvas black unless a flag announces alpha",
    "gif_offset.gif": "Pillow paints the bare screen in colour 0; viewers leave it clear",
    "gif_beyond_screen.gif": "Pillow paints the bare screen in colour 0; viewers leave it clear",
}

table = []
surprises = []  # where Pillow does not do as DIFFERS says


def pixels_by_pillow(data: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        if "A" in image.getbands() or image.info.get("transparency") is not None:
            image = image.convert("RGBA")
            page = Image.new("RGB", image.size, (255, 255, 255))
            page.paste(image, mask=image.getchannel("A"))
            return np.asarray(page)
        return np.asarray(image.convert("RGB"))


def good(name: str, about: str, data: bytes, meaning: np.ndarray | None = None):
    """A picture that must decode to `meaning`, or to what Pillow makes of it."""
    rgb = pixels_by_pillow(data) if meaning is None else meaning
    if meaning is not None:
        try:
            seen = pixels_by_pillow(data)
            same = seen.shape == meaning.shape and np.array_equal(seen, meaning)
        except (OSError, ValueError):
            same = False
        if same == (name in DIFFERS):
            surprises.append(f"{name}: Pillow {'agrees' if same else 'differs'}")
    height, width = rgb.shape[:2]
    places = {
        (0, 0),
        (width - 1, 0),
        (0, height - 1),
        (width - 1, height - 1),
        (width // 2, height // 2),
    }
    row = {
        "file": name,
        "about": about,
        "width": width,
        "height": height,
        "crc32": zlib.crc32(rgb.tobytes()),
        "samples": [[x, y, *map(int, rgb[y, x])] for x, y in sorted(places)],
    }
    if name in DIFFERS:
        row["pillow"] = DIFFERS[name]
    add(row, data)


def bad(name: str, about: str, data: bytes, error: str, says: str):
    """A picture that must be refused with this code and these words in the message."""
    add({"file": name, "about": about, "error": error, "says": says}, data)


def add(row: dict, data: bytes):
    assert row["file"] not in {other["file"] for other in table}, row["file"]
    (OUT / row["file"]).write_bytes(data)
    table.append(row)


def photo(width: int, height: int) -> np.ndarray:
    """Smooth colours with an edge and some grain."""
    y, x = np.mgrid[0:height, 0:width]
    grain = np.random.default_rng(width * 10007 + height)
    rgb = np.stack(
        [x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x * 3 + y * 5) % 256], -1
    )
    rgb[(x > width // 2) & (y > height // 3)] //= 3
    return np.clip(rgb + grain.integers(-6, 7, rgb.shape), 0, 255).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def flags_of_colour(cell: int) -> np.ndarray:
    """3 x 2 cells of six distinct colours: every turn and mirror of it looks different."""
    colours = np.array(
        [
            [[200, 30, 30], [30, 200, 30], [30, 30, 200]],
            [[200, 200, 30], [30, 200, 200], [90, 90, 90]],
        ]
    )
    return colours.astype(np.uint8).repeat(cell, 0).repeat(cell, 1)
