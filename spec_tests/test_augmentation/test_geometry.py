"""Laws of flips and turns."""

import torch
from torch import arange, ones, tensor, zeros

from lawbook.fixtures.cases import augmentation as domains
from lawbook.reference import augmentation
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_augmentation.laws import (
    MOVED_ONLY,
    NAN_OF_NO_WEIGHT,
    VIEWS,
    picture,
    places,
    samples,
    whole_boxes,
    within,
)

BOX = tensor([[1.0, 0.0, 3.0, 2.0]])


class FlipLaws(Spec):
    """Laws of both flips; ``axis`` is the one that turns round."""

    axis: int
    declines = {**VIEWS, **MOVED_ONLY}
    differentiable = ("image", "boxes")
    invalid = (
        Invalid(ValueError, "an image of one axis", image=zeros(3), boxes=BOX),
        Invalid(ValueError, "boxes of three numbers", image=zeros(3, 4), boxes=zeros(2, 3)),
        Invalid(ValueError, "a single box without an axis for boxes", image=zeros(3, 4), boxes=zeros(4)),
    )
    edges = (
        {"image": zeros(0, 3, 2, 4)},
        {"image": zeros(3, 0, 2)},
        {"image": ones(1, 1), "boxes": tensor([[0.0, 0.0, 1.0, 1.0]])},
        {"image": tensor([[1.0, 2.0], [3.0, 4.0]]), "boxes": zeros(0, 4)},
    )

    def batch(self, case):
        return samples(case, 2)

    def test_twice_is_the_image_again(self, impl, case):
        """Two flips leave image and boxes as they were."""
        boxes = case.image.new_tensor(whole_boxes(case, case.image.shape[-2:]), dtype=case.dtype)
        image, moved = impl(case, boxes=boxes)
        return impl(case, image=image, boxes=moved), (case.image, boxes)

    def test_boxes_hold_the_same_pixels(self, impl, case):
        """In its box of the flipped image every object is whole, mirrored, and nothing else is in it."""
        size = case.image.shape[-2:]
        boxes = whole_boxes(case, size)
        before = places(case, size)
        image, moved = impl(case, image=before, boxes=torch.tensor(boxes, dtype=case.dtype))
        for box, place in zip(boxes, moved.tolist(), strict=True):
            expected, found = within(before, box).flip(self.axis), within(image, place)
            same = found.shape == expected.shape and bool((found == expected).all())
            require(same, f"the object in {box} of {tuple(size)} is said to be in {place} of the flipped image")

    def test_boxes_keep_their_size(self, impl, case):
        """Left stays left of right and top above bottom: every box is as wide and as high as before."""
        boxes = torch.tensor(whole_boxes(case, case.image.shape[-2:]), dtype=case.dtype)
        moved = impl(case, boxes=boxes)[1]
        return moved[:, 2:] - moved[:, :2], boxes[:, 2:] - boxes[:, :2]

    def test_other_axes_stay(self, impl, case):
        """Lines across the flip keep their order, and samples and channels are not mixed."""
        other = -2 if self.axis == -1 else -1
        marks = torch.arange(case.image.shape[other], dtype=case.dtype)
        marks = (marks[:, None] if other == -2 else marks).expand(case.image.shape).clone()
        return picture(impl(case, image=marks, boxes=None)), marks

    def test_lines_change_places(self, impl, case):
        """The first line of the flipped image is the last one of the image."""
        return picture(impl(case, boxes=None)).select(self.axis, 0), case.image.select(self.axis, -1)


class TestHorizontalFlip(FlipLaws):
    component = augmentation.horizontal_flip
    cases = domains.horizontal_flip
    axis = -1


class TestVerticalFlip(FlipLaws):
    component = augmentation.vertical_flip
    cases = domains.vertical_flip
    axis = -2


BAR = zeros(121, 121)
BAR[60] = 1


class TestRotate(Spec):
    component = augmentation.rotate
    cases = domains.rotate
    extremes = domains.rotate_extremes
    differentiable = ("image",)
    declines = NAN_OF_NO_WEIGHT
    invalid = (
        Invalid(ValueError, "an image of one axis", image=zeros(3), degrees=30),
        Invalid(ValueError, "an image without rows", image=zeros(0, 4), degrees=30),
        Invalid(ValueError, "an angle that is not a number", image=zeros(3, 4), degrees=float("nan")),
        Invalid(
            ValueError, "an interpolation that does not exist", image=zeros(3, 4), degrees=30, interpolation="none"
        ),
    )
    edges = (
        {"image": tensor([[1.0, 2.0, 4.0]]), "degrees": -1e-20},
        {"image": ones(1, 1), "degrees": 45},
        {"image": zeros(0, 3, 4), "degrees": 30},
        {"image": tensor([[1.0, 2.0, 4.0]]), "degrees": 90},
        {"image": tensor([[1.0], [2.0], [4.0]]), "degrees": -90, "interpolation": "nearest"},
        # One degree beside a quarter turn moves what lies sixty pixels from the middle by one.
        {"image": BAR, "degrees": 89, "interpolation": "nearest"},
        {"image": BAR, "degrees": 91, "interpolation": "nearest"},
    )

    def rows(self, case):
        # A pixel is a mean of pixels of other rows.
        return (-2, -1)

    def batch(self, case):
        return samples(case, 2)

    def square(self, case):
        """The image's largest upper left square."""
        n = min(case.image.shape[-2:])
        return case.image[..., :n, :n].clone()

    def test_places_keep_their_digits_in_half_precision(self, impl) -> None:
        """In an image 200 wide, whose columns half precision cannot tell by halves, each pixel comes from the nearest place."""
        image, degrees = (arange(1000) % 7).view(5, 200), 12.5
        expected = augmentation.rotate(image.double(), degrees, "nearest")
        clear = ~domains.near_ties(5, 200, degrees, 1 / 64)
        for dtype in (torch.float16, torch.bfloat16):
            if self.lacks_dtype(impl, dtype):
                continue
            found = impl.call(image=image.to(dtype), degrees=degrees, interpolation="nearest").double()
            wrong = ((found != expected) & clear).nonzero()
            require(
                not len(wrong),
                f"in {dtype}, {len(wrong)} of 1,000 pixels are others than in float64, the first at {wrong[:1].tolist()}",
            )

    def test_four_quarter_turns_are_the_image_again(self, impl, case):
        """A square image turned by 90° four times is as it was, and turned by −90° too."""
        there = back = image = self.square(case)
        for _ in range(4):
            there, back = impl(case, image=there, degrees=90), impl(case, image=back, degrees=-90)
        return [(there, image), (back, image)]

    def test_quarter_turn_moves_pixels_counter_clockwise(self, impl, case):
        """By 90° the right edge of a square image becomes its upper edge, pixel by pixel."""
        image = self.square(case)
        return impl(case, image=image, degrees=90), image.mT.flip(-2)

    def test_half_turn_is_both_flips(self, impl, case):
        """By 180° an image of any size stands on its head: rows and columns in reverse order."""
        return impl(case, degrees=180), case.image.flip(-1, -2)

    def test_whole_turns_change_nothing(self, impl, case):
        """By 0° and 360° the image stays, and 360° more are the same turn."""
        return [
            (impl(case, degrees=0), case.image),
            (impl(case, degrees=360), case.image),
            (impl(case, degrees=case.degrees - 360), impl(case)),
        ]

    def test_mirrored_image_turns_the_other_way(self, impl, case):
        """A mirrored image turned the other way is the turned image, mirrored: the centre is the image's own."""
        return impl(case, image=case.image.flip(-1), degrees=-case.degrees), impl(case).flip(-1)

    def test_middle_of_a_constant_stays(self, impl, case):
        """In the circle that every turn leaves inside the image, a constant stays."""
        height, width = case.image.shape[-2:]
        down = (torch.arange(height) - (height - 1) / 2)[:, None]
        right = torch.arange(width) - (width - 1) / 2
        # A little less than the circle itself, on whose edge rounding decides.
        inside = (down.square() + right.square()).sqrt() <= (min(height, width) - 1) / 2 - 0.01
        y = impl(case, image=torch.full_like(case.image, 1.5))[..., inside]
        return y, torch.full_like(y, 1.5)

    def test_corners_are_cut_off(self, impl, case):
        """By 45° the corners of a square of ones come from outside: they are 0."""
        y = impl(case, image=case.image.new_ones(7, 7), degrees=45)[::6, ::6]
        return y, torch.zeros_like(y)

    def test_nearest_pixel_is_one_of_the_pixels(self, impl, case):
        """With "nearest" no colour appears that was not there, but for 0: labels of classes may be turned."""
        image = places(case, case.image.shape[-2:])
        y = impl(case, image=image, interpolation="nearest", degrees=33)
        strange = y[~torch.isin(y, torch.cat([image.flatten(), image.new_zeros(1)]))]
        require(not len(strange), f"the labels of the turned image include {strange[:3].tolist()}")
