"""VGG, NiN and GoogLeNet: networks of blocks."""

from itertools import pairwise

import torch

from lawbook.fixtures.cases import cnn as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import cnn as published
from lawbook.reference import cnn
from lawbook.reference.convolution import conv2d
from lawbook.reference.pooling import max_pool2d
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_cnn.laws import Dropped, Images, Network, layer, ramp, renamed, replaced, without

ARCHS = {11: cnn.VGG_11, 16: cnn.VGG_16, 19: cnn.VGG_19}


def rectified(x, given, stride=1, padding=0):
    """A convolution by the convolution chapter, and relu."""
    return torch.relu(conv2d(x, given["weight"], given.get("bias"), stride, padding))


class Homogeneous(Images):
    """Blocks of convolutions, rectifiers and maxima."""

    def test_scale_passes_through_without_biases(self, impl, case):
        """Without biases, four times the image gives four times the result."""
        bare = unbiased(case.params)
        return impl(case, x=4 * case.x, params=bare), 4 * impl(case, params=bare)

    def test_nothing_negative_comes_out(self, impl, case):
        """The last thing that happens to a channel is relu, or a maximum of what relu gave."""
        y = impl(case)
        require((y >= 0).all(), f"a result is {y.min().item():g}, expected none below 0", got=y)


def unbiased(params):
    """The same layers without biases."""
    if isinstance(params, list | tuple):
        return [unbiased(part) for part in params]
    return {"weight": params["weight"]} if "weight" in params else {key: unbiased(part) for key, part in params.items()}


_BLOCK = [layer(2, 1, 3, 3), layer(3, 2, 3, 3)]


class TestVggBlock(Homogeneous, Spec):
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


class TestVgg(Dropped, Network, Spec):
    component = cnn.vgg
    cases = domains.vgg
    differentiable = ("x", "params")
    extremes = domains.vgg_extremes
    image = (3, 224, 224)
    classes = 1000
    passed = 2
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
    )

    def test_published_shapes_and_parameter_count(self, impl):
        """VGG-11, 16 and 19 have the published parameters, 102,760,448 of them in the first dense layer, and stages: 7×7·512
        before the dense layers."""
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
        paths = [("blocks", k, j) for k, block in enumerate(case.params["blocks"]) for j in range(len(block))]
        paths += [("dense1",), ("dense2",), ("dense3",)]
        changed = case
        for here, there in pairwise(paths):
            changed = renamed(changed, here, there)
        return impl(case, params=changed.params), impl(case)


_NIN_BLOCK = [layer(2, 1, 3, 3), layer(3, 2, 1, 1), layer(2, 3, 1, 1)]


class TestNinBlock(Homogeneous, Spec):
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


class TestNin(Dropped, Network, Spec):
    component = cnn.nin
    cases = domains.nin
    differentiable = ("x", "params")
    extremes = domains.nin_extremes
    image = (1, 224, 224)
    classes = 10
    stages = published.NIN_STAGES
    parameters = published.NIN_PARAMETERS
    passed = 1
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
        thin = domains.Thin(torch.Generator().manual_seed(1))
        return {"x": (1, 1, 67, 67), "params": domains.nin_params(thin, 1, (1, 2, 1, 3))}

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


_INCEPTION = {
    "path1": [layer(2, 3, 1, 1)],
    "path2": [layer(1, 3, 1, 1), layer(3, 1, 3, 3)],
    "path3": [layer(2, 3, 1, 1), layer(1, 2, 5, 5)],
    "path4": [layer(4, 3, 1, 1)],
}


def small_inception(channels):
    """A block whose every layer has one channel."""
    return {
        "path1": [layer(1, channels, 1, 1)],
        "path2": [layer(1, channels, 1, 1), layer(1, 1, 3, 3)],
        "path3": [layer(1, channels, 1, 1), layer(1, 1, 5, 5)],
        "path4": [layer(1, channels, 1, 1)],
    }


class TestInceptionBlock(Homogeneous, Spec):
    component = cnn.inception_block
    cases = domains.inception_block
    differentiable = ("x", "params")
    extremes = domains.inception_block_extremes
    edges = (
        dict(x=ramp(1, 1, 1, 1), params=small_inception(1)),
        dict(x=ramp(0, 1, 1, 2), params=small_inception(1)),
    )
    invalid = (
        Invalid(ValueError, "images of other channels", x=ramp(1, 2, 4, 4), params=_INCEPTION),
        Invalid(ValueError, "a missing path", x=ramp(1, 3, 4, 4), params=without(_INCEPTION, "path4")),
        Invalid(
            ValueError,
            "kernels of 3×3 in the third path",
            x=ramp(1, 3, 4, 4),
            params={**_INCEPTION, "path3": [layer(2, 3, 1, 1), layer(1, 2, 3, 3)]},
        ),
        Invalid(
            ValueError,
            "a path whose layers do not follow each other",
            x=ramp(1, 3, 4, 4),
            params={**_INCEPTION, "path2": [layer(2, 3, 1, 1), layer(3, 1, 3, 3)]},
        ),
    )
    prerequisites = ("conv2d", "max_pool2d")

    def test_block_is_its_paths(self, impl, case):
        """1×1; 1×1 and 3×3; 1×1 and 5×5; maxima of 3×3 and 1×1: every layer rectified, channels one path after the other."""
        paths = case.params
        parts = [rectified(case.x, paths["path1"][0])]
        for path, padding in (("path2", 1), ("path3", 2)):
            parts.append(rectified(rectified(case.x, paths[path][0]), paths[path][1], 1, padding))
        parts.append(rectified(max_pool2d(case.x, 3, 1, 1)[0], paths["path4"][0]))
        return impl(case), torch.cat(parts, 1)

    def test_size_is_kept_and_channels_add_up(self, impl, case):
        """Height and width are the input's, channels the sum of the four paths'."""
        n, _, height, width = case.x.shape
        channels = sum(len(path[-1]["weight"]) for path in case.params.values())
        shape = tuple(impl(case).shape)
        require(shape == (n, channels, height, width), f"{shape}, expected {(n, channels, height, width)}")

    def test_paths_know_nothing_of_each_other(self, impl, case):
        """Changing one path changes its own channels alone."""
        names = list(case.params)
        chosen = names[case.seed % 4]
        changed = [{**given, "weight": -2 * given["weight"]} for given in case.params[chosen]]
        before, after = impl(case), impl(case, params={**case.params, chosen: changed})
        sizes = [len(case.params[name][-1]["weight"]) for name in names]
        kept = [k for k, name in enumerate(names) if name != chosen]
        return (
            [after.split(sizes, 1)[k] for k in kept],
            [before.split(sizes, 1)[k] for k in kept],
        )


_GOOGLENET = {
    "conv1": layer(2, 1, 7, 7),
    "conv2": layer(1, 2, 1, 1),
    "conv3": layer(3, 1, 3, 3),
    "stages": [[_INCEPTION]],
    "dense": layer(2, 10),
}


class TestGooglenet(Network, Spec):
    component = cnn.googlenet
    cases = domains.googlenet
    differentiable = ("x", "params")
    extremes = domains.googlenet_extremes
    image = (1, 224, 224)
    classes = 1000
    stages = published.GOOGLENET_STAGES
    # One channel in place of three saves 2·64·7·7 weights of the first layer.
    parameters = published.GOOGLENET_PARAMETERS - 2 * 64 * 7 * 7
    prerequisites = ("inception_block",)
    edges = tuple(
        dict(
            x=ramp(samples, 1, 1, 1),
            params={
                "conv1": layer(1, 1, 7, 7),
                "conv2": layer(1, 1, 1, 1),
                "conv3": layer(1, 1, 3, 3),
                "stages": [[small_inception(1)]],
                "dense": layer(1, 4),
            },
        )
        for samples in (1, 0)
    )
    invalid = (
        Invalid(ValueError, "images of other channels", x=ramp(1, 2, 9, 9), params=_GOOGLENET),
        Invalid(ValueError, "a missing layer", x=ramp(1, 1, 9, 9), params=without(_GOOGLENET, "conv2")),
        Invalid(
            ValueError, "a dense layer of other inputs", x=ramp(1, 1, 9, 9), params={**_GOOGLENET, "dense": layer(2, 9)}
        ),
        Invalid(
            ValueError,
            "a block that does not follow",
            x=ramp(1, 1, 9, 9),
            params={**_GOOGLENET, "stages": [[_INCEPTION, _INCEPTION]]},
        ),
    )

    def thin(self):
        thin = domains.Thin(torch.Generator().manual_seed(1))
        return {"x": (1, 1, 17, 17), "params": domains.googlenet_params(thin, 1, (2, 5, 2), 2)}

    def test_published_channels_of_the_blocks(self, impl):
        """The nine blocks give 256, 480, 512, 512, 512, 528, 832, 832 and 1024 channels; as wide as that the network agrees
        on a small image."""
        params, found = cnn.googlenet_init(5, 1, 2), []
        for block in (block for stage in params["stages"] for block in stage):
            found.append(sum(len(path[-1]["weight"]) for path in block.values()))
        assert tuple(found) == published.GOOGLENET_CHANNELS, f"lawbook's blocks give {found} channels"
        case = Case({"x": ramp(1, 1, 8, 8) + 1, "params": params}, self.dtype)
        return self.oracle.check_value(impl(case), case, -1)

    def test_training_changes_nothing(self, impl, case):
        """No layer behaves otherwise in training."""
        return impl(case, training=True), impl(case, training=False)

    def test_last_maps_are_averaged(self, impl, case):
        """Logits are a linear function of means: twice the dense layer gives twice of them."""
        dense = {key: 2 * value for key, value in case.params["dense"].items()}
        return impl(case, params={**case.params, "dense": dense}), 2 * impl(case)
