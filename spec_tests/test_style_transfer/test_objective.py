"""The losses of content, style and roughness, and their weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, ones, tensor, zeros

from lawbook.fixtures.cases import style_transfer as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import style_transfer as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import style_transfer
from lawbook.reference.style_transfer import objective
from lawbook.spec_tests.spec import Invalid, Spec, require


@contextmanager
def divided_first() -> Iterator[None]:
    """Gram matrices of features that are divided before they are multiplied.

    Nothing else in exact arithmetic. Sums of whole numbers are exact where the division comes last, and round where it is first.
    """
    with patch.object(objective, "products_of_rows", lambda x: (x / x.numel()) @ x.T):
        yield


class TestContentLoss(Spec):
    component = style_transfer.content_loss
    cases = domains.content_loss
    extremes = domains.content_loss_extremes
    differentiable = ("y_hat", "y")
    twice = True
    invalid = (
        Invalid(ValueError, "a column for a row", y_hat=zeros(3, 1), y=zeros(3)),
        Invalid(ValueError, "features of one channel more", y_hat=zeros(1, 2, 3, 3), y=zeros(1, 3, 3, 3)),
        Invalid(ValueError, "one feature for all", y_hat=zeros(2, 3, 4), y=zeros(1, 3, 4)),
    )
    edges = ({"y_hat": ones(1), "y": zeros(1)}, {"y_hat": tensor(2.0), "y": tensor(0.5)})

    def test_zero_for_the_content_itself(self, impl: Trial, case: Case) -> Any:
        """Equal features have the loss 0."""
        return impl(case, y_hat=case.y), torch.zeros_like(case.y).sum()

    def test_no_gradient_reaches_the_target(self, impl: Trial, case: Case) -> Any:
        """The target is a constant: its gradient is 0, while that of the image's features is 2 (y_hat − y) / n."""
        _, found = impl.vjp(case, [torch.ones_like(case.y.flatten()[0])], wrt=("y_hat", "y"))
        slope = 2 * (case.y_hat - case.y) / case.y.numel()
        return (found["y_hat"], found["y"]), (slope, torch.zeros_like(case.y))

    def test_mean_and_not_sum(self, impl: Trial, case: Case) -> Any:
        """Features that stand there twice have the loss they have once."""
        twice = {name: torch.cat([case[name], case[name]]) for name in ("y_hat", "y")}
        return impl(case, **twice), impl(case)

    def test_twice_the_distance_is_four_times_the_loss(self, impl: Trial, case: Case) -> Any:
        """The loss grows with the square of the distance."""
        step = case.noise(case.y.shape, 2)
        return impl(case, y_hat=step * 2, y=torch.zeros_like(step)), 4 * impl(
            case, y_hat=step, y=torch.zeros_like(step)
        )


class TestGram(Spec):
    component = style_transfer.gram
    orders = (divided_first,)
    cases = domains.gram
    extremes = domains.gram_extremes
    differentiable = ("features",)
    twice = True
    invalid = (
        Invalid(ValueError, "two images", features=zeros(2, 3, 4, 5)),
        Invalid(ValueError, "no image", features=zeros(0, 3, 4, 5)),
        Invalid(ValueError, "an image without rows", features=zeros(1, 3, 0, 5)),
        Invalid(ValueError, "two axes", features=zeros(3, 4)),
    )
    edges = ({"features": ones(1, 1, 1, 1)}, {"features": tensor([1.0, -2.0]).view(1, 2, 1, 1)})

    def rows(self, case: Case) -> tuple[int, int]:
        return (-2, -1)

    def test_symmetric(self, impl: Trial, case: Case) -> Any:
        """Channel i goes with j as j goes with i."""
        found = impl(case)
        return found, found.T

    def test_positive_semidefinite(self, impl: Trial, case: Case) -> Any:
        """v · G · v is the mean square of the channels added up with the weights v, over C: it is never negative."""
        v = case.noise((case.features.shape[1], 4), 3)
        mixed = torch.einsum("chw,ck->khw", case.features[0], v)
        return torch.einsum("ck,cd,dk->k", v, impl(case), v), mixed.square().sum((1, 2)) / case.features.numel()

    def test_place_does_not_matter(self, impl: Trial, case: Case) -> Any:
        """Exchanging positions, alike in all channels, changes nothing."""
        flat = case.features.flatten(2)
        order = torch.randperm(flat.shape[2], generator=case.generator(4))
        return impl(case, features=flat[..., order].view(case.features.shape)), impl(case)

    def test_size_does_not_matter(self, impl: Trial, case: Case) -> Any:
        """Tiled to twice the height and three times the width, an image has the style it had."""
        return impl(case, features=case.features.repeat(1, 1, 2, 3)), impl(case)

    def test_divided_by_all_elements(self, impl: Trial, case: Case) -> Any:
        """The trace is the mean square of all elements."""
        return impl(case).diagonal().sum(), case.features.square().mean()

    def test_channels_keep_their_order(self, impl: Trial, case: Case) -> Any:
        """With channels exchanged, rows and columns are."""
        order = torch.randperm(case.features.shape[1], generator=case.generator(5))
        return impl(case, features=case.features[:, order]), impl(case)[order][:, order]

    def test_grows_with_the_square(self, impl: Trial, case: Case) -> Any:
        """Features three times as large have nine times the gram: nothing is centred or normalized."""
        return impl(case, features=case.features * 3 + 0), 9 * impl(case)


class TestStyleLoss(Spec):
    component = style_transfer.style_loss
    orders = (divided_first,)
    cases = domains.style_loss
    extremes = domains.style_loss_extremes
    differentiable = ("y_hat", "gram_target")
    twice = True
    prerequisites = ("gram",)
    invalid = (
        Invalid(ValueError, "two images", y_hat=zeros(2, 3, 4, 4), gram_target=zeros(3, 3)),
        Invalid(ValueError, "a target of one channel", y_hat=zeros(1, 3, 4, 4), gram_target=zeros(1, 1)),
        Invalid(ValueError, "a row for a target", y_hat=zeros(1, 3, 4, 4), gram_target=zeros(3)),
        Invalid(ValueError, "features for a target", y_hat=zeros(1, 3, 4, 4), gram_target=zeros(1, 3, 4, 4)),
    )
    edges = ({"y_hat": ones(1, 1, 1, 1), "gram_target": zeros(1, 1)},)

    def test_zero_for_the_style_itself(self, impl: Trial, case: Case) -> Any:
        """With the image's own gram as the target the loss is 0: beside the gram's size, its root adds nothing."""
        own = style_transfer.gram(case.y_hat)
        size = own.square().mean().sqrt()
        return size + impl(case, gram_target=own).sqrt(), size

    def test_another_style_has_a_loss(self, impl: Trial, case: Case) -> Any:
        """A target that differs by 1 in one place has the loss 1 / C²: nothing else gives 0."""
        channels = len(case.gram_target)
        off = torch.zeros_like(case.gram_target)
        off[channels - 1, 0] = 1.0
        image = torch.zeros_like(case.y_hat)
        return impl(case, y_hat=image, gram_target=off), off.new_tensor(1.0) / channels**2

    def test_place_does_not_matter(self, impl: Trial, case: Case) -> Any:
        """Turned by half a turn, an image has the style it had."""
        return impl(case, y_hat=case.y_hat.flip((2, 3))), impl(case)

    def test_no_gradient_reaches_the_target(self, impl: Trial, case: Case) -> Any:
        """The target is a constant."""
        found = impl.vjp(case, [torch.ones_like(case.gram_target[0, 0])], wrt=("y_hat", "gram_target"))[1]
        return found["gram_target"], torch.zeros_like(case.gram_target)

    def test_mean_over_pairs_of_channels(self, impl: Trial, case: Case) -> Any:
        """A black image's loss is the mean square of the target."""
        return impl(case, y_hat=torch.zeros_like(case.y_hat)), case.gram_target.square().mean()


class TestTvLoss(Spec):
    component = style_transfer.tv_loss
    cases = domains.tv_loss
    extremes = domains.tv_loss_extremes
    differentiable = ("image",)
    invalid = (
        Invalid(ValueError, "no image", image=zeros(0, 3, 4, 4)),
        Invalid(ValueError, "no columns", image=zeros(1, 3, 4, 0)),
        Invalid(ValueError, "two axes", image=zeros(4, 4)),
    )
    edges = (
        {"image": ones(1, 1, 2, 2)},
        {"image": tensor([1.0, 4.0, 2.0]).view(1, 1, 1, 3)},
        {"image": tensor([1.0, 4.0, 2.0]).view(1, 1, 3, 1)},
        {"image": ones(1, 2, 1, 1)},
    )

    def test_zero_for_a_constant(self, impl: Trial, case: Case) -> Any:
        """An image of one value has no variation, and nothing pulls at its pixels."""
        flat = torch.full_like(case.image, 1.5)
        value, found = impl.vjp(case, [torch.ones_like(flat.flatten()[0])], wrt=("image",), image=flat)
        return (value, found["image"]), (torch.zeros_like(value), torch.zeros_like(flat))

    def test_a_step_counts_once_a_column(self, impl: Trial, case: Case) -> Any:
        """Black above and white below: one pair in H − 1 differs by 1, so the loss is ½ / (H − 1); turned, ½ / (W − 1)."""
        height, width = case.image.shape[2:]
        below, right = torch.zeros_like(case.image), torch.zeros_like(case.image)
        below[:, :, height // 2 :] = 1.0
        right[..., width // 2 :] = 1.0
        half = case.image.new_tensor(0.5)
        return [(impl(case, image=below), half / (height - 1)), (impl(case, image=right), half / (width - 1))]

    def test_sum_form_differs_by_the_counts(self, impl: Trial, case: Case) -> Any:
        """The formula's sum along either axis is twice the loss of an image that varies along it alone, times its pairs."""
        samples, channels, height, width = case.image.shape
        column, row = case.image[..., :1].expand(case.image.shape), case.image[:, :, :1].expand(case.image.shape)
        pairs = samples * channels * (height - 1) * width, samples * channels * height * (width - 1)
        sums = [image.diff(dim=axis).abs().sum() for axis, image in ((2, column), (3, row))]
        return [
            (2 * n * impl(case, image=image.contiguous()), total)
            for n, image, total in zip(pairs, (column, row), sums, strict=True)
        ]

    def test_brightness_does_not_matter(self, impl: Trial, case: Case) -> Any:
        """Only differences count: mirrored at a grey value the image varies as before, and three times the image thrice."""
        return [(impl(case, image=-case.image), impl(case)), (impl(case, image=case.image * 3), 3 * impl(case))]

    def test_mirrors_and_turns_change_nothing(self, impl: Trial, case: Case) -> Any:
        """Upside down, left to right, or with rows and columns exchanged it is as rough as before."""
        turned = case.image.transpose(2, 3).contiguous()
        return [(impl(case, image=case.image.flip(k)), impl(case)) for k in (2, 3)] + [
            (impl(case, image=turned), impl(case))
        ]

    def test_channels_and_images_are_averaged(self, impl: Trial, case: Case) -> Any:
        """The same image once more, as a sample or as channels, changes nothing."""
        return [(impl(case, image=torch.cat([case.image, case.image], k)), impl(case)) for k in (0, 1)]


class TestTransferLoss(Spec):
    component = style_transfer.transfer_loss
    orders = (divided_first,)
    cases = domains.transfer_loss
    extremes = domains.transfer_loss_extremes
    differentiable = ("contents", "styles", "tv")
    invalid = (
        Invalid(ValueError, "two weights", contents=[], styles=[], tv=tensor(1.0), weights=(1.0, 2.0)),
        Invalid(
            ValueError, "losses that are no scalars", contents=[ones(2)], styles=[], tv=tensor(1.0), weights=(1.0,) * 3
        ),
        Invalid(ValueError, "a loss for each pixel", contents=[], styles=[], tv=ones(3), weights=(1.0, 1.0, 1.0)),
        Invalid(ValueError, "a negative weight", contents=[], styles=[], tv=tensor(1.0), weights=(1.0, -0.5, 1.0)),
    )
    edges = (
        {"contents": [], "styles": [], "tv": tensor(2.0), "weights": (1.0, 1.0, 0.5)},
        {"contents": [tensor(3.0)], "styles": [], "tv": tensor(0.0), "weights": (0.5, 1.0, 0.5)},
    )

    def losses(self, case: Case) -> tuple[Tensor, Tensor, Tensor]:
        """The sums of both lists, and tv."""
        zero = torch.zeros_like(case.tv)
        return sum(case.contents, zero), sum(case.styles, zero), case.tv

    def test_a_weight_is_a_factor(self, impl: Trial, case: Case) -> Any:
        """Each weight alone is that many times its losses' sum, whole or not: 2.5, 0.5 and 10."""
        return [
            (impl(case, weights=tuple(w if j == k else 0.0 for j in range(3))), w * self.losses(case)[k])
            for k in range(3)
            for w in (2.5, 0.5, 10.0)
        ]

    def test_linear_in_the_weights(self, impl: Trial, case: Case) -> Any:
        """Four times the weights give four times the loss; with all of them 0 nothing is left."""
        more = tuple(4 * w for w in case.weights)
        return [(impl(case, weights=more), 4 * impl(case)), (impl(case, weights=(0.0,) * 3), torch.zeros_like(case.tv))]

    def test_order_of_the_layers_does_not_matter(self, impl: Trial, case: Case) -> Any:
        """The losses of the layers come in any order."""
        return impl(case, contents=case.contents[::-1], styles=case.styles[::-1]), impl(case)

    def test_one_more_layer_adds_its_loss(self, impl: Trial, case: Case) -> Any:
        """A loss more in either list adds its weight's share: layers are added, not averaged."""
        more = case.noise((), 4).abs()
        content, style, _ = case.weights
        return [
            (impl(case, contents=[*case.contents, more]), impl(case) + content * more),
            (impl(case, styles=[*case.styles, more]), impl(case) + style * more),
        ]

    def test_published_weights(self, impl: Trial) -> None:
        """Note 004: with weights of 1, 1000 and 10, one content and five style losses of 1 and a tv of 1 make 5011."""
        one = torch.tensor(1.0)
        contents, styles = [one] * len(published.CONTENT_IDS), [one] * len(published.STYLE_IDS)
        found = float(impl.call(contents=contents, styles=styles, tv=one, weights=published.WEIGHTS))
        require(found == 5011, f"the loss is {found}, expected 5011")
