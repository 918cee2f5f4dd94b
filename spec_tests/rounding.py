"""Stochastic arithmetic: the reference in float64 with every operation's result rounded up or down at random.

The own error of one algorithm may vanish by luck (an exponential of exactly 0, sums of whole numbers), and moving the
inputs does not show what rounding does half-way: in softmax's gradient p·(g − Σ p·g) the rounding of p alone costs one unit
in the last place of g, however small the difference is. Perturbing every operation shows it.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# Operations that round. Selecting, moving, comparing and negating do not.
ROUNDING = frozenset(
    [
        "add",
        "sub",
        "rsub",
        "mul",
        "div",
        "addcmul",
        "addcdiv",
        "exp",
        "exp2",
        "expm1",
        "log",
        "log1p",
        "log2",
        "sqrt",
        "rsqrt",
        "pow",
        "reciprocal",
        "square",
        "tanh",
        "sigmoid",
        "sin",
        "cos",
        "erf",
        "sum",
        "mean",
        "var",
        "var_mean",
        "std",
        "mm",
        "bmm",
        "addmm",
        "baddbmm",
        "mv",
        "dot",
        "matmul",
        "convolution",
        "cumsum",
        "prod",
        "logsumexp",
        "norm",
        "linalg_vector_norm",
        "_softmax",
        "_log_softmax",
        "_softmax_backward_data",
        "_log_softmax_backward_data",
        "tanh_backward",
        "sigmoid_backward",
        "softplus",
        "softplus_backward",
        "logaddexp",
        "lerp",
        "silu",
        "gelu",
        "mish",
        "elu",
        "convolution_backward",
        "index_add",
        "scatter_add",
        "index_put",
        "index_put_",
        "_index_put_impl",
        "log_sigmoid_forward",
        "log_sigmoid_backward",
        "xlogy",
        "cosh",
        "sinh",
        "acos",
        "asin",
        "atan",
        "addmv",
        "addr",
    ]
)

# Operations that add up many terms: each term is rounded, which shows where large terms cancel.
SUMMING = frozenset(
    [
        "sum",
        "mean",
        "mm",
        "bmm",
        "addmm",
        "baddbmm",
        "mv",
        "dot",
        "addmv",
        "convolution",
        "convolution_backward",
        "cumsum",
    ]
)


PRODUCTS = frozenset(["mm", "bmm", "mv", "dot"])
PRODUCTS_AND_MORE = frozenset(["addmm", "baddbmm", "addmv"])


class Watching(TorchDispatchMode):
    """A mode that sees every operation. It never runs inside torch.compile, and need not be kept out of there at a cost."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class RandomRounding(Watching):
    """Rounds every result up or down at random, by up to half a unit in the last place of ``dtype``, a whole one of float64."""

    def __init__(self, dtype: torch.dtype, seed: int):
        super().__init__()
        self._half = torch.finfo(dtype).eps / 2
        self._whole = dtype == torch.float64
        self._generator = torch.Generator().manual_seed(seed)
        self._just_half = torch.tensor(0.5, dtype=torch.float64)
        self._infinity = torch.tensor(torch.inf, dtype=torch.float64)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        if name in SUMMING:
            args = tuple(self._rounded(x) if isinstance(x, Tensor) else x for x in args)
        result = function(*args, **(kwargs or {}))
        if name not in ROUNDING:
            return result
        if isinstance(result, Tensor):
            return self._rounded(result)
        return type(result)(self._rounded(x) if isinstance(x, Tensor) else x for x in result)

    def _rounded(self, x: Tensor) -> Tensor:
        if not x.is_floating_point() or x.numel() == 0:
            return x
        amount = torch.rand(x.shape, generator=self._generator, dtype=x.dtype).sub_(0.5)
        if self._whole:
            # Less than a unit of float64 would be rounded away right here.
            moved = torch.nextafter(x, torch.copysign(self._infinity, amount))
            return torch.where((x == 0) | ~torch.isfinite(x), x, moved)
        # Between half and all of the largest rounding either way: equal amounts would cancel again in products and quotients.
        return x * amount.add_(torch.copysign(self._just_half, amount)).mul_(self._half).add_(1)


class Flushing(Watching):
    """Takes every result below a number for 0, as many accelerators and XLA do with numbers that are not normal."""

    def __init__(self, least: float):
        super().__init__()
        self._least = least

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function.overloadpacket.__name__ not in ROUNDING or not isinstance(result, Tensor):
            return result
        return torch.where(result.abs() < self._least, 0, result) if result.is_floating_point() else result


class SequentialSums(Watching):
    """Takes every sum and every matrix product one term after the other in float32, the whole computation being in float64.

    Where terms are alike, the roundings of a running sum all go one way, which rounding at random hardly ever shows. What is
    judged in float64 is added up in float64.
    """

    def __init__(self, backwards: bool, dtype: torch.dtype = torch.float32):
        super().__init__()
        self._backwards = backwards
        self._dtype = torch.float64 if dtype == torch.float64 else torch.float32

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result, name = function(*args, **(kwargs or {})), function.overloadpacket.__name__
        if not isinstance(result, Tensor) or not result.is_floating_point():
            return result
        if name in ("sum", "mean") and args[0].is_floating_point():
            total = self._sum(args[0], args[1] if len(args) > 1 else None, result.shape)
            return total / (args[0].numel() / total.numel()) if name == "mean" else total
        if name in PRODUCTS:
            return self._product(*args)
        if name in PRODUCTS_AND_MORE:
            return (
                self._product(*args[1:])
                .mul_((kwargs or {}).get("alpha", 1))
                .add_(args[0], alpha=(kwargs or {}).get("beta", 1))
            )
        return result

    def _sum(self, x: Tensor, axes: Any, shape: torch.Size) -> Tensor:
        axes = [axis % x.ndim for axis in axes] if axes else list(range(x.ndim))
        if x.numel() == 0 or not axes:
            return x.sum(axes) if axes else x.clone()
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        terms = x.permute(*kept, *axes).reshape(shape.numel(), -1).to(self._dtype).numpy()
        terms = terms[:, ::-1] if self._backwards else terms
        return torch.from_numpy(np.cumsum(terms, axis=1)[:, -1].copy()).to(x.dtype).reshape(shape)

    def _product(self, a: Tensor, b: Tensor) -> Tensor:
        a_vector, b_vector = a.ndim == 1, b.ndim == 1
        a_terms, b_terms = a.to(self._dtype), b.to(self._dtype)
        left, right = a_terms.unsqueeze(0) if a_vector else a_terms, b_terms.unsqueeze(1) if b_vector else b_terms
        total = self._total(left, right)
        total = total.squeeze(-1) if b_vector else total
        return (total.squeeze(0) if a_vector else total).to(a.dtype)

    def _total(self, left: Tensor, right: Tensor) -> Tensor:
        total = left.new_zeros(*left.shape[:-1], right.shape[-1])
        steps = range(left.shape[-1])
        for k in reversed(steps) if self._backwards else steps:
            total += left[..., k, None] * right[..., None, k, :]
        return total


class SumsByHalves(SequentialSums):
    """Takes every sum and every matrix product by halves, in float64: hardly a rounding is left.

    What is judged in float64 has no truth of more digits, and BLAS may have added it up one term after the other just as the
    running sums do, which then show nothing of what its roundings are.
    """

    def __init__(self) -> None:
        super().__init__(backwards=False, dtype=torch.float64)

    def _sum(self, x: Tensor, axes: Any, shape: torch.Size) -> Tensor:
        return x.sum(axes or list(range(x.ndim))).reshape(shape)  # PyTorch's own go by halves.

    def _total(self, left: Tensor, right: Tensor) -> Tensor:
        size = left.shape[-1]
        if size <= 1:
            return super()._total(left, right)
        return self._total(left[..., : size // 2], right[..., : size // 2, :]) + self._total(
            left[..., size // 2 :], right[..., size // 2 :, :]
        )
