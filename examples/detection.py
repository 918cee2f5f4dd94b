"""Train the single-shot detector of chapter detection on drawn fruit: docs/images/detection.png shows what it then finds.

python examples/detection.py [--steps 500] [--seed 0] [--layers torch|reference] [--out docs/images/detection.png]

Every picture is drawn anew: none to three bananas and apples, of any size, direction and colour, on meadows of noise, stripes,
squares and slopes, among rods and blocks that are neither. Network, targets, loss, errors and suppression are the chapter's; the
layers are PyTorch's (the chapter's adapter) or the reference's own, which take five times as long.
"""

import argparse
import math
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from lawbook.fixtures.adapters.torch.detection import ssd as layers_of_torch
from lawbook.reference import detection
from lawbook.reference.detection.ssd import RATIOS, SIZES

SIDE, OBJECTS, KINDS = 64, 3, ("banana", "apple")
BATCH, RATE = 32, 4e-3
TESTED, SHOWN, SCALE, GAP = 400, (2, 6), 3, 6
FRAMES = ((1.0, 0.35, 0.0), (0.1, 0.3, 1.0))


def uniform(gen: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Numbers between two others."""
    return low + (high - low) * torch.rand(shape, generator=gen)


def background(gen: Generator) -> Tensor:
    """Slope, noise of one coarseness, stripes or squares, in muted colours, (3, H, W)."""
    coarse = int(2 ** float(uniform(gen, 1, 5.5)))
    noise = F.interpolate(torch.rand(1, 3, coarse, coarse, generator=gen), (SIDE, SIDE), mode="bilinear")[0]
    y, x = torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij")
    turn = float(uniform(gen, 0, 2 * math.pi))
    along, across = math.cos(turn) * x + math.sin(turn) * y, math.cos(turn) * y - math.sin(turn) * x
    density = float(uniform(gen, 3, 25))
    wave = (along, torch.sin(density * along), torch.sign(torch.sin(density * along) * torch.sin(density * across)))
    share = (0.5 + wave[int(torch.randint(0, 3, (), generator=gen))] / 2).clamp(0, 1)
    first, second = uniform(gen, 0.1, 0.9, 3, 1, 1), uniform(gen, 0.1, 0.9, 3, 1, 1)
    amount = float(uniform(gen, 0.1, 0.8))
    return (1 - amount) * (first * share + second * (1 - share)) + amount * noise


def within(kind: str, u: Tensor, v: Tensor) -> Tensor:
    """How far inside of a shape every place is, in units of its size; negative outside."""
    if kind == "banana":
        return torch.minimum(1 - torch.hypot(u, v), torch.hypot(u, v + 0.65) - 1.02)
    if kind == "apple":
        return 0.9 - torch.hypot(u, v) - 0.5 * torch.exp(-((u / 0.25) ** 2)) * (-v).clamp(min=0)
    if kind == "rod":
        return torch.minimum(0.16 - u.abs(), 0.9 - v.abs())
    return 0.6 - torch.maximum(u.abs(), v.abs())


def colour(kind: str, gen: Generator) -> Tensor:
    """A ripe or unripe tone of a fruit; rods and blocks have any, the fruits' among them."""
    ripe = {"banana": ((0.95, 0.85, 0.2), (0.65, 0.75, 0.2)), "apple": ((0.85, 0.12, 0.1), (0.55, 0.75, 0.2))}
    if kind not in ripe:
        return uniform(gen, 0, 1, 3) if torch.rand((), generator=gen) < 0.5 else colour("banana", gen)
    first, second = (torch.tensor(tone) for tone in ripe[kind])
    share = torch.rand((), generator=gen) ** 2
    return (first * (1 - share) + second * share + uniform(gen, -0.08, 0.08, 3)).clamp(0, 1)


def pasted(picture: Tensor, kind: str, taken: Tensor, gen: Generator) -> tuple[Tensor, Tensor | None]:
    """The picture with one shape more, and its box; without it where no free place was found in ten attempts."""
    y, x = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    for _ in range(10):
        size = float(uniform(gen, 0.14, 0.28)) * SIDE
        row, column = uniform(gen, 0.8 * size, SIDE - 0.8 * size, 2).tolist()
        turn = float(uniform(gen, 0, 2 * math.pi)) if kind != "apple" else float(uniform(gen, -0.5, 0.5))
        u = (math.cos(turn) * (x - column) + math.sin(turn) * (y - row)) / size
        v = (math.cos(turn) * (y - row) - math.sin(turn) * (x - column)) / size
        inner = within(kind, u, v)
        rows, columns = (inner > 0).any(1).nonzero(), (inner > 0).any(0).nonzero()
        box = torch.tensor([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]) / SIDE
        if not bool((detection.box_iou(box, taken) > 0.05).any()):
            break
    else:
        return picture, None
    light = (0.7 + 0.5 * inner.clamp(0, 0.6) / 0.6 - 0.2 * v).clamp(0.4, 1.25)
    cover = (inner * size + 0.5).clamp(0, 1)
    return (picture * (1 - cover) + colour(kind, gen).view(3, 1, 1) * light * cover).clamp(0, 1), box


def drawn(gen: Generator) -> tuple[Tensor, Tensor]:
    """A picture, (3, H, W), and its objects, (3, 5): class and corners, rows of −1 where there are fewer."""
    picture, labels, taken = background(gen), torch.full((OBJECTS, 5), -1.0), torch.empty(0, 4)
    for _ in range(int(torch.randint(0, 3, (), generator=gen))):
        picture, box = pasted(picture, ("rod", "block")[int(torch.randint(0, 2, (), generator=gen))], taken, gen)
        taken = taken if box is None else torch.cat((taken, box))
    for k in range(int(torch.randint(0, OBJECTS + 1, (), generator=gen))):
        kind = int(torch.randint(0, len(KINDS), (), generator=gen))
        picture, box = pasted(picture, KINDS[kind], taken, gen)
        if box is not None:
            taken = torch.cat((taken, box))
            labels[k] = torch.cat((torch.tensor([float(kind)]), box[0]))
    grain = 0.03 * torch.randn(picture.shape, generator=gen)
    return (picture + grain).clamp(0, 1), labels


def batch(gen: Generator, count: int) -> tuple[Tensor, Tensor]:
    """Pictures, (N, 3, H, W), from −1 to 1, and their objects, (N, 3, 5)."""
    pictures, labels = zip(*(drawn(gen) for _ in range(count)), strict=True)
    return torch.stack(pictures) * 2 - 1, torch.stack(labels)


def layer(gen: Generator, into: int, out: int, normalized: bool = True) -> dict[str, Tensor]:
    """Parameters of a convolution, scaled as He et al. say, and of its normalization."""
    weight = torch.randn(out, into, 3, 3, generator=gen) * (2 / (9 * into)) ** 0.5
    parts = {"weight": weight if normalized else weight / 4, "bias": torch.zeros(out)}
    return {**parts, "gamma": torch.ones(out), "beta": torch.zeros(out)} if normalized else parts


def network(gen: Generator) -> dict[str, Any]:
    """The note's widths: 16, 32 and 64 channels in the base, 128 behind it."""
    count = len(SIZES[0]) + len(RATIOS[0]) - 1
    channels = (
        detection.class_predictor_channels(count, len(KINDS)),
        detection.box_predictor_channels(count),
    )

    def block(into: int, out: int) -> list[dict[str, Tensor]]:
        return [layer(gen, into, out), layer(gen, out, out)]

    maps = (64, 128, 128, 128, 128)
    return {
        "base": [block(3, 16), block(16, 32), block(32, 64)],
        "blocks": [block(64, 128), block(128, 128), block(128, 128)],
        "classes": [layer(gen, into, channels[0], False) for into in maps],
        "boxes": [layer(gen, into, channels[1], False) for into in maps],
    }


def leaves(tree: Any) -> Iterator[Tensor]:
    """All tensors of a tree."""
    if isinstance(tree, Tensor):
        yield tree
    else:
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(part)


def settled(params: dict[str, Any], pictures: Tensor) -> dict[str, Any]:
    """Mean and variance of every normalized layer over many pictures, by which single ones are judged after training."""
    found: dict[str, Any] = {"base": [], "blocks": []}
    for name, blocks in found.items():
        for block in params[name]:
            blocks.append([])
            for part in block:
                pictures = F.conv2d(pictures, part["weight"], part["bias"], padding=1)
                blocks[-1].append((pictures.mean((0, 2, 3)), pictures.var((0, 2, 3), correction=0)))
                pictures = F.relu(F.batch_norm(pictures, None, None, part["gamma"], part["beta"], training=True))
            pictures = F.max_pool2d(pictures, 2)
    return found


def detections(predicted: tuple[Tensor, Tensor, Tensor], threshold: float) -> list[Tensor]:
    """What is worth showing of every picture."""
    anchors, scores, offsets = predicted
    found = detection.multibox_detection(scores.softmax(-1).mT, offsets, anchors, 0.3)
    return [detection.filter_detections(rows, threshold) for rows in found]


def judged(predicted: tuple[Tensor, Tensor, Tensor], labels: Tensor) -> dict[str, float]:
    """The chapter's errors, those of a network that sees background everywhere, and how many objects are found."""
    anchors, scores, offsets = predicted
    targets, masks, classes = detection.multibox_target(anchors, labels)
    objects, shown, overlaps = 0, 0, []
    for rows, padded in zip(detections(predicted, 0.5), labels, strict=True):
        truth = padded[padded[:, 0] >= 0]
        objects, shown = objects + len(truth), shown + len(rows)
        if len(rows):
            # Objects keep apart, so that no detection serves two of them.
            iou = detection.box_iou(truth[:, 1:], rows[:, 2:]) * (truth[:, :1] == rows[:, 0])
            overlaps += [best for best in iou.amax(1).tolist() if best >= 0.5]
    return {
        "class error": int(detection.class_errors(scores, classes)) / classes.numel(),
        "class error of background everywhere": int((classes > 0).sum()) / classes.numel(),
        "box error": float(detection.box_errors(offsets, targets, masks)) / masks.numel(),
        "box error of the anchors as they are": float(targets.abs().sum()) / masks.numel(),
        "objects": objects,
        "share of the objects that are found": len(overlaps) / max(objects, 1),
        "share of the detections that are right": len(overlaps) / max(shown, 1),
        "mean overlap of those found": sum(overlaps) / max(len(overlaps), 1),
    }


def train(layers: Any, steps: int, seed: int) -> dict[str, Any]:
    """Parameters after a descent by Adam, its rate rising over a twentieth of the steps, then falling as a cosine does."""
    gen = Generator().manual_seed(seed)
    params = network(gen)
    for tensor in leaves(params):
        tensor.requires_grad_(True)
    optimizer = torch.optim.Adam(list(leaves(params)), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.05)
    for step in range(steps):
        pictures, labels = batch(gen, BATCH)
        anchors, scores, offsets = layers.tiny_ssd(pictures, params)
        targets, masks, classes = detection.multibox_target(anchors, labels)
        loss = detection.ssd_loss(scores, classes, offsets, targets, masks).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 25 == 0 or step == steps - 1:
            print(f"step {step:5d}: loss {float(loss.detach()):.4f}", flush=True)
    return params


def framed(picture: Tensor, rows: Tensor) -> Tensor:
    """A picture made larger with the boxes of its detections, (H, W, 3)."""
    large = ((picture + 1) / 2).repeat_interleave(SCALE, 1).repeat_interleave(SCALE, 2).permute(1, 2, 0)
    y, x = torch.meshgrid(torch.arange(SCALE * SIDE), torch.arange(SCALE * SIDE), indexing="ij")
    for kind, _, *box in rows.tolist():
        x1, y1, x2, y2 = (SCALE * SIDE * place for place in box)
        beyond = torch.stack((x1 - x, x - x2, y1 - y, y - y2)).amax(0).abs().unsqueeze(-1)
        for width, tone in ((3.0, (1.0, 1.0, 1.0)), (1.5, FRAMES[int(kind)])):
            large = torch.where(beyond < width, torch.tensor(tone), large)
    return large


def write_png(path: Path, picture: Tensor) -> None:
    """A picture (H, W, 3) with values from 0 to 1 as an 8-bit PNG."""
    pixels = (picture * 255).round().to(torch.uint8).flatten(1).to(torch.int16)
    # Every row as its difference from the one above (filter 2): most rows repeat it.
    above = F.pad(pixels[:-1], (0, 0, 1, 0))
    rows = F.pad((pixels - above).to(torch.uint8), (1, 0), value=2).numpy().tobytes()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", picture.shape[1], picture.shape[0], 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def main() -> None:
    """Train, judge on pictures never seen, and draw what is found in some of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layers", choices=("torch", "reference"), default="torch")
    parser.add_argument("--out", type=Path, default=Path("docs/images/detection.png"))
    chosen = parser.parse_args()
    layers = layers_of_torch if chosen.layers == "torch" else detection
    wall, cpu = time.perf_counter(), time.process_time()
    params = train(layers, chosen.steps, chosen.seed)
    print(f"{chosen.steps} steps in {time.perf_counter() - wall:.0f} s, {time.process_time() - cpu:.0f} s of CPU")
    gen = Generator().manual_seed(chosen.seed + 1)
    with torch.no_grad():
        moving = settled(params, batch(gen, 256)[0])
        pictures, labels = batch(gen, TESTED)
        predicted = layers.tiny_ssd(pictures, params, training=False, moving=moving)
    for name, value in judged(predicted, labels).items():
        print(f"{name}: {value:.4g}")
    rows, columns = SHOWN
    found = detections(predicted, 0.5)
    tiles = [F.pad(framed(pictures[k], found[k]), (0, 0, 0, GAP, 0, GAP), value=1.0) for k in range(rows * columns)]
    lines = [torch.cat(tiles[k * columns : (k + 1) * columns], 1) for k in range(rows)]
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    write_png(chosen.out, torch.cat(lines)[:-GAP, :-GAP])
    print(f"{chosen.out} has {chosen.out.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
