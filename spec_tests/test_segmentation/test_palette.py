"""Colours and classes of Pascal VOC."""

from typing import Any

import torch
from torch import tensor, zeros

from lawbook.fixtures.cases import segmentation as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import segmentation as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import segmentation
from lawbook.spec_tests.memory import OwnMemory
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

CLASSES = len(published.COLORS)
WHOLE = {
    "low_precision": "no argument is floating",
    "extremes_stay_finite": "no argument is floating",
    "nan_not_hidden": "no argument can hold nan",
}


def every_class() -> torch.Tensor:
    """A map (3, 7) of all the classes."""
    return torch.arange(CLASSES).reshape(3, -1)


def flipped(image: torch.Tensor) -> torch.Tensor:
    """The pixels in another order: rows and columns swapped, then upside down."""
    return image.transpose(-1, -2).flip(-2)


class TestVocPalette(OwnMemory, Spec):
    component = segmentation.voc_palette
    cases = domains.voc_palette
    declines = WHOLE | {
        "inputs_unmodified": "there is no argument",
        "memory_layout": "there is no argument",
        "no_aliasing": "there is no argument",
        "edge_sizes": "there is no argument",
        "invalid_input_raises": "there is no argument",
        "accelerator_agrees": "no argument is a tensor that would say where to compute",
    }

    def test_colours_are_the_bits_of_the_class(self, impl: Trial, case: Case) -> Any:
        """The bits of a class go to red, green and blue in turn, from the highest bit of each downwards."""
        colors, _ = impl(case)
        classes = torch.arange(CLASSES)[:, None]
        bits = [(classes >> (3 * k + torch.arange(3)) & 1) << (7 - k) for k in range(3)]
        return colors.long(), bits[0] + bits[1] + bits[2]

    def test_no_two_classes_share_a_colour_or_a_name(self, impl: Trial, case: Case) -> None:
        """There are 21 colours and 21 names."""
        colors, names = impl(case)
        for what, found in (("colours", {tuple(color) for color in colors.tolist()}), ("names", set(names))):
            require(len(found) == CLASSES, f"there are {len(found)} different {what}, expected {CLASSES}")

    def test_published_palette(self, impl: Trial) -> None:
        """Note 004: each class has the colour printed beside its name, the black background first."""
        colors, names = impl.call()
        found = dict(zip(names, map(tuple, colors.tolist()), strict=True))
        for name, color in zip(published.CLASSES, published.COLORS, strict=True):
            require(found.get(name) == color, f"{name} is {found.get(name)}, expected {color}")
        require(list(names) == list(published.CLASSES), f"the classes come in the order {names}")


class TestColormapToLabel(Spec):
    component = segmentation.colormap_to_label
    cases = domains.colormap_to_label
    declines = WHOLE
    prerequisites = ("voc_palette",)
    invalid = (
        Invalid(ValueError, "channels behind rows and columns", image=zeros(4, 5, 3, dtype=torch.uint8)),
        Invalid(ValueError, "four channels", image=zeros(4, 2, 2, dtype=torch.uint8)),
        Invalid(ValueError, "a single row of colours", image=zeros(3, 2, dtype=torch.uint8)),
    )
    edges = (
        {"image": zeros(0, 3, 2, 2, dtype=torch.uint8)},
        {"image": zeros(3, 0, 4, dtype=torch.uint8)},
        {"image": tensor([[[0]], [[64]], [[128]]], dtype=torch.uint8)},
    )

    def batch(self, case: Case) -> Batch | None:
        return Batch(output=0, image=0) if case.image.ndim > 3 else None

    def test_round_trip_over_all_classes(self, impl: Trial, case: Case) -> Any:
        """Every class, painted in its colour and read again, is that class, in the dtype of images and in wider ones."""
        image = segmentation.label_to_colormap(every_class()).to(case.image.dtype)
        return impl.call(image=image), every_class()

    def test_colours_of_no_class_are_background(self, impl: Trial) -> None:
        """A colour one off in one channel, the border's, and a class's with red and blue swapped give 0, in uint8 too."""
        known = {tuple(color) for color in published.COLORS}
        steps = [tuple(int(k == channel) for k in range(3)) for channel in range(3)]
        near = [tuple(a + b for a, b in zip(color, step, strict=True)) for color in known for step in steps]
        swapped = [(128, 128, 64), (0, 192, 128), (128, 0, 64), domains.BORDER, (255, 255, 255), (1, 2, 3)]
        colors = sorted({*near, *swapped} - known)
        labels = impl.call(image=tensor(colors, dtype=torch.uint8).T.reshape(3, 1, -1)).flatten()
        for color, label in zip(colors, labels.tolist(), strict=True):
            require(label == 0, f"{color} is no class's colour and gives {label}, expected 0")

    def test_colours_beyond_a_byte_are_background(self, impl: Trial) -> None:
        """A class's colour plus or minus 256, which a byte cannot tell from it, belongs to no class."""
        colors = tensor(published.COLORS)
        for dtype in (torch.int16, torch.int32, torch.int64):
            for step in (256, -256):
                image = (colors + step).T[:, None].to(dtype)
                labels = impl.call(image=image).flatten().tolist()
                require(not any(labels), f"in {dtype}, colours of all classes {step:+} give {labels}, expected 0")

    def test_each_pixel_by_itself(self, impl: Trial, case: Case) -> Any:
        """Moving the pixels moves their labels."""
        return impl(case, image=flipped(case.image).contiguous()), flipped(impl(case))

    def test_width_of_the_integers_does_not_matter(self, impl: Trial, case: Case) -> Any:
        """The same colours in int64 give the same labels: nothing wraps around at 256."""
        return impl(case), impl(case, image=case.image.long())


class TestLabelToColormap(Spec):
    component = segmentation.label_to_colormap
    cases = domains.label_to_colormap
    declines = WHOLE
    prerequisites = ("voc_palette",)
    invalid = (
        Invalid(IndexError, "a class beyond the last", labels=tensor([[0, CLASSES]])),
        Invalid(IndexError, "the border's 255", labels=tensor([[0, 255]], dtype=torch.uint8)),
        Invalid(IndexError, "a negative class", labels=tensor([[-1, 0]])),
        Invalid(TypeError, "floating classes", labels=zeros(2, 2)),
    )
    edges = (
        {"labels": zeros(0, 2, 2, dtype=torch.int64)},
        {"labels": zeros(2, 0, dtype=torch.int64)},
        {"labels": tensor([[20]])},
    )

    def batch(self, case: Case) -> Batch | None:
        return Batch(output=0, labels=0) if case.labels.ndim > 2 else None

    def test_round_trip(self, impl: Trial, case: Case) -> Any:
        """Reading the colours gives back the classes."""
        return segmentation.colormap_to_label(impl(case)), case.labels.long()

    def test_painting_what_was_read(self, impl: Trial, case: Case) -> Any:
        """An image of the 21 colours, read and painted again, is that image."""
        image = segmentation.label_to_colormap(every_class())
        return impl(case, labels=segmentation.colormap_to_label(image)), image

    def test_each_pixel_by_itself(self, impl: Trial, case: Case) -> Any:
        """Moving the pixels moves their colours."""
        return impl(case, labels=flipped(case.labels).contiguous()), flipped(impl(case))

    def test_colours_are_the_palette(self, impl: Trial) -> None:
        """Note 004: a map of one class has the colour printed for it, channel by channel."""
        for label, color in enumerate(published.COLORS):
            image = impl.call(labels=torch.full((2, 3), label))
            found = {tuple(pixel) for pixel in image.flatten(1).T.tolist()}
            require(found == {color}, f"class {label} is painted {sorted(found)}, expected {color}")
