"""JPEG pictures good and bad."""

import struct

import numpy as np
from PIL import Image

import image_files as f
from image_table import bad, good, photo, pixels_by_pillow, saved

rng = np.random.default_rng(1)


def jpegs():
    scene = Image.fromarray(photo(45, 37))
    for name, options in {
        "444": {"subsampling": 0},
        "422": {"subsampling": 1},
        "420": {"subsampling": 2},
        "progressive": {"progressive": True},
        "progressive_444": {"progressive": True, "subsampling": 0},
        "quality_100": {"quality": 100},
        "quality_5": {"quality": 5},
        "optimized": {"optimize": True},
        "restarts": {"restart_marker_blocks": 2},
        "rgb": {"keep_rgb": True},
    }.items():
        good(f"jpeg_{name}.jpg", f"JPEG, {name}", saved(scene, "JPEG", **options))
    good("jpeg_gray.jpg", "JPEG, one component", saved(scene.convert("L"), "JPEG"))
    good(
        "jpeg_gray_progressive.jpg",
        "one component, progressive",
        saved(scene.convert("L"), "JPEG", progressive=True),
    )
    cmyk = saved(
        Image.fromarray(rng.integers(0, 256, (4, 5, 4), np.uint8), "CMYK").resize((33, 21), 0),
        "JPEG",
    )
    good("jpeg_cmyk.jpg", "CMYK, inverted as Adobe writes it", cmyk)
    adobe = cmyk.index(b"Adobe")
    good(
        "jpeg_ycck.jpg",
        "the same samples declared YCCK",
        cmyk[: adobe + 11] + b"\2" + cmyk[adobe + 12 :],
    )
    for width, height in ((1, 1), (7, 1), (1, 9), (8, 8), (17, 16)):
        good(
            f"jpeg_{width}x{height}.jpg",
            "odd and small sides",
            saved(Image.fromarray(photo(width, height)), "JPEG"),
        )
    good(
        "jpeg_16384x1.jpg",
        "the longest side allowed",
        saved(Image.new("RGB", (16384, 1), (9, 99, 199)), "JPEG"),
    )
    plain = saved(scene, "JPEG", subsampling=0)
    good(
        "jpeg_trailer.jpg",
        "bytes after the end, as in motion photos",
        plain + b"ftypmp42 and so on" * 9,
    )
    good(
        "jpeg_comment.jpg",
        "a comment and private segments first",
        f.with_segment(f.with_segment(plain, 0xFE, b"hello"), 0xE5, b"\xff\xd8\xff\xe1" * 9),
    )

    # Exif that must not turn the picture, and unusual Exif that must.
    for name, exif in {
        "zero": f.tiff(0),
        "nine": f.tiff(9),
        "text": f.tiff(6, kind=2),
        "two_values": f.tiff(6, count=2),
        "other_tag": f.tiff(6, tag=0x0113),
        "cut": f.tiff(6)[:15],
        "cut_header": b"II",
        "order": b"XX" + f.tiff(6)[2:],
        "far": f.tiff(6, offset=0xFFFFFFF0),
        "magic": f.tiff(6)[:2] + b"\x2b\0" + f.tiff(6)[4:],
        "nothing": b"",
        "many_claimed": f.tiff(6, tag=0x0113)[:8] + b"\xff\xff" + f.tiff(6, tag=0x0113)[10:],
    }.items():
        good(
            f"jpeg_exif_wrong_{name}.jpg",
            f"Exif that says nothing usable ({name}): upright",
            f.with_exif(plain, exif),
            meaning=pixels_by_pillow(plain),
        )
    turned = np.ascontiguousarray(np.rot90(pixels_by_pillow(plain), -1))
    good(
        "jpeg_exif_big_endian.jpg",
        "Exif in Motorola order, entries before it",
        f.with_exif(plain, f.tiff(6, ">", before=3)),
        meaning=turned,
    )
    good(
        "jpeg_exif_long.jpg",
        "the tag as a 32-bit number",
        f.with_exif(plain, f.tiff(6, kind=4)),
        meaning=turned,
    )
    good(
        "jpeg_exif_after_others.jpg",
        "Exif behind another APP1",
        f.with_segment(f.with_exif(plain, f.tiff(6)), 0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        meaning=turned,
    )


def bad_jpegs():
    plain = saved(Image.fromarray(photo(45, 37)), "JPEG", subsampling=0)
    frame = f.frame_header(plain)
    bad("jpeg_only_start.jpg", "three bytes of JPEG", plain[:3], "image_corrupt", "JPEG")
    bad("jpeg_cut_tables.jpg", "cut in its tables", plain[:60], "image_corrupt", "Premature end")
    bad(
        "jpeg_cut_half.jpg",
        "cut in the scan",
        plain[: len(plain) // 2],
        "image_corrupt",
        "Premature end",
    )
    bad(
        "jpeg_no_end.jpg", "the end marker is missing", plain[:-2], "image_corrupt", "Premature end"
    )
    broken = bytearray(plain)
    for at in range(len(plain) - 400, len(plain) - 100):
        broken[at] = 0xF7 if at % 2 else 0xFE
    bad(
        "jpeg_noise.jpg",
        "300 bytes of the scan overwritten",
        bytes(broken),
        "image_corrupt",
        "Corrupt JPEG data",
    )
    bad(
        "jpeg_65500.jpg",
        "a header of 65500 x 65500",
        plain[: frame + 5] + struct.pack(">HH", 65500, 65500) + plain[frame + 9 :],
        "image_too_large",
        "4290.25 MP, limit 40 MP",
    )
    bad(
        "jpeg_zero_height.jpg",
        "height 0, to be told later",
        plain[: frame + 5] + b"\0\0" + plain[frame + 7 :],
        "image_corrupt",
        "JPEG",
    )
    bad(
        "jpeg_zero_width.jpg",
        "width 0",
        plain[: frame + 7] + b"\0\0" + plain[frame + 9 :],
        "image_corrupt",
        "Empty",
    )
    bad(
        "jpeg_12_bits.jpg",
        "12 bits a sample",
        plain[: frame + 4] + b"\x0c" + plain[frame + 5 :],
        "unsupported_image_format",
        "precision 12",
    )
    bad(
        "jpeg_lossless.jpg",
        "SOF3",
        plain[: frame + 1] + b"\xc3" + plain[frame + 2 :],
        "unsupported_image_format",
        "SOF type 0xc3",
    )
    bad(
        "jpeg_ls.jpg",
        "JPEG-LS",
        plain[: frame + 1] + b"\xf7" + plain[frame + 2 :],
        "image_corrupt",
        "JPEG",
    )
    two = plain[: frame + 2] + struct.pack(">HBHHB", 14, 8, 37, 45, 2) + b"\1\x11\0\2\x11\1"
    bad(
        "jpeg_two_components.jpg",
        "two components",
        two + plain[frame + 4 + 15 : frame + 4 + 15] + tail_two(plain, frame),
        "unsupported_image_format",
        "2 colour components",
    )
    bad(
        "jpeg_no_frame.jpg",
        "a scan without a frame",
        plain[:frame] + plain[frame + 19 :],
        "image_corrupt",
        "SOS before SOF",
    )
    gray = saved(Image.fromarray(photo(45, 37)).convert("L"), "JPEG", progressive=True)
    first = gray.index(b"\xff\xda")
    second = gray.index(b"\xff\xda", first + 2)
    header = (
        gray.rindex(b"\xff\xc4", first, second) if b"\xff\xc4" in gray[first:second] else second
    )
    scan = gray[first:header]
    scans = gray.count(b"\xff\xda")
    for total in (99, 100, 101, 1000):
        name, about = f"jpeg_{total}_scans.jpg", f"{total} scans, the first over and over"
        data = gray[:header] + scan * (total - scans) + gray[header:]
        if total <= 100:
            good(name, about, data)
        else:
            bad(name, about, data, "image_corrupt", "more than 100 scans")


def tail_two(plain: bytes, frame: int) -> bytes:
    """What follows a frame of three components, with the scan's header cut to two."""
    rest = plain[frame + 19 :]
    scan = rest.index(b"\xff\xda")
    return rest[:scan] + b"\xff\xda\0\x0a\2\1\0\2\x11\0\x3f\0" + rest[scan + 14 :]
