"""Test pictures, and from picture to tiles and prompt tokens the way Meta's code does it (float32,
Pillow's resize).

The library's own processor rounds pixels to bfloat16 on the way; check_processor() holds the two
together.
"""

import numpy as np
import torch
from PIL import Image
from transformers import Llama4ImageProcessor, Llama4Processor

BFLOAT16_STEP = (
    2 / 255 + 0.008
)  # one grey level of resize difference, and the processor's bfloat16 rounding


def picture(width, height, seed):
    """An RGB picture with slopes, edges and fine texture, uint8."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    red = (x * 255 // max(width - 1, 1) + seed * 40) % 256
    green = (y * y * 3 + x * y // 2 + seed * 17) % 256
    disc = (x - width // 3) ** 2 + (y - height // 2) ** 2 < (min(width, height) // 3) ** 2
    blue = np.where(disc, 230, (x // 5 + y // 7) % 2 * 120 + 30)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8))


def canvas(width, height, side, max_tiles):
    """(rows, columns) of tiles: least scale of at least 1, else greatest below; then the least
    area.
    """
    grids = [(r, c) for r in range(1, max_tiles + 1) for c in range(1, max_tiles // r + 1)]
    scales = [
        np.float32(min(np.float32(r * side / height), np.float32(c * side / width)))
        for r, c in grids
    ]
    growing = [s for s in scales if s >= 1]
    best = min(growing) if growing else max(scales)
    return min((g for g, s in zip(grids, scales) if s == best), key=lambda g: g[0] * g[1])


def normalise(image):
    """uint8 picture -> float32 [3, H, W] in -1..1."""
    values = torch.from_numpy(np.asarray(image, dtype=np.float32)).permute(2, 0, 1) / 255
    return (values - 0.5) / 0.5


def tiles(image, side, max_tiles):
    """(pixels [n, 3, side, side], (rows, columns)): tiles row by row, then the whole picture if
    there are several.
    """
    rows, columns = canvas(image.width, image.height, side, max_tiles)
    height = min(max(image.height, side), rows * side)
    width = min(max(image.width, side), columns * side)
    down, across = height / image.height, width / image.width
    if across < down:
        height = max(min(int(image.height * across), height), 1)
    else:
        width = max(min(int(image.width * down), width), 1)
    sheet = Image.new("RGB", (columns * side, rows * side))
    sheet.paste(image.resize((width, height), Image.Resampling.BILINEAR), (0, 0))
    parts = [
        sheet.crop((c * side, r * side, (c + 1) * side, (r + 1) * side))
        for r in range(rows)
        for c in range(columns)
    ]
    if len(parts) > 1:
        parts.append(image.resize((side, side), Image.Resampling.BILINEAR))
    return torch.stack([normalise(part) for part in parts]), (rows, columns)


def check_processor(image, pixels, grid, side, max_tiles):
    """Fails if the library's processor sees other tiles."""
    processor = Llama4ImageProcessor(size={"height": side, "width": side}, max_patches=max_tiles)
    theirs = processor(image, return_tensors="pt")
    theirs_pixels = theirs["pixel_values"].float().reshape(-1, 3, side, side)
    assert theirs["aspect_ratios"].flatten().tolist() == list(grid), (theirs["aspect_ratios"], grid)
    assert theirs_pixels.shape == pixels.shape, (theirs_pixels.shape, pixels.shape)
    difference = (theirs_pixels - pixels).abs().max().item()
    assert difference < BFLOAT16_STEP, difference


def layout(grid, tokens_per_tile, ids):
    """The prompt tokens that stand for one picture. `ids` maps the special tokens' names to
    numbers.
    """
    text = Llama4Processor._prompt_split_image(None, grid, tokens_per_tile)
    return [ids[name] for name in text.replace("><", "> <").split()]
