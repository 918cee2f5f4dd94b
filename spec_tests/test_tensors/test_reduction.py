"""Laws of sums, means and deviations."""

import math

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.cases.tensors import reduction as domains
from lawbook.reference import tensors
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require


def axes_of(case):
    """The axes of a case, counted from the front."""
    if case.dim is None:
        return tuple(range(case.x.ndim))
    return tuple(axis % case.x.ndim for axis in (case.dim if isinstance(case.dim, tuple) else (case.dim,)))


def other_names(case):
    """The same axes counted from the other end, in the opposite order."""
    if case.dim is None:
        return tuple(range(case.x.ndim))[::-1]
    turned = tuple(axis - case.x.ndim if axis >= 0 else axis + case.x.ndim for axis in _tuple(case.dim))
    return turned[::-1] if isinstance(case.dim, tuple) else turned[0]


def _tuple(dim):
    return dim if isinstance(dim, tuple) else (dim,)


class Reduction(Spec):
    """One result for all elements along some axes."""

    differentiable = ("x",)
    cases = domains.reduced
    extremes = domains.reduced_extremes
    edges = (
        dict(x=zeros(0, 3), dim=1, keepdim=False),
        dict(x=zeros(0, 3), dim=0, keepdim=True),
        dict(x=zeros(2, 0), dim=(0, 1), keepdim=False),
        dict(x=tensor([[3.0]]), dim=None, keepdim=True),
        dict(x=tensor(3.0), dim=None, keepdim=False),
    )
    invalid = (
        Invalid(IndexError, "an axis beyond the last", x=ones(2, 3), dim=2, keepdim=False),
        Invalid(IndexError, "an axis before the first", x=ones(2, 3), dim=(0, -3), keepdim=False),
        Invalid(ValueError, "an axis named twice", x=ones(2, 3), dim=(1, -1), keepdim=False),
    )

    def batch(self, case):
        axes = axes_of(case)
        kept = [axis for axis in range(case.x.ndim) if axis not in axes]
        if not kept:
            return None
        before = 0 if case.keepdim else len([axis for axis in axes if axis < kept[-1]])
        return Batch(output=kept[-1] - before, x=kept[-1])

    def test_kept_axes_have_size_one(self, impl, case):
        """With keepdim the axes stay with size 1, and nothing else changes."""
        kept, gone = impl(case, keepdim=True), impl(case, keepdim=False)
        axes = axes_of(case)
        expected = tuple(1 if axis in axes else size for axis, size in enumerate(case.x.shape))
        require(tuple(kept.shape) == expected, f"with keepdim the shape is {tuple(kept.shape)}, expected {expected}")
        return kept.reshape(gone.shape), gone

    def test_axes_count_from_either_end_in_any_order(self, impl, case):
        """An axis may be named from the front or from the back, and several in any order."""
        return impl(case, dim=other_names(case)), impl(case)


class TestSum(Reduction):
    component = tensors.sum
    low_gradients = True

    def test_one_axis_after_the_other(self, impl, case):
        """Adding along one axis after the other gives the sum along all of them."""
        x = case.x
        for axis in sorted(axes_of(case), reverse=True):
            x = impl(case, x=x, dim=axis, keepdim=False)
        return x, impl(case, keepdim=False)

    def test_of_sums_is_sum_of_both(self, impl, case):
        """The sum of x + y is the sum of x and the sum of y."""
        other = case.noise(case.x.shape)
        return impl(case, x=case.x + other), impl(case) + impl(case, x=other)

    def test_of_ones_counts(self, impl, case):
        """The sum of ones is the number of elements."""
        counted = impl(case, x=torch.ones_like(case.x))
        return counted, torch.full_like(counted, math.prod(case.x.shape[axis] for axis in axes_of(case)))

    def test_every_element_has_slope_one(self, impl, case):
        """The gradient hands the cotangent of a sum to each of its elements."""
        result = impl(case, keepdim=True)
        cotangent = case.noise(result.shape)
        gradient = impl.vjp(case, [cotangent], wrt=("x",), keepdim=True)[1]["x"]
        return gradient, cotangent.expand_as(case.x)

    def test_whole_numbers_are_added_exactly(self, impl):
        """Whole numbers and bools add up to int64, without rounding and without running over."""
        for x, expected in (
            (torch.tensor([2**31 - 1, 1, 5], dtype=torch.int32), 2**31 + 5),
            (torch.tensor([2**53, 1], dtype=torch.int64), 2**53 + 1),
            (torch.tensor([[100, 100], [100, 0]], dtype=torch.int8), 300),
            (torch.ones(2, 150, dtype=torch.bool), 300),
        ):
            got = impl.call(x=x, dim=None, keepdim=False)
            name = str(x.dtype).removeprefix("torch.")
            require(got.dtype == torch.int64, f"the sum of {name} is {got.dtype}, expected int64")
            require(got.item() == expected, f"the sum of {name} is {got.item()}, expected {expected}")


class TestMean(Reduction):
    component = tensors.mean
    prerequisites = ("sum",)
    invalid = (
        *Reduction.invalid,
        Invalid(TypeError, "whole numbers", x=ones(2, 3, dtype=torch.int64), dim=1, keepdim=False),
    )

    def test_count_times_mean_is_sum(self, impl, case):
        """The mean times the number of elements is their sum."""
        count = math.prod(case.x.shape[axis] for axis in axes_of(case))
        return impl(case) * count, tensors.sum(**case.arguments)

    def test_one_axis_after_the_other(self, impl, case):
        """Averaging along one axis after the other gives the mean along all of them."""
        x = case.x
        for axis in sorted(axes_of(case), reverse=True):
            x = impl(case, x=x, dim=axis, keepdim=False)
        return x, impl(case, keepdim=False)

    def test_of_one_value_is_that_value(self, impl, case):
        """The mean of equal elements is that element."""
        value = torch.full_like(case.x, 1.5)
        averaged = impl(case, x=value)
        return averaged, torch.full_like(averaged, 1.5)

    def test_many_half_precision_numbers(self, impl):
        """The mean of 70,000 twos is 2 in float16 too, though neither their sum nor their number is a float16."""
        got = impl.call(x=torch.full((2, 70_000), 2.0, dtype=torch.float16), dim=1, keepdim=False)
        require((got == 2).all(), f"the mean of 70,000 twos is {got.tolist()}, expected 2")


class TestStd(Reduction):
    component = tensors.std
    # No low_gradients: PyTorch's slope divides by twice the result first, which overflows in float16 below 7.6e-6.
    cases = domains.spread
    extremes = domains.spread_extremes
    prerequisites = ("mean",)
    twice = True
    invalid = TestMean.invalid

    def test_differences_of_pairs(self, impl, case):
        """n (n − 1) std² is the sum of (x_i − x_j)² over all pairs."""
        axes = axes_of(case)
        kept = [axis for axis in range(case.x.ndim) if axis not in axes]
        lines = case.x.permute(*kept, *axes).reshape(*(case.x.shape[axis] for axis in kept), -1)[..., :40]
        count = lines.shape[-1]
        pairs = (lines.unsqueeze(-1) - lines.unsqueeze(-2)).square().sum((-1, -2)) / 2
        if count == 1:
            pairs = pairs * torch.nan
        return impl(case, x=lines, dim=-1, keepdim=False).square() * (count * (count - 1)), pairs

    def test_one_number_has_none(self, impl, case):
        """One number alone says nothing about its spread: nan."""
        x = case.x.reshape(*case.x.shape, 1)
        spread = impl(case, x=x, dim=-1, keepdim=False)
        require(spread.isnan().all(), f"the standard deviation of one number is {spread.flatten()[0]:g}, expected nan")

    def test_of_two_numbers(self, impl, case):
        """Of two numbers it is their distance over √2."""
        other = case.noise(case.x.shape)
        both = torch.stack([case.x, other])
        return impl(case, x=both, dim=0, keepdim=False), (case.x - other).abs() / 2**0.5

    def test_shift_changes_nothing(self, impl, case):
        """Adding one number to all changes nothing."""
        return impl(case, x=case.x + 3), impl(case)

    def test_scale_scales(self, impl, case):
        """Multiplying all by a number multiplies it by that number's magnitude."""
        return impl(case, x=-3 * case.x), 3 * impl(case)

    def test_no_slope_where_all_are_equal(self, impl):
        """Where all elements are equal the gradient is 0, not nan."""
        case = Case(dict(x=torch.full((2, 4), 3.0), dim=1, keepdim=False), self.dtype)
        gradient = impl.vjp(case, [torch.ones(2, dtype=self.dtype)], wrt=("x",))[1]["x"]
        require((gradient == 0).all(), f"the gradient at equal elements is {gradient.tolist()}, expected zeros")

    def test_many_half_precision_numbers(self, impl):
        """Of 35,000 ones and as many minus ones it is 1.00 in float16 too, though neither sum nor number is a float16."""
        x = torch.ones(70_000, dtype=torch.float16)
        x[::2] = -1
        got = impl.call(x=x, dim=0, keepdim=False)
        require(f"{got.item():.2f}" == "1.00", f"the standard deviation is {got.item():g}, expected 1.00")
