"""GoogLeNet and its blocks."""

import torch

from lawbook.fixtures.cases import cnn as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.cases.thin import Thin, googlenet_params
from lawbook.fixtures.published import cnn as published
from lawbook.fixtures.tree import leaves
from lawbook.reference import cnn
from lawbook.reference.pooling import max_pool2d
from lawbook.spec_tests.spec import Invalid, require
from lawbook.spec_tests.test_cnn.initial import Helpers
from lawbook.spec_tests.test_cnn.laws import Homogeneous, Network, layer, ramp, rectified, without

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


class TestInceptionBlock(Homogeneous):
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


def of_torchvision(params) -> int:
    """How many parameters networks of these widths have with 3×3 kernels for 5×5, and a scale and a shift for each bias."""
    weights = [leaf for path, leaf in leaves(params) if path.endswith("['weight']") and leaf.ndim == 4]
    convolutions = sum(len(w) * (w.shape[1] * {5: 3}.get(w.shape[2], w.shape[2]) ** 2 + 2) for w in weights)
    return convolutions + sum(leaf.numel() for leaf in params["dense"].values())


class TestGooglenet(Network):
    component = cnn.googlenet
    cases = domains.googlenet
    differentiable = ("x", "params")
    extremes = domains.googlenet_extremes
    image = (1, 224, 224)
    classes = 1000
    stages = published.GOOGLENET_STAGES
    # One channel in place of three saves 2·64·7·7 weights of the first layer.
    parameters = published.GOOGLENET_PARAMETERS - 2 * 64 * 7 * 7
    helpers = Helpers(small={"in_channels": 2, "classes": 7})
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
        thin = Thin(torch.Generator().manual_seed(1))
        return {"x": (1, 1, 17, 17), "params": googlenet_params(thin, 1, (2, 5, 2), 2)}

    def test_published_channels_of_the_blocks(self, impl):
        """The nine blocks give 256, 480, 512, 512, 512, 528, 832, 832 and 1024 channels; as wide as that the network agrees
        on a small image."""
        params, found = cnn.googlenet_init(5, 1, 2), []
        for block in (block for stage in params["stages"] for block in stage):
            found.append(sum(len(path[-1]["weight"]) for path in block.values()))
        assert tuple(found) == published.GOOGLENET_CHANNELS, f"lawbook's blocks give {found} channels"
        count = of_torchvision(cnn.googlenet_init(0, 3, 1000, device="meta"))
        assert count == published.TORCHVISION_GOOGLENET_PARAMETERS, f"torchvision's would have {count} parameters"
        case = Case({"x": ramp(1, 1, 8, 8) + 1, "params": params}, self.dtype)
        return self.oracle.check_value(impl(case), case, -1)

    def test_training_changes_nothing(self, impl, case):
        """No layer behaves otherwise in training."""
        return impl(case, training=True), impl(case, training=False)

    def test_last_maps_are_averaged(self, impl, case):
        """Logits are a linear function of means: twice the dense layer gives twice of them."""
        dense = {key: 2 * value for key, value in case.params["dense"].items()}
        return impl(case, params={**case.params, "dense": dense}), 2 * impl(case)
