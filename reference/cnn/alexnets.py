"""AlexNet."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_choice
from lawbook.reference.cnn.layers import (
    Initial,
    Params,
    Shapes,
    Stages,
    blank,
    check_dropout,
    check_images,
    check_keys,
    convolution,
    dense,
    dropped,
    last,
    max_pool,
    parameter_count,
    traced,
)

WIDTHS = (96, 256, 384, 384, 256)
KEYS = ("conv1", "conv2", "conv3", "conv4", "conv5", "dense1", "dense2", "dense3")
# Kernel and padding of the second to the fifth convolution.
LATER = ((5, 2), (3, 1), (3, 1), (3, 1))


def alexnet(
    x: Tensor, params: Params, training: bool = False, dropout: float = 0.5, seed: int | None = None, padding: int = 1
) -> Tensor:
    """AlexNet: five rectified convolutions with three max poolings of 3×3, stride 2, and three dense layers.

        conv1 11×11, stride 4, padding 1, relu, pool      (96, 54, 54) → (96, 26, 26)
        conv2 5×5, padding 2, relu, pool                  (256, 26, 26) → (256, 12, 12)
        conv3, conv4, conv5 3×3, padding 1, relu, pool    (384, …), (384, …), (256, 12, 12) → (256, 5, 5)
        flatten to 256·5·5 = 6400
        logits = dense3(drop(relu(dense2(drop(relu(dense1))))))      4096, 4096, 1000

    where drop is dropout, in training only. The widths to the right are the published ones; they follow ``params``.

    Args:
        x: images, (N, C, H, W), floating; 1×224×224 in the note. Other sizes are legal where dense1 fits.
        params: a dict of layers ``{"weight", "bias"}``: ``conv1`` (96, C, 11, 11), ``conv2`` (256, 96, 5, 5), ``conv3``
            (384, 256, 3, 3), ``conv4`` (384, 384, 3, 3), ``conv5`` (256, 384, 3, 3), ``dense1`` (4096, 256·h·w),
            ``dense2`` (4096, 4096), ``dense3`` (1000, 4096), in the dtype of ``x``; a bias may be left out.
        training: whether both dropouts drop.
        dropout: the share dropped, at least 0 and below 1; what is kept is scaled by 1 / (1 − dropout).
        seed: a whole number that decides what is dropped; may be None where nothing is.
        padding: of the first convolution, 1 or 2.

    Returns:
        Logits, (N, classes), dtype of ``x``.

    Raises:
        ValueError: ``x`` has not four axes or is too small, a layer is missing or unknown, a weight does not fit,
            ``padding`` or ``dropout`` is outside its bounds, or ``seed`` is missing where something is dropped.
        TypeError: something is not floating or of another dtype, or ``params`` is not a dict.

    Conventions: note 004 pads the first convolution by 1 and flattens 256·5·5. torchvision pads it by 2, flattens
        256·6·6 = 9216, has the widths 64, 192, 384, 256, 256 of a later paper, and drops *before* each of the first two
        dense layers. The paper's second, fourth and fifth convolutions come in two groups, one a GPU, and it normalizes
        over neighbouring channels, which nobody does any more.

    Source: note 004, AlexNet (whose last convolution has 384 outputs, which do not flatten to 6400); Krizhevsky,
    Sutskever and Hinton 2012.
    """
    return last(_stages(x, params, training, dropout, seed, padding))


def _stages(x: Tensor, params: Params, training: bool, p: float, seed: int | None, padding: int) -> Stages:
    check_images(x)
    check_keys("params", params, KEYS)
    check_dropout(p, seed, training)
    check_choice("padding", padding, (1, 2))
    x = torch.relu(convolution(x, params["conv1"], "params['conv1']", 11, 4, padding))
    yield "conv1", x
    x = max_pool(x, 3, 2)
    yield "pool1", x
    for k, (kernel, margin) in enumerate(LATER, start=2):
        x = torch.relu(convolution(x, params[f"conv{k}"], f"params['conv{k}']", kernel, 1, margin))
        yield f"conv{k}", x
        if k in (2, 5):
            x = max_pool(x, 3, 2)
            yield f"pool{k}", x
    x = x.flatten(1)
    yield "flatten", x
    for k in (1, 2):
        x = dropped(torch.relu(dense(x, params[f"dense{k}"], f"params['dense{k}']")), p, seed, training, k)
        yield f"dense{k}", x
    yield "dense3", dense(x, params["dense3"], "params['dense3']")


def alexnet_init(
    seed: int,
    in_channels: int = 1,
    classes: int = 1000,
    widths: Sequence[int] = WIDTHS,
    hidden: int = 4096,
    flattened: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Params:
    """Parameters of ``alexnet`` for 224×224 images: weights normal with variance 2 / inputs, biases 0.

    Args:
        seed: a whole number of at least 0; the same seed gives the same weights. Global generators are left alone.
        in_channels, classes: of the images and of the result.
        widths: outputs of the five convolutions.
        hidden: outputs of the first two dense layers.
        flattened: inputs of the first of them; None stands for those of 224×224 images with padding 1, widths[4]·5·5.
        dtype, device: of the tensors; ``"meta"`` gives shapes without memory.

    Returns:
        The dict that ``alexnet`` takes; in float32 about 200 MB by default.

    Raises:
        ValueError, TypeError: a size is no whole number of at least 1, ``seed`` no whole number.

    Source: note 004, AlexNet; He et al. 2015, arXiv:1502.01852.
    """
    make = Initial(seed, dtype, device)
    sizes = (11, *(kernel for kernel, _ in LATER))
    inputs = (in_channels, *widths)
    convs = {f"conv{k + 1}": make.convolution(inputs[k], widths[k], sizes[k]) for k in range(5)}
    flattened = widths[4] * 25 if flattened is None else flattened
    return {
        **convs,
        "dense1": make.dense(flattened, hidden),
        "dense2": make.dense(hidden, hidden),
        "dense3": make.dense(hidden, classes),
    }


def alexnet_shapes(input_shape: tuple[int, ...], classes: int = 1000) -> Shapes:
    """The output shape of every stage of ``alexnet``: [(name, shape), …], found without computing anything.

    Stages are conv1, pool1, conv2, pool2, conv3, conv4, conv5, pool5, flatten, dense1, dense2, dense3.

    Args:
        input_shape: (N, C, 224, 224), or other sizes that flatten to 256·5·5.
        classes: of the result.

    Raises:
        ValueError: the images do not fit.

    Source: note 004, AlexNet.
    """
    x = blank(input_shape)
    return traced(_stages(x, alexnet_init(0, x.shape[1], classes, device="meta"), False, 0.5, None, 1))


def alexnet_parameter_count(
    in_channels: int = 1,
    classes: int = 1000,
    widths: Sequence[int] = WIDTHS,
    hidden: int = 4096,
    flattened: int | None = None,
) -> int:
    """How many numbers ``alexnet`` learns; 61,100,840 with torchvision's 3 channels, widths and 9216 flattened."""
    return parameter_count(alexnet_init(0, in_channels, classes, widths, hidden, flattened, device="meta"))
