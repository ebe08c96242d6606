"""Writers of picture files that Pillow cannot write: any kind of PNG, Exif good and bad, WebP and
GIF by their parts.
"""

import struct
import zlib

import numpy as np

# Adam7: first column, first row, column step, row step of each pass.
ADAM7 = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def ihdr(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def packed_rows(samples: np.ndarray, depth: int) -> bytes:
    """[h, w, channels] integers to PNG rows, each with filter type 0."""
    out = bytearray()
    for row in samples.reshape(samples.shape[0], -1):
        out.append(0)
        if depth == 16:
            out += row.astype(">u2").tobytes()
        elif depth == 8:
            out += row.astype(np.uint8).tobytes()
        else:
            bits = ((row[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8).reshape(-1)
            out += np.packbits(bits).tobytes()
    return bytes(out)


def png(
    samples: np.ndarray,
    depth: int,
    colour: int,
    interlace: int = 0,
    palette: bytes = b"",
    transparency: bytes = b"",
    exif: bytes = b"",
    exif_last: bool = False,
    extra: bytes = b"",
) -> bytes:
    """samples [h, w, channels] in 0 to 2^depth - 1, channels by colour type."""
    height, width, channels = samples.shape
    assert channels == CHANNELS[colour]
    if interlace:
        data = b""
        for x, y, dx, dy in ADAM7:
            part = samples[y::dy, x::dx]
            if part.size:
                data += packed_rows(part, depth)
    else:
        data = packed_rows(samples, depth)
    out = b"\x89PNG\r\n\x1a\n" + ihdr(width, height, depth, colour, interlace)
    out += extra
    if exif and not exif_last:
        out += chunk(b"eXIf", exif)
    if palette:
        out += chunk(b"PLTE", palette)
    if transparency:
        out += chunk(b"tRNS", transparency)
    out += chunk(b"IDAT", zlib.compress(data, 9))
    if exif and exif_last:
        out += chunk(b"eXIf", exif)
    return out + chunk(b"IEND", b"")


def over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 3] and [h, w] to uint8, rounded to nearest: what Pillow's paste with a mask does."""
    total = rgb.astype(np.int64) * alpha[..., None] + 255 * (
        255 - alpha[..., None].astype(np.int64)
    )
    return ((2 * total + 255) // 510).astype(np.uint8)


def png_meaning(
    samples: np.ndarray, depth: int, colour: int, palette: bytes = b"", transparency: bytes = b""
) -> np.ndarray:
    """The uint8 RGB pixels that such a PNG means: 16 bits keep the high byte, fewer bits are stretched to 0..255."""
    key = (
        np.frombuffer(transparency, ">u2").astype(np.int64)
        if colour in (0, 2) and transparency
        else None
    )
    clear = np.all(samples[..., :3] == key, axis=-1) if key is not None else None
    if colour == 3:
        table = np.zeros((256, 3), np.uint8)
        given = np.frombuffer(palette, np.uint8).reshape(-1, 3)
        table[: len(given)] = given
        opacity = np.full(256, 255, np.uint8)
        opacity[: len(transparency)] = np.frombuffer(transparency, np.uint8)
        return over_white(table[samples[..., 0]], opacity[samples[..., 0]])
    eight = samples >> 8 if depth == 16 else samples * 255 // (2**depth - 1)
    eight = eight.astype(np.uint8)
    rgb = eight[..., :3] if colour in (2, 6) else np.repeat(eight[..., :1], 3, axis=-1)
    alpha = eight[..., -1] if colour in (4, 6) else np.full(rgb.shape[:2], 255, np.uint8)
    if clear is not None:
        alpha = np.where(clear, 0, alpha).astype(np.uint8)
    return over_white(rgb, alpha)


def tiff(
    value: int,
    order: str = "<",
    kind: int = 3,
    count: int = 1,
    tag: int = 0x0112,
    offset: int = 8,
    before: int = 0,
) -> bytes:
    """Exif's TIFF structure with one directory: `before` other entries, then the orientation."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, offset)
    entries = [struct.pack(order + "HHIHH", 0x0100 + i, 3, 1, 7, 0) for i in range(before)]
    if kind == 3:
        entries.append(struct.pack(order + "HHIHH", tag, kind, count, value, 0))
    else:
        entries.append(struct.pack(order + "HHII", tag, kind, count, value))
    return (
        head
        + struct.pack(order + "H", len(entries))
        + b"".join(entries)
        + struct.pack(order + "I", 0)
    )


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment directly after its first two bytes."""
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def with_exif(jpeg: bytes, exif: bytes) -> bytes:
    return with_segment(jpeg, 0xE1, b"Exif\0\0" + exif)


def frame_header(jpeg: bytes) -> int:
    """Offset of the start-of-frame marker."""
    at = 2
    while jpeg[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
    return at


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP"
    for name, data in chunks:
        body += name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunks(webp: bytes) -> list[tuple[bytes, bytes]]:
    out = []
    at = 12
    while at + 8 <= len(webp):
        size = struct.unpack("<I", webp[at + 4 : at + 8])[0]
        out.append((webp[at : at + 4], webp[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return out


def u24(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def vp8x(width: int, height: int, flags: int) -> tuple[bytes, bytes]:
    """flags: 2 animation, 8 Exif, 16 alpha."""
    return b"VP8X", bytes([flags, 0, 0, 0]) + u24(width - 1) + u24(height - 1)


def anmf(
    x: int, y: int, width: int, height: int, frame: list[tuple[bytes, bytes]]
) -> tuple[bytes, bytes]:
    """x and y must be even."""
    body = u24(x // 2) + u24(y // 2) + u24(width - 1) + u24(height - 1) + u24(100) + b"\2"
    for name, data in frame:
        body += name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"ANMF", body


def gif_lzw(indices: bytes, bits: int) -> bytes:
    """LZW without compression: a clear code before the table grows, so every code has bits + 1 bits."""
    clear = 1 << bits
    codes = []
    for i, index in enumerate(indices):
        if i % (clear - 2) == 0:
            codes.append(clear)
        codes.append(index)
    codes.append(clear + 1)
    value = 0
    for i, code in enumerate(codes):
        value |= code << (i * (bits + 1))
    data = value.to_bytes((len(codes) * (bits + 1) + 7) // 8, "little")
    blocks = b"".join(
        bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255)
    )
    return bytes([bits]) + blocks + b"\0"


def gif(
    screen: tuple[int, int],
    frame: tuple[int, int, int, int],
    indices: np.ndarray,
    palette: bytes = b"",
    local_palette: bytes = b"",
    transparent: int | None = None,
    interlaced: bool = False,
    bits: int = 3,
    version: bytes = b"GIF89a",
    more: bytes = b"",
) -> bytes:
    """frame: left, top, width, height; indices [height, width] below 2^bits; palettes of 3 * 2^n bytes."""

    def size_field(table: bytes) -> int:
        return (len(table) // 3).bit_length() - 2

    out = version + struct.pack(
        "<HHBBB", *screen, 0x80 | size_field(palette) if palette else 0, 0, 0
    )
    out += palette
    if transparent is not None:
        out += b"\x21\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0"
    flags = (0x80 | size_field(local_palette) if local_palette else 0) | (0x40 if interlaced else 0)
    out += b"," + struct.pack("<HHHHB", *frame, flags) + local_palette
    if interlaced:
        order = [
            y
            for first, step in ((0, 8), (4, 8), (2, 4), (1, 2))
            for y in range(first, frame[3], step)
        ]
        indices = indices[order]
    return out + gif_lzw(indices.astype(np.uint8).tobytes(), bits) + more + b";"


def gif_meaning(
    screen: tuple[int, int],
    frame: tuple[int, int, int, int],
    indices: np.ndarray,
    palette: bytes,
    transparent: int | None = None,
) -> np.ndarray:
    """The uint8 RGB pixels of such a GIF on a white page."""
    left, top, width, height = frame
    out = np.full((max(screen[1], top + height), max(screen[0], left + width), 3), 255, np.uint8)
    table = np.zeros((256, 3), np.uint8)
    given = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    table[: len(given)] = given
    if transparent is not None:
        table[transparent] = 255
    out[top : top + height, left : left + width] = table[indices]
    return out
