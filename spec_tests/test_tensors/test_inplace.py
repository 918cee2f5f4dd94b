"""Laws of arithmetic in place: values are those of the operation that makes a new tensor, memory is that of the argument."""

from collections.abc import Callable
from typing import Any

import torch
from torch import ones, tensor

from lawbook.fixtures.cases.tensors import arithmetic as domains
from lawbook.fixtures.implementation import NotOffered, Raised, copy
from lawbook.reference.tensors import arithmetic, inplace
from lawbook.spec_tests.memory import window
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require
from lawbook.spec_tests.test_tensors.test_arithmetic import OVERFLOW, axis_of_rows

WHOLE = tensor([1, 2, 4])
GROWING = (
    Invalid(ValueError, "sizes 2 and 3", x=2 * ones(2), y=3 * ones(3)),
    Invalid(ValueError, "an x that a broadcast would make larger", x=2 * ones(1, 3), y=3 * ones(2, 3)),
    Invalid(ValueError, "an x that lacks an axis of y", x=2 * ones(3), y=3 * ones(1, 3)),
    Invalid(ValueError, "an x without axes against one element", x=2 * ones(()), y=3 * ones(1)),
    Invalid(ValueError, "an x of one element against none", x=2 * ones(1), y=ones(0)),
)
FLOATING_INTO_WHOLE = (
    Invalid(TypeError, "integers that would become floating", x=WHOLE, y=tensor([0.5, 1.0, 2.0])),
    Invalid(TypeError, "integers that a single number would make floating", x=WHOLE, y=tensor(0.5)),
)
MEMORY = {
    "inputs_unmodified": "x is changed on purpose",
    "no_aliasing": "the result is x itself",
    "memory_layout": "expanded memory cannot be written to; other layouts have a law of their own",
}
UNUSED = 77
ROW_OF_STRIDE_0 = (2 * ones(3)).as_strided((1, 3), (0, 1))
"""Every element has memory of its own: an axis of size 1 may have any stride."""


class InPlace(Spec):
    """What all of them share."""

    new: Callable[..., Any]
    others: tuple[str, ...] = ()
    declines = MEMORY

    def __init_subclass__(cls, **options):
        if "new" in vars(cls):
            cls.new = staticmethod(cls.new)
        super().__init_subclass__(**options)

    def rows(self, case):
        return axis_of_rows(case.x.shape)

    def batch(self, case):
        if not case.x.ndim or case.x.shape[0] == 1:
            return None
        shape = case.x.shape
        same = [
            n for n in self.others if torch.is_tensor(case[n]) and case[n].ndim == len(shape) and case[n].shape[0] > 1
        ]
        return Batch(output=0, x=0, **dict.fromkeys(same, 0))

    def test_the_result_is_x_itself(self, impl, case):
        """What is written into the result stands in x."""
        given = copy(case.arguments)
        native, result = impl.call_with(given)
        require(result.shape == case.x.shape, f"the result has shape {tuple(result.shape)}, not that of x")
        memory = window(native, impl)
        memory.copy_(torch.full_like(memory, 5))
        require((given["x"] == 5).all(), "what is written into the result does not stand in x: it is another tensor")

    def test_x_holds_what_a_new_tensor_would(self, impl, case):
        """After the call x holds the result of the operation that makes a new tensor, in its own dtype."""
        given = copy(case.arguments)
        impl.call_with(given)
        require(given["x"].dtype == case.x.dtype, f"x is now {given['x'].dtype}, it was {case.x.dtype}")
        new = self.new(**case.arguments)
        return given["x"].reshape(-1, 1), new.reshape(-1, 1)

    def test_nothing_beside_a_view_is_written(self, impl, case):
        """Of a larger tensor only the elements of the view change."""
        around = torch.full((*case.x.shape, 2), UNUSED, dtype=case.x.dtype)
        around[..., 1] = case.x
        given = {**copy(case.arguments), "x": around[..., 1]}
        impl.call_with(given)
        require((around[..., 0] == UNUSED).all(), "elements beside the view were written to")
        new = self.new(**case.arguments)
        kept = torch.equal(around[..., 1], case.x) and not torch.equal(new.to(case.x.dtype), case.x)
        require(not kept, "x, which is every other element of a larger tensor, still holds its old values")
        return around[..., 1].reshape(-1, 1), new.reshape(-1, 1)

    def test_elements_that_share_memory_are_refused(self, impl, case):
        """An expanded x, whose elements share memory, is refused and left as it was."""
        element = case.x.reshape(-1)[:1].clone()
        given = {name: value for name, value in case.arguments.items() if name not in self.others}
        for name in self.others:
            given[name] = torch.ones(3, dtype=case.x.dtype)
        given["x"] = element.expand(3)
        try:
            impl.call_with(given)
        except Raised as raised:
            if not isinstance(raised.error, Exception):
                raise
            unchanged = (element == case.x.reshape(-1)[:1]) | element.isnan()
            require(unchanged.all(), f"x was changed to {element.tolist()} before the call was refused")
            return
        require(False, f"accepts 3 elements in one place; there stands {element.tolist()} now", got=given["x"])

    def test_gradients_pass_through_the_change(self, impl, case):
        """What x was computed from, and y, get the gradients of the operation that makes a new tensor."""
        if impl.implementation.bridge != "torch":
            raise NotOffered(f"arrays of {impl.implementation.name} carry no graph")
        if not case.x.is_floating_point():
            return self.skip
        return self._gradients(case, lambda **given: impl.call_with(given)[0]), self._gradients(case, self.new)

    def _gradients(self, case, operation):
        given = copy(case.arguments)
        leaves = {name: x for name, x in given.items() if torch.is_tensor(x) and x.is_floating_point()}
        with torch.enable_grad():
            for leaf in leaves.values():
                leaf.requires_grad_()
            # Multiplied, since a leaf that asks for a gradient cannot be written over.
            result = operation(**{**given, "x": given["x"] * 1})
            require(result.requires_grad, "the result is cut from the graph")
            grads = torch.autograd.grad(result, list(leaves.values()), case.noise(result.shape), allow_unused=True)
        return [torch.zeros_like(x) if g is None else g for x, g in zip(leaves.values(), grads, strict=True)]


class Binary(InPlace):
    """A tensor is combined into another one."""

    others = ("y",)
    differentiable = ("y",)
    edges = (
        {"x": ones(0), "y": ones(0)},
        {"x": ones(0, 3), "y": ones(1, 3)},
        {"x": ones(2, 0), "y": ones(1)},
        {"x": 2 * ones(()), "y": 3 * ones(())},
        {"x": 2 * ones(1, 1), "y": 3 * ones(1)},
        {"x": ROW_OF_STRIDE_0, "y": 3 * ones(3)},
    )

    def test_the_other_one_is_left_as_it_was(self, impl, case):
        """Only x is written to."""
        given = copy(case.arguments)
        impl.call_with(given)
        y = given[self.others[0]]
        if not torch.is_tensor(y):
            return self.skip
        return y, case[self.others[0]]

    def test_x_may_be_combined_with_itself(self, impl, case):
        """Both arguments may be the same tensor."""
        x = self._large(case)
        given = {"x": x.clone()}
        given[self.others[0]] = given["x"]
        impl.call_with(given)
        return given["x"], self.new(x, x)

    def test_a_part_of_x_counts_with_its_old_values(self, impl, case):
        """The other argument may be a row or a column of x: its values from before the call count."""
        equations = []
        for part in (lambda x: x[:1], lambda x: x[:, :1]):
            x = self._large(case)
            given = {"x": x.clone()}
            given[self.others[0]] = part(given["x"])
            impl.call_with(given)
            equations.append((given["x"], self.new(x, part(x))))
        return equations

    def _large(self, case):
        return case.noise((2, 3)).abs() + 1

    def test_a_wider_dtype_is_written_into_x(self, impl, case):
        """Beside float64 x keeps its own dtype."""
        x, other = self._large(case), case.noise((2, 3), 1).double()
        given = {"x": x.clone(), self.others[0]: other}
        result = impl.call_with(given)[1]
        require(result.dtype == x.dtype, f"the result is {result.dtype}, expected the dtype of x, {x.dtype}")
        return given["x"], self.new(x.double(), other).to(x.dtype)


class OfIntegersToo(Binary):
    """What leaves integers whole takes them."""

    invalid = (*GROWING, *FLOATING_INTO_WHOLE)
    declines = {**MEMORY, "extremes_stay_finite": OVERFLOW}


class TestAddInPlace(OfIntegersToo):
    component = inplace.add_
    new = arithmetic.add
    cases = domains.add_
    prerequisites = ("add",)


class TestSubInPlace(OfIntegersToo):
    component = inplace.sub_
    new = arithmetic.sub
    cases = domains.sub_
    prerequisites = ("sub",)


class TestMulInPlace(OfIntegersToo):
    component = inplace.mul_
    new = arithmetic.mul
    cases = domains.mul_
    prerequisites = ("mul",)


class TestDivInPlace(Binary):
    component = inplace.div_
    new = arithmetic.div
    cases = domains.div_
    extremes = domains.div_extremes
    prerequisites = ("div",)
    invalid = (
        *GROWING,
        *FLOATING_INTO_WHOLE,
        Invalid(TypeError, "integers by integers", x=WHOLE, y=tensor([1, 2, 4])),
    )


class TestPowInPlace(Binary):
    component = inplace.pow_
    new = arithmetic.pow
    others = ("exponent",)
    differentiable = ("exponent",)
    cases = domains.pow_
    extremes = domains.pow_extremes
    prerequisites = ("pow",)
    invalid = (
        Invalid(ValueError, "sizes 2 and 3", x=2 * ones(2), exponent=3 * ones(3)),
        Invalid(ValueError, "an x that a broadcast would make larger", x=2 * ones(1, 3), exponent=3 * ones(2, 3)),
        Invalid(ValueError, "an x that lacks an axis of the exponent", x=2 * ones(3), exponent=3 * ones(1, 3)),
        Invalid(TypeError, "integers to the power of a half", x=WHOLE, exponent=0.5),
        Invalid(TypeError, "integers to a tensor of halves", x=WHOLE, exponent=tensor([0.5, 0.5, 0.5])),
        Invalid(TypeError, "integers to the power of a tensor without axes, a half", x=WHOLE, exponent=tensor(0.5)),
        Invalid(ValueError, "integers to the power of −1", x=WHOLE, exponent=-1),
        Invalid(ValueError, "integers, one of them to a negative integer", x=tensor([2, 2]), exponent=tensor([1, -1])),
    )
    edges = (
        {"x": ones(0), "exponent": ones(0)},
        {"x": ones(0, 3), "exponent": 2},
        {"x": 3 * ones(()), "exponent": 2.0},
        {"x": 3 * ones(1, 1), "exponent": 2 * ones(1)},
        {"x": ROW_OF_STRIDE_0, "exponent": 3.0},
    )


class Unary(InPlace):
    """A function of every element."""

    edges = ({"x": ones(0)}, {"x": ones(2, 0)}, {"x": 2 * ones(())}, {"x": 2 * ones(1, 1)}, {"x": ROW_OF_STRIDE_0})
    invalid = (Invalid(TypeError, "integers that would become floating", x=WHOLE),)


class TestNegInPlace(Unary):
    component = inplace.neg_
    new = arithmetic.neg
    cases = domains.neg
    extremes = domains.all_exponents
    prerequisites = ("neg",)
    invalid = (Invalid(TypeError, "bools", x=tensor([True, False])),)


class TestSqrtInPlace(Unary):
    component = inplace.sqrt_
    new = arithmetic.sqrt
    cases = domains.sqrt
    extremes = domains.sqrt_extremes
    prerequisites = ("sqrt",)


class TestLogInPlace(Unary):
    component = inplace.log_
    new = arithmetic.log
    cases = domains.log
    extremes = domains.sqrt_extremes
    prerequisites = ("log",)


class TestExpInPlace(Unary):
    component = inplace.exp_
    new = arithmetic.exp
    cases = domains.exp
    extremes = domains.exp_extremes
    prerequisites = ("exp",)
