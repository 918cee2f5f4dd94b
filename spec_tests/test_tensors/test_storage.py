"""Conversions: other dtypes, NumPy arrays, plain numbers, and whose memory the result lies in."""

import numpy as np
import torch

from lawbook.fixtures.cases.tensors import storage as domains
from lawbook.fixtures.implementation import Raised, copy
from lawbook.reference import tensors
from lawbook.spec_tests.memory import window
from lawbook.spec_tests.spec import Invalid, Spec, require


def same(a, b):
    """Whether two tensors hold the same numbers, nan included, in the same dtype."""
    return a.dtype == b.dtype and a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


def others(x):
    """A tensor of the same shape and dtype that differs from ``x`` in every element."""
    if x.dtype == torch.bool:
        return ~x
    return torch.where(x == 3, 5, 3).to(x.dtype)


class TestCast(Spec):
    component = tensors.cast
    cases = domains.cast
    differentiable = ("x",)
    declines = {"extremes_stay_finite": "'floats are rounded to the nearest' has the extremes of every dtype"}
    edges = (
        dict(x=torch.zeros(()), dtype=torch.int64),
        dict(x=torch.ones(0), dtype=torch.bool),
        dict(x=torch.zeros(3, 0, 2), dtype=torch.float16),
        dict(x=torch.ones(1, 1), dtype=torch.float32),
    )
    invalid = (
        Invalid(TypeError, "text in place of a tensor", x="three", dtype=torch.float32),
        Invalid(TypeError, "a dtype that does not exist", x=torch.ones(2, 3), dtype="float31"),
    )

    def test_the_result_has_the_dtype(self, impl, case):
        """The dtype is the asked one, the shape the argument's."""
        found = impl(case)
        require(found.dtype == case["dtype"], f"the result is {found.dtype}, expected {case['dtype']}")
        require(
            found.shape == case.x.shape, f"the result has shape {tuple(found.shape)}, expected {tuple(case.x.shape)}"
        )

    def test_fractions_are_cut_off_towards_zero(self, impl):
        """2.7 becomes 2 and −2.7 becomes −2, in every dtype of whole numbers that has it."""
        x = torch.tensor([2.7, -2.7, 0.5, -0.5, 1.5, -1.5, 2.5, -0.999, 99.9, -99.9])
        expected = torch.tensor([2, -2, 0, 0, 1, -1, 2, 0, 99, -99])
        for dtype in (torch.int64, torch.int32, torch.int16, torch.int8):
            found = impl.call(x=x, dtype=dtype)
            require(torch.equal(found, expected.to(dtype)), f"{x.tolist()} becomes {found.tolist()} in {dtype}")

    def test_whatever_is_not_zero_is_true(self, impl, case):
        """To bool, only zeros are False: fractions, infinities and nan are True."""
        found = impl(case, dtype=torch.bool)
        require(found.dtype == torch.bool, f"the result is {found.dtype}, expected torch.bool")
        require(torch.equal(found, case.x != 0), "a zero is True, or something else is False", got=found)
        odd = torch.tensor([0.5, -0.25, float("nan"), float("inf"), -0.0, 1e-30])
        found = impl.call(x=odd, dtype=torch.bool)
        require(found.tolist() == [True, True, True, True, False, True], f"{odd.tolist()} becomes {found.tolist()}")

    def test_true_is_one(self, impl, case):
        """True becomes 1 and False 0, in every dtype."""
        flags = case.noise((5,)) > 0
        for dtype in (torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8):
            found = impl.call(x=flags, dtype=dtype)
            expected = torch.where(flags, 1, 0).to(dtype)
            require(same(found, expected), f"{flags.tolist()} becomes {found.tolist()} in {dtype}")

    def test_there_and_back_changes_nothing(self, impl, case):
        """Through a dtype that holds every number, each comes back to the last bit."""
        for narrow, wide in (
            (torch.float16, torch.float32),
            (torch.float32, torch.float64),
            (torch.int32, torch.float64),
        ):
            x = case.noise((7,)).mul(100).to(narrow)
            found = impl.call(x=impl.call(x=x, dtype=wide), dtype=narrow)
            require(same(found, x), f"{x.tolist()} comes back from {wide} as {found.tolist()}")
        large = torch.tensor([2**62 + 1, -(2**62) - 1, 2**53 + 1, 3])
        found = impl.call(x=large, dtype=torch.int64)
        require(
            torch.equal(found, large), f"{large.tolist()} becomes {found.tolist()} where nothing is to be converted"
        )

    def test_floats_are_rounded_to_the_nearest(self, impl):
        """To fewer digits the nearest number is taken, of two equally near ones the even one; beyond the range ±∞."""
        x = [1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-11 + 2**-23, 65519.0, 65520.0, -1e6, 2**-24, 3 * 2**-25, 2**-25, 1e-9]
        half = [1, 1 + 2**-9, 1 + 2**-10, 65504, float("inf"), -float("inf"), 2**-24, 2**-23, 0, 0]
        _check_rounded(impl, torch.tensor(x, dtype=torch.float32), torch.float16, half)
        x = [1 + 2**-24, 1 + 3 * 2**-24, 1 + 2**-24 + 2**-50, 1e39, 0.1]
        single = [1, 1 + 2**-22, 1 + 2**-23, float("inf"), float(np.float32(0.1))]
        _check_rounded(impl, torch.tensor(x, dtype=torch.float64), torch.float32, single)
        x = [2**24 + 1, 2**24 + 3, 2**53 + 1, -(2**24) - 1]
        _check_rounded(impl, torch.tensor(x), torch.float32, [2**24, 2**24 + 4, 2**53, -(2**24)])

    def test_bfloat16_is_rounded_to_the_nearest(self, impl):
        """bfloat16 is float32 rounded to eight bits, not cut off after them."""
        if impl.implementation.has_dtype(torch.bfloat16):
            x = torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -3.14159])
            _check_rounded(impl, x, torch.bfloat16, [1, 1 + 2**-6, 1 + 2**-7, -3.140625])

    def test_float64_is_rounded_once(self, impl):
        """On its way to a half precision a float64 is not rounded to float32 first: a little above half-way is up."""
        x = [1 + 2**-11 + 2**-30, 1 + 3 * 2**-11 - 2**-30, -1 - 2**-11 - 2**-30, 1 + 2**-11 + 0.75 * 2**-23, 1 + 2**-11]
        half = [1 + 2**-10, 1 + 2**-10, -1 - 2**-10, 1 + 2**-10, 1]
        _check_rounded(impl, torch.tensor(x, dtype=torch.float64), torch.float16, half)
        if impl.implementation.has_dtype(torch.bfloat16):
            x = torch.tensor([1 + 2**-8 + 2**-30, 1 + 3 * 2**-8 - 2**-30], dtype=torch.float64)
            _check_rounded(impl, x, torch.bfloat16, [1 + 2**-7, 1 + 2**-7])


class TestToNumpy(Spec):
    component = tensors.to_numpy
    cases = domains.to_numpy
    declines = {
        "no_aliasing": "the result lies in the argument's memory: 'both are the same memory' says so",
        "low_precision": "NumPy has no bfloat16; the domain draws what it has",
        "extremes_stay_finite": "no number is computed",
        "accelerator_agrees": "NumPy's arrays lie in the CPU's memory",
    }
    edges = (
        dict(x=torch.tensor(3.0)),
        dict(x=torch.ones(0)),
        dict(x=torch.zeros(3, 0, 2)),
        dict(x=torch.ones(1, 1, dtype=torch.float64) > 0),
    )
    invalid = (Invalid(TypeError, "text in place of a tensor", x="three"),)

    def test_is_a_numpy_array(self, impl, case):
        """The result is a NumPy array of the same dtype and shape."""
        native, _ = impl.call_with(copy(case.arguments))
        require(isinstance(native, np.ndarray), f"the result is {type(native).__name__}, expected a NumPy array")
        name = str(case.x.dtype).removeprefix("torch.")
        require(native.dtype.name == name, f"the array is of {native.dtype.name}, expected {name}")

    def test_both_are_the_same_memory(self, impl, case):
        """What is written to the array shows in the tensor, and what is written to the tensor in the array."""
        for x in (case.x, _turned(case.x), _every_second(case.x)):
            given = {"x": x.clone() if x is case.x else x}
            native, _ = impl.call_with(given)
            _check_shared(given["x"], window(native, impl), "tensor", "array")


class TestFromNumpy(Spec):
    component = tensors.from_numpy
    cases = domains.from_numpy
    declines = {
        "no_aliasing": "the result lies in the argument's memory: 'both are the same memory' says so",
        "memory_layout": "no argument is a tensor; 'both are the same memory' has arrays of other strides",
        "low_precision": "no argument is a tensor; the domain draws the dtype",
        "nan_not_hidden": "no argument is a tensor; 'nan and infinity come along' says it of arrays",
        "extremes_stay_finite": "no number is computed",
        "accelerator_agrees": "NumPy's arrays lie in the CPU's memory",
    }
    edges = (
        dict(array=np.array(3.0)),
        dict(array=np.ones(0)),
        dict(array=np.zeros((3, 0, 2), np.int32)),
        dict(array=np.ones((1, 1), bool)),
    )
    invalid = (Invalid(TypeError, "text in place of an array", array="three"),)

    def test_both_are_the_same_memory(self, impl, case):
        """What is written to the tensor shows in the array, and what is written to the array in the tensor."""
        for array in _layouts(case.array):
            native, _ = impl.call_with({"array": array})
            _check_kind(native, impl)
            _check_shared(torch.from_numpy(array), window(native, impl), "array", "tensor")

    def test_text_is_refused(self, impl):
        """An array of text or of objects raises: no tensor holds them."""
        _check_refuses_text(impl)

    def test_nan_and_infinity_come_along(self, impl):
        """nan, infinities and a zero's sign are handed over."""
        _check_odd_numbers(impl)


class TestCopyFromNumpy(Spec):
    component = tensors.copy_from_numpy
    cases = domains.copy_from_numpy
    declines = {
        "memory_layout": "no argument is a tensor; 'memory is its own' has arrays of other strides",
        "low_precision": "no argument is a tensor; the domain draws the dtype",
        "nan_not_hidden": "no argument is a tensor; 'nan and infinity come along' says it of arrays",
        "extremes_stay_finite": "no number is computed",
        "accelerator_agrees": "NumPy's arrays lie in the CPU's memory",
    }
    edges = TestFromNumpy.edges
    invalid = TestFromNumpy.invalid

    def test_memory_is_its_own(self, impl, case):
        """What is written to the array later does not show in the tensor, whatever strides the array has."""
        for array in _layouts(case.array):
            native, before = impl.call_with({"array": array})
            _check_kind(native, impl)
            before = before.clone()
            require(same(before, torch.from_numpy(array)), "the tensor does not hold the array's numbers", got=before)
            array[...] = others(torch.from_numpy(array)).numpy()
            after = impl.implementation.to_torch(native)
            require(same(after, before), "a write to the array changed the tensor", got=after, expected=before)

    def test_writing_to_it_leaves_the_array_alone(self, impl, case):
        """What is written to the tensor does not show in the array."""
        given = copy(case.arguments)
        native, _ = impl.call_with(given)
        memory = window(native, impl)
        memory.copy_(others(memory))
        require(same(torch.from_numpy(given["array"]), torch.from_numpy(case.array)), "a write changed the array")

    def test_text_is_refused(self, impl):
        """An array of text or of objects raises: no tensor holds them."""
        _check_refuses_text(impl)

    def test_nan_and_infinity_come_along(self, impl):
        """nan, infinities and a zero's sign are handed over."""
        _check_odd_numbers(impl)


class TestItem(Spec):
    component = tensors.item
    cases = domains.item
    declines = {"extremes_stay_finite": "no number is computed; the domain draws infinities and large numbers"}
    edges = (
        dict(x=torch.tensor(3.0)),
        dict(x=torch.ones(1, 1, 1)),
        dict(x=torch.tensor([True])),
        dict(x=torch.tensor([7])),
    )
    invalid = (
        Invalid(ValueError, "two elements", x=torch.zeros(2)),
        Invalid(ValueError, "a row of three", x=torch.ones(1, 3)),
        Invalid(ValueError, "no element", x=torch.zeros(0)),
        Invalid(TypeError, "text in place of a tensor", x="three"),
    )

    def test_is_a_number_of_python(self, impl, case):
        """The result is a bool, an int or a float, as the dtype says, and no tensor."""
        native, _ = impl.call_with(copy(case.arguments))
        kind = float if case.x.is_floating_point() else bool if case.x.dtype == torch.bool else int
        require(type(native) is kind, f"the result is {type(native).__name__}, expected {kind.__name__}")

    def test_no_digit_is_lost(self, impl, case):
        """A tensor of the number is the one that was given: float64 and int64 to their last digit, nan included."""
        extra = [torch.tensor([0.1], dtype=torch.float64), torch.tensor([[2**62 + 1]]), torch.tensor([float("nan")])]
        for x in (case.x, *extra):
            found = impl.call(x=x)
            require(same(torch.tensor(found, dtype=x.dtype).reshape(x.shape), x), f"{x.flatten()} becomes {found!r}")


def _check_rounded(impl, x, dtype, expected):
    """Require exactly these numbers."""
    found = impl.call(x=x, dtype=dtype)
    require(found.dtype == dtype, f"the result is {found.dtype}, expected {dtype}")
    for number, got, wanted in zip(x.tolist(), found.double().tolist(), expected, strict=True):
        require(got == wanted, f"{number!r} becomes {got!r} in {dtype}, expected {float(wanted)!r}")


def _check_kind(native, impl):
    """Require a tensor of implementations whose arrays are tensors: handing back the NumPy array is no conversion."""
    if impl.implementation.bridge == "torch":
        require(isinstance(native, torch.Tensor), f"the result is {type(native).__name__}, expected a tensor")


def _check_shared(given, found, giver, taker):
    """Require that writes on either side show on the other."""
    require(found.shape == given.shape, f"the {taker} has shape {tuple(found.shape)}, expected {tuple(given.shape)}")
    require(same(found, given), f"the {taker} does not hold the {giver}'s numbers", got=found, expected=given)
    new = others(given)
    found.copy_(new)
    require(same(given, new), f"a write to the {taker} does not show in the {giver}", got=given, expected=new)
    new = others(given)
    given.copy_(new)
    require(same(found, new), f"a write to the {giver} does not show in the {taker}", got=found, expected=new)


def _check_refuses_text(impl):
    for array in (np.array(["one", "two"]), np.array([None, 1.0], dtype=object)):
        try:
            found = impl.call(array=array)
        except Raised as raised:
            if not isinstance(raised.error, Exception):
                raise
        else:
            require(False, f"accepts an array of {array.dtype} and makes {found} of it, expected TypeError")


def _check_odd_numbers(impl):
    array = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-310])
    found = impl.call(array=array)
    require(same(found, torch.from_numpy(array)), f"{array} becomes {found}")
    require(bool(torch.signbit(found[3])), "a zero lost its sign")


def _turned(x):
    """A view with its axes in reverse order."""
    return x.clone().permute(*range(x.ndim - 1, -1, -1)) if x.ndim > 1 else x.clone()


def _every_second(x):
    """A view on every second element of a larger tensor."""
    return x.repeat_interleave(2, -1)[..., ::2] if x.ndim else x.clone()


def _layouts(array):
    """The array in order, with its axes reversed, and as every second element of a larger one."""
    x = torch.from_numpy(array)
    return [y.numpy() for y in (x.clone(), _turned(x), _every_second(x))]
