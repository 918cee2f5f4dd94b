"""VGG: blocks of 3×3 convolutions."""

from collections.abc import Sequence

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
    dense,
    dropped,
    last,
    max_pool,
    parameter_count,
    traced,
)

Arch = Sequence[tuple[int, int]]

VGG_11 = ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512))
VGG_16 = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
VGG_19 = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))


def vgg_block(x: Tensor, params: Params) -> Tensor:
    """Some rectified 3×3 convolutions that keep the size, and a max pooling that halves it.

        y = pool(relu(conv_k(… relu(conv_1(x)))))

    where convolutions are padded by 1 and the pooling takes 2×2 with stride 2; of an odd size the last row is left out.

    Args:
        x: (N, C, H, W), floating, H and W at least 2.
        params: a list of k layers ``{"weight", "bias"}``, (outputs, inputs, 3, 3), at least one, in the dtype of ``x``;
            a bias may be left out.

    Returns:
        (N, outputs of the last, ⌊H / 2⌋, ⌊W / 2⌋), dtype of ``x``.

    Raises:
        ValueError: ``x`` has not four axes or is too small, there is no layer, or a weight does not fit.
        TypeError: something is not floating or of another dtype, or ``params`` is not a list.

    Source: note 004, VGG; Simonyan and Zisserman 2015, arXiv:1409.1556.
    """
    check_images(x)
    return _block(x, params, "params")


def _block(x: Tensor, params: Params, name: str) -> Tensor:
    check_list(name, params)
    for k, layer in enumerate(params):
        x = torch.relu(convolution(x, layer, f"{name}[{k}]", 3, 1, 1))
    return max_pool(x, 2, 2)


def vgg(
    x: Tensor, params: Params, arch: Arch, training: bool = False, dropout: float = 0.5, seed: int | None = None
) -> Tensor:
    """VGG: blocks of convolutions, each halving the image, and three dense layers.

        h = vgg_block_b(… vgg_block_1(x)),   flattened channel by channel
        logits = dense3(drop(relu(dense2(drop(relu(dense1(h)))))))

    where drop is dropout, in training only. As published five blocks lead from 224 to 7, with 512·7·7 inputs of dense1 and
    4096 outputs: 102,760,448 weights in that layer alone. VGG-11 is the architecture (1, 64), (1, 128), (2, 256),
    (2, 512), (2, 512), which has 8 convolutions and 3 dense layers.

    Args:
        x: images, (N, C, H, W), floating. Sizes other than 224 are legal where dense1 fits.
        params: ``{"blocks", "dense1", "dense2", "dense3"}``: blocks as ``vgg_block`` takes them, a list of as many as
            ``arch`` has; layers ``{"weight", "bias"}``, dense weights (outputs, inputs), in the dtype of ``x``.
        arch: a pair (convolutions, channels) for every block, at least one.
        training: whether both dropouts drop.
        dropout: the share dropped, at least 0 and below 1; what is kept is scaled by 1 / (1 − dropout).
        seed: a whole number that decides what is dropped; may be None where nothing is.

    Returns:
        Logits, (N, classes), dtype of ``x``.

    Raises:
        ValueError: ``x`` has not four axes or is too small, a layer is missing or unknown, the blocks are not those of
            ``arch``, a weight does not fit, ``dropout`` is outside its bounds, or ``seed`` is missing.
        TypeError: something is not floating or of another dtype, or ``params`` is no dict.

    Conventions: VGG-n counts the layers with weights. torchvision averages to 7×7 before the dense layers, so that other
        image sizes fit; at 224×224 that changes nothing. The largest, VGG-19, takes 575 MB in float32.

    Source: note 004, VGG and NiN (102M); Simonyan and Zisserman 2015, arXiv:1409.1556.
    """
    return last(_stages(x, params, arch, training, dropout, seed))


def _stages(x: Tensor, params: Params, arch: Arch, training: bool, p: float, seed: int | None) -> Stages:
    check_images(x)
    check_keys("params", params, ("blocks", "dense1", "dense2", "dense3"))
    check_dropout(p, seed, training)
    arch = _checked(arch)
    check_list("params['blocks']", params["blocks"], len(arch))
    for k, (block, (convolutions, channels)) in enumerate(zip(params["blocks"], arch, strict=True)):
        check_list(f"params['blocks'][{k}]", block, convolutions)
        x = _block(x, block, f"params['blocks'][{k}]")
        if x.shape[1] != channels:
            raise ValueError(f"params['blocks'][{k}] gives {x.shape[1]} channels, expected {channels} as arch says")
        yield f"block{k + 1}", x
    x = x.flatten(1)
    yield "flatten", x
    for k in (1, 2):
        x = dropped(torch.relu(dense(x, params[f"dense{k}"], f"params['dense{k}']")), p, seed, training, k)
        yield f"dense{k}", x
    yield "dense3", dense(x, params["dense3"], "params['dense3']")


def _checked(arch: Arch) -> Arch:
    check_list("arch", arch)
    for pair in arch:
        check_list("a block of arch", pair, 2)
        for number in pair:
            check_whole("a number of arch", number, 1)
    return arch


def vgg_init(
    seed: int,
    arch: Arch = VGG_11,
    in_channels: int = 1,
    classes: int = 10,
    hidden: int = 4096,
    size: int = 224,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Params:
    """Parameters of ``vgg``: weights normal with variance 2 / inputs, biases 0.

    Args:
        seed: a whole number of at least 0; the same seed gives the same weights. Global generators are left alone.
        arch: a pair (convolutions, channels) for every block.
        in_channels, classes: of the images and of the result.
        hidden: outputs of the first two dense layers.
        size: height and width of the images.
        dtype, device: of the tensors; ``"meta"`` gives shapes without memory.

    Returns:
        The dict that ``vgg`` takes; in float32 about 515 MB by default, 575 MB for VGG-19 with 3 channels and 1000 classes.

    Raises:
        ValueError, TypeError: a size is no whole number of at least 1, ``seed`` no whole number, or ``size`` is too
            small for so many blocks.

    Source: note 004, VGG; He et al. 2015, arXiv:1502.01852.
    """
    make = Initial(seed, dtype, device)
    blocks, channels = [], in_channels
    for convolutions, outputs in _checked(arch):
        inputs = [channels, *[outputs] * (convolutions - 1)]
        blocks.append([make.convolution(before, outputs, 3) for before in inputs])
        channels = outputs
    side = check_whole("size", size, 2 ** len(arch)) // 2 ** len(arch)
    return {
        "blocks": blocks,
        "dense1": make.dense(channels * side * side, hidden),
        "dense2": make.dense(hidden, hidden),
        "dense3": make.dense(hidden, classes),
    }


def vgg_shapes(input_shape: tuple[int, ...], arch: Arch = VGG_11, classes: int = 10) -> Shapes:
    """The output shape of every stage of ``vgg``: [(name, shape), …], found without computing anything.

    Stages are block1, …, flatten, dense1, dense2, dense3.

    Args:
        input_shape: (N, C, H, H).
        arch: a pair (convolutions, channels) for every block.
        classes: of the result.

    Raises:
        ValueError: the images are not square, or too small.

    Source: note 004, VGG.
    """
    x = blank(input_shape)
    if x.shape[2] != x.shape[3]:
        raise ValueError(f"the images have {x.shape[2]} rows and {x.shape[3]} columns, expected as many")
    params = vgg_init(0, arch, x.shape[1], classes, size=x.shape[2], device="meta")
    return traced(_stages(x, params, arch, False, 0.5, None))


def vgg_parameter_count(arch: Arch = VGG_11, in_channels: int = 1, classes: int = 10) -> int:
    """How many numbers ``vgg`` learns for 224×224 images; VGG-19 with 3 channels and 1000 classes 143,667,240."""
    return parameter_count(vgg_init(0, arch, in_channels, classes, device="meta"))
