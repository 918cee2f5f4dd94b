"""Laws of colours."""

import torch
from torch import tensor, zeros

from lawbook.fixtures.cases import augmentation as domains
from lawbook.fixtures.implementation import Raised
from lawbook.reference import augmentation
from lawbook.reference.augmentation.color import LUMA, gray
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_augmentation.laws import samples

LEVELS = tensor([[[0, 255, 40, 7]], [[0, 255, 200, 90]], [[0, 255, 120, 31]]], dtype=torch.uint8)
"""Black, white and two colours, as bytes."""


def equal(left, right):
    """Two images to be compared as wholes: what is dark is mixed with what is bright, so that it has fewer digits."""
    return left.flatten(-3), right.flatten(-3)


class ColorLaws(Spec):
    """Laws of all four adjustments.

    Class attributes:
        neutral: the factor that changes nothing.
    """

    neutral = 1.0
    differentiable: tuple[str, ...] = ("image",)
    invalid: tuple[Invalid, ...] = (
        Invalid(ValueError, "an image of two channels", image=zeros(2, 3, 4), factor=0.5),
        Invalid(ValueError, "an image without channels", image=zeros(3, 4), factor=0.5),
        Invalid(ValueError, "channels that come last", image=zeros(2, 4, 3), factor=0.5),
        Invalid(ValueError, "a negative factor", image=zeros(3, 2, 4), factor=-0.5),
        Invalid(ValueError, "a factor that is not a number", image=zeros(3, 2, 4), factor=float("nan")),
    )
    edges = (
        {"image": zeros(0, 3, 2, 4) + 0.5, "factor": 0.5},
        {"image": tensor([0.25, 0.5, 0.75])[:, None, None], "factor": 0.3},
        {"image": tensor([[0.25, 0.125], [0.5, 0.625], [0.75, 0.375]])[:, None], "factor": 1.7},
    )

    def rows(self, case):
        # The channels of a pixel are mixed with each other.
        return -3

    def batch(self, case):
        return samples(case, 3)

    def test_neutral_factor_changes_nothing(self, impl, case):
        """With the factor that stands for no change, every pixel stays."""
        return equal(impl(case, factor=self.neutral), case.image)

    def test_stays_between_black_and_white(self, impl, case):
        """However strong the change, no channel is below 0 or above 1, black and white pixels among them."""
        image = case.image.round()
        for changed in (impl(case, factor=5.37), impl(case, image=image, factor=5.37), impl(case, image=image)):
            low, high = float(changed.min()), float(changed.max())
            require(low >= 0 and high <= 1, f"channels go from {low:g} to {high:g}, expected 0 to 1")

    def test_order_of_the_pixels_does_not_matter(self, impl, case):
        """An image whose pixels change places gives the result with its pixels in the same new places."""
        order = torch.randperm(case.image.shape[-1], generator=case.generator(71))
        return equal(impl(case, image=case.image[..., order]), impl(case)[..., order])


class StrengthLaws(ColorLaws):
    """Laws of the three that mix an image with a plainer one."""

    def plain(self, case):
        """What factor 0 gives."""
        raise NotImplementedError

    def levels(self, image, factor):
        """Lowest and highest level that bytes may become."""
        raise NotImplementedError

    def test_factor_0_leaves_the_plain_image(self, impl, case):
        """Factor 0 leaves what the image is mixed with."""
        return equal(impl(case, factor=0.0), self.plain(case))

    def test_weaker_twice_is_weaker_by_the_product(self, impl, case):
        """Factors up to 1 one after the other are their product."""
        return equal(impl(case, image=impl(case, factor=0.75), factor=0.5), impl(case, factor=0.375))

    def test_half_way(self, impl, case):
        """Factor 1/2 is the mean of the image and what it is mixed with."""
        return equal(impl(case, factor=0.5) * 2, case.image + self.plain(case))

    def test_bytes_do_not_wrap_around(self, impl):
        """Images of bytes are refused, or answered in bytes that stop at 0 and 255, each cut or rounded."""
        for factor in (0.5, 1.0, 1.5, 3.0):
            try:
                found = impl.call(image=LEVELS.clone(), factor=factor)
            except Raised as raised:
                if isinstance(raised.error, Exception):
                    continue
                raise
            require(found.dtype == torch.uint8, f"bytes become {found.dtype}, from {found.min()} to {found.max()}")
            low, high = self.levels(LEVELS.double(), factor)
            wrong = (found < low) | (found > high)
            require(
                not bool(wrong.any()),
                f"times {factor}, levels {LEVELS[wrong][:3].tolist()} become {found[wrong][:3].tolist()}",
            )


def byte_levels(image, factor, low, high):
    """Whole levels about a mixture with something between ``low`` and ``high``."""
    ends = [(factor * image + (1 - factor) * other).clamp(0, 255) for other in (low, high)]
    return torch.minimum(*ends).floor(), torch.maximum(*ends).ceil()


class TestAdjustBrightness(StrengthLaws):
    component = augmentation.adjust_brightness
    cases = domains.adjust_brightness
    extremes = domains.adjust_brightness_extremes

    def rows(self, case):
        return -1

    def plain(self, case):
        return torch.zeros_like(case.image)

    def levels(self, image, factor):
        return byte_levels(image, factor, torch.zeros(()), torch.zeros(()))

    def test_channels_are_alike(self, impl, case):
        """An image whose channels change places gives the result with its channels in the same new places."""
        return impl(case, image=case.image.flip(-3)), impl(case).flip(-3)

    def test_as_many_times_as_bright(self, impl, case):
        """A pixel that does not reach white is factor times as bright."""
        dark = case.image / 4
        return impl(case, image=dark, factor=3.0), dark * 3

    def test_too_bright_is_white(self, impl, case):
        """What would be brighter than white is white."""
        bright = 0.5 + case.image / 2
        return impl(case, image=bright, factor=2.5), torch.ones_like(bright)


class TestAdjustContrast(StrengthLaws):
    component = augmentation.adjust_contrast
    cases = domains.adjust_contrast
    extremes = domains.adjust_contrast_extremes
    invalid = (
        *ColorLaws.invalid,
        Invalid(ValueError, "an image without rows", image=zeros(3, 0, 4), factor=0.5),
        Invalid(ValueError, "a middle that does not exist", image=zeros(3, 2, 4), factor=0.5, center="none"),
    )

    def rows(self, case):
        # All pixels of an image meet in the mean.
        return (-3, -2, -1)

    def plain(self, case):
        if case.center == "channel":
            return case.image.mean((-2, -1), keepdim=True).expand(case.image.shape)
        return gray(case.image).mean((-2, -1), keepdim=True).expand(case.image.shape)

    def levels(self, image, factor):
        each = (image * image.new_tensor(LUMA)[:, None, None]).sum(0)
        return byte_levels(image, factor, each.floor().mean().floor(), each.ceil().mean().ceil())

    def test_constant_gray_stays(self, impl, case):
        """An image of one gray is its own mean: it stays whatever the factor."""
        image = case.image[..., :1, :1, :1].expand(case.image.shape).clone()
        return equal(impl(case, image=image), image)

    def test_mean_stays(self, impl, case):
        """Where nothing is cut off, the mean of the gray stays."""
        mild = 0.375 + case.image / 4
        return gray(impl(case, image=mild, factor=1.5)).mean((-3, -2, -1)), gray(mild).mean((-3, -2, -1))

    def test_differences_grow(self, impl, case):
        """Where nothing is cut off, differences between pixels are factor times as large."""
        mild = 0.375 + case.image / 4
        y = impl(case, image=mild, factor=1.5)
        return equal(y - y[..., :1, :1], 1.5 * (mild - mild[..., :1, :1]))

    def test_channels_are_alone_about_their_own_means(self, impl, case):
        """About its own mean each channel is treated alone; the gray mean is one for all."""
        changed = case.image.clone()
        changed[..., 0, :, :] = 0.5
        y = impl(case, image=changed, center="channel")
        return equal(y[..., 1:, :, :], impl(case, center="channel")[..., 1:, :, :])


class TestAdjustSaturation(StrengthLaws):
    component = augmentation.adjust_saturation
    cases = domains.adjust_saturation
    extremes = domains.adjust_saturation_extremes
    invalid = (
        *ColorLaws.invalid,
        Invalid(ValueError, "a method that does not exist", image=zeros(3, 2, 4), factor=0.5, method="none"),
    )

    def plain(self, case):
        flat = case.image.amax(-3, keepdim=True) if case.method == "hsv" else gray(case.image)
        return flat.expand(case.image.shape)

    def levels(self, image, factor):
        each = (image * image.new_tensor(LUMA)[:, None, None]).sum(0)
        return byte_levels(image, factor, each.floor(), each.ceil())

    def test_grays_stay(self, impl, case):
        """A gray pixel, black and white included, has no colour to change."""
        image = case.image[..., :1, :, :].expand(case.image.shape).clone()
        image[..., :1, :1] = 1
        return equal(impl(case, image=image, factor=0.3), image)

    def test_gray_or_value_stays(self, impl, case):
        """Blending keeps the gray of every pixel where nothing is cut off; HSV always keeps its largest channel."""
        mild = 0.375 + case.image / 4
        return [
            (gray(impl(case, image=mild, factor=1.5, method="blend")), gray(mild)),
            (impl(case, method="hsv").amax(-3), case.image.amax(-3)),
        ]

    def test_pixels_are_alone(self, impl, case):
        """What other pixels are does not matter to a pixel."""
        changed = case.image.flip(-3).clone()
        changed[..., :1] = case.image[..., :1]
        return equal(impl(case, image=changed)[..., :1], impl(case)[..., :1])

    def test_hsv_keeps_the_hue(self, impl, case):
        """Scaled in HSV, a turned colour wheel turns as it would have before, and full saturation leaves a channel of 0."""
        turned = augmentation.adjust_hue(case.image, 0.25)
        pure = impl(case, factor=1e9, method="hsv").amin(-3)
        plain = (case.image.amax(-3) == case.image.amin(-3)) * case.image.amin(-3)
        return [
            equal(impl(case, image=turned, method="hsv"), augmentation.adjust_hue(impl(case, method="hsv"), 0.25)),
            (pure, plain),
        ]


class TestAdjustHue(ColorLaws):
    component = augmentation.adjust_hue
    cases = domains.adjust_hue
    extremes = domains.adjust_hue_extremes
    differentiable = ()
    neutral = 0.0
    invalid = (
        *ColorLaws.invalid[:3],
        Invalid(ValueError, "a factor that is not a number", image=zeros(3, 2, 4), factor=float("nan")),
    )

    def test_hue_has_period_1(self, impl, case):
        """A whole turn of the wheel, either way, changes nothing."""
        return [
            equal(impl(case, factor=1.0), case.image),
            equal(impl(case, factor=-1.0), case.image),
            equal(impl(case, factor=case.factor - 1), impl(case)),
        ]

    def test_thirds_pass_the_channels_on(self, impl, case):
        """By a third of a turn red becomes green, green blue and blue red: channels change places."""
        return [
            equal(impl(case, factor=1 / 3), case.image.roll(1, -3)),
            equal(impl(case, factor=-1 / 3), case.image.roll(-1, -3)),
        ]

    def test_half_turn_gives_the_complement(self, impl, case):
        """By half a turn the largest channel becomes the smallest, and the one between as far from the other end."""
        ends = case.image.amax(-3, keepdim=True) + case.image.amin(-3, keepdim=True)
        return equal(impl(case, factor=0.5), ends - case.image)

    def test_turns_add_up(self, impl, case):
        """A turn after a turn is the sum of both."""
        return equal(impl(case, image=impl(case), factor=0.3), impl(case, factor=case.factor + 0.3))

    def test_largest_and_smallest_channel_keep_their_values(self, impl, case):
        """Only the hue changes: the largest and the smallest of a pixel's channels stay what they are."""
        y = impl(case)
        return [(y.amax(-3), case.image.amax(-3)), (y.amin(-3), case.image.amin(-3))]

    def test_grays_stay(self, impl, case):
        """A gray pixel, black and white included, has no hue to turn."""
        image = case.image[..., :1, :, :].expand(case.image.shape).clone()
        image[..., :1, :1] = 1
        image[..., -1:, -1:] = 0
        return equal(impl(case, image=image), image)

    def test_colour_wheel(self, impl):
        """By sixths of a turn red becomes yellow, green, cyan, blue, magenta and red again."""
        wheel = (
            ("yellow", (1, 1, 0)),
            ("green", (0, 1, 0)),
            ("cyan", (0, 1, 1)),
            ("blue", (0, 0, 1)),
            ("magenta", (1, 0, 1)),
        )
        red = tensor([1.0, 0.0, 0.0])[:, None, None]
        for k, (name, expected) in enumerate(wheel, start=1):
            found = impl.call(image=red.clone(), factor=k / 6).flatten()
            near = bool(((found - tensor(expected)).abs() < 0.5).all())
            require(near, f"red turned by {k}/6 is {found.tolist()}, expected {name}, {expected}")

    def test_pixels_are_alone(self, impl, case):
        """What other pixels are does not matter to a pixel."""
        changed = case.image.flip(-3).clone()
        changed[..., :1] = case.image[..., :1]
        return equal(impl(case, image=changed)[..., :1], impl(case)[..., :1])
