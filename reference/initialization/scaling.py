"""Random weights whose variance follows from the number of inputs and outputs."""

import math
from collections.abc import Sequence

from torch import Tensor

from lawbook.reference.checks import check_choice, check_range, check_whole
from lawbook.reference.initialization.filling import (
    as_dtype,
    check_sizes,
    draw_normal,
    draw_truncated_normal,
    draw_uniform,
)

LAYOUTS = ("channels_first", "channels_last")
MODES = ("fan_in", "fan_out")
GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "leaky_relu": math.sqrt(2),
    "selu": 3 / 4,
}


def fan_in_and_fan_out(
    shape: Sequence[int], layout: str = "channels_first", groups: int = 1, transposed: bool = False
) -> tuple[int, int]:
    """How many inputs an output sums over, and how many outputs an input reaches.

        fan_in  = (inputs of a group)  · (elements of the kernel)
        fan_out = (outputs of a group) · (elements of the kernel)

    where a dense layer is one group with a kernel of one element, and a depthwise convolution has as many groups as
    inputs.

    Args:
        shape: of the weight. Channels first: (out, in / groups, *kernel), or (in, out / groups, *kernel) when
            ``transposed``. Channels last: (*kernel, in / groups, out), or (*kernel, out / groups, in).
        layout: "channels_first" or "channels_last".
        groups: into how many parts the channels are split, at least 1.
        transposed: whether the weight belongs to a transposed convolution.

    Returns:
        (fan_in, fan_out).

    Raises:
        ValueError: fewer than two sizes, a negative one, ``groups`` below 1 or not a divisor of the channels that are
            counted as a whole, or an unknown layout.
        TypeError: a size or ``groups`` is not a whole number.

    Conventions:
        Channels first is PyTorch's order, (out, in) for a dense layer; channels last that of Keras and flax, (in, out).
        Keras's transposed convolution keeps (*kernel, out, in) as here; flax's ConvTranspose keeps (*kernel, in, out),
        which counts as not transposed. Keras's depthwise kernel (*kernel, in, multiplier) is flax's
        (*kernel, 1, in · multiplier) with ``groups`` = in. Strides, and positions near an edge, are not looked at.
        ``torch.nn.init`` knows the shape alone: of a transposed weight it takes out for in, and its fan_out counts
        the channels of all groups.

    Source: note 001 §3; note 002 §6.2.5; Glorot and Bengio 2010, AISTATS; He et al. 2015, arXiv:1502.01852.
    """
    sizes, groups = check_sizes(shape), check_whole("groups", groups, 1)
    check_choice("layout", layout, LAYOUTS)
    if len(sizes) < 2:
        raise ValueError(f"shape is {sizes}, expected at least two sizes: fans of a vector mean nothing")
    if layout == "channels_first":
        whole, part, kernel = sizes[0], sizes[1], sizes[2:]
    else:
        whole, part, kernel = sizes[-1], sizes[-2], sizes[:-2]
    if whole % groups:
        raise ValueError(f"groups is {groups}, expected a divisor of the {whole} channels in shape {sizes}")
    elements = math.prod(kernel)
    fans = part * elements, whole // groups * elements
    return fans[::-1] if transposed else fans


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor on a weight's standard deviation that makes up for a nonlinearity.

        1 for linear, conv1d, conv2d, conv3d and sigmoid;  5/3 for tanh;  √2 for relu;
        √(2 / (1 + slope²)) for leaky_relu;  3/4 for selu

    Args:
        nonlinearity: one of these names.
        param: the slope of leaky_relu below zero; None stands for 0.01. The others take no notice of it.

    Returns:
        A number.

    Raises:
        ValueError: the name is unknown.
        TypeError: the slope is not a number; True and False are none.

    Conventions:
        PyTorch's table. relu's and leaky_relu's gains keep the second moment; those of tanh and selu are rules of
        thumb, and selu's fixed point at unit variance belongs to the gain 1 ("linear").

    Source: note 001 §3; He et al. 2015, arXiv:1502.01852, for the slope.
    """
    check_choice("nonlinearity", nonlinearity, tuple(GAINS))
    if nonlinearity != "leaky_relu":
        return GAINS[nonlinearity]
    slope = 0.01 if param is None else param
    if isinstance(slope, bool) or not isinstance(slope, int | float):
        raise TypeError(f"param must be a number, got {slope!r}")
    return GAINS["leaky_relu"] / math.sqrt(1 + slope**2)


def xavier_uniform(
    shape: Sequence[int],
    gain: float = 1.0,
    *,
    seed: int,
    layout: str = "channels_first",
    groups: int = 1,
    transposed: bool = False,
    dtype: str = "float32",
) -> Tensor:
    """Uniform weights that keep the variance on the way forth and back as well as one variance can.

        w ~ U[−bound, bound],  bound = gain · √(6 / (fan_in + fan_out))

    so that Var[w] = gain² · 2 / (fan_in + fan_out).

    Args:
        shape, layout, groups, transposed: of the weight, as in ``fan_in_and_fan_out``.
        gain: a factor, at least 0; see ``calculate_gain``.
        seed: a whole number of at least 0; same seed, same weights. See ``init_normal``.
        dtype: "float32", "float64", "float16" or "bfloat16".

    Returns:
        A new tensor of that shape and dtype. Without elements it is empty, even where a fan is 0.

    Raises:
        ValueError: what ``fan_in_and_fan_out`` refuses, a negative gain, or an unknown dtype.
        TypeError: a size or the seed is not a whole number.

    Conventions:
        Keras calls it GlorotUniform. On what a seed stands for see ``init_normal``.

    Source: note 001 §3; note 004 (Xavier); Glorot and Bengio 2010, AISTATS.
    """
    bound = math.sqrt(3) * _xavier_std(shape, gain, layout, groups, transposed)
    return draw_uniform(check_sizes(shape), -bound, bound, seed, as_dtype(dtype))


def xavier_normal(
    shape: Sequence[int],
    gain: float = 1.0,
    *,
    seed: int,
    layout: str = "channels_first",
    groups: int = 1,
    transposed: bool = False,
    truncated: bool = False,
    dtype: str = "float32",
) -> Tensor:
    """Normal weights that keep the variance on the way forth and back as well as one variance can.

        w ~ N(0, std²),  std = gain · √(2 / (fan_in + fan_out))

    Args:
        shape, layout, groups, transposed: of the weight, as in ``fan_in_and_fan_out``.
        gain: a factor, at least 0; see ``calculate_gain``.
        seed: a whole number of at least 0; same seed, same weights. See ``init_normal``.
        truncated: draw from a normal distribution cut off at twice its deviation s, where s = std / 0.8796 so that
            what is left has the deviation std.
        dtype: "float32", "float64", "float16" or "bfloat16".

    Returns:
        A new tensor of that shape and dtype. Without elements it is empty, even where a fan is 0.

    Raises:
        ValueError: what ``fan_in_and_fan_out`` refuses, a negative gain, or an unknown dtype.
        TypeError: a size or the seed is not a whole number.

    Conventions:
        PyTorch draws from the whole normal distribution; Keras's GlorotNormal and jax.nn.initializers.glorot_normal
        draw from the truncated one. The variance is the same. On what a seed stands for see ``init_normal``.

    Source: note 001 §3; note 004 (Xavier); Glorot and Bengio 2010, AISTATS.
    """
    std = _xavier_std(shape, gain, layout, groups, transposed)
    return _normal(shape, std, truncated, seed, dtype)


def kaiming_uniform(
    shape: Sequence[int],
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    seed: int,
    layout: str = "channels_first",
    groups: int = 1,
    transposed: bool = False,
    dtype: str = "float32",
) -> Tensor:
    """Uniform weights that keep the second moment through a rectifier, on the way forth or on the way back.

        w ~ U[−bound, bound],  bound = gain · √(3 / fan)

    so that Var[w] = gain² / fan, where gain = calculate_gain(nonlinearity, a).

    Args:
        shape, layout, groups, transposed: of the weight, as in ``fan_in_and_fan_out``.
        a: the slope below zero of leaky_relu; 0 is relu.
        mode: "fan_in" keeps activations, "fan_out" gradients.
        nonlinearity: a name that ``calculate_gain`` knows.
        seed: a whole number of at least 0; same seed, same weights. See ``init_normal``.
        dtype: "float32", "float64", "float16" or "bfloat16".

    Returns:
        A new tensor of that shape and dtype. Without elements it is empty, even where the fan is 0.

    Raises:
        ValueError: what ``fan_in_and_fan_out`` and ``calculate_gain`` refuse, an unknown mode or dtype.
        TypeError: a size or the seed is not a whole number.

    Conventions:
        Keras calls it HeUniform, always with fan_in and √2. On what a seed stands for see ``init_normal``.

    Source: note 001 §3; note 002 §6.2.5; He et al. 2015, arXiv:1502.01852.
    """
    bound = math.sqrt(3) * _kaiming_std(shape, a, mode, nonlinearity, layout, groups, transposed)
    return draw_uniform(check_sizes(shape), -bound, bound, seed, as_dtype(dtype))


def kaiming_normal(
    shape: Sequence[int],
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    seed: int,
    layout: str = "channels_first",
    groups: int = 1,
    transposed: bool = False,
    truncated: bool = False,
    dtype: str = "float32",
) -> Tensor:
    """Normal weights that keep the second moment through a rectifier, on the way forth or on the way back.

        w ~ N(0, std²),  std = gain / √fan

    where gain = calculate_gain(nonlinearity, a).

    Args:
        shape, layout, groups, transposed: of the weight, as in ``fan_in_and_fan_out``.
        a: the slope below zero of leaky_relu; 0 is relu.
        mode: "fan_in" keeps activations, "fan_out" gradients.
        nonlinearity: a name that ``calculate_gain`` knows.
        seed: a whole number of at least 0; same seed, same weights. See ``init_normal``.
        truncated: as in ``xavier_normal``.
        dtype: "float32", "float64", "float16" or "bfloat16".

    Returns:
        A new tensor of that shape and dtype. Without elements it is empty, even where the fan is 0.

    Raises:
        ValueError: what ``fan_in_and_fan_out`` and ``calculate_gain`` refuse, an unknown mode or dtype.
        TypeError: a size or the seed is not a whole number.

    Conventions:
        PyTorch draws from the whole normal distribution; Keras's HeNormal and jax.nn.initializers.he_normal from the
        truncated one. On what a seed stands for see ``init_normal``.

    Source: note 001 §3; He et al. 2015, arXiv:1502.01852.
    """
    std = _kaiming_std(shape, a, mode, nonlinearity, layout, groups, transposed)
    return _normal(shape, std, truncated, seed, dtype)


def linear_default_init(
    out_features: int, in_features: int, *, seed: int, dtype: str = "float32"
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer as PyTorch begins with them.

        weight, bias ~ U[−bound, bound],  bound = 1 / √in_features

    which is kaiming_uniform with the slope √5: its gain √(1/3) cancels the √3.

    Args:
        out_features, in_features: sizes, the second at least 1.
        seed: a whole number of at least 0; same seed, same parameters. See ``init_normal``.
        dtype: "float32", "float64", "float16" or "bfloat16".

    Returns:
        (weight, bias) of shapes (out_features, in_features) and (out_features,), independent of each other.

    Raises:
        ValueError: a negative size, no input, or an unknown dtype.
        TypeError: a size or the seed is not a whole number.

    Conventions:
        PyTorch's nn.Linear, weight first, then the bias, from one stream. The variance 1 / (3 · in_features) is a third
        of what keeps a linear map's, a sixth of what He asks for. Keras's Dense begins with xavier_uniform, flax's
        with a truncated normal of variance 1 / in_features; both with a bias of zeros.

    Source: note 002 §6.2.5.
    """
    rows, columns = check_whole("out_features", out_features, 0), check_whole("in_features", in_features, 1)
    bound = 1 / math.sqrt(columns)
    # One draw for both: two draws with the same seed would repeat the weight in the bias.
    both = draw_uniform((rows * columns + rows,), -bound, bound, seed, as_dtype(dtype))
    return both[: rows * columns].reshape(rows, columns).clone(), both[rows * columns :].clone()


def _normal(shape: Sequence[int], std: float, truncated: bool, seed: int, dtype: str) -> Tensor:
    sizes = check_sizes(shape)
    if truncated:
        return draw_truncated_normal(sizes, std, seed, as_dtype(dtype))
    return draw_normal(sizes, 0.0, std, seed, as_dtype(dtype))


def _xavier_std(shape: Sequence[int], gain: float, layout: str, groups: int, transposed: bool) -> float:
    check_range("gain", gain, 0)
    return gain * math.sqrt(2 / max(1, sum(fan_in_and_fan_out(shape, layout, groups, transposed))))


def _kaiming_std(
    shape: Sequence[int], a: float, mode: str, nonlinearity: str, layout: str, groups: int, transposed: bool
) -> float:
    check_choice("mode", mode, MODES)
    fan = fan_in_and_fan_out(shape, layout, groups, transposed)[MODES.index(mode)]
    # A fan of 0 belongs to a weight without elements, which has no deviation.
    return calculate_gain(nonlinearity, a) / math.sqrt(max(1, fan))
