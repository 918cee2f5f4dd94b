"""VGG and NiN: networks of blocks."""

import math
from itertools import pairwise

import torch

from lawbook.fixtures.cases import cnn as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.cases.thin import Thin, nin_params
from lawbook.fixtures.published import cnn as published
from lawbook.reference import cnn
from lawbook.reference.pooling import max_pool2d
from lawbook.spec_tests.chance import ALARM
from lawbook.spec_tests.spec import Invalid, require
from lawbook.spec_tests.test_cnn.initial import Helpers
from lawbook.spec_tests.test_cnn.laws import Dropped, Homogeneous, Network, layer, ramp, rectified, renamed, replaced

ARCHS = {11: cnn.VGG_11, 16: cnn.VGG_16, 19: cnn.VGG_19}

_BLOCK = [layer(2, 1, 3, 3), layer(3, 2, 3, 3)]


class TestVggBlock(Homogeneous):
    component = cnn.vgg_block
    cases = domains.vgg_block
    differentiable = ("x", "params")
    extremes = domains.vgg_block_extremes
    edges = (
        dict(x=ramp(1, 1, 2, 2), params=[layer(1, 1, 3, 3)]),
        dict(x=ramp(0, 1, 2, 3), params=[layer(1, 1, 3, 3)]),
    )
    invalid = (
        Invalid(ValueError, "a single row", x=ramp(1, 1, 1, 4), params=_BLOCK),
        Invalid(ValueError, "images of other channels", x=ramp(1, 2, 4, 4), params=_BLOCK),
        Invalid(ValueError, "kernels of 5×5", x=ramp(1, 1, 6, 6), params=[layer(2, 1, 5, 5)]),
        Invalid(ValueError, "layers that do not follow each other", x=ramp(1, 1, 4, 4), params=[_BLOCK[0]] * 2),
        Invalid(ValueError, "images without columns", x=ramp(1, 1, 4, 0), params=_BLOCK),
        Invalid(
            ValueError,
            "a number that no layer has",
            x=ramp(1, 1, 4, 4),
            params=[{**_BLOCK[0], "scale": ramp(2)}, *_BLOCK[1:]],
        ),
    )
    prerequisites = ("conv2d", "max_pool2d")

    def test_block_is_its_layers(self, impl, case):
        """3×3 convolutions padded by 1, each rectified, then the maxima of 2×2 windows."""
        y = case.x
        for given in case.params:
            y = rectified(y, given, 1, 1)
        return impl(case), max_pool2d(y, 2, 2)[0]

    def test_block_halves_height_and_width(self, impl, case):
        """Height and width are halved, an odd row is left out, and channels are the last layer's."""
        n, _, height, width = case.x.shape
        expected = (n, len(case.params[-1]["weight"]), height // 2, width // 2)
        shape = tuple(impl(case).shape)
        require(shape == expected, f"the result has shape {shape}, expected {expected}")


_VGG = {"blocks": [_BLOCK], "dense1": layer(3, 12), "dense2": layer(4, 3), "dense3": layer(2, 4)}
_ARCH = ((2, 2),)
_LEGAL = {**_VGG, "blocks": [[layer(2, 1, 3, 3), layer(2, 2, 3, 3)]], "dense1": layer(3, 8)}


class TestVgg(Dropped, Network):
    component = cnn.vgg
    cases = domains.vgg
    differentiable = ("x", "params")
    extremes = domains.vgg_extremes
    image = (3, 224, 224)
    classes = 1000
    passed = 2
    helpers = Helpers(
        small={"arch": ((1, 4), (2, 8)), "in_channels": 2, "classes": 7, "hidden": 60, "size": 4},
        init=({}, {"arch": ((2, 3), (1, 5)), "size": 11}),
        count=({}, {"arch": ((2, 3), (1, 5)), "in_channels": 2, "classes": 7}),
        wrong=((1, 1, 31, 31), (1, 1, 224, 225)),
        too_small=({"in_channels": 0}, {"classes": 0}, {"hidden": 0}, {"size": 3}, {"arch": ((0, 4), (2, 8))}),
    )
    prerequisites = ("vgg_block",)
    edges = tuple(
        dict(
            x=ramp(samples, 1, 2, 2),
            params={"blocks": [[layer(1, 1, 3, 3)]], **{f"dense{k}": layer(1, 1) for k in (1, 2, 3)}},
            arch=((1, 1),),
        )
        for samples in (1, 0)
    )
    invalid = (
        Invalid(ValueError, "an image that is too small", x=ramp(1, 1, 1, 4), params=_LEGAL, arch=_ARCH),
        Invalid(
            ValueError, "an image that leaves more than dense1 takes", x=ramp(1, 1, 6, 4), params=_LEGAL, arch=_ARCH
        ),
        Invalid(ValueError, "channels other than the architecture's", x=ramp(1, 1, 4, 4), params=_VGG, arch=_ARCH),
        Invalid(
            ValueError, "a convolution too few for the architecture", x=ramp(1, 1, 4, 4), params=_LEGAL, arch=((3, 2),)
        ),
        Invalid(ValueError, "a block too many for the architecture", x=ramp(1, 1, 4, 4), params=_LEGAL, arch=_ARCH * 2),
        Invalid(ValueError, "dropout without a seed", x=ramp(1, 1, 4, 4), params=_LEGAL, arch=_ARCH, training=True),
        Invalid(
            ValueError,
            "a block of no convolution",
            x=ramp(1, 1, 4, 4),
            params={**_LEGAL, "blocks": [[]]},
            arch=((0, 1),),
        ),
        Invalid(ValueError, "a share below 0", x=ramp(1, 1, 4, 4), params=_LEGAL, arch=_ARCH, dropout=-0.5),
        Invalid(ValueError, "a share above 1", x=ramp(1, 1, 4, 4), params=_LEGAL, arch=_ARCH, dropout=1.5),
    )

    def test_published_shapes_and_parameter_count(self, impl):
        """VGG-11, 16 and 19 have the published parameters, 102,760,448 of them in the first dense layer, and stages: 7×7·512
        before the dense layers. Helpers are judged as those of other networks."""
        self.helpers.check(impl, self.image)
        first = cnn.vgg_init(0, cnn.VGG_16, 3, 1000, device="meta")["dense1"]["weight"].numel()
        assert first == published.VGG_FIRST_DENSE_WEIGHTS, f"lawbook's first dense layer has {first} weights"
        for layers, arch in ARCHS.items():
            count = published.VGG_PARAMETERS[layers]
            self.check_published(impl, self.image, published.VGG_STAGES, count, arch=arch)

    def test_every_published_layer_takes_part(self, impl):
        """VGG-11, 16 and 19 have 11, 16 and 19 layers with weights; in each network every one of them matters."""
        shares = []
        for layers, arch in ARCHS.items():
            thin = tuple((convolutions, 1 + k % 2) for k, (convolutions, _) in enumerate(arch))
            params = cnn.vgg_init(0, thin, 1, 2, hidden=2, size=32, device="meta")
            shares.append(self.check_depth(impl, {"x": (1, 1, 32, 32), "params": params, "arch": thin}, layers))
        return max(shares)

    def masks(self, samples, width):
        params = {
            "blocks": [[{"weight": torch.ones(1, 1, 3, 3)}]],
            "dense1": {"weight": torch.zeros(width, 1), "bias": torch.ones(width)},
            "dense2": {"weight": torch.eye(width)},
            "dense3": {"weight": torch.eye(width)},
        }
        return {"x": torch.ones(samples, 1, 2, 2), "params": params, "arch": ((1, 1),)}

    def test_network_is_blocks_and_dense_layers(self, impl, case):
        """Out of training: blocks, flattened channel by channel, and three dense layers, the first two rectified."""
        y = case.x
        for block in case.params["blocks"]:
            y = cnn.vgg_block(y, block)
        y = y.flatten(1)
        for k in (1, 2, 3):
            given = case.params[f"dense{k}"]
            y = y @ given["weight"].T + given["bias"]
            y = torch.relu(y) if k < 3 else y
        return impl(case, training=False), y

    def test_hidden_channels_may_be_renamed(self, impl, case):
        """Another order of hidden channels, with the next layer's inputs in that order, changes nothing."""
        paths: list[tuple] = [
            ("blocks", k, j) for k, block in enumerate(case.params["blocks"]) for j in range(len(block))
        ]
        paths += [("dense1",), ("dense2",), ("dense3",)]
        changed = case
        for here, there in pairwise(paths):
            changed = renamed(changed, here, there)
        return impl(case, params=changed.params), impl(case)


_NIN_BLOCK = [layer(2, 1, 3, 3), layer(3, 2, 1, 1), layer(2, 3, 1, 1)]


class TestNinBlock(Homogeneous):
    component = cnn.nin_block
    cases = domains.nin_block
    differentiable = ("x", "params")
    extremes = domains.nin_block_extremes
    edges = (
        dict(x=ramp(1, 1, 1, 1), params=[layer(1, 1, 1, 1)] * 3),
        dict(x=ramp(0, 1, 1, 2), params=[layer(1, 1, 1, 1)] * 3),
    )
    invalid = (
        Invalid(ValueError, "an image smaller than the kernel", x=ramp(1, 1, 2, 4), params=_NIN_BLOCK),
        Invalid(ValueError, "images of other channels", x=ramp(1, 2, 4, 4), params=_NIN_BLOCK),
        Invalid(ValueError, "a second layer of 3×3", x=ramp(1, 1, 7, 7), params=[layer(1, 1, 3, 3)] * 3),
        Invalid(ValueError, "two layers", x=ramp(1, 1, 4, 4), params=_NIN_BLOCK[:2]),
        Invalid(ValueError, "a stride of 0", x=ramp(1, 1, 4, 4), params=_NIN_BLOCK, stride=0),
        Invalid(ValueError, "a negative padding", x=ramp(1, 1, 6, 6), params=_NIN_BLOCK, padding=-1),
        Invalid(
            ValueError,
            "a number that the first layer has not",
            x=ramp(1, 1, 4, 4),
            params=[{**_NIN_BLOCK[0], "scale": ramp(2)}, *_NIN_BLOCK[1:]],
        ),
    )
    prerequisites = ("conv2d",)

    def test_block_is_its_layers(self, impl, case):
        """A convolution with the block's stride and padding, then two dense layers for every pixel alone, all rectified."""
        y = rectified(case.x, case.params[0], case.stride, case.padding)
        for given in case.params[1:]:
            y = torch.einsum("nchw,oc->nohw", y, given["weight"].flatten(1))
            y = torch.relu(y + given.get("bias", y.new_zeros(y.shape[1])).view(-1, 1, 1))
        return impl(case), y

    def test_pixels_meet_in_the_first_layer_alone(self, impl, case):
        """With 1×1 kernels throughout and no padding, every pixel has a result of its own."""
        params = replaced(case.params, (0, "weight"), case.params[0]["weight"][..., :1, :1])
        pixel = impl(case, params=params, stride=1, padding=0, x=case.x[..., -1:, :1])
        return pixel, impl(case, params=params, stride=1, padding=0)[..., -1:, :1]


_NIN = [
    [layer(2, 1, 11, 11), layer(2, 2, 1, 1), layer(2, 2, 1, 1)],
    [layer(1, 2, 5, 5), layer(1, 1, 1, 1), layer(1, 1, 1, 1)],
    [layer(1, 1, 3, 3), layer(1, 1, 1, 1), layer(1, 1, 1, 1)],
    [layer(3, 1, 3, 3), layer(3, 3, 1, 1), layer(3, 3, 1, 1)],
]


class TestNin(Dropped, Network):
    component = cnn.nin
    cases = domains.nin
    differentiable = ("x", "params")
    extremes = domains.nin_extremes
    image = (1, 224, 224)
    classes = 10
    stages = published.NIN_STAGES
    parameters = published.NIN_PARAMETERS
    passed = 1
    helpers = Helpers(small={"in_channels": 2, "classes": 7}, wrong=((1, 1, 66, 67),))
    prerequisites = ("nin_block",)
    edges = tuple(
        dict(
            x=ramp(samples, 1, 67, 67),
            params=[[layer(1, 1, n, n), layer(1, 1, 1, 1), layer(1, 1, 1, 1)] for n in (11, 5, 3, 3)],
        )
        for samples in (1, 0)
    )
    invalid = (
        Invalid(ValueError, "an image that is too small", x=ramp(1, 1, 40, 40), params=_NIN),
        Invalid(ValueError, "images of other channels", x=ramp(1, 2, 67, 67), params=_NIN),
        Invalid(ValueError, "three blocks", x=ramp(1, 1, 67, 67), params=_NIN[:3]),
        Invalid(
            ValueError, "kernels of 3×3 in the second block", x=ramp(1, 1, 67, 67), params=[_NIN[0], _NIN[2], *_NIN[2:]]
        ),
        Invalid(ValueError, "dropout without a seed", x=ramp(1, 1, 67, 67), params=_NIN, training=True),
    )

    def thin(self):
        thin = Thin(torch.Generator().manual_seed(1))
        return {"x": (1, 1, 67, 67), "params": nin_params(thin, 1, (1, 2, 1, 3))}

    def masks(self, samples, width):
        def flat(outputs, inputs, kernel):
            return {"weight": torch.zeros(outputs, inputs, kernel, kernel), "bias": torch.ones(outputs)}

        def same(count):
            return {"weight": torch.eye(count).view(count, count, 1, 1)}

        centre = torch.zeros(width, width, 3, 3)
        centre[:, :, 1, 1] = torch.eye(width)
        params = [
            [flat(1, 1, 11), same(1), same(1)],
            [flat(1, 1, 5), same(1), same(1)],
            [flat(width, 1, 3), same(width), same(width)],
            [{"weight": centre}, same(width), same(width)],
        ]
        return {"x": torch.ones(samples, 1, 67, 67), "params": params}

    def test_pixels_are_dropped_one_by_one(self, impl):
        """Dropout decides for every pixel of a map by itself, not for maps: of four pixels it seldom takes all or none."""
        given = Case({**self.masks(30, 48), "x": torch.ones(30, 1, 99, 99)}, self.dtype)
        found = impl(given, training=True, dropout=0.5, seed=11)
        share, wanted = float(((found > 0) & (found < 2)).double().mean()), 1 - 2 / 2**4
        limit = math.sqrt(math.log(2 / ALARM) / (2 * found.numel()))
        require(
            abs(share - wanted) <= limit,
            f"{share:.3f} of the maps of 2×2 lose some of their pixels, expected {wanted:.3f} ± {limit:.3f}",
        )

    def test_no_dense_layer_fixes_the_size(self, impl, case):
        """The same parameters take images of any size: a larger one has logits too, the means of its last maps."""
        case = case.but(x=torch.cat([case.x, case.noise((*case.x.shape[:3], 32), 40)], 3), training=False)
        y = case.x
        for k, (block, stride, padding) in enumerate(zip(case.params, (4, 1, 1, 1), (0, 2, 1, 1), strict=True)):
            y = cnn.nin_block(y, block, stride, padding)
            y = max_pool2d(y, 3, 2)[0] if k < 3 else y
        return impl(case), y.mean((2, 3))

    def test_logits_are_not_negative(self, impl, case):
        """They are means of rectified maps."""
        y = impl(case)
        require((y >= 0).all(), f"a logit is {y.min().item():g}, expected none below 0", got=y)
