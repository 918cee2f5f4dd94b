"""Laws of learning curves: what the picture shows, read back, is the history."""

import itertools
import math
import re
from xml.etree import ElementTree

import torch

from lawbook.fixtures.cases import training_logs as domains
from lawbook.reference import training
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case

SVG = "{http://www.w3.org/2000/svg}"
OUTSIDE = ("http:", "https:", "url(", "@import", "javascript:", "data:")


class Picture:
    """A picture, read as a document."""

    def __init__(self, text):
        try:
            self.root = ElementTree.fromstring(text)
        except ElementTree.ParseError as error:
            require(False, f"the picture is no well-formed document: {error}")
        require(self.root.tag == SVG + "svg", f"the document is a {self.root.tag}, expected an svg of its name space")
        self.curves = [part for part in self.root.iter(SVG + "g") if part.get("data-name") is not None]

    def stated(self, name):
        """One of the numbers that the root states."""
        found = self.root.get(f"data-{name}", "")
        require(found, f"the picture does not state data-{name}")
        return float(found)

    def read(self, axis, place):
        """The epoch or value at a place of the picture."""
        first, last = ("left", "right") if axis == "x" else ("bottom", "top")
        share = (place - self.stated(first)) / (self.stated(last) - self.stated(first))
        low, high = self.stated(f"{axis}-min"), self.stated(f"{axis}-max")
        return low + share * (high - low)

    def stretches(self, curve):
        """The points of each line of a curve, and of each single point, as they stand in the picture."""
        for part in curve:
            if part.tag == SVG + "polyline":
                pairs = [pair.split(",") for pair in part.get("points").split()]
                require(len(pairs) > 1, f"a line of {len(pairs)} points shows nothing")
                yield [(float(x), float(y)) for x, y in pairs]
            elif part.tag == SVG + "circle":
                yield [(float(part.get("cx")), float(part.get("cy")))]


def _stretches(values):
    """Epochs of each stretch of finite values."""
    found: list[list[int]] = [[]]
    for epoch, value in enumerate(values.tolist(), 1):
        if math.isfinite(value):
            found[-1].append(epoch)
        else:
            found.append([])
    return [stretch for stretch in found if stretch]


class TestLearningCurves(Spec):
    component = training.learning_curves
    cases = domains.learning_curves
    declines = {
        "agrees_with_reference": "pictures may look any way: laws of their own read them",
        "repeated_calls_agree": "pictures may look any way: the law about the same history says it of the text",
        "memory_layout": "pictures may look any way: a law of its own reads strided histories",
        "edge_sizes": "names without an epoch and with one are among the cases, and their pictures are read back",
        "no_aliasing": "the result is a text",
        "extremes_stay_finite": "values that are not finite break the line, as a law of its own says",
        "nan_not_hidden": "nan breaks the line, as a law of its own says",
        "low_precision": "pictures may look any way: a law of its own reads histories of half precision",
        "accelerator_agrees": "the result is a text, which is on no device",
    }
    invalid = (
        Invalid(ValueError, "no name", history={}),
        Invalid(ValueError, "a matrix", history={"a": torch.ones(2, 3)}),
        Invalid(ValueError, "a name that XML cannot hold", history={"a\x00b": torch.ones(2)}),
        Invalid(TypeError, "whole numbers", history={"a": torch.arange(3)}),
        Invalid(TypeError, "a name that is a number", history={3: torch.ones(2)}),
    )

    def test_same_history_same_text(self, impl, case):
        """The same history gives the same text, to the last character."""
        first, second = impl(case), impl(case)
        require(first == second, "two pictures of the same history differ")

    def test_curves_are_the_histories(self, impl, case):
        """Read back through the axes that the picture states, every point is an epoch and its value."""
        return _equations(impl(case), case.history, case.dtype)

    def test_strides_and_precision_do_not_matter(self, impl):
        """Histories that are every other number of a tensor, or in half precision, are drawn as they are indexed."""
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            history = {"a": (torch.arange(8, dtype=dtype) / 4)[1::2], "b": torch.ones(1, dtype=dtype).expand(3)}
            text = impl.call_with(dict(history=history, title="a"))[0]
            for found, wanted in _equations(text, history, torch.float64):
                # Sixteenths of the picture's hundreds: exact but for the last few bits.
                require(((found - wanted).abs() < 1e-6).all(), f"{wanted.tolist()} of {dtype} is drawn at {found}")

    def test_lines_break_where_no_number_is(self, impl, case):
        """Nan and infinities break the line: each stretch between them is a line of its own, a single value a point."""
        picture = Picture(impl(case))
        for curve, (name, values) in _paired(picture, case.history):
            found = [len(stretch) for stretch in picture.stretches(curve)]
            wanted = [len(stretch) for stretch in _stretches(values)]
            require(
                found == wanted, f"{name!r}, {values.tolist()}, is drawn in stretches of {found}, expected {wanted}"
            )

    def test_curves_lie_inside_of_the_axes(self, impl, case):
        """Every point lies within the axes, and later epochs lie further right."""
        picture = Picture(impl(case))
        left, right, top, bottom = (picture.stated(name) for name in ("left", "right", "top", "bottom"))
        require(left < right and top < bottom, f"the axes go from {left} to {right}, from {top} to {bottom}")
        # Rounding of the places, whose size is below a thousand.
        slack = 1e-9
        for curve in picture.curves:
            points = [point for stretch in picture.stretches(curve) for point in stretch]
            outside = [
                (x, y)
                for x, y in points
                if not (left - slack <= x <= right + slack and top - slack <= y <= bottom + slack)
            ]
            require(not outside, f"{curve.get('data-name')!r} has points outside of the axes: {outside}")
            places = [x for x, _ in points]
            require(all(a < b for a, b in itertools.pairwise(places)), f"epochs lie at {places}")

    def test_names_are_told_apart(self, impl, case):
        """Every curve has its name and a stroke of its own, and the legend says which is which, in the order given."""
        picture = Picture(impl(case))
        names = [curve.get("data-name") for curve in picture.curves]
        require(names == list(case.history), f"the curves are {names}, expected {list(case.history)}")
        strokes = [curve.get("stroke") for curve in picture.curves]
        require(None not in strokes and len({*strokes}) == len(strokes), f"the curves' strokes are {strokes}")
        legends = [part for part in picture.root.iter(SVG + "g") if part.get("class") == "legend"]
        require(len(legends) == 1, f"there are {len(legends)} legends, expected one")
        texts = [part.text for part in legends[0].iter(SVG + "text")]
        lines = [part.get("stroke") for part in legends[0].iter(SVG + "line")]
        require(
            (texts, lines) == (names, strokes), f"the legend says {texts} of {lines}, expected {names} of {strokes}"
        )

    def test_ticks_say_what_is_there(self, impl, case):
        """Every tick's number is the epoch or value at its place, and each axis has at least one."""
        self.check_ticks(impl(case), case.history)

    def test_every_range_has_ticks(self, impl):
        """Many epochs have ticks that say what is there, and so do values that are close together, large or equal."""
        for values in (
            [1.0, 13.01],
            [100.0, 101.0],
            [2.3, 2.1, 2.0],
            [0.0] * 3,
            [1.5e308, 1.6e308],
            [1.7e308],
            range(14),
        ):
            history = {"a": torch.tensor(values, dtype=torch.float64)}
            self.check_ticks(impl.call_with(dict(history=history, title="a"))[0], history)

    def check_ticks(self, text, history):
        """Require ticks on both axes, which say what is there."""
        picture = Picture(text)
        found: list[tuple[float, float, str]] = []
        for axis in "xy":
            ticks = [part for part in picture.root.iter(SVG + "g") if part.get("class") == f"{axis} tick"]
            if axis == "x" and not any(len(values) for values in history.values()):
                continue
            require(len(ticks) > 0, f"the {axis} axis has no tick")
            for tick in ticks:
                lines, texts = list(tick.iter(SVG + "line")), list(tick.iter(SVG + "text"))
                require(len(lines) == len(texts) == 1, "a tick has no line or no number")
                ends = [float(lines[0].get(f"{axis}{k}", "nan")) for k in (1, 2)]
                require(ends[0] == ends[1], f"a tick of the {axis} axis goes from {ends[0]} to {ends[1]}")
                found.append((picture.read(axis, ends[0]), float(texts[0].text or "nan"), axis))
        for place, number, axis in found:
            low, high = picture.stated(f"{axis}-min"), picture.stated(f"{axis}-max")
            # Far below a pixel of a picture of any size.
            require(abs(place - number) <= (high - low) * 1e-6, f"a tick says {number} where {place} is")

    def test_picture_has_a_title(self, impl, case):
        """The picture is an img to those who do not see it, with the title as its first element."""
        root = Picture(impl(case)).root
        require(root.get("role") == "img", f"the picture's role is {root.get('role')!r}, expected 'img'")
        first = [(part.tag, part.text) for part in root][:1]
        require(
            first == [(SVG + "title", case.title)], f"the first element is {first}, expected the title {case.title!r}"
        )

    def test_picture_needs_nothing_else(self, impl, case):
        """The picture refers to nothing outside of it, and holds no program, style sheet or embedded document."""
        for part in Picture(impl(case)).root.iter():
            kind = part.tag.removeprefix(SVG)
            require(kind in DRAWN, f"the picture holds a {kind}, expected plain shapes and texts")
            for name, value in part.items():
                if name in ("data-name", "class"):
                    continue
                hit = [mark for mark in OUTSIDE if mark in value.lower()]
                require(not hit and not name.lower().startswith("on"), f"{kind} has {name}={value!r}")
                require(not re.search("href|src", name), f"{kind} has the reference {name}={value!r}")

    def test_axes_hold_all_values(self, impl, case):
        """The stated limits are the least and the largest of all finite values, and 1 and the last epoch, where these differ."""
        finite = torch.cat([values[values.isfinite()] for values in case.history.values()]).double()
        epochs = max(len(values) for values in case.history.values())
        if not len(finite):
            return skip_case
        picture = Picture(impl(case))
        low, high = picture.stated("y-min"), picture.stated("y-max")
        require(low < high, f"the values' axis goes from {low} to {high}")
        require(low <= finite.min() and high >= finite.max(), f"the values' axis goes from {low} to {high}")
        if finite.min() < finite.max():
            require((low, high) == (float(finite.min()), float(finite.max())), f"the axis goes from {low} to {high}")
        limits = (picture.stated("x-min"), picture.stated("x-max"))
        require(epochs == 1 or limits == (1, epochs), f"the axis of {epochs} epochs goes from {limits}")


DRAWN = {"svg", "title", "desc", "g", "line", "polyline", "circle", "rect", "text", "path"}


def _paired(picture, history):
    require(len(picture.curves) == len(history), f"there are {len(picture.curves)} curves for {len(history)} names")
    return zip(picture.curves, history.items(), strict=True)


def _equations(text, history, dtype):
    """What is read from the picture, and the history."""
    picture, found = Picture(text), []
    for curve, (name, values) in _paired(picture, history):
        points = [point for stretch in picture.stretches(curve) for point in stretch]
        epochs = [epoch for stretch in _stretches(values) for epoch in stretch]
        require(len(points) == len(epochs), f"{name!r} has {len(points)} points for {len(epochs)} values")
        read = torch.tensor([[picture.read("x", x), picture.read("y", y)] for x, y in points], dtype=torch.float64)
        wanted = torch.stack([torch.tensor(epochs, dtype=torch.float64), values[values.isfinite()].double()])
        read = read.reshape(-1, 2)
        # Of a number near 0 beside large ones a picture keeps what they leave of a double.
        near = 1e-12 * max([1.0, *(float(x[x.isfinite()].abs().max()) for x in history.values() if x.isfinite().any())])
        read = torch.where((read - wanted.T).abs() <= near, wanted.T, read)
        found += [(read[:, 0].to(dtype), wanted[0].to(dtype)), (read[:, 1].to(dtype), wanted[1].to(dtype))]
    return found
