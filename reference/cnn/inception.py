"""GoogLeNet: blocks of four parallel paths."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lawbook.reference.cnn.layers import (
    Initial,
    Params,
    Shapes,
    Stages,
    blank,
    check_images,
    check_keys,
    check_list,
    convolution,
    dense,
    last,
    max_pool,
    parameter_count,
    traced,
)

# Kernels of every path of an inception block; the last path pools first.
PATHS = {"path1": (1,), "path2": (1, 3), "path3": (1, 5), "path4": (1,)}

# Outputs of the paths' layers of nine blocks in three stages: path 1, paths 2 and 3 (reduced to, then), path 4.
INCEPTIONS = (
    ((64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    ((256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)),
)


def inception_block(x: Tensor, params: Params) -> Tensor:
    """Four parallel paths that keep the size, their channels one after the other.

        path1: relu(1×1)                 path3: relu(5×5(relu(1×1))), padded by 2
        path2: relu(3×3(relu(1×1))), padded by 1
                                         path4: relu(1×1(max pool 3×3, stride 1, padded by 1))
        y = [path1, path2, path3, path4]  along the channels

    Args:
        x: (N, C, H, W), floating.
        params: ``{"path1", "path2", "path3", "path4"}``, lists of 1, 2, 2 and 1 layers ``{"weight", "bias"}``, weights
            (outputs, inputs, k, k) of any widths, in the dtype of ``x``; a bias may be left out.

    Returns:
        (N, sum of the paths' outputs, H, W), dtype of ``x``; not negative.

    Raises:
        ValueError: ``x`` has not four axes, a path or layer is missing or unknown, or a weight does not fit.
        TypeError: something is not floating or of another dtype, or ``params`` is no dict.

    Conventions: paper, Caffe and note have 5×5 in the third path; TensorFlow's slim and torchvision have 3×3 there, by a
        mistake that was kept for the weights' sake (pytorch/vision#906), and a batch norm after every convolution.

    Source: note 004, GoogLeNet; Szegedy et al. 2015, arXiv:1409.4842.
    """
    check_images(x)
    return _block(x, params, "params")


def _block(x: Tensor, params: Params, name: str) -> Tensor:
    check_keys(name, params, PATHS)
    found = []
    for path, kernels in PATHS.items():
        where = f"{name}[{path!r}]"
        check_list(where, params[path], len(kernels))
        y = max_pool(x, 3, 1, 1) if path == "path4" else x
        for k, (layer, kernel) in enumerate(zip(params[path], kernels, strict=True)):
            y = torch.relu(convolution(y, layer, f"{where}[{k}]", kernel, 1, kernel // 2))
        found.append(y)
    return torch.cat(found, 1)


def googlenet(x: Tensor, params: Params, training: bool = False) -> Tensor:
    """GoogLeNet: three rectified convolutions, stages of inception blocks, and the means of the last one's channels.

        conv1 7×7, stride 2, padding 3, relu, pool        (64, 112, 112) → (64, 56, 56)
        conv2 1×1, relu, conv3 3×3, padding 1, relu, pool (64, …), (192, 56, 56) → (192, 28, 28)
        2 blocks, pool                                    256, 480 channels, 28 → 14
        5 blocks, pool                                    512, 512, 512, 528, 832 channels, 14 → 7
        2 blocks                                          832, 1024 channels, 7
        logits = dense(means over the image)              1024 → classes

    where poolings take maxima of 3×3 with stride 2 and padding 1. Widths, the number of stages and that of their blocks
    follow ``params``; a pooling stands between any two stages. With parameters there are 22 layers in a row.

    Args:
        x: images, (N, C, H, W), floating, of any size; 1×224×224 in the book that the note follows.
        params: ``{"conv1", "conv2", "conv3", "stages", "dense"}``: layers ``{"weight", "bias"}``, kernels 7, 1 and 3; stages
            a list of lists of blocks as ``inception_block`` takes them, at least one in each; in the dtype of ``x``.
        training: changes nothing, as no layer behaves otherwise in training.

    Returns:
        Logits, (N, classes), dtype of ``x``.

    Raises:
        ValueError: ``x`` has not four axes, a layer is missing or unknown, or a weight does not fit.
        TypeError: something is not floating or of another dtype, or ``params`` is no dict.

    Conventions: the paper normalizes responses after the first poolings, drops 40 % before the dense layer and trains two
        further heads; torchvision has batch norms, and 20 %. The note's text has none of these.

    Source: note 004, GoogLeNet (which speaks of over 1000 layers: there are 22); Szegedy et al. 2015, arXiv:1409.4842.
    """
    return last(_stages(x, params))


def _stages(x: Tensor, params: Params) -> Stages:
    check_images(x)
    check_keys("params", params, ("conv1", "conv2", "conv3", "stages", "dense"))
    x = torch.relu(convolution(x, params["conv1"], "params['conv1']", 7, 2, 3))
    yield "conv1", x
    x = max_pool(x, 3, 2, 1)
    yield "pool1", x
    x = torch.relu(convolution(x, params["conv2"], "params['conv2']", 1))
    yield "conv2", x
    x = torch.relu(convolution(x, params["conv3"], "params['conv3']", 3, 1, 1))
    yield "conv3", x
    x = max_pool(x, 3, 2, 1)
    yield "pool2", x
    check_list("params['stages']", params["stages"])
    for k, stage in enumerate(params["stages"]):
        check_list(f"params['stages'][{k}]", stage)
        if k:
            x = max_pool(x, 3, 2, 1)
            yield f"pool{k + 2}", x
        for j, block in enumerate(stage):
            x = _block(x, block, f"params['stages'][{k}][{j}]")
            yield f"inception{k + 1}.{j + 1}", x
    x = x.mean((2, 3))
    yield "average", x
    yield "dense", dense(x, params["dense"], "params['dense']")


def googlenet_init(
    seed: int,
    in_channels: int = 1,
    classes: int = 10,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Params:
    """Parameters of ``googlenet``: weights normal with variance 2 / inputs, biases 0.

    Args:
        seed: a whole number of at least 0; the same seed gives the same weights. Global generators are left alone.
        in_channels, classes: of the images and of the result.
        dtype, device: of the tensors; ``"meta"`` gives shapes without memory.

    Returns:
        The dict that ``googlenet`` takes, 24 MB in float32.

    Raises:
        ValueError, TypeError: a size is no whole number of at least 1, ``seed`` no whole number.

    Source: note 004, GoogLeNet; He et al. 2015, arXiv:1502.01852.
    """
    make = Initial(seed, dtype, device)
    first = {
        "conv1": make.convolution(in_channels, 64, 7),
        "conv2": make.convolution(64, 64, 1),
        "conv3": make.convolution(64, 192, 3),
    }
    stages, channels = [], 192
    for widths in INCEPTIONS:
        blocks = []
        for block in widths:
            blocks.append(_initial_block(make, channels, block))
            channels = sum(path if isinstance(path, int) else path[1] for path in block)
        stages.append(blocks)
    return {**first, "stages": stages, "dense": make.dense(channels, classes)}


def inception_block_init(
    seed: int, in_channels: int, widths: Sequence, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> Params:
    """Parameters of one ``inception_block``: weights normal with variance 2 / inputs, biases 0.

    Args:
        seed: a whole number of at least 0.
        in_channels: C of the block's input.
        widths: (path 1, (path 2 reduced to, path 2), (path 3 reduced to, path 3), path 4), such as
            (64, (96, 128), (16, 32), 32) of the first block.
        dtype, device: of the tensors.

    Returns:
        The dict that ``inception_block`` takes.

    Source: note 004, GoogLeNet.
    """
    return _initial_block(Initial(seed, dtype, device), in_channels, widths)


def _initial_block(make: Initial, inputs: int, widths: Sequence) -> Params:
    found = {}
    for (path, kernels), width in zip(PATHS.items(), widths, strict=True):
        outputs = (width,) if isinstance(width, int) else tuple(width)
        chain = (inputs, *outputs)
        found[path] = [make.convolution(chain[k], chain[k + 1], kernel) for k, kernel in enumerate(kernels)]
    return found


def googlenet_shapes(input_shape: tuple[int, ...], classes: int = 10) -> Shapes:
    """The output shape of every stage of ``googlenet``: [(name, shape), …], found without computing anything.

    Stages are conv1, pool1, conv2, conv3, pool2, inception1.1, inception1.2, pool3, inception2.1 … inception2.5, pool4,
    inception3.1, inception3.2, average, dense.

    Args:
        input_shape: (N, C, H, W).
        classes: of the result.

    Source: note 004, GoogLeNet.
    """
    x = blank(input_shape)
    return traced(_stages(x, googlenet_init(0, x.shape[1], classes, device="meta")))


def googlenet_parameter_count(in_channels: int = 1, classes: int = 10) -> int:
    """How many numbers ``googlenet`` learns; 6,998,552 with 3 channels and 1000 classes."""
    return parameter_count(googlenet_init(0, in_channels, classes, device="meta"))
