"""The bilinear kernel and the head it is made for."""

from typing import Any

import torch
from torch import Tensor, ones, zeros

from lawbook.fixtures.cases import segmentation as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import segmentation as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import convolution, pooling, segmentation
from lawbook.spec_tests.memory import OwnMemory
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

NO_TENSOR = "no argument is a tensor"


class TestBilinearKernel(OwnMemory, Spec):
    component = segmentation.bilinear_kernel
    cases = domains.bilinear_kernel
    declines = {
        "memory_layout": NO_TENSOR,
        "no_aliasing": NO_TENSOR,
        "low_precision": "the result is float32 always",
        "extremes_stay_finite": NO_TENSOR,
        "nan_not_hidden": NO_TENSOR,
        "accelerator_agrees": "no argument is a tensor that would say where to compute",
    }
    invalid = (
        Invalid(ValueError, "three outputs for one input", in_channels=1, out_channels=3, size=4),
        Invalid(ValueError, "one output for three inputs", in_channels=3, out_channels=1, size=4),
        Invalid(ValueError, "three outputs for two inputs", in_channels=2, out_channels=3, size=4),
        Invalid(ValueError, "no channels", in_channels=0, out_channels=0, size=4),
        Invalid(ValueError, "a kernel of nothing", in_channels=2, out_channels=2, size=0),
        Invalid(ValueError, "a negative size", in_channels=2, out_channels=2, size=-3),
    )
    edges = ({"in_channels": 1, "out_channels": 1, "size": 1}, {"in_channels": 1, "out_channels": 1, "size": 2})

    def rows(self, case: Case) -> tuple[int, int]:
        return (-2, -1)

    def test_channels_do_not_mix(self, impl: Trial, case: Case) -> Any:
        """Every channel has the same weights, and no channel has any for another."""
        kernel = impl(case)
        apart = torch.eye(case.in_channels, dtype=kernel.dtype)[:, :, None, None]
        return kernel, apart * kernel[:1, :1]

    def test_looks_the_same_from_every_side(self, impl: Trial, case: Case) -> Any:
        """Upside down, left to right, and with rows and columns swapped it is the same kernel."""
        kernel = impl(case)
        return [(kernel.flip(-1), kernel), (kernel.flip(-2), kernel), (kernel.mT.contiguous(), kernel)]

    def test_weights_that_meet_add_up_to_one(self, impl: Trial, case: Case) -> Any:
        """With a stride of half the size, the weights that fall on one pixel add up to 1: constants stay constant."""
        stride = (case.size + 1) // 2
        kernel = torch.nn.functional.pad(impl(case), (0, 2 * stride - case.size, 0, 2 * stride - case.size))
        met = kernel.unflatten(-1, (2, stride)).sum(-2).unflatten(-2, (2, stride)).sum(-3)
        return met, torch.eye(case.in_channels, dtype=met.dtype)[:, :, None, None].expand_as(met)

    def test_interpolates_between_pixels(self, impl: Trial, case: Case) -> Any:
        """As the weights of a transposed convolution with a stride of half the size it interpolates, away from the border."""
        stride, size = (case.size + 1) // 2, min(case.size, 16)
        if case.size > size:
            case, stride = case.but(size=size), (size + 1) // 2
        kernel = impl(case)
        image = case.noise((1, case.in_channels, 3, 4)).to(kernel.dtype)
        if size % 2:
            y = convolution.conv_transpose2d(image, kernel, None, stride, stride - 1)
            return y, pooling.upsample_bilinear(image, (2 * stride + 1, 3 * stride + 1), align_corners=True)
        if stride % 2:
            y = convolution.conv_transpose2d(image, kernel, None, stride)
            inside = slice(stride, -stride)
            # Pixels lie halfway between those of a map with corners aligned: each is the mean of the four around it.
            corners = pooling.upsample_bilinear(image, (2 * stride + 1, 3 * stride + 1), align_corners=True)
            return y[..., inside, inside], pooling.avg_pool2d(corners, 2, 1)
        y = convolution.conv_transpose2d(image, kernel, None, stride, stride // 2)
        inside = slice(stride // 2, -stride // 2)
        full = pooling.upsample_bilinear(image, scale=stride)
        return y[..., inside, inside], full[..., inside, inside]

    def test_published_kernel(self, impl: Trial) -> None:
        """Note 004: 21 channels of 64×64 weights; those at the centre are (63/64)², those in the corners (1/64)²."""
        kernel = impl.call(in_channels=21, out_channels=21, size=published.KERNEL)
        shape = (21, 21, published.KERNEL, published.KERNEL)
        require(tuple(kernel.shape) == shape, f"the shape is {tuple(kernel.shape)}, expected {shape}")
        for at, expected in ((31, (63 / 64) ** 2), (32, (63 / 64) ** 2), (0, 1 / 4096), (63, 1 / 4096)):
            found = float(kernel[20, 20, at, at])
            require(f"{found:.5f}" == f"{expected:.5f}", f"weight {at}, {at} is {found:.5f}, expected {expected:.5f}")


def head(stride: int = 2, size: int = 4, classes: int = 2, channels: int = 3, **changes: Any) -> dict[str, Any]:
    """Arguments of a small head."""
    params = {
        "conv_weight": ones(classes, channels, 1, 1),
        "conv_bias": zeros(classes),
        "up_weight": ones(classes, classes, size, size),
        "up_bias": ones(classes),
    }
    return {"features": ones(1, channels, 2, 3), "params": {**params, **changes}, "stride": stride}


class TestFcnHead(Spec):
    component = segmentation.fcn_head
    cases = domains.fcn_head
    extremes = domains.fcn_head_extremes
    differentiable = ("features", "params")
    twice = True
    prerequisites = ("conv2d", "conv_transpose2d")
    invalid = (
        Invalid(ValueError, "kernels that are no 2p + s", **head(stride=2, size=5)),
        Invalid(ValueError, "kernels smaller than the stride", **head(stride=4, size=2)),
        Invalid(ValueError, "weights for four channels", **head(conv_weight=ones(2, 4, 1, 1))),
        Invalid(ValueError, "weights for three classes", **head(up_weight=ones(3, 3, 4, 4))),
        Invalid(ValueError, "a bias for three classes", **head(up_bias=ones(3))),
        Invalid(ValueError, "a stride of 0", **head(stride=0)),
        Invalid(
            KeyError, "no weights to enlarge by", features=ones(1, 3, 2, 2), params={"conv_weight": ones(2, 3, 1, 1)}
        ),
    )
    edges = (
        {**head(), "features": zeros(0, 3, 2, 2)},
        {**head(stride=1, size=1), "features": ones(1, 3, 1, 1)},
        {"features": ones(1, 1, 1, 1), "params": head(size=64, classes=1, channels=1)["params"]},
        {**head(stride=3, size=3, classes=1, channels=1), "features": ones(2, 1, 1, 1)},
    )

    def rows(self, case: Case) -> tuple[int, int]:
        return (-2, -1)

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, features=0)

    def without_biases(self, case: Case) -> Case:
        """The case with biases of zero."""
        zero = {name: torch.zeros_like(case.params[name]) for name in ("conv_bias", "up_bias")}
        return case.but(params={**case.params, **zero})

    def test_stride_times_as_large(self, impl: Trial, case: Case) -> None:
        """Every position of the features becomes stride × stride pixels, with a channel a class."""
        batch, _, height, width = case.features.shape
        expected = (batch, case.params["conv_bias"].shape[0], height * case.stride, width * case.stride)
        found = tuple(impl(case).shape)
        require(found == expected, f"features of {tuple(case.features.shape)} become {found}, expected {expected}")

    def test_additive(self, impl: Trial, case: Case) -> Any:
        """Without biases, the sum of two features gives the sum of their results: nothing bends in between."""
        case = self.without_biases(case)
        other = case.noise(case.features.shape)
        return impl(case, features=case.features + other), impl(case) + impl(case, features=other)

    def test_last_bias_shifts_every_pixel(self, impl: Trial, case: Case) -> Any:
        """The last bias is added to its class in every pixel, and nothing else is done to it."""
        bias = case.params["up_bias"].view(-1, 1, 1)
        without = impl(
            self.without_biases(case).but(params={**case.params, "up_bias": torch.zeros_like(bias.flatten())})
        )
        return impl(case), without + bias

    def test_bilinear_kernel_enlarges_the_scores(self, impl: Trial, case: Case) -> Any:
        """Enlarged by the bilinear kernel, the scores are interpolated, away from the border."""
        case = self.without_biases(case)
        weight, stride = case.params["conv_weight"], 4
        kernel = segmentation.bilinear_kernel(len(weight), len(weight), 2 * stride).to(case.dtype)
        y = impl(case, params={**case.params, "up_weight": kernel}, stride=stride)
        scores = torch.einsum("kc,nchw->nkhw", weight[:, :, 0, 0], case.features)
        inside = slice(stride // 2, -stride // 2)
        return y[..., inside, inside], pooling.upsample_bilinear(scores, scale=stride)[..., inside, inside]

    def test_weights_are_inputs_first(self, impl: Trial, case: Case) -> Any:
        """Where one class alone is scored, 1 at a single position, the result is its row of kernels, cut by the padding."""
        size = case.params["up_weight"].shape[-1]
        first = torch.zeros_like(case.params["conv_bias"])
        first[0] = 1.0
        params = {**self.without_biases(case).params, "conv_bias": first}
        padding = (size - case.stride) // 2
        y = impl(case, features=torch.zeros_like(case.features[:1, :, :1, :1]), params=params)
        cut = slice(padding, size - padding)
        return y, case.params["up_weight"][:1, :, cut, cut]

    def test_mirrored_features(self, impl: Trial, case: Case) -> Any:
        """Mirrored features and mirrored kernels give the mirrored result: both ends are cut alike."""
        mirrored = {**case.params, "up_weight": case.params["up_weight"].flip((-1, -2))}
        return impl(case, features=case.features.flip((-1, -2)), params=mirrored), impl(case).flip((-1, -2))

    def test_published_size(self, impl: Trial) -> None:
        """Note 004: features of 10×15 come out as the image's 320×480 with kernels of 64 and a stride of 32."""
        size, features = published.KERNEL, zeros(1, 4, *published.FEATURE_SIZE)
        require(size == 2 * published.PADDING + published.STRIDE, "the published kernel is 2p + s")
        given: dict[str, Any] = head(published.STRIDE, size, 2, 4)
        found: Tensor = impl.call(features=features, params=given["params"], stride=published.STRIDE)
        expected = published.IMAGE_SIZE
        require(tuple(found.shape[2:]) == expected, f"the result is {tuple(found.shape[2:])}, expected {expected}")
