"""Writes tests/data/images: small pictures good and bad, and expected.json with what herd must make
of each (image_table.py says how). Run: .venv/bin/python tools/reference/make_images.py
"""

import json

import numpy as np
from PIL import Image

import image_files as f
from image_table import DIFFERS, OUT, bad, flags_of_colour, good, photo, saved, surprises, table
from images_gif import gifs
from images_jpeg import bad_jpegs, jpegs
from images_png import bad_pngs, pngs
from images_webp import webps


def orientations():
    """The eight ways to hold a camera, in each format that can say so, with and without alpha."""
    colours = flags_of_colour(8)
    alpha = np.repeat(np.repeat(np.array([[255, 128, 0], [1, 254, 64]], np.uint8), 8, 0), 8, 1)
    rgb = Image.fromarray(colours)
    rgba = Image.fromarray(np.dstack([colours, alpha]))
    small = np.dstack([colours, alpha])[::8, ::8].astype(int)  # one pixel a cell: exact
    base = saved(rgb, "JPEG", quality=95, subsampling=0)
    for k in range(1, 9):
        exif = f.tiff(k, "<>"[k % 2])
        good(f"orientation_{k}.jpg", f"orientation {k}", f.with_exif(base, exif))
        good(f"orientation_{k}.png", f"orientation {k}", f.png(small[..., :3], 8, 2, exif=exif))
        good(f"orientation_{k}_alpha.png", f"orientation {k}, alpha", f.png(small, 8, 6, exif=exif))
        good(
            f"orientation_{k}.webp",
            f"orientation {k}",
            saved(rgb, "WEBP", lossless=True, exif=exif),
        )
        good(
            f"orientation_{k}_alpha.webp",
            f"orientation {k}, alpha, Exif with its JPEG prefix",
            saved(rgba, "WEBP", lossless=True, exact=True, exif=b"Exif\0\0" + exif),
        )


def large():
    """Pictures of millions of pixels in a few kilobytes, for the bound on memory."""
    colour = (70, 130, 180)
    flat = Image.new("RGB", (1600, 1500), colour)
    turned = saved(flat, "JPEG", quality=20)
    good("large_baseline.jpg", "baseline, to be turned", f.with_exif(turned, f.tiff(6)))
    options = {"quality": 20, "progressive": True}
    good(
        "large_progressive.jpg",
        "progressive, all components whole",
        saved(flat, "JPEG", subsampling=0, **options),
    )
    good("large_cmyk.jpg", "four components", saved(flat.convert("CMYK"), "JPEG", **options))
    good("large_one_bit.png", "40 MP of one bit", saved(Image.new("1", (8000, 5000), 1), "PNG"))
    page = np.zeros((4000, 3000, 1), int)
    clear = bytes([100, 200])
    good("large_palette.png", "an interlaced palette with opacities",
         f.png(page, 1, 3, 1, bytes(range(6)), clear), f.png_meaning(page, 1, 3, bytes(range(6)), clear))
    deep = np.full((1300, 1200, 4), 40000)
    good("large_rgba16.png", "interlaced, 16 bits, alpha", f.png(deep, 16, 6, 1), f.png_meaning(deep, 16, 6))
    big = Image.new("RGBA", (4100, 3900), (*colour, 90))
    good("large_lossless.webp", "VP8L with alpha", saved(big, "WEBP", lossless=True))
    good("large_lossy.webp", "VP8 with ALPH", saved(big.resize((1500, 1500)), "WEBP", quality=10))
    good("large.gif", "GIF", saved(Image.new("P", (4000, 3000), 9), "GIF"))


def strangers():
    scene = Image.fromarray(photo(8, 8))
    unsupported = "unsupported_image_format"
    bad("empty.png", "no bytes", b"", "image_empty", "0 bytes")
    bad(
        "stranger.jp2",
        "JPEG 2000",
        b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20),
        unsupported,
        "JPEG 2000",
    )
    bad(
        "stranger.j2k",
        "JPEG 2000 codestream",
        b"\xff\x4f\xff\x51" + bytes(20),
        unsupported,
        "JPEG 2000",
    )
    bad("stranger.tiff", "TIFF", saved(scene, "TIFF"), unsupported, "TIFF")
    bad("stranger.bmp", "BMP", saved(scene, "BMP"), unsupported, "BMP")
    bad("stranger.psd", "PSD", b"8BPS\0\1" + bytes(20), unsupported, "PSD")
    bad("stranger.avif", "AVIF", b"\0\0\0\x20ftypavif\0\0\0\0mif1miaf", unsupported, "AVIF")
    bad("stranger.heic", "HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", unsupported, "HEIC")
    bad(
        "stranger.svg",
        "SVG",
        b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a --><SVG xmlns='http://www.w3.org/2000/svg'/>",
        unsupported,
        "SVG",
    )
    bad("stranger.ico", "ICO", saved(scene, "ICO"), unsupported, "ICO")
    bad("stranger.jxl", "JPEG XL", b"\xff\x0a" + bytes(9), unsupported, "JPEG XL")
    bad("stranger.ppm", "Netpbm", saved(scene, "PPM"), unsupported, "Netpbm")
    bad("stranger.pdf", "PDF", b"%PDF-1.7\n", unsupported, "PDF")
    bad("stranger.html", "a login page", b"<!DOCTYPE html><html><svg/></html>", unsupported, "HTML")
    bad("stranger.mp4", "a film", b"\0\0\0\x18ftypmp42\0\0\0\0", unsupported, "MP4")
    bad("stranger.wav", "sound", b"RIFF\x24\0\0\0WAVEfmt ", unsupported, "RIFF")
    bad(
        "stranger.txt",
        "a data URL that nobody decoded",
        b"data:image/png;base64,iVBORw0KGgo=",
        unsupported,
        "data: URL",
    )
    bad("stranger.bin", "noise", b"\x13\x37noise", unsupported, "13 37 6e 6f 69 73 65")
    bad("stranger_short.bin", "one byte of JPEG", b"\xff", unsupported, "(ff)")


PARTS = (jpegs, bad_jpegs, pngs, bad_pngs, webps, gifs, orientations, large, strangers)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    for part in PARTS:
        part()
    lines = ",\n".join(json.dumps(row) for row in table)
    (OUT / "expected.json").write_text(f"[\n{lines}\n]\n")
    size = sum(path.stat().st_size for path in OUT.iterdir())
    print(
        f"{len(table)} pictures, {sum('error' in row for row in table)} of them bad, {size} bytes"
    )
    surprises.extend(
        f"{name}: no such picture" for name in set(DIFFERS) - {row["file"] for row in table}
    )
    if surprises:
        raise SystemExit("\n".join(surprises))


if __name__ == "__main__":
    main()
