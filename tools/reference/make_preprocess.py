"""Writes tests/data/preprocess: what Meta's and Hugging Face's own code make of synthetic pictures.

cases.json    for 200 random sizes and some chosen ones: canvas, resized size, tiles, token layout,
              CRC-32 of all bytes; resizing alone; other tile sides
samples.bin   256 bytes per case by Meta's code (Pillow), then 256 by transformers (torchvision), at
              the same places
sizes.bin     ten thousand sizes as little-endian 16-bit numbers, checksums of their tilings in cases.json
Both make their picture from the formula in `synthetic`, which src/media/test_support.h repeats.
Run: .venv/bin/python tools/reference/make_preprocess.py
"""

import json
import math
import pathlib
import re
import zlib

import numpy as np
import torch
from llama_models.llama4.preprocess import ResizeNormalizeImageTransform, VariableSizeImageTransform
from PIL import Image
from transformers import Llama4ImageProcessor
from transformers.image_utils import SizeDict
from transformers.models.llama4 import image_processing_llama4 as hf
from transformers.models.llama4.processing_llama4 import Llama4Processor

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "data" / "preprocess"
SAMPLES = 256
U32 = 0xFFFFFFFF


def rows_first(resize=Image.Image.resize):
    """Pillow up to 12 filters along the rows first; Llama 4 was trained with that, and herd does it.
    Pillow 13 goes along the columns first where that is faster, which moves bytes by one. Two calls
    keep the order in any version.
    """

    def resize_rows_first(self, size, resample=None, *rest, **options):
        assert resample == Image.Resampling.BILINEAR and not rest and not any(options.values())
        narrowed = resize(self, (size[0], self.height), resample)
        out = resize(narrowed, tuple(size), resample)
        direct = np.asarray(resize(self, tuple(size), resample)).astype(int)
        gap = np.abs(direct - np.asarray(out))
        assert gap.max() <= 1
        ORDER["resizes"] += 1
        ORDER["other"] += bool(gap.max())
        return out

    return resize_rows_first


ORDER = {"resizes": 0, "other": 0}  # how often the installed Pillow does it in the other order
Image.Image.resize = rows_first()


def mixed(n: np.ndarray) -> np.ndarray:
    """A 32-bit hash of each number, in uint64 to keep the products."""
    n = n & U32
    n ^= n >> 15
    n = n * 0x2C1B3C6D & U32
    n ^= n >> 12
    n = n * 0x297A2D39 & U32
    return n ^ n >> 15


def synthetic(width: int, height: int, seed: int) -> np.ndarray:
    """uint8 [height, width, 3]: by turns noise, a ramp, a ramp with grain, and hard edges."""
    y, x, c = np.ogrid[0:height, 0:width, 0:3]
    x, y, c = (a.astype(np.uint64) for a in (x, y, c))
    noise = mixed(x * 0x9E3779B1 + y * 0x85EBCA77 + c * 0xC2B2AE3D + seed * 0x27D4EB2F)
    ramp = (x * (seed % 7 + 1) + y * (seed % 5 + 1) + c * 80) >> np.uint64(seed % 3)
    edges = ((x >> 2 ^ y >> 3) & 1) * 200 + (noise & 31)
    return ([noise, ramp + 0 * noise, ramp + (noise & 31), edges][seed % 4] & 255).astype(np.uint8)


def random_sizes(count: int, most: int, seed: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    return [tuple(int(math.exp(v)) for v in rng.uniform(0, math.log(most + 1), 2)) for _ in range(count)]


def plan_by_meta(width: int, height: int, side: int = 336, most: int = 16, enlarge: bool = False):
    """[R, C], [W, H] by the functions of Meta's class, without touching pixels."""
    transform = VariableSizeImageTransform(side)
    canvases = torch.tensor(transform.find_supported_resolutions(max_num_chunks=most, patch_size=side))
    canvas = transform.get_best_fit((width, height), canvases, enlarge)
    box = canvas if enlarge else tuple(min(max(n, side), limit) for n, limit in zip((width, height), canvas))
    resized = transform.get_max_res_without_distortion((width, height), box)
    return [canvas[1] // side, canvas[0] // side], [max(n, 1) for n in resized]


def pixels_by_meta(rgb: np.ndarray, side: int = 336, most: int = 16, enlarge: bool = False):
    """[R, C] and float32 [tiles, 3, S, S], as llama_models' chat format makes them."""
    image = Image.fromarray(rgb)
    tiles, ratio = VariableSizeImageTransform(side)(image, max_num_chunks=most, resize_to_max_canvas=enlarge)
    if len(tiles) > 1:
        tiles = torch.cat((tiles, ResizeNormalizeImageTransform(side, side)(image).unsqueeze(0)), dim=0)
    return list(ratio), tiles


def bytes_of(tiles: torch.Tensor) -> np.ndarray:
    """Undoes the normalisation; checks that nothing is lost by it."""
    values = torch.round((tiles * 0.5 + 0.5) * 255)
    again = (values / 255).sub(0.5).div(0.5)
    assert torch.equal(again, tiles)
    return values.to(torch.uint8).numpy()


def plan_by_hugging_face(width: int, height: int) -> tuple[list[int], list[int]]:
    size = SizeDict(height=336, width=336)
    canvases = torch.tensor(hf.find_supported_resolutions(max_num_chunks=16, patch_size=size))
    canvas = hf.get_best_fit((height, width), canvases)
    box = (min(max(height, 336), canvas[0]), min(max(width, 336), canvas[1]))
    resized = hf.get_max_res_without_distortion((height, width), box)
    return [int(n) // 336 for n in canvas], [max(int(n), 1) for n in reversed(resized)]


def layout_by_hugging_face(ratio: list[int], side: int = 336) -> str:
    """The placeholder text of Llama4Processor, repetitions counted: "<|image_start|> <|patch|>*144 ..."."""
    processor = object.__new__(Llama4Processor)
    processor.patch_size = 14
    processor.downsample_ratio = 4
    inputs = {"pixel_values": torch.empty(1, 3, side, side), "aspect_ratios": [ratio]}
    tokens = re.findall(r"<\|[a-z_]+\|>", processor.replace_image_token(inputs, 0))
    runs = []
    for token in tokens:
        if runs and runs[-1][0] == token:
            runs[-1][1] += 1
        else:
            runs.append([token, 1])
    return " ".join(token if count == 1 else f"{token}*{count}" for token, count in runs)


def places(case: int, plan: dict, side: int = 336) -> np.ndarray:
    """Where samples are taken in [tiles, 3, S, S]: by turns anywhere, in the last tile, and in the
    picture's own area.
    """
    tiles, columns = plan["tiles"], plan["canvas"][1]
    width, height = plan["resized"]
    hashes = mixed(np.arange(SAMPLES, dtype=np.uint64) + np.uint64(1000 * case))
    out = []
    for j, h in enumerate(hashes.tolist()):
        if j % 4 == 0:
            out.append(h % (tiles * 3 * side * side))
        elif j % 4 == 1:
            out.append((tiles - 1) * 3 * side * side + h % (3 * side * side))
        else:
            x, y, c = (h & 0xFFFF) % width, (h >> 16) % height, j % 3
            out.append(((y // side * columns + x // side) * 3 + c) * side * side + y % side * side + x % side)
    return np.array(out)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    processor = Llama4ImageProcessor()
    chosen = [(300, 200), (337, 336), (512, 512), (800, 600), (1280, 1280), (1920, 1080)]
    chosen += [(3000, 1000), (10000, 300), (336, 336), (335, 337), (672, 672), (1, 1), (1, 3000)]
    chosen += [(3000, 1), (1344, 1344), (5376, 336), (5377, 337)]
    d23 = [(3504, 1152), (2162, 3680)]  # sizes at which float32 and float64 differ (spec D23)
    sizes = random_sizes(200, 3000, 7)
    cases, samples, layouts = [], [], {}
    pixels, off, worst = 0, 0, 0
    for number, (width, height) in enumerate(sizes + chosen + d23):
        rgb = synthetic(width, height, number)
        ratio, tiles = pixels_by_meta(rgb)
        canvas, resized = plan_by_meta(width, height)
        assert canvas == ratio, (canvas, ratio)
        whole = bytes_of(tiles)
        plan = {"size": [width, height], "canvas": ratio, "resized": resized, "tiles": len(whole),
                "crc32": zlib.crc32(whole.tobytes())}

        theirs = processor(Image.fromarray(rgb), return_tensors="pt")
        assert theirs["aspect_ratios"].tolist() == [ratio], (width, height)
        assert list(theirs["pixel_values"].shape) == [len(whole), 3, 336, 336]
        raw = processor(Image.fromarray(rgb), return_tensors="pt", do_rescale=False, do_normalize=False)
        raw = raw["pixel_values"].numpy()
        hf_canvas, hf_resized = plan_by_hugging_face(width, height)
        assert hf_canvas == ratio
        if hf_resized != resized:
            plan["hugging_face_resized"] = hf_resized
            assert (width, height) in d23 or number < len(sizes)
        else:
            gap = np.abs(raw.astype(int) - whole)
            pixels, off, worst = pixels + gap.size, off + int((gap > 0).sum()), max(worst, int(gap.max()))
        layouts.setdefault("{}x{}".format(*ratio), layout_by_hugging_face(ratio))
        at = places(number, plan)
        samples += [whole.reshape(-1)[at], raw.reshape(-1)[at].astype(np.uint8)]
        cases.append(plan)

    # Other tile sides, numbers of tiles, and enlarging: pixels by checksum only.
    options = []
    kinds = [(28, 4, False), (56, 16, True), (112, 1, False), (336, 16, True), (42, 9, False), (70, 12, True)]
    for number, (width, height) in enumerate(random_sizes(60, 700, 11)):
        side, most, enlarge = kinds[number % 6]
        rgb = synthetic(width, height, number)
        ratio, tiles = pixels_by_meta(rgb, side, most, enlarge)
        canvas, resized = plan_by_meta(width, height, side, most, enlarge)
        assert canvas == ratio
        row = {"size": [width, height], "tile_side": side, "tiles_max": most, "enlarge": enlarge}
        row |= {"canvas": ratio, "resized": resized, "tiles": len(tiles)}
        options.append(row | {"crc32": zlib.crc32(bytes_of(tiles).tobytes())})

    # Resizing alone, up and down, both ratios free.
    resizes = []
    for number, ((width, height), (to_width, to_height)) in enumerate(
            zip(random_sizes(120, 900, 3) + [(16384, 2), (2, 16384), (5, 5)],
                random_sizes(120, 900, 5) + [(1, 2), (2, 1), (5, 5)])):
        image = Image.fromarray(synthetic(width, height, number))
        out = np.asarray(image.resize((to_width, to_height), Image.Resampling.BILINEAR))
        resizes.append([width, height, to_width, to_height, zlib.crc32(out.tobytes())])

    # Ten thousand sizes up to the limits, without pixels: one checksum for each hundred.
    rng = np.random.default_rng(23)
    many = [[], []]
    for _ in range(100):
        lines, own = "", []
        while len(own) < 100:
            width, height = (int(math.exp(v)) for v in rng.uniform(0, math.log(16385), 2))
            if width * height <= 40_000_000 and max(width, height) <= 16384:
                own += [(width, height)]
        for width, height in own:
            canvas, resized = plan_by_meta(width, height)
            lines += "{} {} {} {}\n".format(*canvas, *resized)
        many[0] += own
        many[1].append(zlib.crc32(lines.encode()))
    np.array(many[0], "<u2").tofile(OUT / "sizes.bin")

    table = torch.arange(256, dtype=torch.uint8).to(torch.float32).div(255).sub(0.5).div(0.5)
    def lines_of(rows):
        return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"

    parts = {
        "random": str(len(sizes)),
        "cases": lines_of(cases),
        "layouts": json.dumps(layouts, indent=0),
        "options": lines_of(options),
        "resizes": lines_of(resizes),
        "many": json.dumps(many[1]),
        "values": json.dumps([float(v) for v in table]),
        "hugging_face": json.dumps({"pixels": pixels, "off": off, "worst": worst}),
    }
    text = "{" + ",\n".join(f'"{key}": {value}' for key, value in parts.items()) + "}\n"
    (OUT / "cases.json").write_text(text)
    np.concatenate(samples).tofile(OUT / "samples.bin")
    print(f"the installed Pillow gives other bytes in {ORDER['other']} of {ORDER['resizes']} resizes")
    print(f"{len(cases)} cases, {sum('hugging_face_resized' in c for c in cases)} of them D23;",
          f"{off} of {pixels} bytes differ between torchvision and Pillow, at most by {worst};",
          f"{sum(p.stat().st_size for p in OUT.iterdir())} bytes")


if __name__ == "__main__":
    main()
