"""How many parameters a layer has, and what a stack of layers looks like."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lawbook.reference.checks import check_whole
from lawbook.reference.convolution import conv_output_size

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
CONVOLUTIONS = {"conv1d": 1, "conv2d": 2, "conv3d": 3}
POOLINGS = ("max_pool2d", "avg_pool2d")
ELEMENTWISE = ("relu", "sigmoid", "tanh", "dropout", "identity")

# Sizes every kind must be given, and options with what they are when left out.
SIZES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "linear": (("in_features", "out_features"), {"bias": True}),
    "embedding": (("num_embeddings", "embedding_dim"), {}),
    "batch_norm": (("num_features",), {"affine": True}),
    "multihead_attention": (("embed_dim", "num_heads"), {"bias": True}),
    **{kind: (("in_channels", "out_channels", "kernel_size"), {"groups": 1, "bias": True}) for kind in CONVOLUTIONS},
    **{
        kind: (("input_size", "hidden_size"), {"num_layers": 1, "bidirectional": False, "bias": True}) for kind in GATES
    },
}


def parameter_count(kind: str, sizes: Mapping[str, Any]) -> int:
    """Count the numbers a layer learns.

        linear:               in · out + out
        embedding:            rows · dim
        batch_norm:           2 · features
        conv1d … conv3d:      out · (in / groups) · Π kernel + out
        rnn, gru, lstm:       Σ over layers and directions of  g · h · (in_l + h) + 2 · g · h
        multihead_attention:  4 · dim² + 4 · dim,  however many heads

    where the last term is the bias, g is 1, 3 and 4 gates, and in_l is ``input_size`` in the first layer and directions · h
    in those above. A convolution has one bias for every output channel, whatever the size of its kernel.

    Args:
        kind: one of the above.
        sizes: the sizes by PyTorch's names: ``in_features``, ``out_features``; ``num_embeddings``, ``embedding_dim``;
            ``num_features``; ``in_channels``, ``out_channels``, ``kernel_size`` (a number, or one for every axis);
            ``input_size``, ``hidden_size``; ``embed_dim``, ``num_heads``. Options: ``bias`` (True), ``affine`` (True),
            ``groups`` (1), ``num_layers`` (1), ``bidirectional`` (False).

    Returns:
        A whole number. Running averages are no parameters.

    Raises:
        TypeError: a size is not a whole number.
        ValueError: the kind or a size is unknown, a size is missing or below 1, ``groups`` does not divide both numbers of
            channels, or ``num_heads`` does not divide ``embed_dim``.

    Conventions: recurrent layers have two biases, of the input and of the state, as in PyTorch; Keras and flax have one.

    Source: note 002 §6.2 (whose formula for convolutions counts a bias for every element of the kernel), note 004.
    """
    if kind not in SIZES:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(SIZES)}")
    given = _checked(kind, sizes)
    if kind == "linear":
        return given["out_features"] * (given["in_features"] + given["bias"])
    if kind == "embedding":
        return given["num_embeddings"] * given["embedding_dim"]
    if kind == "batch_norm":
        return 2 * given["num_features"] * given["affine"]
    if kind in CONVOLUTIONS:
        return _convolution(kind, given)
    if kind in GATES:
        return _recurrent(kind, given)
    dim, heads = given["embed_dim"], given["num_heads"]
    if dim % heads:
        raise ValueError(f"num_heads is {heads}, expected a divisor of embed_dim, {dim}")
    return 4 * dim * (dim + given["bias"])


def model_summary(
    layers: Sequence[tuple[str, Mapping[str, Any]]], input_shape: Sequence[int]
) -> list[tuple[str, tuple[int, ...], int]]:
    """List what every layer gives and learns.

    Args:
        layers: (kind, sizes) in order. Kinds: ``linear``, ``embedding``, ``batch_norm`` and ``conv1d`` … ``conv3d``
            with the sizes of ``parameter_count`` (convolutions also ``stride``, 1, and ``padding``, 0), ``max_pool2d`` and
            ``avg_pool2d`` with ``kernel_size`` and ``stride`` (the kernel's), ``flatten`` with ``start_dim`` (1, counted
            from the front), and ``relu``, ``sigmoid``, ``tanh``, ``dropout``, ``identity``. ``batch_norm`` takes (N, C) and at
            most three axes more.
        input_shape: the sizes of the first layer's input, the batch included, each at least 1.

    Returns:
        A row (kind, output shape, parameters) for every layer.

    Raises:
        ValueError: a kind or a size is unknown, or a layer does not fit the shape it is given.
        TypeError: a size is not a whole number.

    Source: note 001 §4.3, note 002 (torchkeras.summary), note 004 (shapes of AlexNet and NiN).
    """
    shape = tuple(check_whole("input_shape", size, 1) for size in input_shape)
    rows = []
    for kind, sizes in layers:
        shape, parameters = _row(kind, dict(sizes), shape)
        rows.append((kind, shape, parameters))
    return rows


def _row(kind: str, sizes: dict[str, Any], shape: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """Output shape and parameters of one layer."""
    if kind in ELEMENTWISE:
        _only(kind, sizes, ())
        return shape, 0
    if kind == "flatten":
        _only(kind, sizes, ("start_dim",))
        start = check_whole("start_dim", sizes.get("start_dim", 1), 0)
        if start >= len(shape):
            raise ValueError(f"start_dim is {start}, expected an axis of {shape}")
        return (*shape[:start], math.prod(shape[start:])), 0
    if kind in POOLINGS:
        _only(kind, sizes, ("kernel_size", "stride"))
        if len(shape) != 4 or "kernel_size" not in sizes:
            raise ValueError(f"{kind} has sizes {sizes} and an input of shape {shape}, expected four axes and a kernel")
        kernel = _per_axis("kernel_size", sizes["kernel_size"], 2, 1)
        stride = _per_axis("stride", sizes.get("stride", kernel), 2, 1)
        return (*shape[:2], *map(conv_output_size, shape[2:], kernel, (0, 0), stride)), 0
    if kind in CONVOLUTIONS:
        axes = CONVOLUTIONS[kind]
        stride = _per_axis("stride", sizes.pop("stride", 1), axes, 1)
        padding = _per_axis("padding", sizes.pop("padding", 0), axes, 0)
        parameters = parameter_count(kind, sizes)
        _fits(kind, len(shape) == axes + 2 and shape[1] == sizes["in_channels"], shape)
        kernel = _per_axis("kernel_size", sizes["kernel_size"], axes, 1)
        spatial = map(conv_output_size, shape[2:], kernel, padding, stride)
        return (shape[0], sizes["out_channels"], *spatial), parameters
    if kind not in ("linear", "embedding", "batch_norm"):
        raise ValueError(f"kind is {kind!r}, expected a layer that takes one tensor and gives one")
    parameters = parameter_count(kind, sizes)
    if kind == "linear":
        _fits(kind, bool(shape) and shape[-1] == sizes["in_features"], shape)
        return (*shape[:-1], sizes["out_features"]), parameters
    if kind == "embedding":
        return (*shape, sizes["embedding_dim"]), parameters
    _fits(kind, 2 <= len(shape) <= 5 and shape[1] == sizes["num_features"], shape)
    return shape, parameters


def _convolution(kind: str, given: dict[str, Any]) -> int:
    inputs, outputs, groups = given["in_channels"], given["out_channels"], given["groups"]
    if inputs % groups or outputs % groups:
        raise ValueError(f"groups is {groups}, expected a divisor of {inputs} and {outputs} channels")
    return outputs * (inputs // groups * math.prod(given["kernel_size"]) + given["bias"])


def _recurrent(kind: str, given: dict[str, Any]) -> int:
    hidden, directions = given["hidden_size"], 1 + given["bidirectional"]
    total, inputs = 0, given["input_size"]
    for _ in range(given["num_layers"]):
        total += directions * GATES[kind] * hidden * (inputs + hidden + 2 * given["bias"])
        inputs = directions * hidden
    return total


def _checked(kind: str, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """All sizes of a kind, the options filled in."""
    needed, options = SIZES[kind]
    _only(kind, sizes, (*needed, *options))
    missing = [name for name in needed if name not in sizes]
    if missing:
        raise ValueError(f"{kind} lacks {', '.join(missing)}")
    given = {**options, **sizes}
    for name, value in given.items():
        if isinstance(options.get(name), bool):
            if not isinstance(value, bool):
                raise TypeError(f"{name} is {value!r}, expected True or False")
        elif name == "kernel_size":
            given[name] = _per_axis(name, value, CONVOLUTIONS[kind], 1)
        else:
            given[name] = check_whole(name, value, 1)
    return given


def _only(kind: str, sizes: Mapping[str, Any], known: Sequence[str]) -> None:
    unknown = sorted(set(sizes) - set(known))
    if unknown:
        raise ValueError(f"{kind} has no {', '.join(unknown)}, expected {', '.join(known) or 'no sizes'}")


def _per_axis(name: str, value: Any, axes: int, low: int) -> tuple[int, ...]:
    """One number for every axis."""
    values = tuple(value) if isinstance(value, list | tuple) else (value,) * axes
    if len(values) != axes:
        raise ValueError(f"{name} is {value}, expected a number or {axes} of them")
    return tuple(check_whole(name, one, low) for one in values)


def _fits(kind: str, fits: bool, shape: tuple[int, ...]) -> None:
    if not fits:
        raise ValueError(f"{kind} does not fit an input of shape {shape}")
