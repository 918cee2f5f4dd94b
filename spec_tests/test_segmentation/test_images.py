"""Crops in pairs, and channels on the networks' scale."""

from collections import Counter
from typing import Any

import scipy
import torch
from torch import tensor, zeros

from lawbook.fixtures.cases import segmentation as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import segmentation as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import segmentation
from lawbook.spec_tests.chance import ALARM
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

STREAMS = "libraries have streams of their own: a seed does not stand for the same place in all of them; "


def numbered(height: int, width: int) -> torch.Tensor:
    """An image whose pixels say where they stand: 1000 · row + column."""
    return 1000 * torch.arange(height)[:, None] + torch.arange(width)


class TestCropPair(Spec):
    component = segmentation.crop_pair
    cases = domains.crop_pair
    declines = {
        "agrees_with_reference": STREAMS + "'a region of the image' and 'every place is equally likely' judge it",
        "repeated_calls_agree": STREAMS + "'same seed same region' says it of the implementation's own",
        "memory_layout": STREAMS + "'a region of the image' runs on transposed memory too",
        "no_aliasing": "a crop may be a view: nothing is computed",
        "low_precision": STREAMS + "nothing is rounded",
        "extremes_stay_finite": "nothing is computed; infinite values are among the cases of 'a region of the image'",
        "nan_not_hidden": STREAMS + "'a region of the image' holds a nan",
        "accelerator_agrees": "data sets are read on the CPU",
    }
    invalid = (
        Invalid(
            ValueError, "more rows than there are", feature=zeros(3, 4, 5), label=zeros(4, 5), height=5, width=2, seed=0
        ),
        Invalid(
            ValueError,
            "more columns than there are",
            feature=zeros(3, 4, 5),
            label=zeros(4, 5),
            height=2,
            width=6,
            seed=0,
        ),
        Invalid(
            ValueError, "labels of another size", feature=zeros(3, 4, 5), label=zeros(2, 2), height=3, width=3, seed=0
        ),
        Invalid(ValueError, "no rows", feature=zeros(3, 4, 5), label=zeros(4, 5), height=0, width=2, seed=0),
        Invalid(ValueError, "no columns", feature=zeros(3, 4, 5), label=zeros(4, 5), height=2, width=0, seed=0),
        Invalid(ValueError, "a negative width", feature=zeros(3, 4, 5), label=zeros(4, 5), height=2, width=-1, seed=0),
    )
    edges = (
        {"feature": zeros(3, 1, 1), "label": tensor([[7]]), "height": 1, "width": 1, "seed": 0},
        {
            "feature": torch.arange(12.0).reshape(2, 2, 3),
            "label": tensor([[7, 1, 2]] * 2),
            "height": 2,
            "width": 3,
            "seed": 5,
        },
        {"feature": zeros(0, 2, 2), "label": zeros(2, 2), "height": 2, "width": 2, "seed": 1},
    )

    def place(self, impl: Trial, case: Case) -> tuple[int, int]:
        """Where the region begins, as an image that numbers its pixels says; LawBroken where it is none."""
        image = numbered(*case.feature.shape[-2:])
        found, labels = impl(case, feature=image, label=image)
        top, left = divmod(int(found.flatten()[0]), 1000) if found.numel() else (0, 0)
        expected = image[top : top + case.height, left : left + case.width]
        for name, part in (("the feature", found), ("the label", labels)):
            same = part.shape == expected.shape == (case.height, case.width) and torch.equal(part, expected)
            require(same, f"{name}'s crop is no region beginning at row {top}, column {left}: {part.tolist()}")
        return top, left

    def test_same_region_of_both(self, impl: Trial, case: Case) -> None:
        """Image and labels are cut at the same place, rows and columns in their order."""
        self.place(impl, case)

    def test_a_region_of_the_image(self, impl: Trial, case: Case) -> Any:
        """Whatever the image holds, nan and any layout in memory included, the crop is that region of every channel."""
        top, left = self.place(impl, case)
        feature = case.feature.clone()
        feature[..., top, left] = torch.nan
        region = (..., slice(top, top + case.height), slice(left, left + case.width))
        given = {**case.arguments, "feature": feature.mT.contiguous().mT}
        _, (found, labels) = impl.call_with(given)
        return (found, labels), (feature[region], case.label[region])

    def test_size_is_what_was_asked_for(self, impl: Trial, case: Case) -> None:
        """Both crops have the height and the width asked for, and the axes before them."""
        for name, part in zip(("feature", "label"), impl(case), strict=True):
            expected = (*case[name].shape[:-2], case.height, case.width)
            require(tuple(part.shape) == expected, f"{name} is cut to {tuple(part.shape)}, expected {expected}")

    def test_the_whole_image_is_itself(self, impl: Trial, case: Case) -> Any:
        """A region as large as the image is the image."""
        height, width = case.feature.shape[-2:]
        return impl(case, height=height, width=width), (case.feature, case.label)

    def test_same_seed_same_region(self, impl: Trial, case: Case) -> Any:
        """The same seed gives the same region again, also after another seed."""
        first = impl(case)
        impl(case, seed=case.arguments["seed"] + 1)
        return impl(case), first

    def test_every_place_is_equally_likely(self, impl: Trial) -> None:
        """Of the six places in 3×4 pixels that a region of 2×2 has, each comes up as often as chance allows."""
        seeds, places = 400, [(top, left) for top in range(2) for left in range(3)]
        image = numbered(3, 4)
        crops = (impl.call(feature=image, label=image, height=2, width=2, seed=seed)[0] for seed in range(seeds))
        found = Counter(divmod(int(crop.flatten()[0]), 1000) for crop in crops)
        low, high = scipy.stats.binom.ppf((ALARM / 12, 1 - ALARM / 12), seeds, 1 / len(places))
        for place in places:
            require(
                low <= found[place] <= high,
                f"the region begins at {place} {found[place]} times in {seeds}; chance allows {int(low)} to {int(high)}",
            )


class TestNormalizeRgb(Spec):
    component = segmentation.normalize_rgb
    cases = domains.normalize_rgb
    extremes = domains.normalize_rgb_extremes
    differentiable = ("image",)
    invalid = (
        Invalid(ValueError, "one channel", image=zeros(1, 4, 5)),
        Invalid(ValueError, "channels behind rows and columns", image=zeros(4, 5, 3)),
        Invalid(ValueError, "two axes", image=zeros(3, 4)),
    )
    edges = (
        {"image": zeros(0, 3, 2, 2)},
        {"image": zeros(3, 2, 0, dtype=torch.uint8)},
        {"image": tensor([[[255]], [[0]], [[128]]], dtype=torch.uint8)},
    )

    def batch(self, case: Case) -> Batch | None:
        return Batch(output=0, image=0) if case.image.ndim > 3 else None

    def test_inverse(self, impl: Trial, case: Case) -> Any:
        """Times the deviation, plus the mean, times 255: the image again."""
        y = impl(case)
        std, mean = (y.new_tensor(values).view(3, 1, 1) for values in (published.STD, published.MEAN))
        return 255 * (y * std + mean), case.image.to(y.dtype)

    def test_bytes_are_numbers(self, impl: Trial, case: Case) -> Any:
        """An image in uint8 gives what its numbers give as floats."""
        image = case.image.double().clamp(0, 255).round().to(torch.uint8)
        return impl(case, image=image), impl(case, image=image.float())

    def test_each_channel_by_itself(self, impl: Trial, case: Case) -> Any:
        """Of three equal channels each is on its own scale; another in its place leaves the others as they are."""
        order = [1, 2, 0]
        y, turned = impl(case), impl(case, image=case.image[..., order, :, :])
        std, mean = (y.new_tensor(values).view(3, 1, 1) for values in (published.STD, published.MEAN))
        return turned * std + mean, (y * std + mean)[..., order, :, :]

    def test_published_scale(self, impl: Trial) -> None:
        """Note 004: the mean colour is 0 and black is −mean / std in every channel, white the mean's complement over std."""
        colors = [[255 * m for m in published.MEAN], [0.0] * 3, [255.0] * 3]
        y = impl.call(image=tensor(colors, dtype=torch.float64).T.reshape(3, 1, 3)).reshape(3, 3).tolist()
        for found, mean, std in zip(y, published.MEAN, published.STD, strict=True):
            for value, expected in zip(found, (0.0, -mean / std, (1 - mean) / std), strict=True):
                require(
                    f"{value + 0:.4f}".lstrip("-") == f"{expected:.4f}".lstrip("-") and value * expected >= 0,
                    f"{value}, expected {expected:.4f}",
                )
