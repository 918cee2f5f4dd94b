"""Laws of regions cut out of images."""

from typing import Any

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import augmentation as domains
from lawbook.reference import augmentation, pooling
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

WHOLE = {"top": 0, "left": 0, "height": 3, "width": 4}


def outside(arguments, **other):
    """Regions that an image of 3 × 4 does not have."""
    image = zeros(2, 3, 4)
    wrong = (
        ("a region that ends below the image", {"top": 1}),
        ("a region that ends right of the image", {"left": 1}),
        ("a region that begins above the image", {"top": -1, "height": 2}),
        ("a region that begins left of the image", {"left": -1, "width": 2}),
        ("a region without rows", {"height": 0}),
        ("a region without columns", {"width": 0}),
        ("boxes of three numbers", {"boxes": zeros(2, 3)}),
        ("boxes of three axes", {"boxes": zeros(2, 4, 1)}),
        ("a share above 1", {"boxes": zeros(2, 4), "min_visibility": 1.5}),
        ("a share below 0", {"boxes": zeros(2, 4), "min_visibility": -0.5}),
    )
    return tuple(Invalid(ValueError, what, **{"image": image, **WHOLE, **other, **changes}) for what, changes in wrong)


class RegionLaws(Spec):
    """Laws of both crops.

    Class attributes:
        settings: arguments that are not the region's.
    """

    settings: dict[str, Any] = {}

    def batch(self, case):
        return samples(case, 2)

    def region(self, case):
        """Top, left, height and width."""
        return {name: case[name] for name in ("top", "left", "height", "width")}

    def window(self, case):
        """The region as a box."""
        return [case.left, case.top, case.left + case.width, case.top + case.height]

    def test_constants_are_kept(self, impl, case):
        """A region of a constant image is that constant."""
        y = picture(impl(case, image=torch.full_like(case.image, 3), boxes=None))
        return y, torch.full_like(y, 3)

    def test_pixels_outside_do_not_matter(self, impl, case):
        """Whatever stands outside the region, the result is the same, to the region's very edge."""
        changed = torch.full_like(case.image, 77)
        within(changed, self.window(case)).copy_(within(case.image, self.window(case)))
        return picture(impl(case, image=changed, boxes=None)), picture(impl(case, boxes=None))

    def test_boxes_may_be_left_out(self, impl, case):
        """The image is the same with boxes and without."""
        return picture(impl(case, boxes=case.image.new_zeros((1, 4), dtype=case.dtype))), impl(case, boxes=None)

    def test_box_just_visible_enough_is_kept(self, impl):
        """A box of which exactly the share that is asked for is left is kept, with a little less it is not."""
        boxes = tensor([[0.0, 0.0, 4.0, 2.0], [2.0, 0.0, 4.0, 2.0], [0.0, 0.0, 4.0, 4.0], [1.0, 0.0, 3.0, 2.0]])
        half = self.call(impl, boxes, 0.5)
        require(half == [True, True, False, True], f"of shares 1/2, 1, 1/4 and 1/2 those of at least 1/2 are {half}")
        all_of_it = self.call(impl, boxes, 1.0)
        require(all_of_it == [False, True, False, False], f"of shares 1/2, 1, 1/4 and 1/2 those of 1 are {all_of_it}")

    def test_box_that_only_touches_is_not_kept(self, impl):
        """Boxes outside the region, or touching it with an edge, are not kept even when any share will do."""
        boxes = tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 3.0, 1.0, 4.0], [2.0, 2.0, 4.0, 4.0], [2.0, 1.0, 3.0, 2.0]])
        found = self.call(impl, boxes, 0.0)
        require(found == [False, False, False, True], f"boxes left of, below and in the region are kept: {found}")

    def call(self, impl, boxes, least):
        """Which boxes are kept in the upper right quarter of 4 × 4 pixels."""
        return impl.call(
            image=zeros(3, 4, 4), top=0, left=2, height=2, width=2, boxes=boxes, min_visibility=least, **self.settings
        )[2].tolist()


class TestCrop(RegionLaws):
    component = augmentation.crop
    cases = domains.crop
    differentiable = ("image",)
    declines = {**VIEWS, **MOVED_ONLY}
    invalid = outside(WHOLE)
    edges = (
        {"image": zeros(0, 2, 3), "top": 0, "left": 1, "height": 2, "width": 2},
        {"image": ones(1, 1), "top": 0, "left": 0, "height": 1, "width": 1},
        {"image": ones(2, 3), "top": 1, "left": 2, "height": 1, "width": 1, "boxes": zeros(0, 4)},
    )

    def test_whole_image_is_itself(self, impl, case):
        """The region from (0, 0) of the image's own size is the image."""
        height, width = case.image.shape[-2:]
        return picture(impl(case, top=0, left=0, height=height, width=width, boxes=None)), case.image

    def test_crop_of_a_crop_adds_the_corners(self, impl, case):
        """A region of a region begins where the two corners add up to."""
        rows, columns = case.height // 2, case.width // 2
        outer = picture(impl(case, boxes=None))
        size = {"height": case.height - rows, "width": case.width - columns}
        inner = picture(impl(case, image=outer, top=rows, left=columns, **size, boxes=None))
        return inner, picture(impl(case, top=case.top + rows, left=case.left + columns, **size, boxes=None))

    def test_four_parts_make_the_image(self, impl, case):
        """What is above, below, left and right of a pixel's corner is the whole image, put together."""
        height, width = case.image.shape[-2:]
        i, j = max(case.top, 1), max(case.left, 1)

        def part(top, left, bottom, right):
            return picture(impl(case, top=top, left=left, height=bottom - top, width=right - left, boxes=None))

        upper = torch.cat([part(0, 0, i, j), part(0, j, i, width)], -1)
        lower = torch.cat([part(i, 0, height, j), part(i, j, height, width)], -1)
        return torch.cat([upper, lower], -2), case.image

    def test_boxes_hold_what_is_left_of_their_pixels(self, impl, case):
        """In its box of the region stands what the region has of every object; those without any are not kept."""
        size = case.image.shape[-2:]
        boxes, before = whole_boxes(case, size), places(case, size)
        image, moved, kept = impl(case, image=before, boxes=torch.tensor(boxes, dtype=case.dtype), min_visibility=0.0)
        for box, place, held in zip(boxes, moved.tolist(), kept.tolist(), strict=True):
            x1, y1, x2, y2 = self.window(case)
            left = [max(box[0], x1), max(box[1], y1), min(box[2], x2), min(box[3], y2)]
            visible = left[0] < left[2] and left[1] < left[3]
            require(held == visible, f"of {box} {'something' if visible else 'nothing'} is left; kept is {held}")
            expected, found = within(before, left), within(image, place)
            same = not visible or (found.shape == expected.shape and bool((found == expected).all()))
            require(same, f"what is left of {box} is said to be in {place} of the region {self.window(case)}")


class TestResizedCrop(RegionLaws):
    component = augmentation.resized_crop
    cases = domains.resized_crop
    extremes = domains.resized_crop_extremes
    differentiable = ("image",)
    declines = NAN_OF_NO_WEIGHT
    prerequisites = ("crop",)
    settings = {"size": (2, 2)}
    invalid = (
        *outside(WHOLE, size=2),
        Invalid(ValueError, "a size of 0", image=zeros(3, 4), **WHOLE, size=(0, 2)),
    )
    edges = (
        {"image": zeros(0, 2, 3), "top": 0, "left": 1, "height": 2, "width": 2, "size": (3, 2)},
        {"image": ones(1, 1), "top": 0, "left": 0, "height": 1, "width": 1, "size": (2, 3)},
        {"image": tensor([[1.0, 2.0, 4.0]]), "top": 0, "left": 0, "height": 1, "width": 3, "size": 1},
        {"image": ones(2, 3), "top": 1, "left": 2, "height": 1, "width": 1, "size": 2, "boxes": zeros(0, 4)},
    )

    def rows(self, case):
        # A pixel is a mean of pixels of other rows.
        return (-2, -1)

    def size(self, case):
        """Rows and columns wanted."""
        return (case.size, case.size) if isinstance(case.size, int) else tuple(case.size)

    def test_own_size_is_the_crop(self, impl, case):
        """Made as large as it is, a region is just cut out."""
        y = picture(impl(case, size=(case.height, case.width), boxes=None))
        return y, within(case.image, self.window(case))

    def test_sampled_crop_is_upsampled_region(self, impl, case):
        """Without averaging it is bilinear upsampling of the region, by the centres of pixels."""
        region = within(case.image, self.window(case))
        planes = region.reshape(1, -1, case.height, case.width)
        expected = pooling.upsample_bilinear(planes, self.size(case))
        y = picture(impl(case, antialias=False, boxes=None))
        return y, expected.reshape(y.shape)

    def test_larger_regions_are_not_averaged(self, impl, case):
        """A region that becomes larger on both axes is the same with averaging and without."""
        size = tuple(n + m for n, m in zip((case.height, case.width), self.size(case), strict=True))
        averaged, sampled = (picture(impl(case, size=size, antialias=flag, boxes=None)) for flag in (True, False))
        return averaged, sampled

    def test_every_pixel_counts_when_averaged(self, impl, case):
        """Made smaller with averaging, every pixel of the region has a part in the result."""
        image = torch.zeros_like(case.image)
        within(image, self.window(case)).copy_(places(case, (case.height, case.width))[0])
        size = tuple(min(n, m) for n, m in zip((case.height, case.width), self.size(case), strict=True))
        y = picture(impl(case, size=size, antialias=True, boxes=None))
        gradient = impl.vjp(
            case, [torch.ones_like(y)], wrt=("image",), image=image, size=size, antialias=True, boxes=None
        )[1]["image"]
        unseen = (within(gradient, self.window(case)) <= 0).nonzero()
        require(not len(unseen), f"pixel {unseen[:1].tolist()} of the region has no part in the result of {size}")

    def test_result_lies_between_the_pixels(self, impl, case):
        """No result is above the largest or below the smallest pixel of the region."""
        y, region = picture(impl(case, boxes=None)), within(case.image, self.window(case))
        return y, y.clamp(region.amin((-2, -1), keepdim=True), region.amax((-2, -1), keepdim=True))

    def test_mirrored_region_gives_the_mirrored_result(self, impl, case):
        """The mirrored image with the mirrored region gives the mirrored result."""
        left = case.image.shape[-1] - case.left - case.width
        y = picture(impl(case, image=case.image.flip(-1), left=left, boxes=None))
        return y, picture(impl(case, boxes=None)).flip(-1)

    def test_rows_and_columns_are_one_after_the_other(self, impl, case):
        """Resizing rows and then columns is resizing both."""
        rows, columns = self.size(case)
        halfway = picture(impl(case, size=(rows, case.width), boxes=None))
        whole = {"top": 0, "left": 0, "height": rows, "width": case.width, "size": (rows, columns)}
        return picture(impl(case, image=halfway, **whole, boxes=None)), picture(impl(case, boxes=None))

    def test_single_column_keeps_its_rows(self, impl):
        """A column made longer has rows between its own; one pixel wide is no reason for them to be all the same."""
        column = tensor([[0.0], [2.0]])
        y = impl.call(image=column, top=0, left=0, height=2, width=1, size=(4, 1)).flatten().tolist()
        require(y == [0, 0.5, 1.5, 2], f"the column 0, 2 made twice as long is {y}, expected [0, 0.5, 1.5, 2]")

    def test_boxes_grow_with_the_region(self, impl, case):
        """The region's own box becomes the whole result, and its quarters the result's quarters."""
        x1, y1, x2, y2 = self.window(case)
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        boxes = torch.tensor([[x1, y1, x2, y2], [x1, y, x, y2], [x, y1, x2, y]], dtype=case.dtype)
        rows, columns = self.size(case)
        expected = [
            [0, 0, columns, rows],
            [0, rows / 2, columns / 2, rows],
            [columns / 2, 0, columns, rows / 2],
        ]
        return impl(case, boxes=boxes, min_visibility=0.0)[1], torch.tensor(expected, dtype=case.dtype)
