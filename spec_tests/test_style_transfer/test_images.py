"""Pictures as a network reads them, and back."""

from typing import Any

import torch
from torch import Tensor, tensor, zeros

from lawbook.fixtures.cases import style_transfer as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import style_transfer as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import style_transfer
from lawbook.spec_tests.spec import Invalid, Spec, require


def scale(like: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the channels, the last axis."""
    return like.new_tensor(published.MEAN), like.new_tensor(published.STD)


class TestStylePreprocess(Spec):
    component = style_transfer.style_preprocess
    cases = domains.style_preprocess
    extremes = domains.style_preprocess_extremes
    differentiable = ("image",)
    invalid = (
        Invalid(ValueError, "channels first", image=zeros(3, 4, 5)),
        Invalid(ValueError, "one channel", image=zeros(4, 5, 1)),
        Invalid(ValueError, "a batch of pictures", image=zeros(2, 4, 5, 3)),
        Invalid(ValueError, "two axes", image=zeros(4, 3)),
    )
    edges = (
        {"image": zeros(1, 1, 3)},
        {"image": zeros(0, 2, 3)},
        {"image": tensor([[[255, 0, 128]]], dtype=torch.uint8)},
    )

    def test_inverse(self, impl: Trial, case: Case) -> Any:
        """Times the deviation, plus the mean, with the channels last again, it is the picture on the scale of 0 to 1."""
        y = impl(case)
        mean, std = scale(y)
        picture = case.image.to(y.dtype)
        return y[0].permute(1, 2, 0) * std + mean, picture if case.image.is_floating_point() else picture / 255

    def test_bytes_are_shares_of_white(self, impl: Trial, case: Case) -> Any:
        """A picture in uint8 gives what its 255ths give as floating numbers."""
        image = (case.image.float().clamp(0, 1) * 255).round().to(torch.uint8)
        return impl(case, image=image), impl(case, image=image.float() / 255)

    def test_floating_numbers_are_not_divided(self, impl: Trial) -> None:
        """White is 1.0 where numbers are floating, and 255 in uint8: both give (1 − mean) / std."""
        for white in (torch.ones(1, 1, 3), torch.full((1, 1, 3), 255, dtype=torch.uint8)):
            for value, mean, std in zip(
                impl.call(image=white).flatten().tolist(), published.MEAN, published.STD, strict=True
            ):
                expected = (1 - mean) / std
                require(
                    f"{value:.4f}" == f"{expected:.4f}", f"{white.dtype} white is {value:.4f}, expected {expected:.4f}"
                )


class TestStylePostprocess(Spec):
    component = style_transfer.style_postprocess
    cases = domains.style_postprocess
    extremes = domains.style_postprocess_extremes
    differentiable = ("image",)
    prerequisites = ("style_preprocess",)
    invalid = (
        Invalid(ValueError, "two images", image=zeros(2, 3, 4, 5)),
        Invalid(ValueError, "no image", image=zeros(0, 3, 4, 5)),
        Invalid(ValueError, "no batch", image=zeros(3, 4, 5)),
        Invalid(ValueError, "one channel", image=zeros(1, 1, 4, 5)),
    )
    edges = ({"image": zeros(1, 3, 1, 1)}, {"image": zeros(1, 3, 0, 2)})

    def inside(self, case: Case) -> Tensor:
        """A picture in [0, 1], with black and white."""
        picture = (case.image[0].permute(1, 2, 0).abs() / 4).clamp(0, 1)
        return picture.contiguous()

    def test_undoes_the_preprocessing(self, impl: Trial, case: Case) -> Any:
        """Of a picture within [0, 1], preprocessed, it makes the picture again."""
        picture = self.inside(case)
        return impl(case, image=style_transfer.style_preprocess(picture)), picture

    def test_within_black_and_white(self, impl: Trial, case: Case) -> None:
        """Nothing comes out below 0 or above 1."""
        y = impl(case)
        require(bool(((y >= 0) & (y <= 1)).all()), f"values from {float(y.min())} to {float(y.max())}")

    def test_again_it_changes_nothing(self, impl: Trial, case: Case) -> Any:
        """A picture that was cut off comes through again as it is."""
        picture = impl(case)
        return impl(case, image=style_transfer.style_preprocess(picture)), picture

    def test_beyond_white_nothing_flows(self, impl: Trial, case: Case) -> Any:
        """Where a pixel is cut off its gradient is 0, elsewhere the channel's deviation."""
        value, found = impl.vjp(case, [torch.ones_like(case.image[0].permute(1, 2, 0))], wrt=("image",))
        _, std = scale(value)
        mean = value.new_tensor(published.MEAN)
        raw = case.image[0].permute(1, 2, 0) * std + mean
        return found["image"][0].permute(1, 2, 0), torch.where((raw > 0) & (raw < 1), std, 0.0)
