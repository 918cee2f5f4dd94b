"""What the architectures share: their layers, the checks of parameters, and how parameters are made and counted.

Parameters are nested dicts and lists of tensors. A convolution or a dense layer is ``{"weight"[, "bias"]}``, a batch norm
``{"gamma", "beta", "moving_mean", "moving_var"}``. Widths and depths follow the parameters given.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad, unfold

from lawbook.reference.checks import check_axes, check_floating, check_shape, check_whole
from lawbook.reference.generalization import dropout

# Nested dicts and lists of tensors.
Params: TypeAlias = Any
Stages: TypeAlias = Iterator[tuple[str, Tensor]]
Shapes: TypeAlias = list[tuple[str, tuple[int, ...]]]

EPS = 1e-5
STATISTICS = ("moving_mean", "moving_var")


def check_images(x: Tensor) -> None:
    """Raise unless ``x`` is a floating batch of images (N, C, H, W), nothing but the batch empty."""
    check_floating("x", x)
    check_axes("x", x, 4)
    if 0 in x.shape[1:]:
        raise ValueError(f"x has shape {tuple(x.shape)}, expected (N, C, H, W) of which only N may be 0")


def check_keys(name: str, params: Params, needed: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Raise TypeError unless ``params`` is a dict, ValueError unless it has these keys and no others."""
    if not isinstance(params, dict):
        raise TypeError(f"{name} must be a dict, got {type(params).__name__}")
    needed = set(needed)
    if not needed <= params.keys() or params.keys() - needed - set(optional):
        raise ValueError(f"{name} has the keys {sorted(map(str, params))}, expected {sorted(needed)}")


def check_list(name: str, params: Params, count: int | None = None) -> None:
    """Raise TypeError unless ``params`` is a list or tuple, ValueError unless it holds ``count`` (at least one)."""
    if not isinstance(params, list | tuple):
        raise TypeError(f"{name} must be a list, got {type(params).__name__}")
    if len(params) != count if count is not None else not params:
        raise ValueError(f"{name} holds {len(params)}, expected {'at least 1' if count is None else count}")


def convolution(x: Tensor, layer: Params, name: str, kernel: int, stride: int = 1, padding: int = 0) -> Tensor:
    """Cross-correlation with square kernels: the windows as columns, times the weights."""
    weight, bias = _weights(x, layer, name, (x.shape[1], kernel, kernel))
    if min(x.shape[2:]) + 2 * padding < kernel:
        raise ValueError(f"{name} has kernels of {kernel}, larger than its padded input {tuple(x.shape)}")
    # Without the general checks and paddings of ``conv2d``, which would take most of the time of a thin network.
    pixels = kernel == stride == 1 and not padding
    columns = x.flatten(2) if pixels else unfold(x, kernel, padding=padding, stride=stride)
    kernels = weight.flatten(1).expand(len(x), -1, -1)
    y = torch.bmm(kernels, columns) if bias is None else torch.baddbmm(bias.view(-1, 1), kernels, columns)
    return y.unflatten(2, [(size + 2 * padding - kernel) // stride + 1 for size in x.shape[2:]])


def dense(x: Tensor, layer: Params, name: str) -> Tensor:
    """x Wᵀ + b with W (outputs, inputs)."""
    weight, bias = _weights(x, layer, name, (x.shape[1],))
    y = x @ weight.T
    return y if bias is None else y + bias


def normalized(x: Tensor, layer: Params, name: str, training: bool) -> Tensor:
    """``batch_norm`` with eps 1e-5; moving statistics are constants, of which nothing is returned."""
    check_keys(name, layer, ("gamma", "beta", *STATISTICS))
    for key, value in layer.items():
        _check_parameter(f"{name}[{key!r}]", value, x.shape[1:2], x.dtype)
    # Half precisions are computed in float32 and rounded once, as ``batch_norm`` does.
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    if training:
        if x.numel() < 2 * x.shape[1]:
            raise ValueError(f"{name} is trained on {tuple(x.shape)}, expected at least 2 values a channel")
        var, mean = torch.var_mean(wide, (0, *range(2, x.ndim)), correction=0, keepdim=True)
    else:
        mean, var = (_channels(layer[key].detach(), x) for key in STATISTICS)
    scale = _channels(layer["gamma"], x) * torch.rsqrt(var + EPS)
    return torch.addcmul(_channels(layer["beta"], x), wide - mean, scale).to(x.dtype)


def _channels(parameter: Tensor, x: Tensor) -> Tensor:
    """(C,) along the second axis, half precisions in float32."""
    wide = parameter.float() if x.dtype in (torch.float16, torch.bfloat16) else parameter
    return wide.view(-1, *(1,) * (x.ndim - 2))


def max_pool(x: Tensor, kernel: int, stride: int, padding: int = 0) -> Tensor:
    """The largest element of every window; padding holds none."""
    return _pooled(x, kernel, stride, padding).amax((-1, -2))


def avg_pool(x: Tensor, kernel: int, stride: int) -> Tensor:
    """The mean of every window."""
    return _pooled(x, kernel, stride, 0).mean((-1, -2))


def dropped(x: Tensor, p: float, seed: int | None, training: bool, which: int) -> Tensor:
    """Dropout number ``which`` of a network; each has a mask of its own."""
    if not training or p == 0:
        return x
    assert seed is not None
    return dropout(x, p, seed=(seed * 16 + which) % 2**63)


def check_dropout(p: float, seed: int | None, training: bool) -> None:
    """Raise ValueError unless ``p`` is a share below 1, with a seed where something is left to chance."""
    if not 0 <= p < 1:
        raise ValueError(f"dropout is {p}, expected at least 0 and below 1")
    if seed is not None:
        check_whole("seed", seed)
    if training and p and seed is None:
        raise ValueError(f"seed is None, expected a whole number: training drops a share of {p}")


def last(stages: Stages) -> Tensor:
    """The network's result: what its last stage gives."""
    for _, x in stages:
        result = x
    return result


def traced(stages: Stages) -> Shapes:
    """The name and output shape of every stage."""
    return [(name, tuple(x.shape)) for name, x in stages]


def blank(input_shape: Sequence[int]) -> Tensor:
    """Images without memory: what passes through has shapes and no values."""
    shape = tuple(check_whole("input_shape", size, 1) for size in input_shape)
    if len(shape) != 4:
        raise ValueError(f"input_shape is {shape}, expected (N, C, H, W)")
    return torch.empty(shape, device="meta")


def parameter_count(params: Params) -> int:
    """How many numbers are learned: moving statistics are not."""
    if isinstance(params, dict):
        return sum(parameter_count(value) for key, value in params.items() if key not in STATISTICS)
    if isinstance(params, list | tuple):
        return sum(map(parameter_count, params))
    return int(params.numel())


class Initial:
    """Makes the layers of a network, one after the other, from one generator.

    Weights of rectified layers are normal with variance 2 / inputs (He et al. 2015), those of the others uniform within
    √(6 / (inputs + outputs)) (Glorot and Bengio 2010); biases, shifts and moving means are 0, scales and moving
    variances 1. On the device ``meta`` there are shapes only: no memory is taken, and nothing is drawn.
    """

    def __init__(self, seed: int, dtype: torch.dtype, device: str, rectified: bool = True):
        self._generator = None if device == "meta" else Generator(device).manual_seed(check_whole("seed", seed))
        self._kind: dict[str, Any] = {"dtype": dtype, "device": device}
        self._rectified = rectified

    def convolution(self, inputs: int, outputs: int, kernel: int, bias: bool = True) -> Params:
        """A layer with kernels (outputs, inputs, kernel, kernel)."""
        return self._layer((outputs, inputs, kernel, kernel), bias)

    def dense(self, inputs: int, outputs: int) -> Params:
        """A layer with weights (outputs, inputs)."""
        return self._layer((outputs, inputs), True)

    def norm(self, channels: int) -> Params:
        """A batch norm that has seen nothing."""
        zeros, ones = (lambda: torch.zeros(channels, **self._kind)), (lambda: torch.ones(channels, **self._kind))
        return {"gamma": ones(), "beta": zeros(), "moving_mean": zeros(), "moving_var": ones()}

    def _layer(self, shape: tuple[int, ...], bias: bool) -> Params:
        weight = torch.empty(tuple(check_whole("a width", size, 1) for size in shape), **self._kind)
        inputs, outputs = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
        if self._generator is not None and self._rectified:
            weight.normal_(0, math.sqrt(2 / inputs), generator=self._generator)
        elif self._generator is not None:
            bound = math.sqrt(6 / (inputs + outputs))
            weight.uniform_(-bound, bound, generator=self._generator)
        return {"weight": weight, "bias": torch.zeros(shape[0], **self._kind)} if bias else {"weight": weight}


def _weights(x: Tensor, layer: Params, name: str, inner: Sequence[int]) -> tuple[Tensor, Tensor | None]:
    check_keys(name, layer, ("weight",), ("bias",))
    weight, bias = layer["weight"], layer.get("bias")
    check_floating(f"{name}['weight']", weight)
    _check_parameter(f"{name}['weight']", weight, (*weight.shape[:1], *inner), x.dtype)
    if bias is not None:
        _check_parameter(f"{name}['bias']", bias, weight.shape[:1], x.dtype)
    return weight, bias


def _check_parameter(name: str, value: Tensor, shape: Sequence[int], dtype: torch.dtype) -> None:
    check_shape(name, value, shape)
    if value.dtype != dtype:
        raise TypeError(f"{name} is {value.dtype}, expected that of x, {dtype}")


def _pooled(x: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    if min(x.shape[2:]) + 2 * padding < kernel:
        raise ValueError(f"x becomes {tuple(x.shape)}, too small for windows of {kernel}: the images are too small")
    if padding:
        x = pad(x, (padding,) * 4, value=-math.inf)
    return x.unfold(2, kernel, stride).unfold(3, kernel, stride)
