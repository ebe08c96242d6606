"""WebP pictures good and bad."""

import struct

import numpy as np
from PIL import Image

import image_files as f
from image_table import bad, flags_of_colour, good, photo, pixels_by_pillow, saved


def webps():
    scene = Image.fromarray(photo(45, 37))
    alpha = scene.copy()
    y, x = np.mgrid[0:37, 0:45]
    alpha.putalpha(Image.fromarray(((x * 6 + y * 3) % 256).astype(np.uint8)))
    good("webp_lossy.webp", "VP8", saved(scene, "WEBP", quality=70))
    good("webp_lossless.webp", "VP8L", saved(scene, "WEBP", lossless=True))
    good("webp_lossy_alpha.webp", "VP8 with ALPH", saved(alpha, "WEBP", quality=70))
    good(
        "webp_lossless_alpha.webp",
        "VP8L with alpha",
        saved(alpha, "WEBP", lossless=True, exact=True),
    )
    good(
        "webp_palette.webp",
        "VP8L of four colours",
        saved(Image.fromarray(flags_of_colour(9)), "WEBP", lossless=True),
    )
    good(
        "webp_1x1.webp",
        "one pixel",
        saved(Image.new("RGB", (1, 1), (1, 2, 3)), "WEBP", lossless=True),
    )
    good(
        "webp_16383x1.webp",
        "the longest side of WebP",
        saved(Image.new("RGB", (16383, 1), (9, 99, 199)), "WEBP", lossless=True),
    )
    good(
        "webp_animated.webp",
        "an animation: the first frame",
        saved(
            scene,
            "WEBP",
            lossless=True,
            save_all=True,
            append_images=[Image.new("RGB", (45, 37), (255, 0, 0))],
        ),
    )
    inner = f.webp_chunks(saved(Image.fromarray(flags_of_colour(5)), "WEBP", lossless=True))
    frame = [c for c in inner if c[0] in (b"VP8L", b"VP8 ", b"ALPH")]
    animation = (b"ANIM", struct.pack("<IH", 0xFF00FF00, 0))
    offset = f.riff(f.vp8x(24, 20, 18), animation, f.anmf(6, 4, 15, 10, frame))
    page = np.full((20, 24, 3), 255, np.uint8)
    page[4:14, 6:21] = flags_of_colour(5)
    good("webp_offset.webp", "an animation whose frame is smaller than the canvas", offset, page)
    good("webp_offset_opaque.webp", "the same without the flag for alpha",
         f.riff(f.vp8x(24, 20, 2), animation, f.anmf(6, 4, 15, 10, frame)), page)
    page = np.full((64, 64, 3), 255, np.uint8)
    page[:10, :15] = flags_of_colour(5)
    good(
        "webp_frame_lies.webp",
        "a frame said to be larger than its pixels",
        f.riff(f.vp8x(64, 64, 18), animation, f.anmf(0, 0, 64, 64, frame)),
        page,
    )
    data = saved(scene, "WEBP", quality=70)
    good("webp_trailer.webp", "bytes after the end", data + b"more" * 9, pixels_by_pillow(data))
    bad("webp_cut.webp", "cut in the pixels", data[: len(data) // 2], "image_corrupt", "ends early")
    bad("webp_header_only.webp", "twelve bytes", data[:12], "image_corrupt", "WebP")
    bad(
        "webp_no_picture.webp",
        "a container without a picture",
        f.riff((b"EXIF", f.tiff(6))),
        "image_corrupt",
        "WebP",
    )
    bad(
        "webp_canvas.webp",
        "a canvas of 16777216 x 255",
        f.riff(f.vp8x(1 << 24, 255, 2), animation, f.anmf(0, 0, 15, 10, frame)),
        "image_too_large",
        "limit 40 MP",
    )
    bad(
        "webp_16384.webp",
        "a canvas of 268 MP around a small frame",
        f.riff(f.vp8x(16384, 16384, 2), animation, f.anmf(0, 0, 15, 10, frame)),
        "image_too_large",
        "268.435456 MP",
    )
    bad(
        "webp_outside.webp",
        "a frame outside the canvas",
        f.riff(f.vp8x(16, 16, 2), animation, f.anmf(6, 4, 15, 10, frame)),
        "image_corrupt",
        "WebP",
    )
    bad(
        "webp_lies.webp",
        "a canvas larger than the picture",
        f.riff(f.vp8x(60, 40, 0), *frame),
        "image_corrupt",
        "WebP",
    )
    lossless = f.webp_chunks(saved(scene, "WEBP", lossless=True))[0][1]
    bad(
        "webp_noise.webp",
        "the bit stream overwritten",
        f.riff((b"VP8L", lossless[:5] + b"\xa5" * (len(lossless) - 5))),
        "image_corrupt",
        "WebP",
    )
