"""Laws of random numbers for augmentation."""

import math
from typing import Any

import scipy
import torch

from lawbook.fixtures.cases import augmentation as domains
from lawbook.fixtures.published import augmentation as published
from lawbook.reference import augmentation
from lawbook.reference.augmentation.parameters import ATTEMPTS, central_region
from lawbook.spec_tests.chance import ALARM, check_unrelated
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_augmentation.laws import (
    NO_TENSOR,
    STOCHASTIC,
    check_even,
    check_pairs,
    check_shares,
)

DRAWS = 800
"""Seeds that a law about chance looks at."""
WIDE: dict[str, Any] = {"height": 10**6, "width": 10**6, "scale": (1e-4, 0.1), "ratio": (1 / 8, 8.0)}
"""A large image and small regions: every one fits, and rounding to whole pixels is far below what chance allows."""
JITTER: dict[str, Any] = {"brightness": 0.5, "contrast": 2.0, "saturation": 0.25, "hue": 0.5}


def drawn(impl, arguments):
    """What the first DRAWS seeds give."""
    return [impl.call(**arguments, seed=seed) for seed in range(DRAWS)]


class TestRandomResizedCropParams(Spec):
    component = augmentation.random_resized_crop_params
    cases = domains.random_resized_crop_params
    declines = {**NO_TENSOR, **STOCHASTIC}
    invalid = (
        Invalid(ValueError, "an image without rows", height=0, width=3, seed=0),
        Invalid(ValueError, "an image without columns", height=3, width=0, seed=0),
        Invalid(ValueError, "a share of 0", height=3, width=3, scale=(0.0, 1.0), seed=0),
        Invalid(ValueError, "bounds out of order", height=3, width=3, scale=(0.5, 0.1), seed=0),
        Invalid(ValueError, "more than the whole area", height=3, width=3, scale=(0.5, 1.5), seed=0),
        Invalid(ValueError, "ratios out of order", height=3, width=3, ratio=(2.0, 0.5), seed=0),
        Invalid(ValueError, "a ratio of 0", height=3, width=3, ratio=(0.0, 1.0), seed=0),
    )

    def check(self, region, arguments):
        """Require a region of the image, within bounds or the one about the centre."""
        top, left, h, w = region
        height, width = arguments["height"], arguments["width"]
        inside = h >= 1 and w >= 1 and top >= 0 and left >= 0 and top + h <= height and left + w <= width
        require(inside, f"the region {region} (top, left, height, width) is not in the image of {height} × {width}")
        (least, most), (flattest, steepest) = arguments["scale"], arguments["ratio"]
        # Sides are rounded to whole pixels: each may have been half a pixel longer or shorter.
        area = height * width
        fits = (h - 0.5) * (w - 0.5) <= most * area and (h + 0.5) * (w + 0.5) >= least * area
        shaped = (w - 0.5) / (h + 0.5) <= steepest and (w + 0.5) / (h - 0.5) >= flattest
        central = central_region(height, width, flattest, steepest)
        require(
            (fits and shaped) or tuple(region) == central,
            f"a region of {h} × {w} is {h * w / area:.4f} of the area for {least} to {most}, its ratio {w / h:.4f} for "
            f"{flattest:.4f} to {steepest:.4f}; the largest region about the centre would be {central}",
        )

    def test_region_is_in_the_image_and_within_bounds(self, impl, case):
        """The region lies in the image; its area and ratio are within bounds, sides being whole, or it is the central one."""
        for seed in range(case.seed, case.seed + 5):
            self.check(impl(case, seed=seed), case.arguments)

    def test_extreme_images_have_a_region(self, impl):
        """Of a single row or column, or with bounds that nothing meets, the region is the one about the centre."""
        for height, width, scale, ratio, expected in (
            (1, 100, (0.08, 1.0), (3 / 4, 4 / 3), (0, 49, 1, 1)),
            (100, 1, (0.08, 1.0), (3 / 4, 4 / 3), (49, 0, 1, 1)),
            (1, 1, (0.08, 1.0), (3 / 4, 4 / 3), (0, 0, 1, 1)),
            (4, 4000, (0.5, 1.0), (0.5, 2.0), (0, 1996, 4, 8)),
            (5000, 7, (0.5, 1.0), (0.5, 2.0), (2493, 0, 14, 7)),
            (10, 30, (0.99, 1.0), (1.0, 1.0), (0, 10, 10, 10)),
            (30, 11, (0.9, 0.9), (2.0, 2.0), (12, 0, 6, 11)),
            (10, 16, (0.9, 0.9), (2.0, 2.0), (1, 0, 8, 16)),
            (12, 8, (0.9, 0.9), (0.5, 0.5), (0, 1, 12, 6)),
            (2, 3, (0.001, 0.001), (1000.0, 1000.0), (0, 0, 1, 3)),
            (9, 10, (1.0, 1.0), (0.5, 2.0), (0, 0, 9, 10)),
            (10, 9, (1.0, 1.0), (0.5, 2.0), (0, 0, 10, 9)),
        ):
            for seed in (0, 1, 2):
                found = tuple(impl.call(height=height, width=width, scale=scale, ratio=ratio, seed=seed))
                same = found == expected or max(scale) < 0.01
                require(same, f"of {height} × {width} with ratios {ratio} it is {found}, expected {expected}")
                self.check(found, {"height": height, "width": width, "scale": scale, "ratio": ratio})

    def test_regions_of_one_pixel_or_a_whole_side(self, impl):
        """A region may be a single pixel, a row of two, or as long as one side of the image, anywhere along the other."""
        for height, width, share, r, size in (
            (4, 4, 1 / 16, 1.0, (1, 1)),
            (4, 4, 1 / 8, 2.0, (1, 2)),
            (4, 4, 1 / 8, 0.5, (2, 1)),
            (16, 4, 1 / 4, 1.0, (4, 4)),
            (4, 16, 1 / 4, 1.0, (4, 4)),
        ):
            arguments = {"height": height, "width": width, "scale": (share, share), "ratio": (r, r)}
            regions = [tuple(impl.call(**arguments, seed=seed)) for seed in range(30)]
            what = f"regions of {share:g} of {height} × {width}, of the ratio {r:g},"
            for region in regions:
                require(region[2:] == size, f"{what} are {region[2]} × {region[3]}, expected {size[0]} × {size[1]}")
            # All of thirty at one of thirteen places: a chance of 13 ** -29 in a tall or wide image.
            require(len(set(regions)) > 1, f"{what} are all at {regions[0][:2]}")

    def test_same_seed_same_numbers(self, impl, case):
        """The same seed gives the same region again, also after another seed, whatever the global generators do."""
        first = tuple(impl(case))
        impl(case, seed=case["seed"] + 1)
        again = tuple(impl(case))
        require(first == again, f"seed {case['seed']} gives {first}, and later {again}")

    def test_area_ratio_and_place_are_evenly_spread(self, impl):
        """Area, logarithm of the ratio, row and column are spread evenly over what is allowed, and know nothing of each other."""
        regions = torch.tensor(drawn(impl, WIDE), dtype=torch.float64)
        for region in regions[:3].long().tolist():
            self.check(region, WIDE)
        top, left, h, w = regions.unbind(1)
        side = WIDE["height"]
        (least, most), (flattest, steepest) = WIDE["scale"], WIDE["ratio"]
        shares = {
            "the area": (h * w / side**2 - least) / (most - least),
            "the ratio's logarithm": ((w / h).log() - math.log(flattest)) / math.log(steepest / flattest),
            "the row": top / (side - h),
            "the column": left / (side - w),
        }
        for what, share in shares.items():
            check_even(share, what)
        # In [−1, 1] but for the rounding of sides.
        table = (torch.stack(list(shares.values()), 1) * 2 - 1).clamp(-1, 1)
        check_pairs(table, list(shares))
        check_unrelated(table, 2.0, "area, ratio, row and column of one seed after the other")

    def test_every_place_comes_up(self, impl):
        """Of all rows and columns where a region can begin, the first and the last too, each is as frequent as the others."""
        arguments = {"height": 4, "width": 5, "scale": (0.2, 0.2), "ratio": (1.0, 1.0)}
        regions = drawn(impl, arguments)
        for name, axis, count in (("rows", 0, 3), ("columns", 1, 4)):
            begins = [region[axis] for region in regions]
            check_shares(
                [begins.count(k) for k in range(count)], f"regions of 2 × 2 in 4 × 5 begin in {name} 0 to {count - 1}"
            )

    def test_region_is_drawn_again_before_giving_up(self, impl):
        """A region too large for the image is drawn again: the whole image is rare.

        With areas of 1/2 to 1 and ratios of 1/2 to 2 a region fits a square with a chance of (1 − ln 2)/ln 2 = 0.4427,
        none of ten with 0.0029; the limit is the binomial quantile at ALARM.
        """
        arguments = {"height": 1000, "width": 1000, "scale": (0.5, 1.0), "ratio": (0.5, 2.0)}
        found = sum(tuple(region) == (0, 0, 1000, 1000) for region in drawn(impl, arguments))
        chance = (1 - (1 - math.log(2)) / math.log(2)) ** ATTEMPTS
        limit = int(scipy.stats.binom.isf(ALARM, DRAWS, chance))
        require(found <= limit, f"{found} of {DRAWS} regions are the whole image, chance allows {limit}")

    def test_published_bounds_of_note_004(self, impl):
        """Areas of 0.1 to 1 and ratios of 1/2 to 2: regions of an image that is to become 200 × 200."""
        arguments = {"height": 400, "width": 500, "scale": published.CROP_SCALE, "ratio": published.CROP_RATIO}
        for seed in range(40):
            self.check(impl.call(**arguments, seed=seed), arguments)


class TestColorJitterParams(Spec):
    component = augmentation.color_jitter_params
    cases = domains.color_jitter_params
    declines = {**NO_TENSOR, **STOCHASTIC}
    invalid = (
        Invalid(ValueError, "a negative strength", brightness=-0.5, seed=0),
        Invalid(ValueError, "a hue beyond half a turn", hue=0.75, seed=0),
        Invalid(ValueError, "a negative hue", hue=-0.1, seed=0),
        Invalid(ValueError, "a strength that is not a number", contrast=float("nan"), seed=0),
    )

    def bounds(self, arguments):
        """Least and greatest value of each number."""
        names = ("brightness", "contrast", "saturation")
        found = {name: (max(0.0, 1 - arguments[name]), 1 + arguments[name]) for name in names}
        return {**found, "hue": (-arguments["hue"], arguments["hue"])}

    def test_factors_are_within_their_bounds(self, impl, case):
        """Each factor lies between max(0, 1 − b) and 1 + b for its own b, the hue between −h and h."""
        for seed in range(case["seed"], case["seed"] + 5):
            found = impl(case, seed=seed)
            for name, (low, high) in self.bounds(case.arguments).items():
                require(low <= found[name] <= high, f"{name} is {found[name]}, expected {low} to {high}")

    def test_strength_0_changes_nothing(self, impl, case):
        """Of strength 0 every factor is exactly 1, and the hue's exactly 0."""
        found = impl(case, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0)
        numbers = {name: found[name] for name in self.bounds(JITTER)}
        still = numbers == {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0}
        require(still, f"without any strength the numbers are {numbers}")

    def test_order_is_a_permutation(self, impl, case):
        """Each of the four adjustments has its turn, once."""
        order = impl(case)["order"].tolist()
        require(sorted(order) == [0, 1, 2, 3], f"the order is {order}")

    def test_same_seed_same_numbers(self, impl, case):
        """The same seed gives the same numbers again, also after another seed, whatever the global generators do."""
        first = impl(case)
        impl(case, seed=case["seed"] + 1)
        again = impl(case)
        same = all(first[name] == again[name] for name in self.bounds(JITTER))
        same = same and first["order"].tolist() == again["order"].tolist()
        require(same, f"seed {case['seed']} gives {first}, and later {again}")

    def test_numbers_are_evenly_spread_and_unrelated(self, impl):
        """Each number is spread evenly between its bounds, darker as often as brighter, and knows nothing of the others."""
        found = drawn(impl, JITTER)
        shares = {}
        for name, (low, high) in self.bounds(JITTER).items():
            values = torch.tensor([numbers[name] for numbers in found], dtype=torch.float64)
            shares[name] = (values - low) / (high - low)
            check_even(shares[name], name)
        table = (torch.stack(list(shares.values()), 1) * 2 - 1).clamp(-1, 1)
        check_pairs(table, list(shares))
        check_unrelated(table, 2.0, "brightness, contrast, saturation and hue of one seed after the other")

    def test_every_order_comes_up(self, impl):
        """Each of the four is first, and last, as often as the others."""
        orders = [numbers["order"].tolist() for numbers in drawn(impl, JITTER)]
        for place in range(4):
            counts = [sum(order[place] == k for order in orders) for k in range(4)]
            check_shares(counts, f"at place {place} stand the adjustments 0 to 3")

    def test_same_stream_same_order(self, impl):
        """Orders that are PyTorch's permutations of the seeds are not read backwards.

        Says nothing of implementations with a stream of their own: that of twenty orders each is PyTorch's or its
        reverse has a chance of 12⁻²⁰.
        """
        streams = [torch.randperm(4, generator=torch.Generator().manual_seed(seed)).tolist() for seed in range(20)]
        orders = [impl.call(**JITTER, seed=seed)["order"].tolist() for seed in range(20)]
        if all(order in (stream, stream[::-1]) for order, stream in zip(orders, streams, strict=True)):
            require(orders == streams, "the orders are PyTorch's permutations of these seeds, read backwards")

    def test_published_bounds_of_note_004(self, impl):
        """Brightness 0.5 is half as bright to half as bright again, hue 0.5 the whole wheel."""
        low, high = published.BRIGHTNESS_BOUNDS
        found = [impl.call(brightness=published.BRIGHTNESS, hue=published.HUE, seed=seed) for seed in range(60)]
        factors, shifts = [x["brightness"] for x in found], [x["hue"] for x in found]
        require(low <= min(factors) and max(factors) <= high, f"factors go from {min(factors)} to {max(factors)}")
        require(min(factors) < 1 < max(factors), "60 images all become brighter, or all darker")
        require(min(shifts) < 0 < max(shifts), "60 hues all turn the same way")
