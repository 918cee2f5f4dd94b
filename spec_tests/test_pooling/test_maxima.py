"""Max pooling: windows, bins, regions, and how many windows there are."""

import math
from typing import Any, ClassVar

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import pooling as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import Raised
from lawbook.fixtures.published import pooling as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import convolution, pooling
from lawbook.reference.convolution.padding import surround
from lawbook.reference.convolution.sizes import per_axis
from lawbook.reference.convolution.windows import windows
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_pooling.laws import (
    INFINITY,
    AnyOfTheLargest,
    Largest,
    Layer,
    at,
    each,
    few,
    in_window,
    negative,
    patches_of,
    plane_size,
    untied,
)


class TestPoolOutputSize(Spec):
    component = pooling.pool_output_size
    cases = domains.pool_output_size
    invalid = (
        Invalid(ValueError, "padding of more than half the window", n=5, k=3, p=2),
        Invalid(ValueError, "padding as large as the window", n=5, k=2, p=2),
        Invalid(ValueError, "a window larger than the padded input", n=2, k=5, p=1, s=1),
        Invalid(ValueError, "a window more than a stride too long, rounded up", n=2, k=5, p=0, s=2, ceil_mode=True),
        Invalid(ValueError, "a stride of 0", n=5, k=2, s=0),
        Invalid(ValueError, "no input", n=0, k=2, p=1, s=1),
        Invalid(ValueError, "a window of 0", n=5, k=0, s=1),
        Invalid(ValueError, "a negative padding", n=5, k=2, p=-1),
        Invalid(ValueError, "a dilation of 0", n=5, k=2, d=0),
    )
    edges = (
        {"n": 1, "k": 1},
        {"n": 1, "k": 3, "p": 1, "s": 2},
        {"n": 2, "k": 3, "s": 3, "ceil_mode": True},
        {"n": 1, "k": 2, "p": 1, "s": 2, "ceil_mode": True},
    )
    declines = {"extremes_stay_finite": "sizes are whole numbers", "nan_not_hidden": "sizes are whole numbers"}

    def test_last_window_begins_in_the_input_and_the_next_does_not_fit(self, impl: Trial, case: Case) -> None:
        """The last window begins before the input's end; one more would begin behind it or reach beyond the padding."""
        m, s, extent = impl(case), case.s or case.k, case.d * (case.k - 1) + 1
        end = case.n + case.p
        last, following = (m - 1) * s - case.p, m * s - case.p
        require(m >= 1 and last < case.n, f"{m} windows of {case.arguments}: the last begins at {last}")
        if case.ceil_mode:
            # The next window either begins behind the input or the last one already reaches the padding's end.
            full = following >= case.n or last + extent >= end
            require(full, f"{m} windows of {case.arguments}: another begins at {following}")
        else:
            fit = last + extent <= end < following + extent
            require(fit, f"{m} windows of {case.arguments} end at {last + extent}, the padding at {end}")

    def test_size_of_the_layer(self, impl: Trial, case: Case) -> None:
        """It is the size that average pooling of as long an image has."""
        if case.d > 1:
            case = case.but(k=case.d * (case.k - 1) + 1, d=1)
        arguments = ((case.k, 1), (case.s or case.k, 1), (case.p, 0), case.ceil_mode)
        layer = pooling.avg_pool2d(ones(1, 1, case.n, 1), *arguments).shape[2]
        require(impl(case) == layer, f"{case.arguments} give {impl(case)}, the layer {layer}")

    def test_rounding_down_is_a_convolution(self, impl: Trial, case: Case) -> None:
        """Without ``ceil_mode`` there are as many windows as in a convolution."""
        case = case.but(ceil_mode=False, n=max(case.n, case.d * (case.k - 1) + 1))
        expected = convolution.conv_output_size(case.n, case.k, case.p, case.s or case.k, case.d)
        require(impl(case) == expected, f"{case.arguments} give {impl(case)}, a convolution {expected}")

    def test_stride_left_out_is_the_window(self, impl: Trial, case: Case) -> None:
        """Without a stride the windows stand side by side."""
        n = max(case.n, case.d * (case.k - 1) + 1)
        sizes = impl(case, n=n, s=None), impl(case, n=n, s=case.k)
        require(sizes[0] == sizes[1], f"without a stride {sizes[0]}, with the window's {sizes[1]}")

    def test_published_sizes(self, impl: Trial) -> None:
        """The sizes of note 004's LeNet and NiN."""
        for n, m in published.LENET_SIZES:
            size = impl.call(n=n, k=published.LENET_WINDOW)
            require(size == m, f"LeNet's pooling makes {size} of {n}, the note {m}")
        for n, m in published.NIN_SIZES:
            size = impl.call(n=n, k=published.NIN_WINDOW, s=published.NIN_STRIDE)
            require(size == m, f"NiN's pooling makes {size} of {n}, the note {m}")


class MaxPool(Largest, Layer):
    """Laws of a max pooling layer over ``axes`` axes."""

    axes: ClassVar[int]
    component: Any

    def _any(self, impl: Trial) -> Any:
        return AnyOfTheLargest(impl, type(self).component)

    def test_agrees_with_reference(self, impl: Trial, case: Case) -> Any:
        """The values are the reference's, and so are the indices but where elements are equal: any of them is right."""
        return super().test_agrees_with_reference(self._any(impl), case)

    def test_repeated_calls_agree(self, impl: Trial, case: Case) -> Any:
        """The same input gives the same result again, also after another input in between."""
        return super().test_repeated_calls_agree(self._any(impl), case)

    def test_memory_layout(self, impl: Trial, case: Case) -> Any:
        """Strides, offset and expansion of the arguments do not matter."""
        return super().test_memory_layout(self._any(impl), case)

    def test_samples_independent(self, impl: Trial, case: Case) -> Any:
        """Each sample of a batch is treated alone: by itself it gives its part, a reversed batch the reversed result."""
        return super().test_samples_independent(self._any(impl), case)

    def test_low_precision(self, impl: Trial, case: Case) -> Any:
        """In bfloat16 and float16 the result stays within the rounding of that dtype."""
        return super().test_low_precision(self._any(impl), case)

    def test_extremes_stay_finite(self, impl: Trial, case: Case) -> Any:
        """Extreme but legal values give the finite results they should."""
        return super().test_extremes_stay_finite(self._any(impl), case)

    def test_edge_sizes(self, impl: Trial) -> Any:
        """Empty and size-1 dimensions give what the reference gives, gradients included."""
        return super().test_edge_sizes(self._any(impl))

    def test_accelerator_agrees(self, impl: Trial, case: Case) -> Any:
        """On the accelerator the result stays there and equals the CPU's truth."""
        return super().test_accelerator_agrees(impl, untied(case))

    def test_values_stand_at_the_indices(self, impl: Trial, case: Case) -> Any:
        """The values are the elements of the plane at the indices, with equal elements as well."""
        found = []
        for x in (case.x, few(case), torch.full_like(case.x, -INFINITY)):
            values, indices = impl(case, x=x)
            size = plane_size(case.x)
            outside = indices[(indices < 0) | (indices >= size)]
            require(
                not outside.numel(), f"an index is {outside[:1].tolist()}, expected 0..{size - 1}: a place of the plane"
            )
            found.append((at(x, indices), values))
        return found

    def test_indices_lie_in_their_windows(self, impl: Trial, case: Case) -> None:
        """Every index is a place that its own window reads, with equal elements as well."""
        for x in (case.x, few(case), torch.full_like(case.x, -INFINITY)):
            indices = impl(case, x=x)[1]
            strays = (~in_window(indices, case)).nonzero()
            if len(strays):
                where = tuple(strays[0].tolist())
                require(False, f"the window at {list(where)} does not read the place {indices[where].item()} it names")

    def test_nothing_in_a_window_is_larger(self, impl: Trial, case: Case) -> Any:
        """Without dilation: the largest of each window over the input between borders of −∞."""
        case = case.but(dilation=1, ceil_mode=False, stride=each(case, "stride"))
        kernel, padding = each(case, "kernel"), each(case, "padding")
        if any(k > n + 2 * p for k, n, p in zip(kernel, case.x.shape[2:], padding, strict=True)):
            return self.skip  # type: ignore[attr-defined]
        bordered = surround(case.x, padding, padding, value=-INFINITY)
        seen = windows(bordered, kernel, case.stride, (1,) * self.axes)
        return impl(case)[0], seen.amax(tuple(range(-self.axes, 0)))

    def test_padding_is_never_seen(self, impl: Trial, case: Case) -> None:
        """Where all elements are negative, so are all values: neither a zero nor −∞ of the padding comes out."""
        x = negative(case)
        values = impl(case, x=x)[0]
        wrong = values[(values > x.max()) | (values < x.min())]
        require(not wrong.numel(), f"a value is {wrong[:1].tolist()}, of elements from {x.min():g} to {x.max():g}")

    def test_gradient_stays_with_the_largest(self, impl: Trial, case: Case) -> Any:
        """Only elements that are the largest of some window receive a gradient, with equal elements as well."""
        case = case.but(x=few(case))
        patches, flat = patches_of(case), torch.zeros_like(case.x).flatten(2)
        number = torch.arange(flat.shape[-1], dtype=case.dtype).view(1, 1, *case.x.shape[2:])
        reads = patches_of(case.but(x=number))
        best = (patches == patches.amax(-1, keepdim=True)) & (reads >= 0)
        reads = torch.where(reads >= 0, reads, 0).long().expand(best.shape).flatten(2)
        marked = flat.scatter_add(2, reads, best.to(flat.dtype).flatten(2)).view(case.x.shape) > 0
        cotangent = case.noise(patches.shape[:-1])
        gradient = impl.vjp(case, [cotangent], wrt=("x",))[1]["x"]
        return torch.where(marked, 0, gradient), torch.zeros_like(gradient)

    def test_whole_numbers(self, impl: Trial) -> None:
        """Whole numbers are compared exactly, keep their dtype, and padding stays below the smallest of them."""
        x = -(2**53) - torch.arange(1, 1 + 3**self.axes).view(1, 1, *(3,) * self.axes)
        values, indices = impl.call(x=x, kernel=2, stride=2, padding=1)
        require(values.dtype == torch.int64, f"the values are {values.dtype}, expected int64")
        expected, places = pooling_of(self.axes)(x, 2, 2, 1)
        require(torch.equal(values, expected), f"the largest are {values.flatten()[:3].tolist()} …")
        require(torch.equal(indices, places), f"they stand at {indices.flatten()[:3].tolist()} …")

    def test_indices_are_whole_in_half_precision(self, impl: Trial) -> None:
        """Places beyond 2,048, of which half precision misses some, are named exactly whatever the dtype of the elements."""
        sizes = {1: (2500,), 2: (50, 50), 3: (5, 20, 25)}[self.axes]
        marked = torch.arange(math.prod(sizes)) * 7 % 5 == 0
        for dtype in (torch.float16, torch.bfloat16):
            if self.lacks_dtype(impl, dtype):
                continue
            x = marked.to(dtype).view(1, 1, *sizes)
            indices = impl.call(x=x, kernel=1)[1].flatten()
            missed = (indices != torch.arange(x.numel())).nonzero().flatten()
            require(
                not len(missed),
                f"in {dtype} element {missed[:1].tolist()} is said to stand at {indices[missed[:1]].tolist()}",
            )

    def test_nan_is_named(self, impl: Trial, case: Case) -> Any:
        """Where a window holds nan, the index leads to a nan of it."""
        x = torch.where(case.noise(case.x.shape, 52) > 0.7, torch.nan, case.x)
        values, indices = impl(case, x=x)
        found = at(x, indices.clamp(0, plane_size(case.x) - 1)).isnan()
        expected = patches_of(case.but(x=x)).isnan().any(-1)
        require(torch.equal(values.isnan(), expected), "values are nan in other windows than in those that hold one")
        require(torch.equal(found, expected), "the index of a window with nan does not lead to it")

    def test_windows_of_padding_alone_are_refused(self, impl: Trial) -> None:
        """A dilated window that steps over the whole input holds no element: there is no largest one to give."""
        arguments = {"x": ones(1, 1, *(1,) * self.axes), "kernel": 2, "stride": 1, "padding": 1, "dilation": 2}
        try:
            values = impl.call(**arguments)[0]
        except Raised as raised:
            if isinstance(raised.error, Exception):
                return
            raise
        require(False, f"a window over the padding on both sides of the only element gives {values.flatten().tolist()}")


def pooling_of(axes: int) -> Any:
    """The reference's max pooling over as many axes."""
    return (pooling.max_pool1d, pooling.max_pool2d, pooling.max_pool3d)[axes - 1]


def invalid_layers(axes: int) -> tuple[Invalid, ...]:
    """What every max pooling layer refuses."""
    x = zeros(2, 3, *(4,) * axes)
    return (
        Invalid(ValueError, "padding of more than half the window", x=x, kernel=3, padding=2),
        Invalid(ValueError, "padding as large as the window", x=x, kernel=2, padding=2),
        Invalid(TypeError, "truth values", x=x.bool(), kernel=2),
        Invalid(ValueError, "a window larger than the input", x=x, kernel=5),
        Invalid(ValueError, "a dilated window larger than the input", x=x, kernel=3, dilation=2),
        Invalid(
            ValueError, "a window more than a stride too long, rounded up", x=x, kernel=6, stride=2, ceil_mode=True
        ),
        Invalid(ValueError, "a stride of 0", x=x, kernel=2, stride=0),
        Invalid(ValueError, "a window of 0", x=x, kernel=0, stride=1),
        Invalid(ValueError, "a dilation of 0", x=x, kernel=2, dilation=0),
        Invalid(ValueError, "a negative padding", x=x, kernel=2, padding=-1),
        Invalid(ValueError, "no channels", x=x[:, :0], kernel=2),
    )


def edge_layers(axes: int) -> tuple[dict[str, Any], ...]:
    """No samples, a single element, windows that hang over, −∞ everywhere."""
    single, size = (1,) * axes, (2, 3, 2)[:axes]
    return (
        {"x": zeros(0, 2, *size), "kernel": 2},
        {"x": ones(1, 1, *single), "kernel": 1},
        {"x": ones(2, 1, *single), "kernel": 3, "padding": 1, "stride": 2},
        {"x": -ones(1, 2, *size), "kernel": 4, "stride": 3, "padding": 1, "ceil_mode": True},
        {"x": torch.full((1, 1, *size), -INFINITY), "kernel": 2, "padding": 1, "stride": 2},
    )


class TestMaxPool1d(MaxPool, Spec):
    component = pooling.max_pool1d
    axes = 1
    cases = domains.max_pool1d
    extremes = domains.max_pool1d_extremes
    invalid = invalid_layers(1)
    edges = edge_layers(1)


class TestMaxPool2d(MaxPool, Spec):
    component = pooling.max_pool2d
    low_gradients = True
    axes = 2
    cases = domains.max_pool2d
    extremes = domains.max_pool2d_extremes
    invalid = invalid_layers(2)
    edges = edge_layers(2)


class TestMaxPool3d(MaxPool, Spec):
    component = pooling.max_pool3d
    axes = 3
    cases = domains.max_pool3d
    extremes = domains.max_pool3d_extremes
    invalid = invalid_layers(3)
    edges = edge_layers(3)


class TestPool2d(Largest, Spec):
    component = pooling.pool2d
    cases = domains.pool2d
    extremes = domains.pool2d_extremes
    differentiable = ("X",)
    invalid = (
        Invalid(ValueError, "a window larger than the matrix", X=zeros(3, 4), size=(4, 2)),
        Invalid(ValueError, "an unknown mode", X=zeros(3, 4), size=2, mode="median"),
        Invalid(ValueError, "a window of 0", X=zeros(3, 4), size=0),
        Invalid(ValueError, "the mean of a window of 0", X=zeros(3, 4), size=0, mode="avg"),
    )
    edges = (
        {"X": ones(1, 1), "size": 1},
        {"X": tensor([[2.0, 3.0]]), "size": (1, 2), "mode": "avg"},
        {"X": tensor([[-1.0], [-INFINITY]]), "size": (2, 1)},
    )

    def test_window_of_one_is_the_matrix(self, impl: Trial, case: Case) -> Any:
        """Windows of a single element change nothing, whatever the mode."""
        return impl(case, size=1), case.X

    def test_window_as_large_as_the_matrix(self, impl: Trial, case: Case) -> Any:
        """A window of the matrix' own size gives its largest element, or its mean."""
        whole = case.X.max() if case.mode == "max" else case.X.mean()
        return impl(case, size=tuple(case.X.shape)), whole.view(1, 1)

    def test_mean_lies_between_the_extremes(self, impl: Trial, case: Case) -> Any:
        """The mean of a window is at most its largest element and at least its smallest."""
        largest, mean = impl(case, mode="max"), impl(case, mode="avg")
        smallest = -impl(case, X=-case.X, mode="max")
        return mean.clamp(smallest, largest), mean

    def test_mean_is_a_correlation(self, impl: Trial, case: Case) -> Any:
        """Means are the correlation with a kernel of equal weights."""
        kernel = per_axis("size", case.size, 2, 1)
        weights = case.X.new_ones(kernel) / (kernel[0] * kernel[1])
        return impl(case, mode="avg"), convolution.corr2d(case.X, weights)

    def test_rows_then_columns(self, impl: Trial, case: Case) -> Any:
        """Pooling rows and then columns is pooling both, one after the other."""
        rows, columns = per_axis("size", case.size, 2, 1)
        return impl(case), impl(case, X=impl(case, size=(rows, 1)), size=(1, columns))

    def test_largest_is_the_default(self, impl: Trial, case: Case) -> Any:
        """Without a mode the largest element is kept."""
        return impl.call(X=case.X, size=case.size), impl(case, mode="max")
