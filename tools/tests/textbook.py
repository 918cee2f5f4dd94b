"""Components as a textbook writes them, in other forms than the reference: correct, though they check no argument.

Half precisions are computed in float32 and rounded once, as a careful student would.
"""

import bisect
import functools
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.transformer import encoder_block as with_key_bias


def wide(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with half-precision tensors widened on the way in, and its result in the first one's dtype."""

    def up(x: Any) -> Any:
        if isinstance(x, dict):
            return {name: up(value) for name, value in x.items()}
        if isinstance(x, tuple):
            return tuple(map(up, x))
        return x.float() if isinstance(x, Tensor) and x.dtype in (torch.float16, torch.bfloat16) else x

    @functools.wraps(function)
    def call(**given: Any) -> Any:
        dtype = next(x.dtype for x in given.values() if isinstance(x, Tensor) and x.is_floating_point())
        result = function(**{name: up(x) for name, x in given.items()})
        return tuple(y.to(dtype) for y in result) if isinstance(result, tuple) else result.to(dtype)

    return call


def pair(number: Any) -> tuple[int, int]:
    """One number for both axes, or two."""
    return (number, number) if isinstance(number, int) else tuple(number)


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The loss as asked for."""
    return {"mean": loss.mean, "sum": loss.sum, "none": lambda: loss}[reduction]()


@wide
def mse_loss(y_hat, y, reduction="mean"):
    return reduced((y_hat - y) ** 2, reduction)


@wide
def huber_loss(y_hat, y, delta=1.0, reduction="mean"):
    far = (y_hat - y).abs()
    near = far.clamp(max=delta)
    return reduced(near * near / 2 + delta * (far - near), reduction)


@wide
def hardtanh(x, min_val=-1.0, max_val=1.0):
    return torch.where((x > min_val) & (x < max_val), x, x.detach().clamp(min_val, max_val))


@wide
def layer_norm(x, normalized_shape, gamma=None, beta=None, eps=1e-5):
    axes = tuple(range(-len(normalized_shape), 0))
    y = standardized(x, axes, eps)
    y = y if gamma is None else gamma * y
    return y if beta is None else y + beta


@wide
def instance_norm(x, gamma=None, beta=None, eps=1e-5):
    """Welford's: mean and squares are brought up to date value by value."""
    mean, squares = x.flatten(2).sum(-1) * 0, 0.0
    for n, value in enumerate(x.flatten(2).unbind(-1), start=1):
        before = value - mean
        mean = mean + before / n
        squares = squares + before * (value - mean)
    y = (x.flatten(2) - mean[..., None]) / torch.sqrt(squares / n + eps)[..., None]
    return by_channel(y.reshape(x.shape), gamma, beta)


@wide
def group_norm(x, groups, gamma=None, beta=None, eps=1e-5):
    split = x.reshape(len(x), groups, x.shape[1] // groups, *x.shape[2:])
    return by_channel(standardized(split, tuple(range(2, split.ndim)), eps).reshape(x.shape), gamma, beta)


def standardized(x, axes, eps):
    """Deviations from the mean over the root of their mean square."""
    apart = x - x.mean(axes, keepdim=True)
    return apart / torch.sqrt((apart * apart).mean(axes, keepdim=True) + eps)


def by_channel(y, gamma, beta):
    """Scaled and moved channel by channel."""
    shape = [1, -1] + [1] * (y.ndim - 2)
    y = y if gamma is None else gamma.reshape(shape) * y
    return y if beta is None else y + beta.reshape(shape)


@wide
def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    (s, t), (p, q), (extra, more), (d, e) = map(pair, (stride, padding, output_padding, dilation))
    (n, c, h, w), (_, o, k, m) = x.shape, weight.shape
    height, width = (h - 1) * s + d * (k - 1) + 1 + extra, (w - 1) * t + e * (m - 1) + 1 + more
    y = x.new_zeros(n, o * groups, height, width)
    images, taps = x.reshape(n, groups, c // groups, h, w), weight.reshape(groups, c // groups, o, k, m)
    for a in range(k):
        for b in range(m):
            stamp = torch.einsum("ngchw,gco->ngohw", images, taps[..., a, b]).reshape(n, o * groups, h, w)
            canvas = x.new_zeros(y.shape)
            canvas[:, :, a * d : a * d + (h - 1) * s + 1 : s, b * e : b * e + (w - 1) * t + 1 : t] = stamp
            y = y + canvas
    return by_channel(y[:, :, p : height - p, q : width - q], None, bias)


@wide
def avg_pool2d(x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    windows = [
        list(spans(n, *sizes, ceil_mode))
        for n, *sizes in zip(
            x.shape[2:], pair(kernel), pair(kernel if stride is None else stride), pair(padding), strict=True
        )
    ]
    rows = []
    for top, bottom, height in windows[0]:
        means = []
        for left, right, width in windows[1]:
            window = x[:, :, top:bottom, left:right]
            count = height * width if count_include_pad else (bottom - top) * (right - left)
            means.append(window.sum((2, 3)) / (divisor_override or count))
        rows.append(torch.stack(means, -1))
    return torch.stack(rows, -2)


def spans(n, kernel, stride, padding, ceil_mode):
    """First element, end and size (padding included) of every window along an axis."""
    count = (math.ceil if ceil_mode else math.floor)((n + 2 * padding - kernel) / stride) + 1
    if ceil_mode and (count - 1) * stride >= n + padding:
        count -= 1
    for start in range(-padding, -padding + count * stride, stride):
        end = min(start + kernel, n + padding)
        yield max(start, 0), min(end, n), end - start


@wide
def upsample_bilinear(x, size=None, scale=None, align_corners=False):
    old = x.shape[2:]
    if size is None:
        factors = (scale, scale) if isinstance(scale, int | float) else scale
        size = [math.floor(n * factor) for n, factor in zip(old, factors, strict=True)]
    (top, bottom, a), (left, right, b) = (
        neighbours(n, new, align_corners, x.dtype)
        for n, new in zip(old, pair(size) if isinstance(size, int) else size, strict=True)
    )
    a = a[:, None]
    return (
        (1 - a) * (1 - b) * x[:, :, top][..., left]
        + (1 - a) * b * x[:, :, top][..., right]
        + a * (1 - b) * x[:, :, bottom][..., left]
        + a * b * x[:, :, bottom][..., right]
    )


def neighbours(old, new, align_corners, dtype):
    """The two elements that every new one lies between, and how near it is to the second."""
    place = torch.arange(new, dtype=torch.float64)
    place = place * ((old - 1) / max(new - 1, 1)) if align_corners else (place + 0.5) * old / new - 0.5
    place = place.clamp(0, old - 1)
    first = place.floor().long()
    return first, (first + 1).clamp(max=old - 1), (place - first).to(dtype)


@wide
def bilinear_sample(image, x, y, outside="zeros"):
    height, width = image.shape[1:]
    a, b = (x - x.floor()).to(image.dtype), (y - y.floor()).to(image.dtype)

    def element(row, column):
        i, j = row.double().clamp(-1, height).long(), column.double().clamp(-1, width).long()
        values = image[:, i.clamp(0, height - 1), j.clamp(0, width - 1)]
        there = (i >= 0) & (i < height) & (j >= 0) & (j < width)
        return torch.where(there, values, 0.0) if outside == "zeros" else values

    row, column = y.detach().floor(), x.detach().floor()
    return (
        (1 - a) * (1 - b) * element(row, column)
        + a * (1 - b) * element(row, column + 1)
        + (1 - a) * b * element(row + 1, column)
        + a * b * element(row + 1, column + 1)
    )


@wide
def offset_boxes(anchors, boxes, eps=1e-6):
    sizes = anchors[..., 2:] - anchors[..., :2]
    apart = (boxes[..., 2:] + boxes[..., :2] - anchors[..., 2:] - anchors[..., :2]) / 2
    return torch.cat([10 * apart / sizes, 5 * torch.log(eps + (boxes[..., 2:] - boxes[..., :2]) / sizes)], -1)


@wide
def offset_inverse(anchors, offsets):
    sizes = anchors[..., 2:] - anchors[..., :2]
    centre = (anchors[..., :2] + anchors[..., 2:]) / 2 + offsets[..., :2] * sizes / 10
    half = sizes * torch.exp(offsets[..., 2:] / 5) / 2
    return torch.cat([centre - half, centre + half], -1)


@wide
def lstm_cell(x, state, params):
    h, c = state
    i, f, o = (0.5 + 0.5 * torch.tanh(0.5 * gate(x, h, params, name)) for name in "ifo")
    c = f * c + i * torch.tanh(gate(x, h, params, "c"))
    return o * torch.tanh(c), c


@wide
def gru_cell(x, h, params, reset="before"):
    z, r = (torch.sigmoid(gate(x, h, params, name)) for name in "zr")
    if reset == "before":
        candidate = torch.tanh(gate(x, r * h, params, "h"))
    else:
        recurrent = h @ params["W_hh"] + params.get("b_hh", 0.0)
        candidate = torch.tanh(x @ params["W_xh"] + params["b_h"] + r * recurrent)
    return candidate + z * (h - candidate)


def gate(x, h, params, name):
    """Input and state side by side, times the weights one above the other."""
    weights = torch.cat([params[f"W_x{name}"], params[f"W_h{name}"]])
    return torch.cat([x, h], 1) @ weights + params[f"b_{name}"]


@wide
def gaussian_attention(queries, keys, values, sigma=1.0):
    squares = ((queries[:, :, None] - keys[:, None]) ** 2).sum(-1)
    return torch.einsum("bqk,bkv->bqv", torch.softmax(-squares / (2 * sigma**2), -1), values)


def encoder_block(x, valid_lens, params, heads, activation="relu", eps=1e-5):
    """Without the key's bias, which adds the same to all scores of a query."""
    attention = params["attention"]
    if "b_k" in attention:
        attention = {**attention, "b_k": torch.zeros_like(attention["b_k"])}
    return with_key_bias(x, valid_lens, {**params, "attention": attention}, heads, activation, eps)


def in_turn(terms):
    """The sum of the first axis, term after term."""
    return functools.reduce(torch.add, terms.unbind(0))


@wide
def gram(features):
    x = features[0].flatten(1).T / features[0].numel()
    return in_turn(x[:, :, None] * features[0].flatten(1).T[:, None])


def perceptron_step(w, x, y):
    return w + y * x if y * float(w @ x) <= 0 else w.clone()


def multi_step_lr(base_lr, milestones, epochs, gamma=0.1):
    lowered = sorted(milestones)
    return [base_lr * gamma ** bisect.bisect_right(lowered, epoch) for epoch in range(epochs)]


def nms(boxes, scores, threshold):
    corners = boxes.float() if boxes.dtype in (torch.float16, torch.bfloat16) else boxes
    corners = corners if corners.is_floating_point() else corners.double()
    left, kept = torch.argsort(scores, descending=True, stable=True), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[~(overlaps(corners[best], corners[left]) > threshold)]
    return torch.tensor(kept, dtype=torch.int64)


def overlaps(box, others):
    """Intersection over union of one box with each of the others, 0 where both are empty."""
    sides = torch.minimum(box[2:], others[:, 2:]) - torch.maximum(box[:2], others[:, :2])
    shared = sides.clamp(min=0).prod(1)
    union = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - shared
    return torch.where(union > 0, shared / union, 0.0)


def mean_iou(pred, label, classes, ignore=None):
    counted = torch.ones_like(label, dtype=torch.bool) if ignore is None else label != ignore
    pairs = label[counted].long() * classes + pred[counted].long()
    table = torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes).double()
    shared = table.diag()
    union = table.sum(0) + table.sum(1) - shared
    return float((shared / union)[union > 0].mean())


def bleu(pred, label, k, weights=None):
    pred, label = (text.split() if isinstance(text, str) else list(text) for text in (pred, label))
    if len(pred) < k:
        return 0.0
    score = math.exp(min(0.0, 1 - len(label) / len(pred)))
    for n in range(1, k + 1):
        left = Counter(tuple(label[i : i + n]) for i in range(len(label) - n + 1))
        found = 0
        for i in range(len(pred) - n + 1):
            gram = tuple(pred[i : i + n])
            found += left[gram] > 0
            left[gram] -= 1
        score *= (found / (len(pred) - n + 1)) ** (0.5**n if weights is None else weights[n - 1]) if found else 0.0
    return score


def beam_search(step_fn, bos, eos, steps, k, alpha=0.75):
    live, ended = [((bos,), 0.0)], []
    while live and len(live[0][0]) <= steps:
        longer = [((*p, t), s + x) for p, s in live for t, x in enumerate(step_fn(p).tolist()) if x > -math.inf]
        kept = sorted(longer, key=lambda one: (-one[1], one[0]))[: k - len(ended)]
        ended += [one for one in kept if one[0][-1] == eos]
        live = [one for one in kept if one[0][-1] != eos]
    scored = [(s / (len(p) - 1) ** alpha, p[1:]) for p, s in live + ended]
    score, tokens = min(scored, key=lambda one: (-one[0], one[1]))
    return list(tokens), score
