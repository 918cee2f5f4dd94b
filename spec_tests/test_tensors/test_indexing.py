"""Laws of ranges, lists of places and masks."""

import numpy as np
import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases.tensors import indexing as domains
from lawbook.fixtures.published import tensor_shapes as published
from lawbook.reference import tensors
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_tensors.views import MOVED, View


def numbered(x):
    """Every element's place, counted row by row, as a NumPy array."""
    return np.arange(x.numel()).reshape(tuple(x.shape))


def elements(x, places):
    """The elements of x at places counted row by row."""
    return x.reshape(-1)[torch.from_numpy(np.array(places))]


class TestSliceStep(View):
    component = tensors.slice_step
    cases = domains.slice_step
    invalid = (
        Invalid(ValueError, "a step of 0", x=ones(2, 3), starts=[0], stops=[2], steps=[0]),
        Invalid(ValueError, "a step below 0", x=ones(2, 3), starts=[None], stops=[None], steps=[-1]),
        Invalid(
            IndexError, "a range for an axis that is not there", x=ones(2), starts=[0, 0], stops=[1, 1], steps=[1, 1]
        ),
        Invalid(ValueError, "a step too many", x=ones(2, 3), starts=[0], stops=[1], steps=[1, 1]),
    )
    edges = (
        dict(x=zeros(0, 3), starts=[0, 1], stops=[None, None], steps=[2, 2]),
        dict(x=zeros(2, 0), starts=[1, 0], stops=[2, 5], steps=[1, 3]),
        dict(x=ones(1, 1), starts=[-1], stops=[None], steps=[1]),
        dict(x=ones(3), starts=[2], stops=[1], steps=[1]),
        dict(x=torch.arange(3.0), starts=[-5], stops=[2], steps=[1]),
        dict(x=torch.arange(3.0), starts=[-4], stops=[None], steps=[2]),
    )

    def test_equals_numpy(self, impl, case):
        """The elements, and the shape, are those of NumPy's own slices."""
        ranges = tuple(slice(*one) for one in zip(case.starts, case.stops, case.steps, strict=True))
        return impl(case), elements(case.x, numbered(case.x)[ranges])

    def test_whole_range_is_everything(self, impl, case):
        """From the first to the last in steps of 1 is x."""
        return impl(case, starts=[0], stops=[None], steps=[1]), case.x

    def test_negative_places_count_from_the_end(self, impl, case):
        """A place n from the end is the place size − n."""
        size = case.x.shape[0]
        found = []
        for start in range(1, size + 1):
            by_end = impl(case, starts=[-start], stops=[None], steps=[1])
            found.append((by_end, case.x.narrow(0, size - start, start)))
            found.append((impl(case, starts=[None], stops=[-start], steps=[1]), case.x.narrow(0, 0, size - start)))
        return found or self.skip

    def test_remainders_make_up_the_whole(self, impl, case):
        """With steps of s, the ranges that begin at 0 … s − 1 hold every element once."""
        whole = torch.full_like(case.x, torch.nan)
        for start in range(3):
            whole[start::3] = impl(case, starts=[start], stops=[None], steps=[3])
        return whole, case.x


class TestIndexPairs(Spec):
    component = tensors.index_pairs
    cases = domains.index_pairs
    differentiable = ("x",)
    declines = MOVED
    invalid = (
        Invalid(ValueError, "lists of different lengths", x=ones(2, 3), index_lists=[[0, 1], [0, 1, 2]]),
        Invalid(ValueError, "a list within which lengths differ", x=ones(2, 3), index_lists=[[[0, 1], [0]]]),
        Invalid(IndexError, "a place beyond the last", x=ones(2, 3), index_lists=[[0, 2], [0, 1]]),
        Invalid(IndexError, "a place before the first", x=ones(2, 3), index_lists=[[0], [-4]]),
        Invalid(
            IndexError, "a place beyond the first row, where a second follows", x=ones(2, 3), index_lists=[[0], [3]]
        ),
        Invalid(IndexError, "a place before the last row, where another one is", x=ones(2, 3), index_lists=[[1], [-4]]),
        Invalid(TypeError, "half a place", x=ones(2, 3), index_lists=[[0.5]]),
        Invalid(TypeError, "marks in place of places", x=ones(2, 3), index_lists=[[True, False, True]]),
        Invalid(IndexError, "more lists than axes", x=ones(2), index_lists=[[0], [0]]),
    )
    edges = (
        dict(x=ones(2, 3), index_lists=[[], []]),
        dict(x=zeros(2, 0), index_lists=[[1, 0]]),
        dict(x=ones(1, 1), index_lists=[[-1], [0]]),
        dict(x=ones(3), index_lists=[[[0]]]),
    )

    def test_equals_numpy(self, impl, case):
        """The elements, and the shape, are those that NumPy picks with the same lists."""
        places = tuple(np.array(one, dtype=int) for one in case.index_lists)
        return impl(case), elements(case.x, numbered(case.x)[places])

    def test_lists_pair_up(self, impl, case):
        """Two lists of n places give n elements, not n · n: the first of one with the first of the other."""
        size = min(case.x.shape[0], case.x.shape[-1])
        places = list(range(size))[::-1]
        if case.x.ndim == 1:
            return impl(case, index_lists=[places]), case.x.narrow(0, 0, size).flip(0)
        picked = impl(case, index_lists=[places] * case.x.ndim if case.x.ndim == 2 else [places, [0] * size, places])
        expected = [case.x[k, k] if case.x.ndim == 2 else case.x[k, 0, k] for k in places]
        return picked, torch.stack(expected)

    def test_nested_lists_give_every_row_with_every_column(self, impl, case):
        """[[0], [1], …] beside [0, 1, …] is the whole table."""
        if case.x.ndim == 1:
            return self.skip
        rows, columns = case.x.shape[:2]
        return impl(case, index_lists=[[[row] for row in range(rows)], list(range(columns))]), case.x

    def test_places_may_come_again(self, impl, case):
        """A place that is named three times is picked three times, and its gradients add up."""
        last = case.x.shape[0] - 1
        picked, gradients = impl.vjp(case, [torch.ones_like(case.x[[last] * 3])], wrt=("x",), index_lists=[[last] * 3])
        expected = torch.zeros_like(case.x)
        expected[last] = 3
        return [(picked, case.x[last].expand_as(picked)), (gradients["x"], expected)]


class TestMaskSelect(Spec):
    component = tensors.mask_select
    cases = domains.mask_select
    differentiable = ("x",)
    declines = MOVED
    invalid = (
        Invalid(IndexError, "a mask of another length", x=ones(2, 3), mask=tensor([True, False, True])),
        Invalid(IndexError, "a mask of one mark", x=ones(3, 2), mask=tensor([True])),
        Invalid(IndexError, "a mask with one row for all", x=ones(2, 3), mask=tensor([[True, False, True]])),
        Invalid(IndexError, "a mask with more axes than x", x=ones(2), mask=ones(2, 3, dtype=torch.bool)),
        Invalid(IndexError, "a mask of the last axes", x=ones(2, 3, 4), mask=ones(3, 4, dtype=torch.bool)),
        Invalid(IndexError, "a mask with the two axes swapped", x=ones(2, 3), mask=ones(3, 2, dtype=torch.bool)),
    )
    edges = (
        dict(x=zeros(0, 3), mask=zeros(0, dtype=torch.bool)),
        dict(x=zeros(2, 0), mask=ones(2, dtype=torch.bool)),
        dict(x=ones(2, 3), mask=zeros(2, 3, dtype=torch.bool)),
        dict(x=ones(1, 1), mask=ones(1, 1, dtype=torch.bool)),
    )

    def test_as_many_as_are_marked(self, impl, case):
        """There is one part for every mark, each in the shape of the axes that the mask does not cover."""
        expected = (int(case.mask.sum()), *case.x.shape[case.mask.ndim :])
        got = tuple(impl(case).shape)
        require(got == expected, f"the result has shape {got}, expected {expected}")

    def test_equals_numpy(self, impl, case):
        """The elements, in order, are those that NumPy picks with the same mask."""
        return impl(case), elements(case.x, numbered(case.x)[case.mask.numpy()])

    def test_everything_marked_is_everything(self, impl, case):
        """A mask that marks all gives x with its first axes written as one."""
        everything = impl(case, mask=torch.ones_like(case.mask))
        return everything, case.x.reshape(case.mask.numel(), *case.x.shape[case.mask.ndim :])

    def test_marked_and_not_marked_put_back_together(self, impl, case):
        """What the mask and its opposite pick, put back where they were, is x."""
        whole = torch.full_like(case.x, torch.nan)
        whole[case.mask] = impl(case)
        whole[~case.mask] = impl(case, mask=~case.mask)
        return whole, case.x

    def test_a_condition_holds_for_what_it_picks(self, impl, case):
        """x[x > 0] holds positive elements alone, one by one."""
        picked = impl(case, mask=case.x > 0)
        require(picked.ndim == 1 and (picked > 0).all(), "an element that is not positive was picked")

    def test_published_shapes(self, impl):
        """Rows, columns after the axes were swapped, matrices and single elements, in the shapes of the notes."""
        x = torch.arange(60.0).reshape(published.NOTE_001_MASKED)
        rows, columns = x[:, :, 0] > 5, x[:, 0, :] < 3
        for what, given, mask, tail in (
            ("rows", x, rows, (4,)),
            ("columns", x.mT, columns, (5,)),
            ("matrices", x, x[:, 1, 2] > 5, (5, 4)),
            ("elements", x, x > 5, ()),
        ):
            expected = (int(mask.sum()), *tail)
            got = tuple(impl.call(x=given, mask=mask).shape)
            require(got == expected, f"the {what} have shape {got}, expected {expected}")
