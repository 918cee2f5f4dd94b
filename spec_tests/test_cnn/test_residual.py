"""Residual blocks and networks."""

import torch

from lawbook.fixtures.cases import cnn as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import cnn as published
from lawbook.reference import cnn
from lawbook.reference.convolution import conv2d
from lawbook.reference.normalization import batch_norm
from lawbook.spec_tests.spec import Invalid, skip_case
from lawbook.spec_tests.test_cnn.initial import Helpers, check_form, helper
from lawbook.spec_tests.test_cnn.laws import Images, Network, Normed, Shifted, layer, norm, ramp, replaced, without

_BASIC = {"conv1": layer(2, 1, 3, 3), "norm1": norm(2), "conv2": layer(1, 2, 3, 3), "norm2": norm(1)}
_NARROWING = {
    "conv1": layer(2, 1, 1, 1),
    "norm1": norm(2),
    "conv2": layer(2, 2, 3, 3),
    "norm2": norm(2),
    "conv3": layer(1, 2, 1, 1),
    "norm3": norm(1),
}
_SHORTCUT = {**_BASIC, "conv2": layer(3, 2, 3, 3), "norm2": norm(3), "shortcut": layer(3, 1, 1, 1)}


def silenced(params):
    """A block's parameters with which f(x) is 0: its last norm scales by 0 and shifts by 0."""
    last = "norm3" if "norm3" in params else "norm2"
    zeros = torch.zeros_like(params[last]["gamma"])
    return {**params, last: {**params[last], "gamma": zeros, "beta": zeros}}


def plain(case):
    """The case without a convolution on the shortcut; None where the size or the channels change."""
    last = "conv3" if "conv3" in case.params else "conv2"
    if case.x.shape[1] != len(case.params[last]["weight"]):
        return None
    params = {key: value for key, value in case.params.items() if not key.startswith("shortcut")}
    return case.but(params=params, stride=1, use_1x1conv=False)


class TestResidualBlock(Images, Normed, Shifted):
    component = cnn.residual_block
    cases = domains.residual_block
    differentiable = ("x", "params")
    extremes = domains.residual_block_extremes
    prerequisites = ("conv2d", "batch_norm")
    edges = tuple(
        dict(x=ramp(samples, 1, 1, 1), params=params) for samples in (1, 0) for params in (_BASIC, _NARROWING)
    )
    invalid = (
        Invalid(ValueError, "images of other channels", x=ramp(2, 2, 4, 4), params=_BASIC),
        Invalid(
            ValueError, "a stride without a convolution on the shortcut", x=ramp(2, 1, 4, 4), params=_BASIC, stride=2
        ),
        Invalid(ValueError, "a 1×1 convolution that is not there", x=ramp(2, 1, 4, 4), params=_BASIC, use_1x1conv=True),
        Invalid(ValueError, "a 1×1 convolution that is not asked for", x=ramp(2, 1, 4, 4), params=_SHORTCUT),
        Invalid(ValueError, "a missing norm", x=ramp(2, 1, 4, 4), params=without(_BASIC, "norm2")),
        Invalid(ValueError, "training on a single value a channel", x=ramp(1, 1, 1, 1), params=_BASIC, training=True),
    )

    def test_block_is_its_layers(self, impl, case):
        """Convolutions with norms, rectified but for the last; the shortcut is added, and then the sum is rectified."""
        params, bottleneck = case.params, "conv3" in case.params
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        strided = 1 if bottleneck and case.stride_in == "3x3" else 0

        def normed(y, name):
            return batch_norm(y, **params[name], training=case.training)[0] if name in params else y

        y = case.x
        for k, kernel in enumerate(kernels):
            given, stride = params[f"conv{k + 1}"], case.stride if k == strided else 1
            y = normed(conv2d(y, given["weight"], given.get("bias"), stride, kernel // 2), f"norm{k + 1}")
            y = torch.relu(y) if k < len(kernels) - 1 else y
        x = case.x
        if case.use_1x1conv:
            given = params["shortcut"]
            x = normed(conv2d(x, given["weight"], given.get("bias"), case.stride), "shortcut_norm")
        return impl(case), torch.relu(x + y)

    def test_fresh_block_is_a_basic_one(self, impl):
        """By default a fresh block, the implementation's own where it makes one, is basic, without biases and without a
        convolution on the shortcut, and the block takes its parameters."""
        init = helper(impl, "residual_block_init") or cnn.residual_block_init
        params = init(0, 3, 3, dtype=self.dtype)
        check_form(params, cnn.residual_block_init(0, 3, 3, dtype=self.dtype), "residual_block_init")
        case = Case({"x": ramp(2, 3, 5, 4), "params": params}, self.dtype)
        return self.oracle.check_value(impl(case), case, -1)

    def test_zero_weights_give_relu_of_the_input(self, impl, case):
        """A block that adds nothing is relu(x), with its weights at 0 and its last norm silent."""
        case = plain(case)
        if case is None:
            return skip_case
        params = silenced(case.params)
        for name in ("conv1", "conv2", "conv3"):
            if name in params:
                params = replaced(params, (name, "weight"), torch.zeros_like(params[name]["weight"]))
        return impl(case, params=params), torch.relu(case.x)

    def test_gradient_passes_unchanged(self, impl, case):
        """Through a block that adds nothing the gradient passes as it is, wherever the input is above 0."""
        case = plain(case)
        if case is None:
            return skip_case
        cotangent = case.noise(case.x.shape, 41)
        _, grads = impl.vjp(case, cotangent=cotangent, wrt=("x",), params=silenced(case.params))
        return grads["x"], torch.where(case.x > 0, cotangent, torch.zeros_like(cotangent))

    def test_shortcut_is_added_before_the_last_relu(self, impl, case):
        """Where the block adds nothing, relu of the convolution on the shortcut is left."""
        if not case.use_1x1conv:
            return skip_case
        params = silenced(without(case.params, "shortcut_norm"))
        given = params["shortcut"]
        expected = torch.relu(conv2d(case.x, given["weight"], given.get("bias"), case.stride))
        return impl(case, params=params), expected

    def test_without_stride_its_place_does_not_matter(self, impl, case):
        """With stride 1 it does not matter which convolution of a bottleneck has it."""
        other = "1x1" if case.stride_in == "3x3" else "3x3"
        case = plain(case)
        if case is None:
            return skip_case
        return impl(case, stride_in=other), impl(case)


def network(kind, **changes):
    """A small network of one stage."""
    block = {"basic": _BASIC, "bottleneck": _NARROWING}[kind]
    return {"conv1": layer(1, 1, 7, 7), "norm1": norm(1), "stages": [[block]], "dense": layer(2, 1), **changes}


class Resnets(Network, Normed):
    """What all residual networks share, depth aside."""

    image = (3, 224, 224)
    classes = 1000
    helpers = Helpers(
        small={"in_channels": 2, "classes": 7, "widths": (4, 8, 6, 8)},
        init=({}, {"note": True}, {"widths": (4, 8, 8, 8)}, {"widths": (4, 4, 8, 8)}),
        too_small=({"in_channels": 0}, {"classes": 0}, {"widths": (4, 8, 6)}, {"widths": (4, 8, 6, 8, 8)}),
        count=({}, {"in_channels": 2, "classes": 7}, {"note": True}),
        small_images=((1, 1, 32, 32),),
    )
    differentiable = ("x", "params")

    def thin(self):
        params = getattr(cnn, f"{self.name}_init")(0, 1, 2, widths=(1, 2, 1, 1), device="meta")
        return {"x": (1, 1, 17, 17), "params": params}

    def test_blocks_that_add_nothing_may_be_left_out(self, impl, case):
        """A block whose last norm is silent is the identity on what a block before it gave: the network without it gives the
        same logits."""
        stages = case.params["stages"]
        longer = [[*stage, silenced(self.same(stage[-1]))] for stage in stages]
        return impl(case, params={**case.params, "stages": longer}), impl(case)

    @staticmethod
    def same(block):
        """A block of the kind that keeps the number of channels, its numbers drawn from the given one's."""
        channels = len(block["conv3" if "conv3" in block else "conv2"]["weight"])
        kept = {key: value for key, value in block.items() if not key.startswith("shortcut")}
        weight = kept["conv1"]["weight"]
        return {**kept, "conv1": {**kept["conv1"], "weight": weight[:, :1].repeat(1, channels, 1, 1)}}


class Bottlenecks(Resnets):
    """Laws of networks of bottlenecks."""

    def test_without_stride_its_place_does_not_matter(self, impl, case):
        """A network of one stage has no stride in its blocks, so that where it would stand does not matter."""
        last = case.params["stages"][0][-1]
        width = len(last["conv3"]["weight"])
        dense = {"weight": case.noise((2, width), 43), "bias": case.noise((2,), 44)}
        params = {**case.params, "stages": case.params["stages"][:1], "dense": dense}
        return impl(case, params=params, stride_in="1x1"), impl(case, params=params, stride_in="3x3")


def _edges(kind):
    return tuple(dict(x=ramp(samples, 1, 1, 1), params=network(kind)) for samples in (1, 0))


def _invalid(kind):
    other = {"basic": _NARROWING, "bottleneck": _BASIC}[kind]
    x = ramp(2, 1, 9, 9)
    return (
        Invalid(ValueError, "images of other channels", x=ramp(2, 2, 9, 9), params=network(kind)),
        Invalid(ValueError, "a missing norm", x=x, params=without(network(kind), "norm1")),
        Invalid(ValueError, "a dense layer of other inputs", x=x, params=network(kind, dense=layer(2, 3))),
        Invalid(ValueError, "a block of the other kind", x=x, params=network(kind, stages=[[other]])),
        Invalid(ValueError, "training on one value a channel", x=ramp(1, 1, 1, 1), params=network(kind), training=True),
    )


class TestResnet18(Resnets):
    component = cnn.resnet18
    cases = domains.resnet18
    extremes = domains.resnet18_extremes
    stages = published.RESNET_BASIC_STAGES
    parameters = published.RESNET_PARAMETERS[18]
    edges = _edges("basic")
    invalid = _invalid("basic")
    prerequisites = ("residual_block",)


class TestResnet34(Resnets):
    component = cnn.resnet34
    cases = domains.resnet34
    extremes = domains.resnet34_extremes
    stages = published.RESNET_BASIC_STAGES
    parameters = published.RESNET_PARAMETERS[34]
    edges = _edges("basic")
    invalid = _invalid("basic")
    prerequisites = ("residual_block", "resnet18")


class TestResnet50(Bottlenecks):
    component = cnn.resnet50
    cases = domains.resnet50
    extremes = domains.resnet50_extremes
    stages = published.RESNET_BOTTLENECK_STAGES
    parameters = published.RESNET_PARAMETERS[50]
    edges = _edges("bottleneck")
    invalid = _invalid("bottleneck")
    prerequisites = ("residual_block",)


class TestResnet101(Bottlenecks):
    component = cnn.resnet101
    cases = domains.resnet101
    extremes = domains.resnet101_extremes
    stages = published.RESNET_BOTTLENECK_STAGES
    parameters = published.RESNET_PARAMETERS[101]
    edges = _edges("bottleneck")
    invalid = _invalid("bottleneck")
    prerequisites = ("residual_block", "resnet50")


class TestResnet152(Bottlenecks):
    component = cnn.resnet152
    cases = domains.resnet152
    extremes = domains.resnet152_extremes
    stages = published.RESNET_BOTTLENECK_STAGES
    parameters = published.RESNET_PARAMETERS[152]
    edges = _edges("bottleneck")
    invalid = _invalid("bottleneck")
    prerequisites = ("residual_block", "resnet50")
