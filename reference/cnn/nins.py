"""Network in network: convolutions followed by dense layers a pixel, and no dense layer at the end."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_whole
from lawbook.reference.cnn.layers import (
    Initial,
    Params,
    Shapes,
    Stages,
    blank,
    check_dropout,
    check_images,
    check_keys,
    check_list,
    convolution,
    dropped,
    last,
    max_pool,
    parameter_count,
    traced,
)

# Kernel, stride and padding of the first convolution of every block.
BLOCKS = ((11, 4, 0), (5, 1, 2), (3, 1, 1), (3, 1, 1))
WIDTHS = (96, 256, 384)


def nin_block(x: Tensor, params: Params, stride: int = 1, padding: int = 0) -> Tensor:
    """A convolution and two 1×1 convolutions, all rectified: the latter are dense layers for every pixel alone.

        y = relu(conv₃(relu(conv₂(relu(conv₁(x))))))

    where conv₁ has kernels of any odd or even size k, with stride and padding, conv₂ and conv₃ 1×1 without.

    Args:
        x: (N, C, H, W), floating.
        params: a list of three layers ``{"weight", "bias"}``: (outputs, C, k, k), (outputs, outputs, 1, 1) twice (widths
            may differ), in the dtype of ``x``; a bias may be left out.
        stride: of the first convolution, at least 1.
        padding: of the first convolution, at least 0.

    Returns:
        (N, outputs of the last, H′, W′) with H′ = ⌊(H + 2·padding − k) / stride⌋ + 1, dtype of ``x``; not negative.

    Raises:
        ValueError: ``x`` has not four axes or is too small, there are not three layers, or a weight does not fit.
        TypeError: something is not floating or of another dtype, or ``params`` is not a list.

    Source: note 004, NiN; Lin, Chen and Yan 2014, arXiv:1312.4400.
    """
    check_images(x)
    return _block(x, params, "params", check_whole("stride", stride, 1), check_whole("padding", padding, 0))


def _block(x: Tensor, params: Params, name: str, stride: int, padding: int) -> Tensor:
    check_list(name, params, 3)
    check_keys(f"{name}[0]", params[0], ("weight",), ("bias",))
    kernel = params[0]["weight"].shape[-1] if params[0]["weight"].ndim else 1
    x = torch.relu(convolution(x, params[0], f"{name}[0]", kernel, stride, padding))
    for k in (1, 2):
        x = torch.relu(convolution(x, params[k], f"{name}[{k}]", 1))
    return x


def nin(x: Tensor, params: Params, training: bool = False, dropout: float = 0.5, seed: int | None = None) -> Tensor:
    """Network in network: four blocks with max poolings between, the last with a channel a class, and their means.

        block1 11×11, stride 4, pool      (96, 54, 54) → (96, 26, 26)
        block2 5×5, padding 2, pool       (256, 26, 26) → (256, 12, 12)
        block3 3×3, padding 1, pool       (384, 12, 12) → (384, 5, 5),  dropout in training
        block4 3×3, padding 1             (classes, 5, 5)
        logits = means over the image

    where poolings take 3×3 with stride 2. The widths to the right are the published ones; they follow ``params``. There is
    no dense layer: images of any size from 67×67 up give logits.

    Args:
        x: images, (N, C, H, W), floating; 1×224×224 in the note.
        params: a list of four blocks as ``nin_block`` takes them, kernels 11, 5, 3 and 3, in the dtype of ``x``.
        training: whether dropout drops.
        dropout: the share dropped, at least 0 and below 1; what is kept is scaled by 1 / (1 − dropout).
        seed: a whole number that decides what is dropped; may be None where nothing is.

    Returns:
        Logits, (N, classes), dtype of ``x``; not negative, as the last layer is rectified.

    Raises:
        ValueError: ``x`` has not four axes or is too small, there are not four blocks of three layers, a weight does not
            fit, ``dropout`` is outside its bounds, or ``seed`` is missing where something is dropped.
        TypeError: something is not floating or of another dtype, or ``params`` is not a list.

    Source: note 004, NiN; Lin, Chen and Yan 2014, arXiv:1312.4400.
    """
    return last(_stages(x, params, training, dropout, seed))


def _stages(x: Tensor, params: Params, training: bool, p: float, seed: int | None) -> Stages:
    check_images(x)
    check_list("params", params, len(BLOCKS))
    check_dropout(p, seed, training)
    for k, (kernel, stride, padding) in enumerate(BLOCKS):
        _check_kernel(params[k], kernel, k)
        x = _block(x, params[k], f"params[{k}]", stride, padding)
        yield f"block{k + 1}", x
        if k < 3:
            x = max_pool(x, 3, 2)
            yield f"pool{k + 1}", x
        if k == 2:
            x = dropped(x, p, seed, training, 1)
            yield "dropout", x
    x = x.mean((2, 3), keepdim=True)
    yield "average", x
    yield "flatten", x.flatten(1)


def _check_kernel(block: Params, kernel: int, k: int) -> None:
    check_list(f"params[{k}]", block, 3)
    check_keys(f"params[{k}][0]", block[0], ("weight",), ("bias",))
    shape = tuple(block[0]["weight"].shape)
    if shape[-1:] != (kernel,):
        raise ValueError(f"params[{k}][0]['weight'] has shape {shape}, expected kernels of {kernel}×{kernel}")


def nin_init(
    seed: int,
    in_channels: int = 1,
    classes: int = 10,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Params:
    """Parameters of ``nin``: weights normal with variance 2 / inputs, biases 0.

    Args:
        seed: a whole number of at least 0; the same seed gives the same weights. Global generators are left alone.
        in_channels, classes: of the images and of the result.
        dtype, device: of the tensors; ``"meta"`` gives shapes without memory.

    Returns:
        The list that ``nin`` takes, 8 MB in float32.

    Raises:
        ValueError, TypeError: a size is no whole number of at least 1, ``seed`` no whole number.

    Source: note 004, NiN; He et al. 2015, arXiv:1502.01852.
    """
    make = Initial(seed, dtype, device)
    blocks, channels = [], in_channels
    for (kernel, _, _), width in zip(BLOCKS, (*WIDTHS, classes), strict=True):
        first = make.convolution(channels, width, kernel)
        blocks.append([first, make.convolution(width, width, 1), make.convolution(width, width, 1)])
        channels = width
    return blocks


def nin_shapes(input_shape: tuple[int, ...], classes: int = 10) -> Shapes:
    """The output shape of every stage of ``nin``: [(name, shape), …], found without computing anything.

    Stages are block1, pool1, block2, pool2, block3, pool3, dropout, block4, average, flatten: the note's rows.

    Args:
        input_shape: (N, C, H, W), H and W at least 67.
        classes: of the result.

    Raises:
        ValueError: the images are too small.

    Source: note 004, NiN.
    """
    x = blank(input_shape)
    return traced(_stages(x, nin_init(0, x.shape[1], classes, device="meta"), False, 0.5, None))


def nin_parameter_count(in_channels: int = 1, classes: int = 10) -> int:
    """How many numbers ``nin`` learns."""
    return parameter_count(nin_init(0, in_channels, classes, device="meta"))
