"""Laws of time, of the systolic array and of cache lines."""

import math

import torch

from lawbook.fixtures.cases import parallelism as domains
from lawbook.fixtures.published import parallelism as published
from lawbook.reference import parallelism
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case

ONES = torch.ones(2, 3)


class TestStepTime(Spec):
    component = parallelism.step_time
    cases = domains.step_time
    invalid = (
        Invalid(ValueError, "shapes that differ", compute=torch.ones(2), communicate=torch.ones(3)),
        Invalid(ValueError, "a negative time to compute", compute=-torch.ones(2), communicate=torch.ones(2)),
        Invalid(ValueError, "a negative time to communicate", compute=torch.ones(2), communicate=-torch.ones(2)),
    )
    edges = (
        dict(compute=torch.zeros(0), communicate=torch.zeros(0)),
        dict(compute=torch.ones(1), communicate=ONES[0, :1]),
    )

    def test_is_the_longer_of_the_two(self, impl, case):
        """A step takes as long as the longer of the two, to the last bit: the shorter one is hidden."""
        t = impl(case)
        low = (t < case.compute) | (t < case.communicate)
        require(not bool(low.any()), f"{t} is shorter than {case.compute} or {case.communicate}")
        other = (t != case.compute) & (t != case.communicate)
        require(not bool(other.any()), f"{t} is neither of {case.compute} and {case.communicate}")

    def test_speed_up_is_at_most_the_number_of_workers(self, impl, case):
        """n workers are at most n times as fast as one that need not communicate, and n times where computing takes longer."""
        t = impl(case)
        for n in (2, 8):
            speed_up = torch.where(t > 0, n * (case.compute / t), 0)
            require(bool((speed_up <= n).all()), f"{n} workers are {speed_up} times as fast as one")
            full = (case.compute >= case.communicate) & (case.compute > 0)
            require(
                bool((speed_up[full] == n).all()), f"with communication hidden {n} workers are {speed_up} times as fast"
            )

    def test_both_twice_as_long(self, impl, case):
        """Computing and communicating take twice as long: so does the step."""
        return impl(case, compute=2 * case.compute, communicate=2 * case.communicate), 2 * impl(case)

    def test_nothing_to_communicate(self, impl, case):
        """Without communication a step takes the time to compute."""
        return impl(case, communicate=torch.zeros_like(case.compute)), case.compute


class TestSystolicMatmul(Spec):
    component = parallelism.systolic_matmul
    cases = domains.systolic_matmul
    extremes = domains.systolic_matmul_extremes
    differentiable = ("A", "B")
    twice = True
    invalid = (
        Invalid(ValueError, "inner sizes that differ", A=ONES, B=ONES, size=2),
        Invalid(ValueError, "a vector in place of a matrix", A=ONES, B=torch.ones(3), size=2),
        Invalid(ValueError, "a batch of matrices", A=torch.ones(2, 2, 3), B=torch.ones(3, 2), size=2),
        Invalid(ValueError, "an array without cells", A=ONES, B=torch.ones(3, 2), size=0),
        Invalid(ValueError, "an array without cells, no row", A=ONES[:0], B=torch.ones(3, 2), size=0),
        Invalid(TypeError, "whole numbers in place of floating ones", A=ONES.long(), B=torch.ones(3, 2).long(), size=2),
    )
    edges = (
        dict(A=torch.zeros(0, 3), B=torch.ones(3, 2), size=2),
        dict(A=torch.ones(2, 0), B=torch.ones(0, 2), size=2),
        dict(A=torch.ones(2, 3), B=torch.ones(3, 0), size=2),
        dict(A=torch.full((1, 1), 3.0), B=torch.full((1, 1), 2.0), size=1),
    )

    def test_equals_the_product(self, impl, case):
        """The array gives A B, whatever its size, with tiles and padding."""
        return impl(case)[0], case.A @ case.B

    def test_size_of_the_array_does_not_matter(self, impl, case):
        """Arrays of one cell, and of more cells than the matrices have numbers, give the same product."""
        return [(impl(case, size=size)[0], impl(case)[0]) for size in (1, max(case.A.shape + case.B.shape) + 1)]

    def test_cycles_are_those_of_the_array(self, impl, case):
        """Every tile of weights takes its loading, one cycle a row of A, and the filling and draining of the array."""
        (M, K), N, s = case.A.shape, case.B.shape[1], case.size
        cycles = impl(case)[1]
        tiles = math.ceil(K / s) * math.ceil(N / s)
        require(cycles == tiles * (s + M + 2 * (s - 1)), f"{cycles} cycles for {tiles} tiles of {s}×{s} and {M} rows")

    def test_one_row_more_costs_one_cycle_a_tile(self, impl, case):
        """Rows that come in one batch share loading, filling and draining: each costs a single cycle for every tile."""
        more = impl(case, A=torch.cat([case.A, case.A[:1]]))[1] - impl(case)[1]
        tiles = math.ceil(case.A.shape[1] / case.size) * math.ceil(case.B.shape[1] / case.size)
        require(more == tiles, f"a row more costs {more} cycles with {tiles} tiles")

    def test_multiplying_by_one_is_exact(self, impl, case):
        """The identity gives A back, to the last bit."""
        found = impl(case, B=torch.eye(case.A.shape[1], dtype=case.A.dtype))[0]
        require(torch.equal(found, case.A), f"A times the identity is {found}, expected {case.A}")


class TestCacheLinesTouched(Spec):
    component = parallelism.cache_lines_touched
    cases = domains.cache_lines_touched
    declines = {
        "extremes_stay_finite": "nothing is computed but a count",
        "accelerator_agrees": "no argument is a tensor",
        "memory_layout": "no argument is a tensor",
        "low_precision": "no argument is a tensor",
        "nan_not_hidden": "no argument can hold nan",
        "no_aliasing": "no argument is a tensor",
    }
    invalid = (
        Invalid(ValueError, "a negative size", shape=(3, -1), order="row"),
        Invalid(ValueError, "an order of no one", shape=(3, 4), order="diagonal"),
        Invalid(ValueError, "a line without bytes", shape=(3, 4), order="row", line_bytes=0),
        Invalid(ValueError, "a line without bytes, no element", shape=(0,), order="row", line_bytes=0),
        Invalid(ValueError, "elements of no byte", shape=(3, 4), order="row", element_bytes=0),
        Invalid(
            ValueError, "elements that lie across lines", shape=(3, 4), order="row", line_bytes=64, element_bytes=12
        ),
        Invalid(ValueError, "no size", shape=(), order="row"),
    )
    edges = (
        dict(shape=(0, 3), order="row"),
        dict(shape=(1, 1), order="column"),
        dict(shape=(1,), order="row"),
    )

    def test_row_order_touches_the_fewest(self, impl, case):
        """Row order on row storage fetches every line once: as many as hold the array, and no order fetches fewer."""
        found = impl(case, order="row")
        bytes_ = math.prod(case.shape) * case.element_bytes
        require(found == math.ceil(bytes_ / case.line_bytes), f"{found} lines of {case.line_bytes} for {bytes_} bytes")
        column = impl(case, order="column")
        require(found <= column, f"row order fetches {found} lines, column order {column}")

    def test_column_order_fetches_one_a_step(self, impl, case):
        """Where a row fills a line or more, and there are several, every step of column order is in another line."""
        rows, *inner = case.shape
        if rows < 2 or math.prod(inner) * case.element_bytes < case.line_bytes:
            return skip_case
        found = impl(case, order="column")
        require(found == math.prod(case.shape), f"in column order {found} fetches in {math.prod(case.shape)} steps")
        return None

    def test_a_line_for_every_element(self, impl, case):
        """Where an element fills a line, either order fetches one a step."""
        for order in ("row", "column"):
            found = impl(case, order=order, line_bytes=case.element_bytes)
            require(
                found == math.prod(case.shape), f"in {order} order {found} fetches in {math.prod(case.shape)} steps"
            )

    def test_a_single_row_has_one_order(self, impl, case):
        """One row, or one column, is visited in its order either way."""
        count = math.prod(case.shape)
        for shape in ((count,), (1, count), (count, 1)):
            row, column = (impl(case, shape=shape, order=order) for order in ("row", "column"))
            require(row == column, f"{shape}: {row} in row order, {column} in column order")

    def test_published_line_of_note_004(self, impl):
        """With 64 bytes at a time, numbers of 4 bytes: row order fetches one line for 16 of them, column order one for each."""
        found = [
            impl.call(shape=(16, 32), order=order, line_bytes=published.NOTE_004_LINE, element_bytes=4)
            for order in ("row", "column")
        ]
        require(found == [32, 512], f"row order fetches {found[0]} lines, column order {found[1]}")
