"""LeNet and AlexNet."""

from itertools import pairwise

import torch

from lawbook.fixtures.cases import cnn as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import cnn as published
from lawbook.reference import cnn
from lawbook.spec_tests.spec import Invalid
from lawbook.spec_tests.test_cnn.initial import Helpers
from lawbook.spec_tests.test_cnn.laws import Dropped, Network, Normed, Shifted, layer, norm, ramp, renamed, without


class Lenets(Network):
    """What both LeNets share."""

    image = (1, 28, 28)
    classes = 10
    helpers = Helpers(
        small={"in_channels": 2, "classes": 7},
        wrong=((1, 1, 24, 24), (1, 1, 32, 32), (1, 1, 28, 32)),
        rectified=False,
    )

    def test_hidden_channels_may_be_renamed(self, impl, case):
        """Another order of hidden channels, with the next layer's inputs in that order, changes nothing: images are flattened
        channel by channel."""
        changed = case
        for k, (here, there) in enumerate(
            (("conv1", "conv2"), ("conv2", "dense1"), ("dense1", "dense2"), ("dense2", "dense3")), start=1
        ):
            changed = renamed(changed, [here], [there], [f"norm{k}"] if f"norm{k}" in case.params else None)
        return impl(case, params=changed.params), impl(case)

    def test_last_layer_is_linear(self, impl, case):
        """Twice the last layer's weights and biases give twice the logits: they are not squashed."""
        last = {key: 2 * value for key, value in case.params["dense3"].items()}
        return impl(case, params={**case.params, "dense3": last}), 2 * impl(case)


_LENET = {
    "conv1": layer(2, 1, 5, 5),
    "conv2": layer(3, 2, 5, 5),
    "dense1": layer(4, 3),
    "dense2": layer(3, 4),
    "dense3": layer(2, 3),
}


class TestLenet(Lenets):
    component = cnn.lenet
    cases = domains.lenet
    differentiable = ("x", "params")
    extremes = domains.lenet_extremes
    stages = published.LENET_STAGES
    parameters = published.LENET_PARAMETERS
    edges = tuple(
        dict(
            x=ramp(samples, 1, 12, 12),
            params={
                "conv1": layer(1, 1, 5, 5),
                "conv2": layer(1, 1, 5, 5),
                **{f"dense{k}": layer(1, 1) for k in (1, 2, 3)},
            },
        )
        for samples in (1, 0)
    )
    invalid = (
        Invalid(ValueError, "an image that is too small", x=ramp(2, 1, 6, 6), params=_LENET),
        Invalid(ValueError, "an image that leaves more than dense1 takes", x=ramp(2, 1, 16, 12), params=_LENET),
        Invalid(ValueError, "images of other channels", x=ramp(2, 3, 12, 12), params=_LENET),
        Invalid(ValueError, "a missing layer", x=ramp(2, 1, 12, 12), params=without(_LENET, "dense2")),
        Invalid(ValueError, "kernels of 3×3", x=ramp(2, 1, 12, 12), params={**_LENET, "conv1": layer(2, 1, 3, 3)}),
    )

    def thin(self):
        return {"x": (2, 1, 28, 28), "params": cnn.lenet_init(0, device="meta")}

    def test_training_changes_nothing(self, impl, case):
        """No layer behaves otherwise in training."""
        return impl(case, training=True), impl(case, training=False)


_LENET_BN = {**_LENET, "norm1": norm(2), "norm2": norm(3), "norm3": norm(4), "norm4": norm(3)}


class TestLenetBn(Lenets, Normed, Shifted):
    component = cnn.lenet_bn
    cases = domains.lenet_bn
    differentiable = ("x", "params")
    extremes = domains.lenet_bn_extremes
    stages = published.LENET_BN_STAGES
    parameters = published.LENET_BN_PARAMETERS
    prerequisites = ("lenet", "batch_norm")
    edges = tuple(
        dict(
            x=ramp(samples, 1, 16, 16),
            params={
                "conv1": layer(1, 1, 5, 5),
                "conv2": layer(1, 1, 5, 5),
                **{f"dense{k}": layer(1, 1) for k in (1, 2, 3)},
                **{f"norm{k}": norm(1) for k in (1, 2, 3, 4)},
            },
        )
        for samples in (1, 0)
    )
    invalid = (
        Invalid(ValueError, "an image that is too small", x=ramp(2, 1, 8, 8), params=_LENET_BN),
        Invalid(ValueError, "an image that leaves more than dense1 takes", x=ramp(2, 1, 20, 16), params=_LENET_BN),
        Invalid(ValueError, "training on a single image", x=ramp(1, 1, 16, 16), params=_LENET_BN, training=True),
        Invalid(ValueError, "a missing norm", x=ramp(2, 1, 16, 16), params=without(_LENET_BN, "norm3")),
        Invalid(
            ValueError,
            "one scale for all channels",
            x=ramp(2, 1, 16, 16),
            params={**_LENET_BN, "norm1": {**norm(2), "gamma": ramp(1)}},
        ),
        Invalid(
            ValueError,
            "a norm of other channels",
            x=ramp(2, 1, 16, 16),
            params={**_LENET_BN, "norm2": norm(2)},
        ),
    )

    def thin(self):
        return {"x": (2, 1, 28, 28), "params": cnn.lenet_bn_init(0, device="meta")}


_ALEXNET = {
    "conv1": layer(2, 1, 11, 11),
    "conv2": layer(1, 2, 5, 5),
    "conv3": layer(2, 1, 3, 3),
    "conv4": layer(3, 2, 3, 3),
    "conv5": layer(2, 3, 3, 3),
    "dense1": layer(3, 2),
    "dense2": layer(4, 3),
    "dense3": layer(2, 4),
}


class TestAlexnet(Dropped, Network):
    component = cnn.alexnet
    cases = domains.alexnet
    differentiable = ("x", "params")
    extremes = domains.alexnet_extremes
    image = (1, 224, 224)
    classes = 1000
    stages = published.ALEXNET_STAGES
    parameters = published.ALEXNET_PARAMETERS
    helpers = Helpers(
        small={"in_channels": 2, "classes": 7, "widths": (8, 9, 10, 11, 12), "hidden": 60, "flattened": 50},
        init=({}, {"widths": (2, 3, 4, 5, 6), "hidden": 7}),
        count=({}, {"in_channels": 3, "classes": 7, "widths": (2, 3, 4, 5, 6), "hidden": 7}, {"flattened": 9216}),
        wrong=((1, 1, 190, 190), (1, 1, 260, 260)),
    )
    passed = 2
    edges = tuple(
        dict(
            x=ramp(samples, 1, 65, 65),
            params={
                "conv1": layer(1, 1, 11, 11),
                "conv2": layer(1, 1, 5, 5),
                **{f"conv{k}": layer(1, 1, 3, 3) for k in (3, 4, 5)},
                **{f"dense{k}": layer(1, 1) for k in (1, 2, 3)},
            },
        )
        for samples in (1, 0)
    )
    invalid = (
        Invalid(ValueError, "an image that is too small", x=ramp(1, 1, 40, 40), params=_ALEXNET),
        Invalid(ValueError, "an image that leaves more than dense1 takes", x=ramp(1, 1, 101, 65), params=_ALEXNET),
        Invalid(ValueError, "images of other channels", x=ramp(1, 3, 65, 65), params=_ALEXNET),
        Invalid(ValueError, "a missing layer", x=ramp(1, 1, 65, 65), params=without(_ALEXNET, "conv4")),
        Invalid(ValueError, "dropout without a seed", x=ramp(1, 1, 65, 65), params=_ALEXNET, training=True),
    )

    def thin(self):
        params = cnn.alexnet_init(0, 1, 2, widths=(1, 2, 1, 2, 1), hidden=3, flattened=1, device="meta")
        return {"x": (1, 1, 65, 65), "params": params}

    def masks(self, samples, width):
        ones = torch.ones
        params = {
            **{f"conv{k}": {"weight": ones(1, 1, n, n) / n**2} for k, n in ((1, 11), (2, 5), (3, 3), (4, 3), (5, 3))},
            "dense1": {"weight": torch.zeros(width, 1), "bias": ones(width)},
            "dense2": {"weight": torch.eye(width)},
            "dense3": {"weight": torch.eye(width)},
        }
        return {"x": ones(samples, 1, 65, 65), "params": params}

    def test_hidden_channels_may_be_renamed(self, impl, case):
        """Another order of hidden channels, with the next layer's inputs in that order, changes nothing: images are flattened
        channel by channel."""
        names = ("conv1", "conv2", "conv3", "conv4", "conv5", "dense1", "dense2", "dense3")
        changed = case
        for here, there in pairwise(names):
            changed = renamed(changed, [here], [there])
        return impl(case, params=changed.params), impl(case)

    def test_flattens_five_by_five_pixels_a_channel(self, impl):
        """A 224×224 image leaves 5×5 pixels a channel for the first dense layer, 256·5·5 = 6400 as published."""
        params = cnn.alexnet_init(3, 1, 2, widths=(1, 1, 1, 1, 2), hidden=3, flattened=2 * 5 * 5)
        x = ramp(1, 1, 224, 224).abs()
        case = Case({"x": x, "params": params}, self.dtype)
        return self.oracle.check_value(impl(case), case, -1)

    def test_torchvision_has_as_many_parameters(self, impl):
        """With torchvision's widths, padding and channels there are 61,100,840 parameters, and 6×6 pixels are left."""
        said = published.TORCHVISION_ALEXNET
        full = {"widths": said["widths"], "flattened": said["flattened"]}
        count = cnn.alexnet_parameter_count(3, 1000, **full)
        assert count == said["parameters"], f"lawbook's alexnet has {count} parameters"
        params = cnn.alexnet_init(3, 1, 2, widths=(1, 1, 1, 1, 2), hidden=3, flattened=2 * 6 * 6)
        case = Case({"x": ramp(1, 1, 224, 224).abs(), "params": params, "padding": 2}, self.dtype)
        return self.oracle.check_value(impl(case), case, -1)
