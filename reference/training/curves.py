"""How a training went, as a picture."""

import math
import re
import sys
from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape, quoteattr

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating

WIDTH, HEIGHT = 640.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 72.0, 624.0, 40.0, 352.0
GOLDEN_ANGLE = 137.508
LARGEST = sys.float_info.max
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def learning_curves(history: Mapping[str, Tensor], title: str = "Learning curves") -> str:
    """Draw losses and accuracies over the epochs: a picture in SVG that needs nothing else.

        x(t) = left + (right − left) (t − x_min) / (x_max − x_min)          t = 1, …, E, the epoch
        y(v) = bottom − (bottom − top) (v − y_min) / (y_max − y_min)        v = history[name]_t

    A value that is not finite breaks the line. The picture's root states limits and place of the axes as attributes, with all
    their digits, so that the curves can be read back: ``data-x-min``, ``data-x-max``, ``data-y-min``, ``data-y-max`` in
    epochs and values, ``data-left``, ``data-right``, ``data-top``, ``data-bottom`` in the picture's units.

    Each name has a ``g`` with the attribute ``data-name`` and a ``stroke`` that no other has. It holds a ``polyline`` for each
    stretch of finite values, whose ``points`` are "x,y x,y …" with all digits, and in place of one for a single point, which
    would be no line, a ``circle`` with ``cx`` and ``cy``. A ``g`` of the class "legend" holds for every name a ``line`` with the
    ``stroke`` and a ``text``, the name. Each axis has ``g`` s of the class "x tick" or "y tick", at whole epochs and at values,
    which hold a ``line`` at the place and a ``text``, the number. The root's role is "img", and its first element the ``title``.

    Args:
        history: name → (E,) floating, E as it is for this name, also 0. The curves come in this order.
        title: what the picture shows, in words.

    Returns:
        An SVG document. It refers to nothing outside of it and holds no program.

    Raises:
        TypeError: a history is not floating, or a name or the title no text.
        ValueError: there is no name, a history has not one axis, a text holds a character that XML cannot, or the values'
            range overflows.

    Source: note 004 (softmax regression from scratch, Animator); SVG 1.1, W3C.
    """
    for text in (title, *history):
        if not isinstance(text, str):
            raise TypeError(f"names and title must be texts, got {text!r}")
        if NOT_XML.search(text):
            raise ValueError(f"{text!r} holds a character that XML cannot, expected none")
    if not history:
        raise ValueError("history has no name, expected at least one")
    for name, values in history.items():
        check_floating(f"history[{name!r}]", values)
        check_axes(f"history[{name!r}]", values, 1)
    curves = {name: values.detach().cpu().double() for name, values in history.items()}
    x_limits = _limits(torch.arange(1.0, max(map(len, curves.values())) + 1, dtype=torch.float64))
    y_limits = _limits(torch.cat(list(curves.values())))

    def x(epoch: float) -> float:
        return LEFT + (RIGHT - LEFT) * _share(epoch, x_limits)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * _share(value, y_limits)

    parts = [f"<title>{escape(title)}</title>", f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    parts.append(f'<text x="{WIDTH / 2}" y="24" text-anchor="middle">{escape(title)}</text>')
    for value in filter(float.is_integer, _ticks(x_limits)):
        at = f'x1="{x(value)!r}" x2="{x(value)!r}" y1="{TOP}" y2="{BOTTOM}"'
        parts.append(_tick("x", value, at, f'x="{x(value)!r}" y="{BOTTOM + 18}" text-anchor="middle"'))
    for value in _ticks(y_limits):
        at = f'y1="{y(value)!r}" y2="{y(value)!r}" x1="{LEFT}" x2="{RIGHT}"'
        parts.append(_tick("y", value, at, f'x="{LEFT - 6}" y="{y(value)!r}" text-anchor="end"'))
    legend = []
    for k, (name, values) in enumerate(curves.items()):
        colour = f"hsl({k * GOLDEN_ANGLE % 360:.3f},70%,40%)"
        parts.append(f'<g data-name={quoteattr(name)} stroke="{colour}" fill="none" stroke-width="1.5">')
        parts += [_line(stretch, x, y, colour) for stretch in _stretches(values.tolist())]
        parts.append("</g>")
        height = TOP + 16 * (k + 1)
        legend.append(f'<line x1="{RIGHT - 24}" x2="{RIGHT - 4}" y1="{height}" y2="{height}" stroke="{colour}"/>')
        legend.append(f'<text x="{RIGHT - 30}" y="{height + 4}" text-anchor="end">{escape(name)}</text>')
    parts += ['<g class="legend">', *legend, "</g>"]
    stated = {"x-min": x_limits[0], "x-max": x_limits[1], "y-min": y_limits[0], "y-max": y_limits[1]}
    stated |= {"left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM}
    attributes = " ".join(f'data-{key}="{value!r}"' for key, value in stated.items())
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" font-size="12"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {attributes}>', *parts, "</svg>\n"])


def _limits(values: Tensor) -> tuple[float, float]:
    """The least and the largest finite value, apart from each other."""
    finite = values[values.isfinite()]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if math.isinf(high - low):
        raise ValueError(f"history has values from {low} to {high}, expected a range that double precision holds")
    if low == high:
        half = max(abs(low), 1.0) / 2
        return max(low - half, -LARGEST), min(high + half, LARGEST)
    return low, high


def _share(value: float, limits: tuple[float, float]) -> float:
    low, high = limits
    return (value - low) / (high - low)


def _ticks(limits: tuple[float, float]) -> list[float]:
    """Two to twelve multiples of 1, 2 or 5 times a power of ten within the limits."""
    low, high = limits
    power = 10.0 ** math.floor(math.log10((high - low) / 5 or math.ulp(0.0))) or math.ulp(0.0)
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if (high - low) / (factor * power) <= 6)
    # As their text says them: 3 times 0.1 is 0.3, not 0.30000000000000004.
    ticks = (float(_said(k * step)) for k in range(math.ceil(low / step), math.floor(high / step) + 1))
    return [value for value in dict.fromkeys(ticks) if low <= value <= high]


def _said(value: float) -> str:
    return f"{value:.12g}"


def _tick(axis: str, value: float, line: str, text: str) -> str:
    return f'<g class="{axis} tick"><line {line} stroke="#ddd"/><text {text}>{_said(value)}</text></g>'


def _stretches(values: list[float]) -> list[list[tuple[int, float]]]:
    found: list[list[tuple[int, float]]] = [[]]
    for epoch, value in enumerate(values, 1):
        if math.isfinite(value):
            found[-1].append((epoch, value))
        elif found[-1]:
            found.append([])
    return [stretch for stretch in found if stretch]


def _line(
    stretch: list[tuple[int, float]], x: Callable[[float], float], y: Callable[[float], float], colour: str
) -> str:
    if len(stretch) == 1:
        ((epoch, value),) = stretch
        return f'<circle cx="{x(epoch)!r}" cy="{y(value)!r}" r="2" fill="{colour}"/>'
    return f'<polyline points="{" ".join(f"{x(epoch)!r},{y(value)!r}" for epoch, value in stretch)}"/>'
