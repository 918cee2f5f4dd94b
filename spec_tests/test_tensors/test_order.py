"""Laws of extreme elements, where they are, and of orders."""

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases.tensors import reduction as domains
from lawbook.reference import tensors
from lawbook.spec_tests.layouts import KINDS
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

INFINITY = float("inf")
WHOLE = {"low_precision": "the result is whole numbers; what agrees in float32 cannot be rounded"}
WHOLE_RANGE = tensor([3, -(2**63), 2**63 - 1, -(2**63) + 1])
"""The least and the largest whole number: neither the negative of one nor a float tells it from its neighbour."""


def few(case):
    """Values among −1, 0 and 1 in the shape of x: equal elements abound."""
    return case.noise(case.x.shape, 50).round().clamp(-1, 1)


def with_nans(case):
    """About one element in four nan, and at least one."""
    x = torch.where(case.noise(case.x.shape, 51) > 0.7, torch.nan, case.x)
    x.view(-1)[0] = torch.nan
    return x


class WithoutTies(Spec):
    """No two elements of a case are equal, so that its indices are determined; laws of its own speak of ties."""

    # Expanding makes equal elements, of which any may be named: a law of its own speaks of them.
    layouts = tuple(kind for kind in KINDS if kind != "expanded")

    def batch(self, case):
        return Batch(output=0, x=0) if case.dim is not None and case.dim % case.x.ndim else None


class Extreme(WithoutTies):
    """(values, indices) of the largest or smallest element along an axis."""

    cases = domains.extreme
    differentiable = ("x",)
    invalid = (
        Invalid(IndexError, "an axis beyond the last", x=ones(2, 3), dim=2),
        Invalid(ValueError, "an axis without elements", x=zeros(2, 0), dim=1),
    )
    edges = (
        dict(x=zeros(0, 3), dim=1),
        dict(x=ones(1, 1), dim=0),
        dict(x=tensor([INFINITY, 1.0]), dim=0),
        dict(x=tensor([-INFINITY, 1.0]), dim=0),
        dict(x=tensor([[-INFINITY], [INFINITY]]), dim=1),
        dict(x=WHOLE_RANGE, dim=0),
    )
    declines = {"extremes_stay_finite": "nothing is computed: the result is one of the elements"}

    def rows(self, case):
        return -1

    def test_values_stand_at_the_indices(self, impl, case):
        """values are x gathered at indices, with equal elements as well: any of them may be named."""
        found = []
        for x in (case.x, few(case), x_expanded(case)):
            values, indices = impl(case, x=x)
            found.append((x.gather(case.dim, indices.unsqueeze(case.dim)).squeeze(case.dim), values))
        return found

    def test_nan_is_found(self, impl, case):
        """Where a row holds nan, the value is nan and stands at the index."""
        x = with_nans(case)
        values, indices = impl(case, x=x)
        expected = x.isnan().any(case.dim)
        require(torch.equal(values.isnan(), expected), "nan is the extreme element of every row that holds it")
        at = x.gather(case.dim, indices.unsqueeze(case.dim)).squeeze(case.dim)
        require(torch.equal(at.isnan(), expected), "the index does not lead to the nan of its row")

    def test_slope_goes_to_one_element(self, impl, case):
        """The gradient hands the cotangent to the element that is named, and nothing to the others."""
        values, indices = impl(case)
        cotangent = case.noise(values.shape)
        gradient = impl.vjp(case, [cotangent], wrt=("x",))[1]["x"]
        there = torch.zeros_like(case.x).scatter(case.dim, indices.unsqueeze(case.dim), cotangent.unsqueeze(case.dim))
        return gradient, there

    def test_axis_counts_from_either_end(self, impl, case):
        """An axis may be named from the front or from the back."""
        count = case.x.ndim
        return impl(case, dim=case.dim - count if case.dim >= 0 else case.dim + count), impl(case)


def x_expanded(case):
    """One row repeated: all elements along the first axis are equal."""
    return case.x[:1].expand_as(case.x).clone()


class TestMax(Extreme):
    component = tensors.max

    def test_nothing_is_larger(self, impl, case):
        """No element is larger than the value of its row, with equal elements as well."""
        for x in (case.x, few(case)):
            values = impl(case, x=x)[0]
            require((x <= values.unsqueeze(case.dim)).all(), "an element is larger than the value of its row")

    def test_whole_numbers(self, impl):
        """Whole numbers are compared exactly and keep their dtype."""
        values, indices = impl.call(x=torch.tensor([[2**53, 2**53 + 1, 3], [-5, -7, -6]]), dim=1)
        require(values.tolist() == [2**53 + 1, -5], f"the largest are {values.tolist()}, expected {[2**53 + 1, -5]}")
        require(indices.tolist() == [1, 0], f"they stand at {indices.tolist()}, expected [1, 0]")
        require(values.dtype == torch.int64, f"the values are {values.dtype}, expected int64")


class TestMin(Extreme):
    component = tensors.min

    def test_nothing_is_smaller(self, impl, case):
        """No element is smaller than the value of its row, with equal elements as well."""
        for x in (case.x, few(case)):
            values = impl(case, x=x)[0]
            require((x >= values.unsqueeze(case.dim)).all(), "an element is smaller than the value of its row")

    def test_largest_of_the_negatives(self, impl, case):
        """min x = −max(−x), at the same place."""
        values, indices = tensors.max(-case.x, case.dim)
        return impl(case), (-values, indices)

    def test_whole_numbers(self, impl):
        """Whole numbers are compared exactly and keep their dtype."""
        values, indices = impl.call(x=torch.tensor([[2**53 + 1, 2**53, 2**54], [5, 7, 6]]), dim=1)
        require(values.tolist() == [2**53, 5], f"the smallest are {values.tolist()}, expected {[2**53, 5]}")
        require(indices.tolist() == [1, 0], f"they stand at {indices.tolist()}, expected [1, 0]")
        require(values.dtype == torch.int64, f"the values are {values.dtype}, expected int64")


def at(x, index, dim):
    """The elements of x at the indices of an extreme element."""
    return x.reshape(-1)[index] if dim is None else x.gather(dim, index.unsqueeze(dim)).squeeze(dim)


class Position(WithoutTies):
    """The place of the largest or smallest element."""

    cases = domains.position
    declines = WHOLE | {"extremes_stay_finite": "the result is whole numbers"}
    invalid = (
        Invalid(IndexError, "an axis beyond the last", x=ones(2, 3), dim=2),
        Invalid(ValueError, "an axis without elements", x=zeros(2, 0), dim=1),
        Invalid(ValueError, "no element at all", x=zeros(0, 3), dim=None),
    )
    edges = (
        dict(x=zeros(0, 3), dim=1),
        dict(x=ones(1, 1), dim=0),
        dict(x=tensor(2.0), dim=None),
        dict(x=tensor([[INFINITY, 1.0], [0.0, -INFINITY]]), dim=None),
        dict(x=WHOLE_RANGE, dim=0),
    )

    def test_nan_is_found(self, impl, case):
        """Where there is a nan the index leads to one."""
        x = with_nans(case)
        expected = x.isnan().any() if case.dim is None else x.isnan().any(case.dim)
        require(torch.equal(at(x, impl(case, x=x), case.dim).isnan(), expected), "the index does not lead to a nan")

    def test_all_elements_count_row_by_row(self, impl, case):
        """Without an axis the place is that in the tensor written row by row."""
        return impl(case, dim=None), impl(case, x=case.x.reshape(-1), dim=0)


class TestArgmax(Position):
    component = tensors.argmax
    prerequisites = ("max",)

    def test_nothing_is_larger_than_the_element_there(self, impl, case):
        """The element at the index is the largest, with equal elements as well: any of them may be named."""
        largest = (lambda x: x.max()) if case.dim is None else (lambda x: x.amax(case.dim))
        return [(at(x, impl(case, x=x), case.dim), largest(x)) for x in (case.x, few(case), x_expanded(case))]


class TestArgmin(Position):
    component = tensors.argmin
    prerequisites = ("min",)

    def test_nothing_is_smaller_than_the_element_there(self, impl, case):
        """The element at the index is the smallest, with equal elements as well: any of them may be named."""
        smallest = (lambda x: x.min()) if case.dim is None else (lambda x: x.amin(case.dim))
        return [(at(x, impl(case, x=x), case.dim), smallest(x)) for x in (case.x, few(case), x_expanded(case))]


class TestUnique(Spec):
    component = tensors.unique
    cases = domains.unique
    declines = {
        "nan_not_hidden": "the contract leaves open how many nan are kept",
        "extremes_stay_finite": "nothing is computed: the result is some of the elements",
    }
    edges = (
        dict(x=zeros(0, 3)),
        dict(x=ones(1, 1)),
        dict(x=tensor(2.0)),
        dict(x=tensor([0.0, -0.0])),
        dict(x=tensor([[3, 1], [1, 2]])),
        dict(x=tensor([True, False, True])),
        dict(x=WHOLE_RANGE),
    )

    def test_rises(self, impl, case):
        """Every element is larger than the one before."""
        found = impl(case)
        require((found[1:] > found[:-1]).all(), f"{found.tolist()} does not rise")

    def test_same_set(self, impl, case):
        """Every element of x is in the result, and the other way round."""
        equal = case.x.reshape(-1, 1) == impl(case)
        require(equal.any(1).all(), "an element of x is not in the result")
        require(equal.any(0).all(), "an element of the result is not in x")

    def test_twice_is_once(self, impl, case):
        """Applying it again changes nothing."""
        once = impl(case)
        return impl(case, x=once), once

    def test_order_and_repetition_do_not_matter(self, impl, case):
        """Neither the order of x nor how often its elements come changes anything."""
        return impl(case, x=torch.cat([case.x.flip(0), case.x])), impl(case)

    def test_whole_numbers(self, impl):
        """Whole numbers are told apart exactly and keep their dtype."""
        found = impl.call(x=torch.tensor([2**53 + 1, 2**53, 3, 2**53 + 1]))
        require(found.tolist() == [3, 2**53, 2**53 + 1], f"the result is {found.tolist()}")


class TestSort(WithoutTies):
    component = tensors.sort
    cases = domains.ordered
    differentiable = ("x",)
    declines = Extreme.declines
    invalid = (Invalid(IndexError, "an axis beyond the last", x=ones(2, 3), dim=2, descending=False),)
    edges = (
        dict(x=zeros(0, 3), dim=1, descending=False),
        dict(x=zeros(2, 0), dim=1, descending=True),
        dict(x=ones(1, 1), dim=0, descending=False),
        dict(x=tensor([INFINITY, 1.0, -INFINITY]), dim=0, descending=True),
        dict(x=WHOLE_RANGE, dim=0, descending=False),
        dict(x=WHOLE_RANGE, dim=0, descending=True),
    )

    def rows(self, case):
        return case.dim

    def test_in_order(self, impl, case):
        """Every value is at least the one before, or at most when descending, with equal elements as well."""
        for x in (case.x, few(case)):
            values = impl(case, x=x)[0].movedim(case.dim, -1)
            before, after = (
                (values[..., 1:], values[..., :-1]) if case.descending else (values[..., :-1], values[..., 1:])
            )
            require((before <= after).all(), "the values are not in order")

    def test_values_stand_at_the_indices(self, impl, case):
        """values are x gathered at indices, with equal elements as well."""
        found = []
        for x in (case.x, few(case), x_expanded(case)):
            values, indices = impl(case, x=x)
            found.append((x.gather(case.dim, indices), values))
        return found

    def test_indices_are_a_permutation(self, impl, case):
        """Every place is named once, with equal elements as well."""
        for x in (case.x, few(case), x_expanded(case)):
            indices = impl(case, x=x)[1].movedim(case.dim, -1)
            named = torch.zeros_like(indices).scatter_add(-1, indices, torch.ones_like(indices))
            require((named == 1).all(), "a place is named twice, another not at all")

    def test_nan_is_larger_than_every_number(self, impl, case):
        """nan comes last, or first when descending, and the numbers are in order among themselves."""
        x = with_nans(case)
        values = impl(case, x=x)[0].movedim(case.dim, -1)
        if case.descending:
            values = values.flip(-1)
        count = x.isnan().sum(case.dim).unsqueeze(-1)
        size = values.shape[-1]
        last = torch.arange(size) >= size - count
        require(torch.equal(values.isnan(), last), "nan does not stand where the largest element stands")
        numbers = torch.where(last, torch.inf, values)
        require((numbers[..., 1:] >= numbers[..., :-1]).all(), "the numbers beside nan are not in order")

    def test_slopes_go_back_to_where_the_elements_came_from(self, impl, case):
        """The gradient hands the cotangent of every value to the element that it was."""
        values, indices = impl(case)
        cotangent = case.noise(values.shape)
        gradient = impl.vjp(case, [cotangent], wrt=("x",))[1]["x"]
        return gradient, torch.zeros_like(case.x).scatter(case.dim, indices, cotangent)

    def test_descending_is_ascending_backwards(self, impl, case):
        """Descending, the values come in the opposite order."""
        other = impl(case, descending=not case.descending)[0]
        return impl(case)[0], other.flip(case.dim)
