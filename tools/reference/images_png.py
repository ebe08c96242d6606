"""PNG pictures good and bad."""

import struct
import zlib

import numpy as np
from PIL import Image

import image_files as f
from image_table import bad, good, saved

rng = np.random.default_rng(2)


def pngs():
    kinds = {
        "gray1": (1, 0),
        "gray2": (2, 0),
        "gray4": (4, 0),
        "gray8": (8, 0),
        "gray16": (16, 0),
        "rgb8": (8, 2),
        "rgb16": (16, 2),
        "palette1": (1, 3),
        "palette2": (2, 3),
        "palette4": (4, 3),
        "palette8": (8, 3),
        "gray_alpha8": (8, 4),
        "gray_alpha16": (16, 4),
        "rgba8": (8, 6),
        "rgba16": (16, 6),
    }
    for name, (depth, colour) in kinds.items():
        shape = (11, 13, f.CHANNELS[colour])
        samples = rng.integers(0, 2**depth, shape)
        palette = (
            rng.integers(0, 256, 3 * 2 ** min(depth, 8), np.uint8).tobytes() if colour == 3 else b""
        )
        for suffix, interlace in (("", 0), ("_interlaced", 1)):
            data = f.png(samples, depth, colour, interlace, palette)
            good(
                f"png_{name}{suffix}.png",
                f"PNG, colour type {colour}, {depth} bits{suffix}",
                data,
                f.png_meaning(samples, depth, colour, palette),
            )
        key = b""
        if colour in (0, 2):
            some = samples.reshape(-1, shape[2])  # the colour of some pixel, not white
            seen = some[(some.min(-1) >= min(depth - 1, 1)) & (some.max(-1) < 2**depth - 1)]
            key = seen[0].astype(">u2").tobytes()
        elif colour == 3:
            key = rng.integers(0, 256, max(2**depth - 2, 1), np.uint8).tobytes()
        if key:
            good(
                f"png_{name}_key.png",
                f"PNG, colour type {colour}, {depth} bits, with tRNS",
                f.png(samples, depth, colour, 0, palette, key),
                f.png_meaning(samples, depth, colour, palette, key),
            )
    ramp = np.stack(
        np.broadcast_arrays(
            np.arange(0, 256, 3)[None, :],
            255 - np.arange(0, 256, 3)[None, :],
            40,
            np.arange(0, 256, 5)[:, None],
        ),
        -1,
    )
    good(
        "png_alpha_ramp.png",
        "many values under many opacities",
        f.png(ramp, 8, 6),
        f.png_meaning(ramp, 8, 6),
    )
    for width, height in ((1, 1), (1, 3), (5, 1), (2, 2)):
        samples = rng.integers(0, 256, (height, width, 3))
        good(
            f"png_{width}x{height}_interlaced.png",
            "passes without pixels",
            f.png(samples, 8, 2, 1),
            f.png_meaning(samples, 8, 2),
        )
    good(
        "png_16384x1.png", "the longest side allowed", saved(Image.new("L", (16384, 1), 77), "PNG")
    )
    good("png_1x16384.png", "the longest side allowed", saved(Image.new("1", (1, 16384), 1), "PNG"))
    samples = rng.integers(0, 256, (6, 7, 3))
    bomb = f.chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(5_000_000), 9))
    bomb += f.chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(5_000_000), 9))
    good(
        "png_text_bomb.png",
        "compressed text and profile of 5 MB: not read",
        f.png(samples, 8, 2, extra=bomb),
        f.png_meaning(samples, 8, 2),
    )
    good(
        "png_gamma.png",
        "a gamma of 1.0: not applied",
        f.png(samples, 8, 2, extra=f.chunk(b"gAMA", struct.pack(">I", 100000))),
        f.png_meaning(samples, 8, 2),
    )
    good(
        "png_trailer.png",
        "bytes after the end",
        f.png(samples, 8, 2) + b"more" * 99,
        f.png_meaning(samples, 8, 2),
    )
    good(
        "png_exif_last.png",
        "Exif after the pixels",
        f.png(samples, 8, 2, exif=f.tiff(6), exif_last=True),
        np.ascontiguousarray(np.rot90(f.png_meaning(samples, 8, 2), -1)),
    )
    good(
        "png_palette_short.png",
        "pixels beyond the palette: black",
        f.png(np.array([[[0], [1], [5], [7]]]), 4, 3, palette=bytes([255, 0, 0, 0, 255, 0])),
        np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 0], [0, 0, 0]]], np.uint8),
    )


def bad_pngs():
    samples = rng.integers(0, 256, (12, 10, 3))
    whole = f.png(samples, 8, 2)
    signature = b"\x89PNG\r\n\x1a\n"
    pixels = whole[whole.index(b"IDAT") - 4 :]
    bad(
        "png_40000.png",
        "40000 x 40000 with a little data",
        signature + f.ihdr(40000, 40000) + pixels,
        "image_too_large",
        "1600 MP, limit 40 MP",
    )
    bad(
        "png_32000.png",
        "32000 x 32000, one bit",
        signature + f.ihdr(32000, 32000, 1, 0) + pixels,
        "image_too_large",
        "1024 MP",
    )
    bad(
        "png_2_31.png",
        "sides of 2^31 - 1",
        signature + f.ihdr(2**31 - 1, 2**31 - 1) + pixels,
        "image_too_large",
        "limit 40 MP",
    )
    bad(
        "png_2_32.png",
        "sides of 2^32 - 1",
        signature + f.ihdr(2**32 - 1, 2**32 - 1) + pixels,
        "image_too_large",
        "limit 40 MP",
    )
    bad(
        "png_16385x1.png",
        "a side one too long",
        f.png(np.zeros((1, 16385, 1), int), 1, 0),
        "image_too_large",
        "16385, limit 16384",
    )
    bad(
        "png_1x16385.png",
        "a side one too long",
        f.png(np.zeros((16385, 1, 1), int), 1, 0),
        "image_too_large",
        "16385, limit 16384",
    )
    bad("png_zero_width.png", "width 0", signature + f.ihdr(0, 9) + pixels, "image_corrupt", "0x9")
    bad(
        "png_zero_height.png", "height 0", signature + f.ihdr(9, 0) + pixels, "image_corrupt", "9x0"
    )
    bad("png_only_signature.png", "eight bytes", signature, "image_corrupt", "IHDR")
    bad("png_header_only.png", "no pixels", signature + f.ihdr(9, 9), "image_corrupt", "ends early")
    bad(
        "png_no_pixels.png",
        "no IDAT",
        signature + f.ihdr(9, 9) + f.chunk(b"IEND", b""),
        "image_corrupt",
        "PNG",
    )
    bad("png_cut.png", "cut in the pixels", whole[: len(whole) // 2], "image_corrupt", "ends early")
    bad("png_no_end.png", "the end chunk is missing", whole[:-12], "image_corrupt", "ends early")
    bad(
        "png_crc_header.png",
        "a wrong checksum of IHDR",
        whole[:29] + b"\0\0\0\0" + whole[33:],
        "image_corrupt",
        "CRC",
    )
    flipped = bytearray(whole)
    flipped[whole.index(b"IDAT") + 40] ^= 0x10
    bad("png_crc_pixels.png", "a flipped bit in IDAT", bytes(flipped), "image_corrupt", "PNG")
    bad(
        "png_few_rows.png",
        "pixels for half the rows",
        signature
        + f.ihdr(10, 12)
        + f.chunk(b"IDAT", zlib.compress(f.packed_rows(samples[:6], 8)))
        + f.chunk(b"IEND", b""),
        "image_corrupt",
        "PNG",
    )
    bad(
        "png_not_deflate.png",
        "IDAT is no deflate stream",
        signature + f.ihdr(10, 12) + f.chunk(b"IDAT", b"\xff" * 50) + f.chunk(b"IEND", b""),
        "image_corrupt",
        "PNG",
    )
    bad(
        "png_depth_3.png",
        "3 bits a sample",
        signature + f.ihdr(10, 12, 3, 0) + pixels,
        "image_corrupt",
        "IHDR",
    )
    bad(
        "png_colour_5.png",
        "colour type 5",
        signature + f.ihdr(10, 12, 8, 5) + pixels,
        "image_corrupt",
        "IHDR",
    )
    bad(
        "png_no_palette.png",
        "a palette picture without palette",
        signature + f.ihdr(10, 12, 8, 3) + pixels,
        "image_corrupt",
        "PLTE",
    )
    bad(
        "png_huge_chunk.png",
        "a chunk of 2 GB claimed",
        signature + f.ihdr(10, 12) + struct.pack(">I", 0x7FFFFFF0) + b"IDAT123",
        "image_corrupt",
        "ends early",
    )
    exif = f.tiff(6)
    bad(
        "png_huge_exif.png",
        "an eXIf chunk of 1 GB claimed",
        signature + f.ihdr(10, 12) + struct.pack(">I", (1 << 30) + len(exif)) + b"eXIf" + exif + pixels,
        "image_corrupt",
        "ends early",
    )
