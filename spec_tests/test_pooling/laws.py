"""What the Specs of pooling share: ties, windows, gradients that are handed on whole."""

import math
from typing import Any

import torch
from torch import Tensor, zeros

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import copy
from lawbook.fixtures.trial import Trial
from lawbook.reference.convolution.sizes import per_axis
from lawbook.reference.pooling.places import flat_places, inside, window_places
from lawbook.spec_tests.judge import LawBroken
from lawbook.spec_tests.spec import Batch, Invalid, require

INFINITY = float("inf")
# Elements and bins: multiples of 4/28 and 14/26 in float32, and of 30/22 in float64, round past a whole number.
ROUNDED_RATES = ((4, 28), (14, 26), (30, 22))


def untied(case: Case, name: str = "x") -> Case:
    """The case as it is where all elements differ, else with whole numbers in random order."""
    x = case[name]
    if x.unique().numel() == x.numel():
        return case
    order = torch.randperm(x.numel(), generator=case.generator(60)) - x.numel() // 2
    return case.but(**{name: order.to(x.dtype).view(x.shape)})


class Largest:
    """Of equal largest elements any may receive the gradient, so the universal law looks where all elements differ."""

    differentiable: tuple[str, ...] = ("x",)

    def _gradient(self, impl: Trial, case: Case, second: bool) -> Any:
        apart = untied(case, self.differentiable[0])
        try:
            return super()._gradient(impl, apart, second)  # type: ignore[misc]
        except LawBroken as broken:
            broken.evidence["case"] = apart.arguments
            raise

    def test_gradient_is_handed_on_whole(self, impl: Trial, case: Case) -> Any:
        """What flows back to a plane adds up to what flowed into its results, with equal elements too."""
        name = self.differentiable[0]
        value = impl(case)
        value = value[0] if isinstance(value, tuple) else value
        cotangent = case.noise(value.shape)
        gradient = impl.vjp(case, [cotangent], wrt=(name,))[1][name]
        axes = tuple(range(-2, 0)) if case[name].ndim < 5 else (-3, -2, -1)
        axes = axes if case[name].ndim != 3 else (-1,)
        return gradient.sum(axes), cotangent.sum(axes)


class AnyOfTheLargest:
    """An implementation whose index of a window, where it names a largest element of it, is the reference's.

    Of equal elements any may be named; after this the judge compares indices as any other whole numbers.
    """

    def __init__(self, impl: Trial, component: Any):
        self._impl = impl
        self._component = component

    def __getattr__(self, name: str) -> Any:
        return getattr(self._impl, name)

    def call_with(self, arguments: dict[str, Any]) -> tuple[Any, Any]:
        """As ``Trial.call_with``."""
        given = copy(arguments)
        native, result = self._impl.call_with(arguments)
        return native, settled(result, Case(given, given["x"].dtype), self._component)

    def call(self, **arguments: Any) -> Any:
        """As ``Trial.call``."""
        return self.call_with(copy(arguments))[1]

    def __call__(self, case: Case, **changes: Any) -> Any:
        return self.call(**{**case.arguments, **changes})


def settled(result: Any, case: Case, component: Any) -> Any:
    """The result with the reference's indices wherever its own name a largest element of their window."""
    expected, reference = component(**case.arguments)
    if not (isinstance(result, tuple) and len(result) == 2 and all(isinstance(part, Tensor) for part in result)):
        return result
    values, indices = result
    if indices.shape != reference.shape or indices.dtype != reference.dtype:
        return result
    inside_plane = (indices >= 0) & (indices < plane_size(case.x))
    named = at(case.x, torch.where(inside_plane, indices, 0))
    largest = (named == expected) | (named.isnan() & expected.isnan())
    return values, torch.where(inside_plane & in_window(indices, case) & largest, reference, indices)


def plane_size(x: Tensor) -> int:
    """How many elements a plane has, also where there is none."""
    return math.prod(x.shape[2:])


def at(x: Tensor, indices: Tensor) -> Tensor:
    """The elements of the planes at these places."""
    return x.flatten(2).gather(2, indices.flatten(2)).view(indices.shape)


def places_of(case: Case) -> list[Tensor]:
    """What the windows of a layer read along each axis."""
    dilation = case.arguments.get("dilation", 1)
    ceil_mode = case.arguments.get("ceil_mode", False)
    stride, padding = case.arguments.get("stride"), case.arguments.get("padding", 0)
    return window_places(case.x.shape[2:], case.kernel, stride, padding, dilation, ceil_mode)


def legal(case: Case) -> bool:
    """Whether at least one window fits: with ``ceil_mode`` and a large stride a longer one may than without."""
    try:
        places_of(case)
    except ValueError:
        return False
    return True


def in_window(indices: Tensor, case: Case) -> Tensor:
    """Whether every index is a place that its own window reads."""
    flat = flat_places(places_of(case), case.x.shape[2:]).flatten(case.x.ndim - 2)
    return (indices.unsqueeze(-1) == flat).any(-1)


def patches_of(case: Case) -> Tensor:
    """What every window reads, −∞ for the padding: (N, C, …counts, elements)."""
    axes, sizes, places = case.x.ndim - 2, case.x.shape[2:], places_of(case)
    patches = case.x.flatten(2)[..., flat_places(places, sizes)]
    return torch.where(inside(places, sizes), patches, -INFINITY).flatten(2 + axes)


def each(case: Case, name: str) -> tuple[int, ...]:
    """An argument as one number an axis; a stride left out is the window."""
    value = case.kernel if name == "stride" and case.stride is None else case[name]
    return per_axis(name, value, case.x.ndim - 2, 0)


def few(case: Case, name: str = "x") -> Tensor:
    """Values among −1, 0 and 1: equal elements abound."""
    return case.noise(case[name].shape, 50).round().clamp(-1, 1)


def negative(case: Case) -> Tensor:
    """Values from −1 downwards."""
    return -1 - case.noise(case.x.shape, 51).abs()


class Layer:
    """Laws of every pooling layer with windows, strides and padding."""

    prerequisites = ("pool_output_size",)

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, x=0)

    def test_stride_left_out_is_the_window(self, impl: Trial, case: Case) -> Any:
        """Without a stride the windows stand side by side."""
        if not legal(case.but(stride=None)):
            return self.skip  # type: ignore[attr-defined]
        return impl(case, stride=None), impl(case, stride=case.kernel)

    def test_ceil_mode_adds_at_most_one_window(self, impl: Trial, case: Case) -> Any:
        """Rounding up adds none or one window an axis, and leaves the others as they are."""
        if not legal(case.but(ceil_mode=False)):
            return self.skip  # type: ignore[attr-defined]
        floor = [len(places) for places in places_of(case.but(ceil_mode=False))]
        more, fewer = first(impl(case, ceil_mode=True)), first(impl(case, ceil_mode=False))
        added = [m - f for m, f in zip(more.shape[2:], floor, strict=True)]
        require(set(added) <= {0, 1}, f"rounding up makes {tuple(more.shape[2:])} of {tuple(floor)} windows")
        return fewer, self.unaffected(case, more)[(..., *(slice(f) for f in floor))]

    def unaffected(self, case: Case, result: Tensor) -> Tensor:
        """The result, where rounding up does not change windows that were there before."""
        return result

    def test_every_window_begins_in_the_input_or_before_it(self, impl: Trial, case: Case) -> None:
        """There are as many windows as ``pool_output_size`` says: none begins behind the input."""
        counts = tuple(len(places) for places in places_of(case))
        found = tuple(first(impl(case)).shape[2:])
        require(found == counts, f"the result has {found} windows, expected {counts}")


class Adaptive:
    """What holds for every layer whose windows follow from the number of bins."""

    invalid = (
        Invalid(ValueError, "a negative number of bins", x=zeros(1, 2, 3, 4), output_size=-1),
        Invalid(ValueError, "an image without rows", x=zeros(1, 2, 0, 4), output_size=2),
        Invalid(ValueError, "an image of two axes", x=zeros(3, 4), output_size=2),
    )

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, x=0)

    def test_as_many_bins_as_elements(self, impl: Trial, case: Case) -> Any:
        """As many bins as elements change nothing."""
        return impl(case, output_size=tuple(case.x.shape[2:])), case.x

    def test_bins_begin_and_end_at_whole_places(self, impl: Trial, case: Case) -> Any:
        """Bins reach from ⌊j·n/m⌋ to ⌈(j + 1)·n/m⌉ in whole numbers, also where a multiple of n/m rounds to another one."""
        equations = []
        for n, m in ROUNDED_RATES:
            x = case.noise((*case.x.shape[:2], 2, n), 57)
            bins = [self.whole(x[..., j * n // m : -(-(j + 1) * n // m)]) for j in range(m)]
            equations.append((impl(case, x=x, output_size=(2, m)), torch.stack(bins, -1)))
        return equations

    def whole(self, x: Tensor) -> Tensor:
        """What a bin of all columns holds."""
        raise NotImplementedError


def divided(case: Case) -> tuple[tuple[int, int], Case]:
    """Two to three bins an axis and an image that they divide, of the case's values."""
    bins = (2 + case.seed % 2, 3 - case.seed % 2)
    times = (1 + case.seed // 2 % 3, 1 + case.seed // 6 % 3)
    size = tuple(m * t for m, t in zip(bins, times, strict=True))
    return bins, case.but(x=case.noise((*case.x.shape[:2], *size), 53))


def first(result: Any) -> Tensor:
    """The values, with or without indices beside them."""
    return result[0] if isinstance(result, tuple) else result
