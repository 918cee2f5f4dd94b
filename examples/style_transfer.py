"""Restyle a drawn landscape after drawn brush strokes: docs/images/style_transfer.png shows content, style and result.

python examples/style_transfer.py [--out docs/images/style_transfer.png] [--steps 300]

Both pictures are drawn here. The network was never trained: its convolutions hold random numbers from a fixed seed, scaled as
He et al. 2015 say. Such a network knows nothing of objects, yet the grams of its channels hold colours, edges and their scales
well enough to carry a texture over (Ustyuzhaninov et al. 2016, arXiv:1606.00021). The descent is lawbook's own ``synthesize``.
"""

import argparse
import struct
import time
import zlib
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from lawbook.reference.style_transfer import style_postprocess, style_preprocess, synthesize

HEIGHT, WIDTH, GAP = 144, 192, 6
SEED = 5


def coordinates(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of pixels from 0 to 1, and the columns on the same scale as the rows."""
    return torch.meshgrid(torch.arange(height) / height, torch.arange(width) / height, indexing="ij")


def colour(*values: int) -> Tensor:
    """Red, green and blue from 0 to 1."""
    return torch.tensor(values, dtype=torch.float32) / 255


def blend(picture: Tensor, cover: Tensor, share: Tensor) -> Tensor:
    """One picture over another where ``share`` is above 0."""
    share = share.clamp(0, 1).unsqueeze(-1)
    return picture * (1 - share) + cover * share


def landscape(height: int, width: int) -> Tensor:
    """A sun between mountains, a lake, and a house on a meadow, with some grain, (H, W, 3)."""
    y, x = coordinates(height, width)
    sharp = 1.5 * height
    picture = blend(colour(255, 214, 150).expand(height, width, 3), colour(110, 165, 225), 1 - 2 * y)
    picture = blend(picture, colour(255, 244, 200), (0.11 - torch.hypot(y - 0.22, x - 0.95)) * sharp)
    for foot, tone, peaks in ((0.5, (120, 125, 160), 7.0), (0.56, (70, 95, 105), 4.0)):
        ridge = foot - 0.16 * (torch.sin(peaks * x + foot * 20).abs()) - 0.02 * torch.sin(23 * x)
        picture = blend(picture, colour(*tone), (y - ridge) * sharp)
    picture = blend(picture, colour(95, 150, 190), (y - 0.58) * sharp)
    picture = blend(
        picture, colour(240, 225, 180), (0.05 - (x - 0.95).abs()) * sharp * ((y > 0.58) & (torch.sin(90 * y) > 0))
    )
    meadow = 0.78 - 0.06 * torch.sin(3.2 * x + 0.5)
    picture = blend(picture, colour(85, 140, 70), (y - meadow) * sharp)
    wall = (0.13 - (x - 0.42).abs()) * sharp
    picture = blend(picture, colour(225, 210, 190), torch.minimum(wall, torch.minimum(y - 0.66, 0.88 - y) * sharp))
    roof = (0.18 - (x - 0.42).abs() - (0.67 - y).clamp(min=0) * 1.1) * sharp
    picture = blend(picture, colour(165, 60, 45), torch.minimum(roof, torch.minimum(y - 0.53, 0.67 - y) * sharp))
    door = torch.minimum((0.03 - (x - 0.42).abs()) * sharp, torch.minimum(y - 0.75, 0.88 - y) * sharp)
    picture = blend(picture, colour(80, 50, 40), door)
    # Where all pixels are equal, nothing tells them in which direction to part.
    grain = torch.randn(1, height, width, generator=torch.Generator().manual_seed(SEED))
    grain = F.avg_pool2d(grain, 5, 1, 2).squeeze(0).unsqueeze(-1)
    return (picture + 0.15 * grain).clamp(0, 1)


def strokes(height: int, width: int) -> Tensor:
    """Brush strokes that whirl around four centres, in blue, turquoise, white and yellow, (H, W, 3)."""
    y, x = coordinates(height, width)
    for row, column, turn in ((0.25, 0.3, 3.5), (0.65, 0.95, -3.5), (0.15, 1.15, 3.0), (0.85, 0.25, -3.0)):
        down, right = y - row, x - column
        angle = turn * torch.exp(-5 * torch.hypot(down, right))
        y = row + torch.cos(angle) * down - torch.sin(angle) * right
        x = column + torch.sin(angle) * down + torch.cos(angle) * right
    field = 1.3 * y + 0.15 * torch.sin(5 * x)
    across = torch.sin(2 * torch.pi * 6 * field)
    along = torch.sin(40 * x - 25 * y + 6 * across) * torch.sin(17 * x + 31 * y)
    tones = torch.stack(
        [colour(20, 35, 95), colour(45, 95, 175), colour(95, 175, 190), colour(235, 235, 215), colour(245, 195, 60)]
    )
    place = ((across + 0.45 * along + 1.45) / 2.9 * (len(tones) - 1)).clamp(0, len(tones) - 1.001)
    below = place.long()
    share = ((place - below) * 3 - 1).clamp(0, 1).unsqueeze(-1)
    return tones[below] * (1 - share) + tones[below + 1] * share


def network(channels: tuple[int, ...] = (24, 48, 64, 64)) -> list:
    """Blocks of a 3×3 convolution with random weights, a ReLU and, between blocks, means of 2×2 pixels."""
    generator = torch.Generator().manual_seed(SEED)
    layers, inputs = [], 3
    for k, outputs in enumerate(channels):
        weight = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        if k:
            layers.append(lambda h: F.avg_pool2d(h, 2))
        layers.append(lambda h, w=weight: F.conv2d(F.pad(h, (1, 1, 1, 1), "reflect"), w))
        layers.append(torch.relu)
        inputs = outputs
    return layers


def write_png(path: Path, picture: Tensor) -> None:
    """A picture (H, W, 3) with values from 0 to 1 as an 8-bit PNG."""
    pixels = (picture * 255).round().to(torch.uint8)
    rows = F.pad(pixels.flatten(1), (1, 0)).numpy().tobytes()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", picture.shape[1], picture.shape[0], 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def main() -> None:
    """Draw, restyle, and write the three pictures side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/style_transfer.png"))
    parser.add_argument("--steps", type=int, default=300)
    chosen = parser.parse_args()
    content, style = landscape(HEIGHT, WIDTH), strokes(HEIGHT, WIDTH)
    layers = network()
    positions = [k for k, layer in enumerate(layers) if layer is torch.relu]
    begun = time.process_time()
    image, losses = synthesize(
        style_preprocess(content),
        style_preprocess(style),
        layers,
        style_ids=positions,
        content_ids=positions[2:3],
        steps=chosen.steps,
        lr=0.08,
        weights=(0.05, 2e5, 0.2),
        lr_decay=0.8,
        decay_every=50,
    )
    gap = torch.ones(HEIGHT, GAP, 3)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    write_png(chosen.out, torch.cat([content, gap, style, gap, style_postprocess(image)], 1))
    print(f"loss {float(losses[0]):.4g} → {float(losses[-1]):.4g} in {chosen.steps} steps", end=", ")
    print(f"{time.process_time() - begun:.0f} s of CPU; {chosen.out} has {chosen.out.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
