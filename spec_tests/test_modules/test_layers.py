"""Laws of layers without windows."""

import scipy
import torch
from torch import ones, zeros

from lawbook.fixtures.cases import modules as domains
from lawbook.fixtures.published import modules as published
from lawbook.reference import modules
from lawbook.spec_tests.crowds import waves
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_initialization.laws import SEEDS, check_sample


def whole(*values):
    return torch.tensor(values)


class TestLinear(Spec):
    component = modules.linear
    low_gradients = True
    cases = domains.linear
    extremes = domains.linear_extremes
    differentiable = ("x", "weight", "bias")
    twice = True
    edges = (
        dict(x=zeros(0, 3), weight=ones(2, 3), bias=ones(2)),
        dict(x=zeros(2, 0), weight=zeros(3, 0), bias=ones(3)),
        dict(x=ones(2, 3), weight=zeros(0, 3), bias=None),
        dict(x=ones(1, 1), weight=ones(1, 1), bias=ones(1)),
    )
    invalid = (
        Invalid(ValueError, "a weight that is (in, out)", x=ones(2, 3), weight=ones(3, 4)),
        Invalid(ValueError, "a bias of the wrong size", x=ones(2, 3), weight=ones(4, 3), bias=ones(3)),
        Invalid(ValueError, "a bias of one element for four outputs", x=ones(2, 3), weight=ones(4, 3), bias=ones(1)),
        Invalid(TypeError, "integers", x=torch.ones(2, 3, dtype=torch.int64), weight=ones(4, 3)),
    )

    def batch(self, case):
        return Batch(output=0, x=0) if case.x.ndim > 1 else None

    def test_is_affine(self, impl, case):
        """The value at a mean of two inputs is the mean of the values."""
        other = case.noise(case.x.shape)
        middle = impl(case, x=(case.x + other) / 2)
        return middle, (impl(case) + impl(case, x=other)) / 2

    def test_zero_gives_the_bias(self, impl, case):
        """Of a zero vector the bias is left, or nothing."""
        y = impl(case, x=torch.zeros_like(case.x))
        bias = torch.zeros_like(y) if case.bias is None else case.bias.expand_as(y)
        require(torch.equal(y, bias), "a zero input does not give the bias")

    def test_leading_axes_are_kept(self, impl, case):
        """Every vector is mapped alone, however many leading axes there are."""
        vectors = case.x.reshape(-1, case.x.shape[-1])
        alone = torch.stack([impl(case, x=vector) for vector in vectors[:4]])
        return impl(case).reshape(-1, case.weight.shape[0])[:4], alone

    def test_the_bias_collects_every_cotangent(self, impl, case):
        """The bias's gradient is the sum of the cotangents over all leading axes."""
        bias = case.noise(case.weight.shape[:1])
        cotangent = case.noise((*case.x.shape[:-1], len(bias)), 1)
        grad = impl.vjp(case, [cotangent], wrt=("bias",), bias=bias)[1]["bias"]
        return grad, cotangent.reshape(-1, len(bias)).sum(0)


class TestEmbedding(Spec):
    component = modules.embedding
    cases = domains.embedding
    extremes = domains.embedding_extremes
    differentiable = ("table",)
    prerequisites = ("one_hot",)
    edges = (
        dict(indices=torch.zeros(0, dtype=torch.int64), table=ones(2, 3)),
        dict(indices=torch.zeros(2, 0, dtype=torch.int64), table=zeros(0, 3)),
        dict(indices=torch.zeros(3, dtype=torch.int64), table=zeros(2, 0)),
        dict(indices=torch.tensor(0), table=ones(1, 1)),
        dict(indices=torch.zeros(3, dtype=torch.int64), table=ones(1, 1), padding_idx=0),
        dict(indices=7 * torch.arange(80) % 300, table=waves(300, 20)),
    )
    invalid = (
        Invalid(IndexError, "an index beyond the table", indices=whole(0, 2), table=ones(2, 3)),
        Invalid(IndexError, "a negative index", indices=whole(0, -1), table=ones(2, 3)),
        Invalid(IndexError, "a row of an empty table", indices=whole(0), table=ones(0, 3)),
        Invalid(TypeError, "indices with a fraction", indices=ones(2), table=ones(2, 3)),
        Invalid(IndexError, "a padding row beyond the table", indices=whole(0), table=ones(2, 3), padding_idx=2),
    )

    def batch(self, case):
        return Batch(output=0, indices=0) if case.indices.ndim else None

    def test_is_one_hot_times_the_table(self, impl, case):
        """The looked-up rows are the product of one-hot rows and the table."""
        rows = modules.one_hot(case.indices, case.table.shape[0]).to(case.table.dtype)
        return impl(case), rows @ case.table

    def test_rows_are_copied_to_the_bit(self, impl, case):
        """Every result is a row of the table, unchanged; the padding row like any other."""
        y = impl(case).reshape(-1, case.table.shape[1])
        for index, row in zip(case.indices.reshape(-1).tolist(), y, strict=True):
            require(torch.equal(row, case.table[index]), f"index {index} does not give row {index}")

    def test_gradient_lands_on_used_rows_only(self, impl, case):
        """Rows that no index names, and the padding row, receive exactly 0."""
        grad = impl.vjp(case, wrt=("table",))[1]["table"]
        rows = len(case.table)
        untouched = {k for k in range(rows) if k not in case.indices.reshape(-1).tolist()}
        if case.padding_idx is not None:
            untouched.add(case.padding_idx % rows)
        for k in untouched:
            require(bool((grad[k] == 0).all()), f"row {k} receives a gradient, though nothing leads to it")

    def test_a_row_that_is_used_often_collects_all(self, impl, case):
        """A row used n times receives n times the gradient, but for the padding row."""
        indices = torch.zeros(5, dtype=torch.int64)
        changes = dict(indices=indices, padding_idx=None)
        cotangent = case.noise((5, case.table.shape[1]))
        grad = impl.vjp(case, [cotangent], wrt=("table",), **changes)[1]["table"]
        return grad[0], cotangent.sum(0)

    def test_the_padding_row_gets_nothing_from_a_thousand_uses(self, impl):
        """However often the padding row is used, its gradient is 0 and its value is the table's."""
        table = torch.arange(6.0).reshape(3, 2) + 1
        y = impl.call(indices=torch.full((1000,), 2), table=table, padding_idx=2)
        require(torch.equal(y, table[2].expand(1000, 2)), "the padding row's value is not the table's")


class TestOneHot(Spec):
    component = modules.one_hot
    cases = domains.one_hot
    declines = {
        "nan_not_hidden": "whole numbers hold no nan",
        "low_precision": "no argument is floating",
        "extremes_stay_finite": "the result is 0 and 1",
    }
    edges = (
        dict(indices=torch.zeros(0, dtype=torch.int64), num_classes=3),
        dict(indices=torch.zeros(2, 0, dtype=torch.int64), num_classes=1),
        dict(indices=torch.tensor(0), num_classes=1),
        dict(indices=torch.zeros(1, 1, dtype=torch.int64), num_classes=1),
        dict(indices=61 * torch.arange(5), num_classes=300),
    )
    invalid = (
        Invalid(IndexError, "a class beyond the last", indices=whole(0, 3), num_classes=3),
        Invalid(IndexError, "a negative class", indices=whole(0, -1), num_classes=3),
        Invalid(ValueError, "no class", indices=torch.zeros(0, dtype=torch.int64), num_classes=0),
        Invalid(TypeError, "indices with a fraction", indices=ones(2), num_classes=3),
    )

    def batch(self, case):
        return Batch(output=0, indices=0) if case.indices.ndim else None

    def test_every_row_has_a_single_one(self, impl, case):
        """Rows hold 0 and 1 and sum to 1."""
        y = impl(case)
        require(bool(((y == 0) | (y == 1)).all()), "an element is neither 0 nor 1")
        require(bool((y.sum(-1) == 1).all()), "a row does not sum to 1")

    def test_argmax_undoes_it(self, impl, case):
        """The place of the one is the index."""
        require(torch.equal(impl(case).argmax(-1), case.indices), "the one is not at the index")

    def test_published_shape_of_note_003(self, impl):
        """Ten indices as (2, 5) with 28 classes give (2, 5, 28)."""
        indices = torch.arange(10).reshape(published.NOTE_003_INDICES_SHAPE)
        y = impl.call(indices=indices, num_classes=published.NOTE_003_CLASSES)
        require(tuple(y.shape) == published.NOTE_003_ONE_HOT_SHAPE, f"the shape is {tuple(y.shape)}")


class TestFlatten(Spec):
    component = modules.flatten
    cases = domains.flatten
    differentiable = ("x",)
    declines = {
        "no_aliasing": "the contract lets the result share memory with its argument, as a view does",
        "extremes_stay_finite": "values are handed on as they are",
    }
    edges = (
        dict(x=zeros(0, 2, 3), start_dim=1),
        dict(x=zeros(2, 0, 3), start_dim=1),
        dict(x=ones(1, 1), start_dim=0),
        dict(x=ones(1), start_dim=0),
        dict(x=torch.tensor(2.0), start_dim=0),
    )
    invalid = (
        Invalid(IndexError, "an axis beyond the last", x=ones(2, 3), start_dim=2),
        Invalid(IndexError, "an axis before the first", x=ones(2, 3), start_dim=-3),
        Invalid(IndexError, "a batch of numbers, joined from axis 1 on", x=ones(3)),
    )

    def batch(self, case):
        return Batch(output=0, x=0) if case.start_dim % case.x.ndim else None

    def test_order_is_kept(self, impl, case):
        """Elements keep the order of the last axis fastest."""
        count = torch.arange(case.x.numel()).to(case.x.dtype).reshape(case.x.shape)
        return impl(case, x=count).reshape(-1), count.reshape(-1)

    def test_the_batch_is_kept_by_default(self, impl):
        """Without start_dim the first axis is left."""
        y = impl.call(x=torch.zeros(2, 3, 5))
        require(tuple(y.shape) == (2, 15), f"(2, 3, 5) becomes {tuple(y.shape)}, expected (2, 15)")


class TestFixedHiddenMlp(Spec):
    component = modules.fixed_hidden_mlp
    cases = domains.fixed_hidden_mlp
    differentiable = ("x", "params", "constant")
    prerequisites = ("linear",)
    # In float16 intermediate sums overflow, and an infinite one would be halved for ever.
    low_precisions = (torch.bfloat16,)
    declines = {
        "extremes_stay_finite": "the result is within [−1, 1] on every case; what overflows before is not legal"
    }
    edges = (
        dict(x=zeros(0, 2), params={"weight": ones(2, 2), "bias": ones(2)}, constant=ones(2, 2)),
        dict(x=ones(1, 1), params={"weight": 3 * ones(1, 1), "bias": ones(1)}, constant=ones(1, 1)),
    )
    invalid = (
        Invalid(
            ValueError,
            "a constant of another size",
            x=ones(2, 3),
            params={"weight": ones(3, 3), "bias": ones(3)},
            constant=ones(2, 2),
        ),
        Invalid(
            ValueError,
            "a weight of another size",
            x=ones(2, 3),
            params={"weight": ones(2, 2), "bias": ones(2)},
            constant=ones(3, 3),
        ),
        Invalid(
            ValueError,
            "no bias",
            x=ones(2, 3),
            params={"weight": ones(3, 3)},
            constant=ones(3, 3),
        ),
    )

    def test_the_constant_gets_no_gradient(self, impl, case):
        """The constant's gradient is 0 everywhere."""
        grad = impl.vjp(case, wrt=("constant",))[1]["constant"]
        require(bool((grad == 0).all()), "the constant receives a gradient: it would be trained")

    def test_the_result_is_small(self, impl, case):
        """Halving brings the magnitude to 1 or below, up to rounding."""
        y = float(impl(case).bfloat16().abs())
        require(y <= 1, f"the magnitude is {y}, expected at most 1")

    def test_halving_stops_in_time(self, impl):
        """Σ|h| = 6 is halved three times, 2 once, 1 never."""
        for total, expected in ((6.0, 0.75), (2.0, 1.0), (1.0, 1.0), (0.5, 0.5)):
            params = {"weight": torch.zeros(1, 1), "bias": torch.tensor([total])}
            y = impl.call(x=torch.ones(1, 1), params=params, constant=torch.ones(1, 1))
            require(float(y) == expected, f"Σ|h| = {total} gives {float(y)}, expected {expected}")


class TestSharedLinear(Spec):
    component = modules.shared_linear
    cases = domains.shared_linear
    differentiable = ("x", "weight")
    prerequisites = ("linear",)
    declines = {
        "no_aliasing": "no uses give the input itself",
        "extremes_stay_finite": "products grow with every use: what is large overflows by itself",
    }
    edges = (
        dict(x=zeros(0, 3), weight=ones(3, 3), times=2),
        dict(x=zeros(2, 0), weight=zeros(0, 0), times=1),
        dict(x=ones(1, 1), weight=ones(1, 1), times=3),
    )
    invalid = (
        Invalid(ValueError, "a weight that is not square", x=ones(2, 3), weight=ones(4, 3), times=2),
        Invalid(ValueError, "a weight of another size", x=ones(2, 3), weight=ones(2, 2), times=1),
        Invalid(ValueError, "a negative number of times", x=ones(2, 3), weight=ones(3, 3), times=-1),
    )

    def batch(self, case):
        return Batch(output=0, x=0) if case.x.ndim > 1 else None

    def test_the_gradient_is_the_sum_over_uses(self, impl, case):
        """Weights of their own, all alike, receive gradients that add up to the shared one's."""
        cotangent = case.noise(case.x.shape)
        shared = impl.vjp(case, [cotangent], wrt=("weight",))[1]["weight"]
        own = [case.weight.clone().requires_grad_() for _ in range(case.times)]
        h = case.x
        for weight in own:
            h = torch.relu(modules.linear(h, weight))
        if not own:
            require(bool((shared == 0).all()), "a weight that is never used receives a gradient")
            return None
        return shared, sum(torch.autograd.grad(h, own, cotangent))

    def test_uses_add_up(self, impl, case):
        """n uses after m uses are n + m uses."""
        if case.times == 0:
            return skip_case
        return impl(case), impl(case, x=impl(case, times=case.times - 1), times=1)


class TestLazyLinear(Spec):
    component = modules.lazy_linear
    cases = domains.lazy_linear
    prerequisites = ("linear",)
    declines = {
        **dict.fromkeys(
            ("agrees_with_reference", "repeated_calls_agree", "memory_layout", "low_precision", "accelerator_agrees"),
            "the weight is drawn from each library's own stream of random numbers; own laws judge it and its use",
        ),
        "extremes_stay_finite": "that of linear",
        "nan_not_hidden": "that of linear",
        "edge_sizes": "the weight is random; 'an empty batch decides too' judges it",
    }
    invalid = (
        Invalid(ValueError, "a second batch of another size", batches=[ones(2, 3), ones(2, 4)], out_features=2, seed=0),
        Invalid(
            ValueError, "a third batch of size one", batches=[ones(2, 3), ones(3), ones(1)], out_features=2, seed=0
        ),
        Invalid(ValueError, "no batch", batches=[], out_features=2, seed=0),
        Invalid(ValueError, "no feature to give", batches=[ones(2, 3)], out_features=0, seed=0),
        Invalid(ValueError, "no feature to read", batches=[ones(2, 0)], out_features=2, seed=0),
        Invalid(TypeError, "no seed", batches=[ones(2, 3)], out_features=2, seed=None),
    )

    def test_the_first_batch_decides_the_size(self, impl, case):
        """The weight is (out, in) with the first batch's last size, which is reported; the bias is (out,)."""
        found = impl(case)
        size = case.batches[0].shape[-1]
        require(found["in_features"] == size, f"in_features is {found['in_features']}, expected {size}")
        expected = (case.out_features, case.batches[0].shape[-1])
        require(
            tuple(found["weight"].shape) == expected, f"the weight is {tuple(found['weight'].shape)}, not {expected}"
        )
        require(tuple(found["bias"].shape) == expected[:1], f"the bias is {tuple(found['bias'].shape)}")

    def test_every_batch_meets_the_same_layer(self, impl, case):
        """Each output is linear(x, weight, bias) of the weight and the bias that are returned."""
        found = impl(case)
        outputs = [modules.linear(x, found["weight"], found["bias"]) for x in case.batches]
        return tuple(found["outputs"]), tuple(outputs)

    def test_an_empty_batch_decides_too(self, impl):
        """A batch without samples has a last size; every output has its batch's leading axes."""
        found = impl.call(batches=[zeros(0, 3), zeros(2, 0, 3), ones(1, 3)], out_features=2, seed=0)
        require(tuple(found["weight"].shape) == (2, 3), f"the weight is {tuple(found['weight'].shape)}, not (2, 3)")
        shapes = [tuple(y.shape) for y in found["outputs"]]
        require(shapes == [(0, 2), (2, 0, 2), (1, 2)], f"the outputs have shapes {shapes}")

    def test_any_number_of_axes_decides(self, impl):
        """The first batch may be one sample, or have several leading axes: its last size counts."""
        for first in (ones(3), ones(2, 5, 3), ones(1, 2, 5, 3)):
            found = impl.call(batches=[first, ones(1, 3)], out_features=2, seed=0)
            shape = tuple(found["weight"].shape)
            require(
                shape == (2, 3), f"the weight is {shape} after a first batch of shape {tuple(first.shape)}, not (2, 3)"
            )
            shapes = [tuple(y.shape) for y in found["outputs"]]
            require(shapes == [(*first.shape[:-1], 2), (1, 2)], f"the outputs have shapes {shapes}")

    def test_same_seed_same_layer(self, impl, case):
        """The seed decides the weight and the bias; values and number of batches do not."""
        first, again = impl(case), impl(case, batches=[torch.zeros_like(case.batches[0])])
        for name in ("weight", "bias"):
            require(torch.equal(first[name], again[name]), f"the {name} differs between two calls with one seed")

    def test_another_seed_another_layer(self, impl, case):
        """Two seeds give two weights."""
        first, other = impl(case, out_features=50), impl(case, out_features=50, seed=case.seed // 2 + 77)
        require(not torch.equal(first["weight"], other["weight"]), "two seeds give one weight")

    def test_the_bias_is_drawn_apart(self, impl):
        """The bias is none of the weight's columns."""
        found = impl.call(batches=[ones(1, 3)], out_features=50, seed=0)
        for column in range(3):
            require(
                not torch.equal(found["bias"], found["weight"][:, column]), f"the bias is column {column} of the weight"
            )

    def test_has_the_default_distribution(self, impl):
        """Weight and bias are uniform within ±1/√in: distribution, variance, independence."""
        x = torch.zeros(1, 400)
        for seed in SEEDS:
            found = impl.call(batches=[x], out_features=250, seed=seed)
            check_sample(found["weight"], scipy.stats.uniform(-1 / 20, 2 / 20), "the weight")
        found = impl.call(batches=[torch.zeros(1, 4)], out_features=3000, seed=SEEDS[0])
        for name in ("weight", "bias"):
            check_sample(found[name], scipy.stats.uniform(-1 / 2, 1), f"the {name} of four inputs")
