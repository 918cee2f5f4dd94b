"""Constants, the identity and evenly spaced numbers."""

import torch

from lawbook.fixtures.cases.tensors import creation as domains
from lawbook.reference import tensors
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_tensors.creation_laws import (
    FROM_NOTHING,
    NO_DTYPE,
    SingleLaws,
    bad_sizes,
    check_memory_of_its_own,
)

EMPTY_SIZES = (dict(size=()), dict(size=(0,)), dict(size=(3, 0, 2)), dict(size=(1, 1)))


def sizes_with(**rest):
    """Empty and size-1 tensors."""
    return tuple({**size, **rest} for size in EMPTY_SIZES)


class TestZeros(Spec):
    component = tensors.zeros
    cases = domains.zeros
    declines = FROM_NOTHING
    edges = sizes_with()
    invalid = (*bad_sizes(), NO_DTYPE)

    def test_every_element_is_zero(self, impl, case):
        """Every element is 0, without a sign."""
        found = impl(case)
        require(bool((found == 0).all()), "an element is not 0")
        require(not bool(torch.signbit(found).any()), "a zero has a minus sign")

    def test_bfloat16_too(self, impl):
        """Every dtype can be asked for, bfloat16 where the arrays have it."""
        if not impl.implementation.has_dtype(torch.bfloat16):
            return
        found = impl.call(size=(2, 3), dtype=torch.bfloat16)
        require(found.dtype == torch.bfloat16 and not bool(found.any()), f"the result is {found}")

    def test_memory_is_its_own(self, impl):
        """A write to one element changes that element alone, and not what the next call gives."""
        check_memory_of_its_own(impl, size=(2, 3))


class TestOnes(Spec):
    component = tensors.ones
    cases = domains.ones
    declines = FROM_NOTHING
    edges = sizes_with()
    invalid = (*bad_sizes(), NO_DTYPE)

    def test_every_element_is_one(self, impl, case):
        """Every element is 1, so that their sum is their number."""
        found = impl(case)
        require(bool((found == 1).all()), "an element is not 1")
        total, count = float(found.double().sum()), found.numel()
        require(total == count, f"the sum of {count} ones is {total}")

    def test_bfloat16_too(self, impl):
        """Every dtype can be asked for, bfloat16 where the arrays have it."""
        if not impl.implementation.has_dtype(torch.bfloat16):
            return
        found = impl.call(size=(2, 3), dtype=torch.bfloat16)
        require(found.dtype == torch.bfloat16 and bool((found == 1).all()), f"the result is {found}")

    def test_memory_is_its_own(self, impl):
        """A write to one element changes that element alone, and not what the next call gives."""
        check_memory_of_its_own(impl, size=(2, 3))


class TestFull(Spec):
    component = tensors.full
    cases = domains.full
    declines = FROM_NOTHING
    edges = (*sizes_with(fill_value=2.5), *sizes_with(fill_value=3), *sizes_with(fill_value=True))
    invalid = (
        *bad_sizes(fill_value=1.0),
        Invalid(TypeError, "text in place of a number", size=(2, 3), fill_value="three"),
    )

    def test_the_value_says_the_dtype(self, impl, case):
        """bool for True and False, int64 for whole numbers, float32 for floats, 2.0 included."""
        found = impl(case)
        kind = {bool: torch.bool, int: torch.int64, float: torch.float32}[type(case.fill_value)]
        require(found.dtype == kind, f"the result is {found.dtype}, expected {kind} for {case.fill_value!r}")

    def test_every_element_is_the_value(self, impl, case):
        """Every element is the value, whole numbers to their last digit."""
        found, value = impl(case), case.fill_value
        expected = torch.tensor(value, dtype=found.dtype)
        same = (found == expected) | ((found != found) & (expected != expected))
        require(bool(same.all()), f"an element is not {value}", got=found)

    def test_memory_is_its_own(self, impl):
        """A write to one element changes that element alone, and not what the next call gives."""
        check_memory_of_its_own(impl, size=(2, 3), fill_value=2.5)


# Elements that share memory: those of what is made like it do not.
REPEATED = torch.ones(1, 3).expand(2, 3)
LIKE = {"extremes_stay_finite": "the values do not depend on those of x"}
EDGES_LIKE = (torch.zeros(()), torch.ones(0), torch.zeros(3, 0, 2), torch.ones(1, 1), torch.ones(1, 3) > 0)


class TestZerosLike(Spec):
    component = tensors.zeros_like
    cases = domains.zeros_like
    declines = LIKE
    edges = tuple(dict(x=x) for x in EDGES_LIKE)
    invalid = (Invalid(TypeError, "text in place of a tensor", x="three"),)

    def test_every_element_is_zero(self, impl, case):
        """Every element is 0, without a sign, whatever the argument holds."""
        found = impl(case)
        require(bool((found == 0).all()), "an element is not 0", got=found)
        require(not bool(torch.signbit(found).any()), "a zero has a minus sign", got=found)

    def test_memory_is_its_own(self, impl):
        """A write to one element changes that element alone, and not what the next call gives."""
        check_memory_of_its_own(impl, x=REPEATED)


class TestOnesLike(Spec):
    component = tensors.ones_like
    cases = domains.ones_like
    declines = LIKE
    edges = tuple(dict(x=x) for x in EDGES_LIKE)
    invalid = (Invalid(TypeError, "text in place of a tensor", x="three"),)

    def test_every_element_is_one(self, impl, case):
        """Every element is 1, whatever the argument holds."""
        found = impl(case)
        require(bool((found == 1).all()), "an element is not 1", got=found)

    def test_memory_is_its_own(self, impl):
        """A write to one element changes that element alone, and not what the next call gives."""
        check_memory_of_its_own(impl, x=REPEATED)


class TestFullLike(Spec):
    component = tensors.full_like
    cases = domains.full_like
    declines = LIKE
    edges = (*(dict(x=x, fill_value=1) for x in EDGES_LIKE), dict(x=torch.ones(2, 3).long(), fill_value=-2.7))
    invalid = (
        Invalid(TypeError, "text in place of a tensor", x="three", fill_value=3),
        Invalid(TypeError, "text in place of a number", x=torch.zeros(2, 3), fill_value="three"),
    )

    def test_the_tensor_says_the_dtype(self, impl, case):
        """The number is converted to the tensor's dtype, not the other way round."""
        found = impl(case)
        require(found.dtype == case.x.dtype, f"the result is {found.dtype}, expected {case.x.dtype}")

    def test_every_element_is_the_value(self, impl, case):
        """Every element is the value as the tensor's dtype holds it."""
        found = impl(case)
        value = case.fill_value
        expected = torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None).to(case.x.dtype)
        same = (found == expected) | ((found != found) & (expected != expected))
        require(bool(same.all()), f"an element is not {expected}", got=found)

    def test_memory_is_its_own(self, impl):
        """A write to one element changes that element alone, and not what the next call gives."""
        check_memory_of_its_own(impl, x=REPEATED, fill_value=2.5)


class TestEye(SingleLaws, Spec):
    component = tensors.eye
    cases = domains.eye
    declines = FROM_NOTHING
    edges = (dict(n=0), dict(n=1), dict(n=0, m=3), dict(n=3, m=0), dict(n=1, m=4))
    invalid = (
        Invalid(ValueError, "a negative size", n=-1),
        Invalid(ValueError, "a negative number of columns", n=2, m=-3),
        Invalid(TypeError, "half a row", n=1.5),
    )

    def test_multiplying_by_it_changes_nothing(self, impl, case):
        """eye(n) @ x = x, and x @ eye(n, m) keeps the columns that there are, followed by zeros."""
        n, m = case.n, case.arguments.get("m", case.n)
        x = case.noise((n, 4)).float()
        require(torch.equal(impl.call(n=n) @ x, x), "eye(n) @ x is not x")
        x = case.noise((4, n), 1).float()
        expected = torch.zeros(4, m)
        expected[:, : min(n, m)] = x[:, : min(n, m)]
        require(torch.equal(x @ impl(case), expected), "x @ eye(n, m) loses, mixes or scales a column")

    def test_swapped_sizes_transpose_it(self, impl, case):
        """eye(m, n) is the transpose of eye(n, m)."""
        n, m = case.n, case.arguments.get("m", case.n)
        swapped = impl.call(n=m, m=n)
        require(torch.equal(swapped, impl(case).T), "eye(m, n) is not the transpose of eye(n, m)", got=swapped)


class TestArange(SingleLaws, Spec):
    component = tensors.arange
    cases = domains.arange
    declines = FROM_NOTHING
    edges = (
        dict(start=3, end=3),
        dict(start=3, end=4),
        dict(start=2.5, end=2.5, step=0.5),
        dict(start=0, end=6),
        dict(start=10, end=30, step=2),
        dict(start=0.0, end=3.0),
    )
    invalid = (
        Invalid(ValueError, "a step of 0", start=0, end=3, step=0),
        Invalid(ValueError, "a step of 0", start=0.0, end=3.0, step=0.0),
        Invalid(TypeError, "text in place of a number", start="one", end=3),
        Invalid(ValueError, "an infinite end", start=0.0, end=float("inf"), step=1.0),
        Invalid(ValueError, "an end that is nan", start=0.0, end=float("nan"), step=1.0),
    )

    def test_defaults_agree(self, impl, case):
        """A step that is left out counts as 1."""
        # Whether one up may lead away from the end, the contract leaves open.
        return self.skip if case.end < case.start else super().test_defaults_agree(impl, case)

    def test_the_end_is_left_out(self, impl, case):
        """All numbers lie before the end, and one step more would not: whole numbers exactly."""
        start, end, step = (case.arguments.get(name, 1) for name in ("start", "end", "step"))
        found = impl(case)
        if found.dtype.is_floating_point or not len(found):
            # Rounding to float32 may reach the end: then the number of elements says it.
            reached = len(found) * step >= end - start if step > 0 else len(found) * step <= end - start
            require(reached, f"{len(found)} numbers stop short of {end}", got=found)
            return
        last = int(found[-1])
        require((end - last) * step > 0, f"the last number, {last}, is not before the end, {end}", got=found)
        require((end - (last + step)) * step <= 0, f"after {last} there is room for {last + step}", got=found)

    def test_whole_numbers_in_whole_numbers_out(self, impl, case):
        """int64 when all arguments are whole, else float32; whole numbers are a step apart to the last digit."""
        whole = all(isinstance(value, int) for value in case.arguments.values())
        found, kind = impl(case), torch.int64 if whole else torch.float32
        require(found.dtype == kind, f"the result is {found.dtype}, expected {kind}")
        if whole and len(found):
            require(int(found[0]) == case.start, f"the first number is {int(found[0])}, expected {case.start}")
            require(bool((found.diff() == case.arguments.get("step", 1)).all()), "neighbours are not a step apart")

    def test_continues_where_it_stopped(self, impl, case):
        """The numbers from the end on, counted with the same step, continue the sequence: whole numbers exactly."""
        start, step = case.start, case.arguments.get("step", 1)
        count = len(impl(case))
        if not all(isinstance(value, int) for value in (start, step, case.end)):
            start, step = 3, 2
        middle, end = start + step * count, start + step * (count + 4)
        whole = impl.call(start=start, end=end, step=step)
        parts = torch.cat([impl.call(start=a, end=b, step=step) for a, b in ((start, middle), (middle, end))])
        require(torch.equal(whole, parts), "two stretches do not make up the whole", got=parts, expected=whole)


ENDS = {**FROM_NOTHING}
del ENDS["extremes_stay_finite"]
BAD_STEPS = (
    Invalid(ValueError, "fewer than no numbers", start=0.0, end=1.0, steps=-1),
    Invalid(TypeError, "half a number of steps", start=0.0, end=1.0, steps=2.5),
)


class TestLinspace(SingleLaws, Spec):
    component = tensors.linspace
    cases = domains.linspace
    extremes = domains.linspace_extremes
    declines = ENDS
    edges = (
        dict(start=2.0, end=3.0, steps=0),
        dict(start=2.0, end=3.0, steps=1),
        dict(start=2, end=3, steps=1),
        dict(start=10, end=30, steps=5),
    )
    invalid = BAD_STEPS

    def test_both_ends_are_there(self, impl, case):
        """The first number is the start and the last the end, exactly as float32 rounds them; a single one is the start."""
        found = impl(case)
        require(len(found) == case.steps, f"{len(found)} numbers, expected {case.steps}")
        if not case.steps:
            return
        start, end = (torch.tensor(float(end), dtype=torch.float32) for end in (case.start, case.end))
        require(bool(found[0] == start), f"the first number is {found[0]:.9g}, expected {start:.9g}", got=found)
        if case.steps > 1:
            require(bool(found[-1] == end), f"the last number is {found[-1]:.9g}, expected {end:.9g}", got=found)

    def test_swapped_ends_reverse_it(self, impl, case):
        """From the end to the start the same numbers come in reverse order."""
        if case.steps == 1:
            return self.skip
        case = case.to(torch.float32)
        return self.near(impl(case, start=case.end, end=case.start).flip(0), case, self.oracle.value(case))

    def test_finer_steps_pass_through_the_same_numbers(self, impl, case):
        """Halving the gaps adds numbers in between and keeps those that were there."""
        if case.steps < 2:
            return self.skip
        case = case.to(torch.float32)
        return self.near(impl(case, steps=2 * case.steps - 1)[::2], case, self.oracle.value(case))


class TestLogspace(SingleLaws, Spec):
    component = tensors.logspace
    cases = domains.logspace
    extremes = domains.logspace_extremes
    declines = ENDS
    edges = (
        dict(start=2.0, end=3.0, steps=0),
        dict(start=2.0, end=3.0, steps=1),
        dict(start=0, end=2, steps=3),
        dict(start=10, end=30, steps=5, base=2),
    )
    invalid = BAD_STEPS

    def test_every_number_keeps_its_digits(self, impl, case):
        """Small numbers are as accurate as large ones: each is judged by its own size."""
        case = case.to(torch.float32)
        truth, spread = self.oracle.value(case), self.oracle.value_spread(case)
        got = impl(case)
        require(got.shape == truth.shape, f"the result has shape {tuple(got.shape)}, expected {tuple(truth.shape)}")
        return self.oracle.check_like(
            got[:, None],
            case,
            truth[:, None],
            lambda level: [yard[:, None] for yard in spread(level)],
            -1,
        )

    def test_one_more_in_the_exponent_multiplies_by_the_base(self, impl, case):
        """base ^ (x + 1) = base · base ^ x."""
        case = case.to(torch.float32)
        more = case.but(start=case.start + 1, end=case.end + 1)
        return self.near(impl(more), more, self.oracle.value(case).double() * case.arguments.get("base", 10))

    def test_swapped_ends_reverse_it(self, impl, case):
        """From the last exponent to the first the same numbers come in reverse order."""
        if case.steps == 1:
            return self.skip
        case = case.to(torch.float32)
        return self.near(impl(case, start=case.end, end=case.start).flip(0), case, self.oracle.value(case))
