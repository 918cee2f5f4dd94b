"""Laws of products of matrices."""

import math

import torch
from torch import ones, tensor

from lawbook.fixtures.cases.tensors import products as domains
from lawbook.reference.tensors import products
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require


class Product(Spec):
    """What both share."""

    differentiable = ("a", "b")
    twice = True
    declines = {"extremes_stay_finite": "finite numbers give finite sums but for overflow of the dtype itself"}

    def test_identity_changes_nothing(self, impl, case):
        """a · I = a, and I stands anywhere in a · I · b without a trace."""
        a, b = _matrices(case)
        eye = torch.eye(a.shape[-1], dtype=a.dtype)
        return [
            (impl(case, a=a, b=eye), a),
            (impl(case, a=eye, b=b), b),
            (impl(case, a=impl(case, a=a, b=eye), b=b), impl(case, a=a, b=impl(case, a=eye, b=b))),
        ]

    def test_brackets_do_not_matter(self, impl, case):
        """(a · b) · c = a · (b · c)."""
        a, b = _matrices(case)
        c = case.noise((b.shape[-1], 3)).to(b.dtype)
        return impl(case, a=impl(case, a=a, b=b), b=c), impl(case, a=a, b=impl(case, a=b, b=c))

    def test_transposing_exchanges_the_factors(self, impl, case):
        """(a · b)ᵀ = bᵀ · aᵀ."""
        a, b = _matrices(case)
        return impl(case, a=a, b=b).mT, impl(case, a=b.mT.contiguous(), b=a.mT.contiguous())

    def test_every_element_is_a_sum_of_products(self, impl, case):
        """z[i, j] = Σ_k a[i, k] · b[k, j]."""
        a, b = _matrices(case)
        by_hand = [[(row * column).sum(dtype=a.dtype) for column in b.mT] for row in a]
        return impl(case, a=a, b=b), torch.stack([torch.stack(row) for row in by_hand])

    def test_zero_times_infinity_is_not_skipped(self, impl):
        """A zero among the factors adds 0 · inf = nan, and nothing else is touched."""
        a = tensor([[0.0, 1.0], [1.0, 1.0]], dtype=self.dtype)
        b = tensor([[math.inf, 2.0], [3.0, 4.0]], dtype=self.dtype)
        got = impl.call(a=a, b=b)
        expected = tensor([[math.nan, 4.0], [math.inf, 6.0]], dtype=self.dtype)
        same = (got == expected) | (got.isnan() & expected.isnan())
        require(same.all(), f"[[0, 1], [1, 1]] · [[inf, 2], [3, 4]] is {got.tolist()}, expected {expected.tolist()}")


def _matrices(case):
    """The factors, of stacks the first matrices; a vector as a row on the left and a column on the right."""
    a = case.a[None] if case.a.ndim == 1 else case.a.reshape(-1, *case.a.shape[-2:])[0]
    b = case.b[:, None] if case.b.ndim == 1 else case.b.reshape(-1, *case.b.shape[-2:])[0]
    return a, b


class TestMm(Product):
    component = products.mm
    cases = domains.mm
    invalid = (
        Invalid(ValueError, "inner sizes 3 and 2", a=ones(2, 3), b=ones(2, 3)),
        Invalid(ValueError, "an inner size of 1 against 3", a=ones(2, 1), b=ones(3, 2)),
        Invalid(ValueError, "a vector on the right", a=ones(2, 3), b=ones(3)),
        Invalid(ValueError, "a vector on the left", a=ones(3), b=ones(3, 2)),
        Invalid(ValueError, "a stack of matrices", a=ones(4, 2, 3), b=ones(4, 3, 2)),
        Invalid(ValueError, "a stack against a matrix", a=ones(4, 2, 3), b=ones(3, 2)),
    )
    edges = (
        {"a": ones(2, 0), "b": ones(0, 3)},
        {"a": ones(0, 2), "b": ones(2, 3)},
        {"a": ones(2, 3), "b": ones(3, 0)},
        {"a": 2 * ones(1, 1), "b": 3 * ones(1, 1)},
        {"a": ones(1, 3), "b": ones(3, 1)},
    )

    def batch(self, case):
        return Batch(output=0, a=0)

    def test_columns_are_independent(self, impl, case):
        """Each column of b gives its own column of the product."""
        columns = [impl(case, b=case.b[:, j : j + 1].contiguous()) for j in range(case.b.shape[1])]
        return torch.cat(columns, 1), impl(case)


class TestMatmul(Product):
    component = products.matmul
    low_gradients = True
    cases = domains.matmul
    prerequisites = ("mm",)
    invalid = (
        Invalid(ValueError, "inner sizes 3 and 2", a=ones(2, 3), b=ones(2, 3)),
        Invalid(ValueError, "an inner size of 1 against 3", a=ones(2, 1), b=ones(3, 2)),
        Invalid(ValueError, "vectors of 2 and 3", a=ones(2), b=ones(3)),
        Invalid(ValueError, "a vector against the columns", a=ones(2), b=ones(3, 2)),
        Invalid(ValueError, "a number on the left", a=ones(()), b=ones(2, 2)),
        Invalid(ValueError, "a number on the right", a=ones(2, 2), b=ones(())),
        Invalid(ValueError, "stacks of 2 and 4", a=ones(2, 3, 3), b=ones(4, 3, 3)),
        Invalid(ValueError, "a matrix against a stack with unequal inner sizes", a=ones(2, 3), b=ones(3, 2, 3)),
    )
    edges = (
        {"a": ones(2, 0), "b": ones(0, 3)},
        {"a": ones(0), "b": ones(0)},
        {"a": ones(0, 2, 3), "b": ones(3, 2)},
        {"a": ones(0, 2, 3), "b": ones(1, 3, 2)},
        {"a": ones(4, 2, 0), "b": ones(4, 0, 3)},
        {"a": ones(0), "b": ones(0, 3)},
        {"a": 2 * ones(1), "b": 3 * ones(1)},
        {"a": 2 * ones(1, 1, 1), "b": 3 * ones(1, 1)},
        {"a": ones(3, 2, 1, 1), "b": ones(2, 1, 1)},
        {"a": ones(2, 1, 1), "b": ones(3, 2, 1, 1)},
    )

    def batch(self, case):
        stacked = {name: 0 for name in "ab" if case[name].ndim == 3 and case[name].shape[0] > 1}
        return Batch(output=0, **stacked) if stacked and max(case.a.ndim, case.b.ndim) == 3 else None

    def test_matrices_give_their_product(self, impl, case):
        """Of two matrices it is mm."""
        a, b = _matrices(case)
        return impl(case, a=a, b=b), products.mm(a, b)

    def test_every_pair_of_a_stack_by_itself(self, impl, case):
        """A stack is multiplied matrix by matrix, one that is missing or of size 1 with all of the other."""
        a = case.a[None] if case.a.ndim == 1 else case.a
        b = case.b[:, None] if case.b.ndim == 1 else case.b
        stack = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        left, right = (x.expand(*stack, *x.shape[-2:]).reshape(-1, *x.shape[-2:]) for x in (a, b))
        pairs = torch.stack([products.mm(p, q) for p, q in zip(left, right, strict=True)])
        return impl(case, a=a, b=b), pairs.reshape(*stack, *pairs.shape[-2:])

    def test_a_vector_is_a_row_on_the_left_and_a_column_on_the_right(self, impl, case):
        """A vector counts as a matrix of one row or column, which is then taken out of the result."""
        a, b = _matrices(case)
        row, column = a[0], b[:, 0]
        return [
            (impl(case, a=row, b=b), products.mm(row[None], b)[0]),
            (impl(case, a=a, b=column), products.mm(a, column[:, None])[:, 0]),
            (impl(case, a=row, b=column), products.mm(row[None], column[:, None])[0, 0]),
        ]
