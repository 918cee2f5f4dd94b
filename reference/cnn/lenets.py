"""LeNet, plain and with batch normalization."""

import torch
from torch import Tensor

from lawbook.reference.cnn.layers import (
    Initial,
    Params,
    Shapes,
    Stages,
    avg_pool,
    blank,
    check_images,
    check_keys,
    convolution,
    dense,
    last,
    normalized,
    parameter_count,
    traced,
)

LAYERS = ("conv1", "conv2", "dense1", "dense2", "dense3")
NORMS = ("norm1", "norm2", "norm3", "norm4")


def lenet(x: Tensor, params: Params, training: bool = False) -> Tensor:
    """LeNet: two convolutions, each followed by a mean over 2×2, and three dense layers, with sigmoids in between.

        h₁ = avg(σ(conv1(x))),  conv1 5×5 with padding 2        (6, 28, 28) → (6, 14, 14)
        h₂ = avg(σ(conv2(h₁))), conv2 5×5 without padding       (16, 10, 10) → (16, 5, 5)
        logits = dense3(σ(dense2(σ(dense1(flatten(h₂))))))      400 → 120 → 84 → 10

    where σ is the logistic function, avg the mean of 2×2 windows with stride 2, and images are flattened channel by
    channel. The widths to the right are the published ones; they follow ``params``.

    Args:
        x: images, (N, C, H, W), floating; 1×28×28 as published. Other sizes are legal where dense1 fits.
        params: a dict of layers ``{"weight", "bias"}``: ``conv1`` (6, C, 5, 5), ``conv2`` (16, 6, 5, 5), ``dense1``
            (120, 16·h·w), ``dense2`` (84, 120), ``dense3`` (10, 84), weights as (outputs, inputs), biases (outputs,),
            in the dtype of ``x``; a bias may be left out.
        training: changes nothing, as no layer behaves otherwise in training.

    Returns:
        Logits, (N, classes), dtype of ``x``: no softmax is taken.

    Raises:
        ValueError: ``x`` has not four axes or is too small, a layer is missing or unknown, or a weight does not fit.
        TypeError: something is not floating or of another dtype, or ``params`` is not a dict.

    Conventions: note 004 rectifies nothing and has a plain dense layer at the end, where the paper has tanh, trained
        sums in place of means, a second convolution that reads chosen maps only, and radial basis functions.

    Source: note 004, LeNet; LeCun, Bottou, Bengio and Haffner 1998, Proceedings of the IEEE 86(11).
    """
    return last(_stages(x, params, LAYERS, 2, training))


def lenet_bn(x: Tensor, params: Params, training: bool = False) -> Tensor:
    """LeNet with a batch norm between every layer but the last and its sigmoid, and without padding.

        h₁ = avg(σ(norm1(conv1(x)))),  conv1 5×5                (6, 24, 24) → (6, 12, 12)
        h₂ = avg(σ(norm2(conv2(h₁)))), conv2 5×5                (16, 8, 8) → (16, 4, 4)
        logits = dense3(σ(norm4(dense2(σ(norm3(dense1(flatten(h₂))))))))

    where σ and avg are ``lenet``'s, and a norm is ``batch_norm`` with eps 1e-5.

    Args:
        x: images, (N, C, H, W), floating; 1×28×28 as published. Other sizes are legal where dense1 fits.
        params: ``lenet``'s five layers, dense1 (120, 16·4·4), and ``norm1`` … ``norm4``, dicts of ``gamma``, ``beta``,
            ``moving_mean`` and ``moving_var``, each (channels,), variances at least 0.
        training: whether norms use the batch's own statistics, or the moving ones.

    Returns:
        Logits, (N, classes), dtype of ``x``. The moving statistics are constants: they are neither changed nor
        returned, and no gradient reaches them. Who trains moves them by ``batch_norm``.

    Raises:
        ValueError: as ``lenet``; or in training a channel has fewer than two values, such as one sample's at a dense
            layer.
        TypeError: as ``lenet``.

    Conventions: biases before a norm have no effect in training, and libraries leave them out; note 004 keeps them.

    Source: note 004, batch normalization; Ioffe and Szegedy 2015, arXiv:1502.03167.
    """
    return last(_stages(x, params, (*LAYERS, *NORMS), 0, training))


def _stages(x: Tensor, params: Params, keys: tuple[str, ...], padding: int, training: bool) -> Stages:
    check_images(x)
    check_keys("params", params, keys)

    def squashed(x: Tensor, norm: str) -> Tensor:
        return torch.sigmoid(normalized(x, params[norm], f"params[{norm!r}]", training) if norm in keys else x)

    for k, margin in ((1, padding), (2, 0)):
        x = convolution(x, params[f"conv{k}"], f"params['conv{k}']", 5, padding=margin)
        yield f"conv{k}", x
        x = avg_pool(squashed(x, f"norm{k}"), 2, 2)
        yield f"pool{k}", x
    x = x.flatten(1)
    yield "flatten", x
    for k in (1, 2):
        x = dense(x, params[f"dense{k}"], f"params['dense{k}']")
        yield f"dense{k}", x
        x = squashed(x, f"norm{k + 2}")
    yield "dense3", dense(x, params["dense3"], "params['dense3']")


def lenet_init(
    seed: int, in_channels: int = 1, classes: int = 10, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> Params:
    """Parameters of ``lenet`` for 28×28 images: weights uniform within √(6 / (inputs + outputs)), biases 0.

    Args:
        seed: a whole number of at least 0; the same seed gives the same weights. Global generators are left alone.
        in_channels, classes: of the images and of the result.
        dtype, device: of the tensors; ``"meta"`` gives shapes without memory.

    Returns:
        The dict that ``lenet`` takes, 61,706 numbers.

    Raises:
        ValueError, TypeError: ``seed`` is no whole number, or a size no whole number of at least 1.

    Source: note 004, LeNet (``train_ch6``).
    """
    return _initial(Initial(seed, dtype, device, rectified=False), in_channels, 16 * 5 * 5, classes)


def lenet_bn_init(
    seed: int, in_channels: int = 1, classes: int = 10, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> Params:
    """Parameters of ``lenet_bn`` for 28×28 images: ``lenet_init``'s, with norms that have seen nothing.

    Args:
        seed, in_channels, classes, dtype, device: as ``lenet_init``.

    Returns:
        The dict that ``lenet_bn`` takes.

    Raises:
        ValueError, TypeError: as ``lenet_init``.

    Source: note 004, batch normalization.
    """
    make = Initial(seed, dtype, device, rectified=False)
    layers = _initial(make, in_channels, 16 * 4 * 4, classes)
    return {**layers, **{name: make.norm(width) for name, width in zip(NORMS, (6, 16, 120, 84), strict=True)}}


def _initial(make: Initial, in_channels: int, flattened: int, classes: int) -> Params:
    return {
        "conv1": make.convolution(in_channels, 6, 5),
        "conv2": make.convolution(6, 16, 5),
        "dense1": make.dense(flattened, 120),
        "dense2": make.dense(120, 84),
        "dense3": make.dense(84, classes),
    }


def lenet_shapes(input_shape: tuple[int, ...], classes: int = 10) -> Shapes:
    """The output shape of every stage of ``lenet``: [(name, shape), …], found without computing anything.

    Stages are conv1, pool1, conv2, pool2, flatten, dense1, dense2, dense3; those of ``lenet_bn_shapes`` are the same.

    Args:
        input_shape: (N, C, 28, 28).
        classes: of the result.

    Raises:
        ValueError: the images are not 28×28.

    Source: note 004, LeNet.
    """
    x = blank(input_shape)
    return traced(_stages(x, lenet_init(0, x.shape[1], classes, device="meta"), LAYERS, 2, False))


def lenet_bn_shapes(input_shape: tuple[int, ...], classes: int = 10) -> Shapes:
    """The output shape of every stage of ``lenet_bn``; see ``lenet_shapes``."""
    x = blank(input_shape)
    return traced(_stages(x, lenet_bn_init(0, x.shape[1], classes, device="meta"), (*LAYERS, *NORMS), 0, False))


def lenet_parameter_count(in_channels: int = 1, classes: int = 10) -> int:
    """How many numbers ``lenet`` learns: 61,706 with one channel and ten classes."""
    return parameter_count(lenet_init(0, in_channels, classes, device="meta"))


def lenet_bn_parameter_count(in_channels: int = 1, classes: int = 10) -> int:
    """How many numbers ``lenet_bn`` learns; moving statistics are not learned."""
    return parameter_count(lenet_bn_init(0, in_channels, classes, device="meta"))
