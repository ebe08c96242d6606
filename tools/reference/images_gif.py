"""GIF pictures good and bad."""

import numpy as np
from PIL import Image

import image_files as f
from image_table import bad, good, photo, saved

rng = np.random.default_rng(4)


def gifs():
    palette = rng.integers(0, 256, 24, np.uint8).tobytes()
    other = rng.integers(0, 256, 24, np.uint8).tobytes()
    indices = rng.integers(0, 8, (11, 9))
    full = (0, 0, 9, 11)
    plain = f.gif((9, 11), full, indices, palette)
    meaning = f.gif_meaning((9, 11), full, indices, palette)
    good("gif_plain.gif", "GIF89a", plain, meaning)
    good(
        "gif_87a.gif", "GIF87a", f.gif((9, 11), full, indices, palette, version=b"GIF87a"), meaning
    )
    good(
        "gif_interlaced.gif",
        "rows in four passes",
        f.gif((9, 11), full, indices, palette, interlaced=True),
        meaning,
    )
    good(
        "gif_interlaced_3_rows.gif",
        "passes without rows",
        f.gif((9, 3), (0, 0, 9, 3), indices[:3], palette, interlaced=True),
        meaning[:3],
    )
    good(
        "gif_local.gif",
        "the frame's own colours",
        f.gif((9, 11), full, indices, palette, other),
        f.gif_meaning((9, 11), full, indices, other),
    )
    good(
        "gif_local_only.gif",
        "no colours of the screen",
        f.gif((9, 11), full, indices, b"", other),
        f.gif_meaning((9, 11), full, indices, other),
    )
    good(
        "gif_no_colours.gif",
        "no colours at all: gray levels",
        f.gif((9, 11), full, indices),
        np.repeat(indices[..., None], 3, -1).astype(np.uint8),
    )
    good(
        "gif_few_colours.gif",
        "pixels beyond the table: black",
        f.gif((9, 11), full, indices, palette[:12]),
        f.gif_meaning((9, 11), full, indices, palette[:12]),
    )
    good(
        "gif_transparent.gif",
        "a transparent colour",
        f.gif((9, 11), full, indices, palette, transparent=5),
        f.gif_meaning((9, 11), full, indices, palette, 5),
    )
    place = (3, 2, 9, 11)
    good(
        "gif_offset.gif",
        "a frame smaller than the screen",
        f.gif((20, 15), place, indices, palette),
        f.gif_meaning((20, 15), place, indices, palette),
    )
    good(
        "gif_offset_transparent.gif",
        "the same with a transparent colour",
        f.gif((20, 15), place, indices, palette, transparent=2),
        f.gif_meaning((20, 15), place, indices, palette, 2),
    )
    good(
        "gif_beyond_screen.gif",
        "a frame over the screen's edge",
        f.gif((10, 5), place, indices, palette),
        f.gif_meaning((10, 5), place, indices, palette),
    )
    good("gif_no_screen.gif", "a screen of 0 x 0", f.gif((0, 0), full, indices, palette), meaning)
    good(
        "gif_trailer.gif",
        "a second frame's garbage after the first",
        f.gif((9, 11), full, indices, palette, more=b",garbage"),
        meaning,
    )
    good("gif_no_end.gif", "the end byte is missing", plain[:-1], meaning)
    frames = [
        Image.fromarray(photo(30, 20)).quantize(32),
        Image.fromarray(photo(30, 20)).quantize(32),
    ]
    good(
        "gif_animated.gif",
        "an animation with comments, by Pillow",
        saved(
            frames[0],
            "GIF",
            save_all=True,
            append_images=frames[1:],
            comment=b"hello" * 99,
            loop=3,
            duration=50,
        ),
    )
    good("gif_1x1.gif", "one pixel", saved(Image.new("P", (1, 1)), "GIF"))
    good("gif_16384x1.gif", "the longest side allowed", saved(Image.new("P", (16384, 1), 3), "GIF"))

    bad("gif_cut.gif", "cut in the pixels", plain[:-20], "image_corrupt", "GIF")
    bad("gif_only_screen.gif", "cut after the screen", plain[:13], "image_corrupt", "GIF")
    bad("gif_only_signature.gif", "six bytes", plain[:6], "image_corrupt", "GIF")
    bad(
        "gif_no_frame.gif",
        "a screen and no frame",
        plain[:37] + b";",
        "image_corrupt",
        "no picture",
    )
    bad(
        "gif_zero_frame.gif",
        "a frame of width 0",
        f.gif((9, 11), (0, 0, 0, 11), indices, palette),
        "image_corrupt",
        "0x11",
    )
    bad(
        "gif_65535.gif",
        "a screen of 65535 x 65535",
        f.gif((65535, 65535), full, indices, palette),
        "image_too_large",
        "limit 40 MP",
    )
    bad(
        "gif_far_frame.gif",
        "a frame that starts at 65535",
        f.gif((9, 11), (65535, 65535, 9, 11), indices, palette),
        "image_too_large",
        "limit 40 MP",
    )
    bad(
        "gif_bits_12.gif",
        "codes of 12 bits to begin with",
        plain.replace(b"\0\3", b"\0\x0c"),
        "image_corrupt",
        "GIF",
    )
    lzw = plain.index(f.gif_lzw(indices.astype(np.uint8).tobytes(), 3))
    bad(
        "gif_code.gif",
        "a code that is not in the table yet",
        plain[:lzw] + b"\3\2\xf8\xff\0;",
        "image_corrupt",
        "GIF",
    )
