"""Laws of counting parameters."""

import math
from itertools import pairwise

from lawbook.fixtures.cases import modules as domains
from lawbook.fixtures.published import modules as published
from lawbook.reference import modules
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case

NUMBERS = {
    **dict.fromkeys(
        ("memory_layout", "low_precision", "nan_not_hidden", "no_aliasing", "accelerator_agrees"),
        "no argument is a tensor",
    ),
    "extremes_stay_finite": "whole numbers are exact",
}

RECURRENT = {"rnn": 1, "gru": 3, "lstm": 4}


CONV = dict(in_channels=2, out_channels=2, kernel_size=2)
IMAGES = (1, 2, 5, 5)


class TestParameterCount(Spec):
    component = modules.parameter_count
    cases = domains.parameter_count
    declines = NUMBERS
    edges = (
        dict(kind="linear", sizes=dict(in_features=1, out_features=1)),
        dict(kind="conv2d", sizes=dict(in_channels=1, out_channels=1, kernel_size=1)),
        dict(kind="lstm", sizes=dict(input_size=1, hidden_size=1)),
        dict(kind="multihead_attention", sizes=dict(embed_dim=1, num_heads=1)),
    )
    invalid = (
        Invalid(ValueError, "an unknown kind", kind="conv4d", sizes=dict(in_channels=1, out_channels=1, kernel_size=1)),
        Invalid(ValueError, "a missing size", kind="linear", sizes=dict(in_features=3)),
        Invalid(ValueError, "an unknown size", kind="linear", sizes=dict(in_features=3, out_features=2, heads=2)),
        Invalid(
            ValueError,
            "groups that do not divide the channels",
            kind="conv2d",
            sizes=dict(in_channels=3, out_channels=4, kernel_size=3, groups=2),
        ),
        Invalid(
            ValueError, "heads that do not divide", kind="multihead_attention", sizes=dict(embed_dim=7, num_heads=2)
        ),
        Invalid(ValueError, "a negative size", kind="linear", sizes=dict(in_features=-3, out_features=2)),
        Invalid(ValueError, "a size of 0", kind="linear", sizes=dict(in_features=0, out_features=2)),
        Invalid(ValueError, "a kernel of size 0", kind="conv2d", sizes=CONV | {"kernel_size": 0}),
    )

    def test_a_bias_is_one_number_an_output(self, impl, case):
        """What the bias adds does not depend on the kernel or the inputs; recurrent layers have two in every gate."""
        kind, sizes = case.kind, dict(case.sizes)
        if kind in ("embedding", "batch_norm"):
            return skip_case
        added = impl(case, sizes={**sizes, "bias": True}) - impl(case, sizes={**sizes, "bias": False})
        if kind in RECURRENT:
            directions = 1 + sizes.get("bidirectional", False)
            expected = 2 * RECURRENT[kind] * sizes["hidden_size"] * sizes.get("num_layers", 1) * directions
        elif kind == "multihead_attention":
            expected = 4 * sizes["embed_dim"]
        else:
            expected = sizes.get("out_channels", sizes.get("out_features"))
        require(added == expected, f"a bias adds {added} to {kind}, expected {expected}")

    def test_heads_cost_nothing(self, impl, case):
        """Attention has as many parameters with one head as with any number."""
        if case.kind != "multihead_attention":
            sizes = dict(embed_dim=24 + 8 * (case.seed % 5), num_heads=2 + 2 * (case.seed % 2))
            case = case.but(kind="multihead_attention", sizes=sizes)
        found, one = impl(case), impl(case, sizes={**case.sizes, "num_heads": 1})
        require(found == one, f"{case.sizes['num_heads']} heads have {found} parameters, one has {one}")

    def test_groups_divide_the_weights(self, impl, case):
        """Without the bias, g groups have a g-th of the weights."""
        if not case.kind.startswith("conv"):
            sizes = dict(in_channels=6, out_channels=12, kernel_size=3, groups=2 + case.seed % 2)
            case = case.but(kind="conv2d", sizes=sizes)
        groups = case.sizes.get("groups", 1)
        whole = impl(case, sizes={**case.sizes, "groups": 1, "bias": False})
        part = impl(case, sizes={**case.sizes, "bias": False})
        require(part * groups == whole, f"{groups} groups have {part} weights, one group has {whole}")

    def test_both_directions_cost_twice(self, impl, case):
        """One layer in both directions has twice the parameters of one direction."""
        if case.kind not in RECURRENT:
            case = case.but(kind="gru", sizes=dict(input_size=3, hidden_size=5 + case.seed % 7))
        sizes = {**case.sizes, "num_layers": 1}
        both, one = (impl(case, sizes={**sizes, "bidirectional": b}) for b in (True, False))
        require(both == 2 * one, f"both directions have {both} parameters, one has {one}")

    def test_further_layers_cost_the_same(self, impl, case):
        """From the second one on, every recurrent layer reads both directions' states and costs as much as the next."""
        if case.kind not in RECURRENT:
            kind = tuple(RECURRENT)[case.seed % 3]
            sizes = dict(input_size=3, hidden_size=5 + case.seed % 7, bidirectional=case.seed % 2 == 0)
            case = case.but(kind=kind, sizes=sizes)
        one, two, three, four = (impl(case, sizes={**case.sizes, "num_layers": n}) for n in (1, 2, 3, 4))
        hidden, directions = case.sizes["hidden_size"], 1 + case.sizes.get("bidirectional", False)
        rows = directions * hidden + hidden + 2 * case.sizes.get("bias", True)
        expected = directions * RECURRENT[case.kind] * hidden * rows
        for more, layer in ((two - one, "second"), (three - two, "third"), (four - three, "fourth")):
            require(more == expected, f"the {layer} layer of {case.kind} adds {more} parameters, expected {expected}")

    def test_published_counts(self, impl):
        """Note 004's linear layers; note 002's attention with 8 and 16 heads; note 004's 102M weights in VGG."""
        for inputs, outputs, count in published.NOTE_004_LINEAR:
            found = impl.call(kind="linear", sizes=dict(in_features=inputs, out_features=outputs))
            require(found == count, f"linear {inputs} → {outputs} has {found}, expected {count}")
        dim, heads = published.NOTE_002_ATTENTION
        eight, sixteen = (impl.call(kind="multihead_attention", sizes=dict(embed_dim=dim, num_heads=h)) for h in heads)
        require(eight == sixteen == 16640, f"8 and 16 heads have {eight} and {sixteen}, expected 16640")
        inputs, outputs, printed = published.NOTE_004_VGG
        found = impl.call(kind="linear", sizes=dict(in_features=inputs, out_features=outputs, bias=False))
        require(f"{math.floor(found / 1e6)}M" == printed, f"{found} weights, expected {printed}")

    def test_a_convolution_of_three_channels(self, impl):
        """A 3 × 3 convolution from 3 channels to 32 has 3 · 9 · 32 + 32 = 896 parameters."""
        found = impl.call(kind="conv2d", sizes=dict(in_channels=3, out_channels=32, kernel_size=3))
        require(found == 896, f"{found}, expected 896")


class TestModelSummary(Spec):
    component = modules.model_summary
    cases = domains.model_summary
    declines = NUMBERS
    prerequisites = ("parameter_count",)
    edges = (
        dict(layers=[], input_shape=(2, 3)),
        dict(layers=[("linear", dict(in_features=1, out_features=1))], input_shape=(1, 1)),
        dict(layers=[("flatten", {})], input_shape=(1, 1, 1, 1)),
        dict(layers=[("flatten", {"start_dim": 0})], input_shape=(2, 3)),
        dict(layers=[("linear", dict(in_features=5, out_features=2))], input_shape=(2, 3, 4, 5)),
        dict(layers=[("max_pool2d", {"kernel_size": 1})], input_shape=(2, 3, 4, 5)),
        dict(layers=[("avg_pool2d", {"kernel_size": 3, "stride": 1})], input_shape=(2, 3, 4, 5)),
    )
    invalid = (
        Invalid(
            ValueError,
            "a layer that does not fit the one before",
            layers=[("linear", dict(in_features=3, out_features=4)), ("linear", dict(in_features=3, out_features=2))],
            input_shape=(2, 3),
        ),
        Invalid(
            ValueError,
            "a convolution of other channels",
            layers=[("conv2d", dict(in_channels=3, out_channels=2, kernel_size=1))],
            input_shape=(1, 2, 5, 5),
        ),
        Invalid(
            ValueError,
            "a kernel beyond the image",
            layers=[("conv2d", dict(in_channels=2, out_channels=2, kernel_size=6))],
            input_shape=(1, 2, 5, 5),
        ),
        Invalid(ValueError, "an unknown kind", layers=[("lineer", {})], input_shape=(2, 3)),
        Invalid(ValueError, "an axis of size 0", layers=[("relu", {})], input_shape=(2, 0)),
        Invalid(ValueError, "an axis before the first", layers=[("flatten", {"start_dim": -1})], input_shape=(2, 3, 4)),
        Invalid(ValueError, "an axis beyond the last", layers=[("flatten", {"start_dim": 3})], input_shape=(2, 3, 4)),
        Invalid(
            ValueError,
            "a pooling without channels and samples",
            layers=[("max_pool2d", {"kernel_size": 2})],
            input_shape=(4, 4),
        ),
        Invalid(ValueError, "a pooling over nothing", layers=[("max_pool2d", {"kernel_size": 0})], input_shape=IMAGES),
        Invalid(
            ValueError,
            "a pooling that does not move",
            layers=[("max_pool2d", {"kernel_size": 2, "stride": 0})],
            input_shape=IMAGES,
        ),
        Invalid(
            ValueError,
            "a convolution that does not move",
            layers=[("conv2d", CONV | {"stride": 0})],
            input_shape=IMAGES,
        ),
        Invalid(ValueError, "a padding below 0", layers=[("conv2d", CONV | {"padding": -1})], input_shape=IMAGES),
        Invalid(
            ValueError, "batch norm of other channels", layers=[("batch_norm", {"num_features": 3})], input_shape=IMAGES
        ),
        Invalid(
            ValueError,
            "batch norm of four axes of space",
            layers=[("batch_norm", {"num_features": 2})],
            input_shape=(1, 2, 5, 5, 5, 5),
        ),
    )

    def test_parameters_are_those_of_each_layer(self, impl, case):
        """Every row counts its own layer; layers that only change the shape have none."""
        rows = impl(case)
        require(len(rows) == len(case.layers), f"{len(rows)} rows, expected {len(case.layers)}")
        for (kind, _, count), (_, sizes) in zip(rows, case.layers, strict=True):
            learns = kind in ("linear", "embedding", "batch_norm", "conv1d", "conv2d", "conv3d")
            kept = {name: size for name, size in sizes.items() if name not in ("stride", "padding")}
            expected = modules.parameter_count(kind, kept) if learns else 0
            require(count == expected, f"{kind} counts {count} parameters, expected {expected}")

    def test_flatten_keeps_the_number_of_elements(self, impl, case):
        """Before and after flatten the shape has the same product."""
        shapes = [tuple(case.input_shape), *(tuple(row[1]) for row in impl(case))]
        for (kind, _), before, after in zip(case.layers, shapes, shapes[1:], strict=False):
            if kind == "flatten":
                require(math.prod(before) == math.prod(after), f"flatten makes {after} of {before}")

    def test_the_batch_goes_through(self, impl, case):
        """Another number of samples changes the first size of every row and nothing else."""
        if not case.layers:
            return skip_case
        more = impl(case, input_shape=(case.input_shape[0] + 3, *case.input_shape[1:]))
        for (kind, shape, count), (_, wider, same) in zip(impl(case), more, strict=True):
            require(wider[0] == shape[0] + 3 and tuple(wider[1:]) == tuple(shape[1:]), f"{kind} gives {wider}")
            require(count == same, f"{kind} counts {same} parameters for another batch, {count} before")

    def test_published_network_of_note_002(self, impl):
        """Dense layers 2 → 4 → 8 → 1 have 12, 40 and 9 parameters."""
        sizes = published.NOTE_002_NET
        pairs = pairwise(sizes)
        layers = [("linear", dict(in_features=a, out_features=b)) for a, b in pairs]
        counts = [row[2] for row in impl.call(layers=layers, input_shape=(1, 2))]
        require(counts == [12, 40, 9], f"the counts are {counts}, expected [12, 40, 9]")
