"""The residual block: convolutions whose result is added to their input."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_choice, check_whole
from lawbook.reference.cnn.layers import Initial, Params, check_images, check_keys, convolution, normalized

# A bottleneck block gives so many times the channels of its 3×3 convolution.
EXPANSION = 4
KERNELS = {"basic": (3, 3), "bottleneck": (1, 3, 1)}
STRIDES = ("3x3", "1x1")


def residual_block(
    x: Tensor,
    params: Params,
    stride: int = 1,
    use_1x1conv: bool = False,
    training: bool = False,
    stride_in: str = "3x3",
) -> Tensor:
    """Convolutions whose result is added to the block's own input.

        basic:       f(x) = norm2(conv2(relu(norm1(conv1(x)))))                            3×3, 3×3
        bottleneck:  f(x) = norm3(conv3(relu(norm2(conv2(relu(norm1(conv1(x))))))))        1×1, 3×3, 1×1
        y = relu(f(x) + s(x)),   s(x) = x, or shortcut_norm(shortcut(x)) with a 1×1 convolution

    where 3×3 convolutions are padded by 1 and a norm is ``batch_norm`` with eps 1e-5. A basic block has its stride in
    conv1, a bottleneck where ``stride_in`` says, the shortcut always. Where f(x) is 0 the block is relu(x), and the
    gradient passes unchanged.

    Args:
        x: (N, C, H, W), floating.
        params: a dict of convolutions ``{"weight"[, "bias"]}`` and norms ``{"gamma", "beta", "moving_mean",
            "moving_var"}`` in the dtype of ``x``: ``conv1``, ``norm1``, ``conv2``, ``norm2``, of a bottleneck ``conv3`` and
            ``norm3`` too; with ``use_1x1conv`` also ``shortcut``, (outputs, C, 1, 1), and if wanted ``shortcut_norm``.
        stride: at least 1.
        use_1x1conv: whether s is a 1×1 convolution; needed where the number of channels or the size changes.
        training: whether norms use the batch's own statistics, or the moving ones.
        stride_in: which convolution of a bottleneck has the stride, ``"3x3"`` (conv2) or ``"1x1"`` (conv1).

    Returns:
        (N, outputs of the last, ⌈H / stride⌉, ⌈W / stride⌉), dtype of ``x``; not negative. The moving statistics are
        constants: they are neither changed nor returned, and no gradient reaches them.

    Raises:
        ValueError: ``x`` has not four axes, a layer is missing or unknown, a weight does not fit, f(x) and s(x) differ in
            shape, ``stride`` is below 1, ``stride_in`` is another word, or in training a channel has fewer than two values.
        TypeError: something is not floating or of another dtype, or ``params`` is no dict.

    Conventions: the paper and its Caffe models, and Keras's ResNet50, have a bottleneck's stride in the first 1×1
        convolution; torchvision has it in the 3×3 one ("ResNet v1.5", also NVIDIA's), which skips no pixel. Note 004 has a
        bias in every convolution and no norm on the shortcut; torchvision no bias and a norm there.

    Source: note 004, ResNet; He, Zhang, Ren and Sun 2016, arXiv:1512.03385.
    """
    check_images(x)
    check_whole("stride", stride, 1)
    return block(x, params, "params", stride, bool(use_1x1conv), training, stride_in)


def block(
    x: Tensor, params: Params, name: str, stride: int, use_1x1conv: bool, training: bool, stride_in: str
) -> Tensor:
    """``residual_block`` of a network: ``name`` is what messages call its parameters."""
    check_choice("stride_in", stride_in, STRIDES)
    kernels = KERNELS[kind_of(params, name)]
    layers = range(1, len(kernels) + 1)
    needed = {f"{part}{k}" for part in ("conv", "norm") for k in layers} | ({"shortcut"} if use_1x1conv else set())
    check_keys(name, params, needed, {"shortcut_norm"} if use_1x1conv else ())
    strided = 2 if len(kernels) == 3 and stride_in == "3x3" else 1
    y = x
    for k, kernel in zip(layers, kernels, strict=True):
        y = convolution(y, params[f"conv{k}"], f"{name}['conv{k}']", kernel, stride if k == strided else 1, kernel // 2)
        y = normalized(y, params[f"norm{k}"], f"{name}['norm{k}']", training)
        if k < len(kernels):
            y = torch.relu(y)
    if use_1x1conv:
        x = convolution(x, params["shortcut"], f"{name}['shortcut']", 1, stride)
        if "shortcut_norm" in params:
            x = normalized(x, params["shortcut_norm"], f"{name}['shortcut_norm']", training)
    if x.shape != y.shape:
        raise ValueError(f"{name} gives {tuple(y.shape)}, expected that of what it is added to, {tuple(x.shape)}")
    return torch.relu(x + y)


def kind_of(params: Params, name: str) -> str:
    """Whether a block's parameters are those of a basic one or of a bottleneck."""
    if not isinstance(params, dict):
        raise TypeError(f"{name} must be a dict, got {type(params).__name__}")
    return "bottleneck" if "conv3" in params else "basic"


def residual_block_init(
    seed: int,
    in_channels: int,
    channels: int,
    use_1x1conv: bool = False,
    kind: str = "basic",
    note: bool = False,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Params:
    """Parameters of one ``residual_block``: weights normal with variance 2 / inputs, norms that have seen nothing.

    Args:
        seed: a whole number of at least 0; the same seed gives the same weights. Global generators are left alone.
        in_channels: C of the block's input.
        channels: of the 3×3 convolutions; a bottleneck gives four times as many.
        use_1x1conv: whether there is a 1×1 convolution on the shortcut.
        kind: ``"basic"`` or ``"bottleneck"``.
        note: biases in convolutions and no norm on the shortcut, as note 004, or the other way round, as torchvision.
        dtype, device: of the tensors; ``"meta"`` gives shapes without memory.

    Returns:
        The dict that ``residual_block`` takes.

    Raises:
        ValueError, TypeError: a size is no whole number of at least 1, ``seed`` no whole number, or another ``kind``.

    Source: note 004, ResNet; He et al. 2015, arXiv:1502.01852.
    """
    return initial_block(Initial(seed, dtype, device), in_channels, channels, use_1x1conv, kind, note)


def initial_block(make: Initial, inputs: int, width: int, use_1x1conv: bool, kind: str, note: bool) -> Params:
    """``residual_block_init`` within a network."""
    check_choice("kind", kind, tuple(KERNELS))
    outputs = width if kind == "basic" else EXPANSION * width
    chain = (inputs, width, outputs) if kind == "basic" else (inputs, width, width, outputs)
    found: Params = {}
    for k, kernel in enumerate(KERNELS[kind]):
        found[f"conv{k + 1}"] = make.convolution(chain[k], chain[k + 1], kernel, bias=note)
        found[f"norm{k + 1}"] = make.norm(chain[k + 1])
    if use_1x1conv:
        found["shortcut"] = make.convolution(inputs, outputs, 1, bias=note)
        if not note:
            found["shortcut_norm"] = make.norm(outputs)
    return found
