"""Residual networks."""

from collections.abc import Callable, Sequence

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
    normalized,
    parameter_count,
    traced,
)
from lawbook.reference.cnn.residual import EXPANSION, block, initial_block, kind_of

WIDTHS = (64, 128, 256, 512)
DEPTHS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}
# Of the published parameters and moving statistics in float32.
MEGABYTES = {"resnet18": 47, "resnet34": 87, "resnet50": 102, "resnet101": 179, "resnet152": 241}


def resnet18(x: Tensor, params: Params, training: bool = False) -> Tensor:
    """ResNet-18: a convolution, four stages of 2, 2, 2 and 2 basic blocks, and a dense layer.

        conv1 7×7, stride 2, padding 3, norm1, relu       (64, 112, 112)
        max pool 3×3, stride 2, padding 1                 (64, 56, 56)
        stage 1: blocks of 64 channels                    (64, 56, 56)
        stages 2, 3, 4: 128, 256 and 512 channels         (128, 28, 28), (256, 14, 14), (512, 7, 7)
        logits = dense(means over the image)              512 → 1000

    where the first block of every stage but the first has stride 2, and all others stride 1. A block has a 1×1 convolution
    on its shortcut where ``params`` gives one. The widths are the published ones; they, the number of stages and that of
    their blocks follow ``params``, so that thin and shallow networks are legal too. Eighteen layers count: conv1, two a
    block, dense.

    Args:
        x: images, (N, C, H, W), floating, of any size; 3×224×224 as published.
        params: ``{"conv1", "norm1", "stages", "dense"}``: a convolution, a norm, a list of lists of basic blocks as
            ``residual_block`` takes them, at least one in each, and a layer ``{"weight", "bias"}`` with (classes, channels).
        training: whether norms use the batch's own statistics, or the moving ones.

    Returns:
        Logits, (N, classes), dtype of ``x``. The moving statistics are constants: they are neither changed nor returned,
        and no gradient reaches them. Who trains moves them by ``batch_norm``.

    Raises:
        ValueError: ``x`` has not four axes, a layer is missing or unknown, a block is no basic one, a weight does not fit,
            or in training a channel has fewer than two values.
        TypeError: something is not floating or of another dtype, or ``params`` is no dict.

    Conventions: 11,689,512 parameters as torchvision has it, without biases before norms and with a norm on the shortcut;
        note 004 has biases and no such norm, for 1 channel and 10 classes.

    Source: note 004, ResNet; He, Zhang, Ren and Sun 2016, arXiv:1512.03385.
    """
    return last(_stages(x, params, "basic", training, "3x3"))


def resnet34(x: Tensor, params: Params, training: bool = False) -> Tensor:
    """ResNet-34: ``resnet18`` with stages of 3, 4, 6 and 3 basic blocks.

    The function is that of ``resnet18``, as depth follows ``params``; ``resnet34_init`` gives 21,797,672 parameters.

    Args:
        x, params, training: as ``resnet18``.

    Returns:
        Logits, (N, classes), dtype of ``x``.

    Raises:
        ValueError, TypeError: as ``resnet18``.

    Source: note 004, ResNet; He, Zhang, Ren and Sun 2016, arXiv:1512.03385.
    """
    return last(_stages(x, params, "basic", training, "3x3"))


def resnet50(x: Tensor, params: Params, training: bool = False, stride_in: str = "3x3") -> Tensor:
    """ResNet-50: stages of 3, 4, 6 and 3 bottleneck blocks, between ``resnet18``'s ends.

        stages: 256, 512, 1024 and 2048 channels          (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)
        logits = dense(means over the image)              2048 → 1000

    where a block's 1×1 convolutions lead to 64, 128, 256 or 512 channels and from there to four times as many, and the
    first block of every stage has a 1×1 convolution on its shortcut. Fifty layers count: conv1, three a block, dense.

    Args:
        x: images, (N, C, H, W), floating, of any size; 3×224×224 as published.
        params: as ``resnet18``, with bottleneck blocks; widths and depths follow it.
        training: as ``resnet18``.
        stride_in: where blocks have their stride, ``"3x3"`` or ``"1x1"``; see ``residual_block``.

    Returns:
        Logits, (N, classes), dtype of ``x``; of the moving statistics nothing, as ``resnet18``.

    Raises:
        ValueError: as ``resnet18``, a block is no bottleneck, or ``stride_in`` is another word.
        TypeError: as ``resnet18``.

    Conventions: the paper's and Keras's stride is in the first 1×1 convolution, torchvision's in the 3×3 one. Either has
        25,557,032 parameters without biases before norms; Keras has biases.

    Source: note 004, ResNet; He, Zhang, Ren and Sun 2016, arXiv:1512.03385.
    """
    return last(_stages(x, params, "bottleneck", training, stride_in))


def resnet101(x: Tensor, params: Params, training: bool = False, stride_in: str = "3x3") -> Tensor:
    """ResNet-101: ``resnet50`` with stages of 3, 4, 23 and 3 bottleneck blocks.

    The function is that of ``resnet50``, as depth follows ``params``; ``resnet101_init`` gives 44,549,160 parameters.

    Args:
        x, params, training, stride_in: as ``resnet50``.

    Returns:
        Logits, (N, classes), dtype of ``x``.

    Raises:
        ValueError, TypeError: as ``resnet50``.

    Source: note 004, ResNet; He, Zhang, Ren and Sun 2016, arXiv:1512.03385.
    """
    return last(_stages(x, params, "bottleneck", training, stride_in))


def resnet152(x: Tensor, params: Params, training: bool = False, stride_in: str = "3x3") -> Tensor:
    """ResNet-152: ``resnet50`` with stages of 3, 8, 36 and 3 bottleneck blocks.

    The function is that of ``resnet50``, as depth follows ``params``; ``resnet152_init`` gives 60,192,808 parameters,
    241 MB in float32.

    Args:
        x, params, training, stride_in: as ``resnet50``.

    Returns:
        Logits, (N, classes), dtype of ``x``.

    Raises:
        ValueError, TypeError: as ``resnet50``.

    Source: note 004, ResNet; He, Zhang, Ren and Sun 2016, arXiv:1512.03385.
    """
    return last(_stages(x, params, "bottleneck", training, stride_in))


def _stages(x: Tensor, params: Params, kind: str, training: bool, stride_in: str) -> Stages:
    check_images(x)
    check_keys("params", params, ("conv1", "norm1", "stages", "dense"))
    x = convolution(x, params["conv1"], "params['conv1']", 7, 2, 3)
    x = torch.relu(normalized(x, params["norm1"], "params['norm1']", training))
    yield "conv1", x
    x = max_pool(x, 3, 2, 1)
    yield "pool1", x
    check_list("params['stages']", params["stages"])
    for k, stage in enumerate(params["stages"]):
        check_list(f"params['stages'][{k}]", stage)
        for j, given in enumerate(stage):
            name = f"params['stages'][{k}][{j}]"
            if kind_of(given, name) != kind:
                raise ValueError(f"{name} is no {kind} block")
            stride = 2 if k and not j else 1
            x = block(x, given, name, stride, "shortcut" in given, training, stride_in)
        yield f"stage{k + 1}", x
    x = x.mean((2, 3))
    yield "average", x
    yield "dense", dense(x, params["dense"], "params['dense']")


Init = Callable[..., Params]


def _network(kind: str, depth: int) -> str:
    blocks = ", ".join(map(str, DEPTHS[f"resnet{depth}"]))
    widths = WIDTHS if kind == "basic" else tuple(EXPANSION * width for width in WIDTHS)
    return f"{blocks} {kind} blocks of {', '.join(map(str, widths))} channels"


def _init_of(name: str) -> Init:
    kind = "basic" if name in ("resnet18", "resnet34") else "bottleneck"

    def init(
        seed: int,
        in_channels: int = 3,
        classes: int = 1000,
        widths: Sequence[int] = WIDTHS,
        note: bool = False,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> Params:
        make = Initial(seed, dtype, device)
        first = {"conv1": make.convolution(in_channels, widths[0], 7, bias=note), "norm1": make.norm(widths[0])}
        stages, channels = [], widths[0]
        for k, (width, depth) in enumerate(zip(widths, DEPTHS[name], strict=True)):
            blocks = []
            for j in range(depth):
                outputs = width if kind == "basic" else EXPANSION * width
                changes = (k > 0 and j == 0) or channels != outputs
                blocks.append(initial_block(make, channels, width, changes, kind, note))
                channels = outputs
            stages.append(blocks)
        return {**first, "stages": stages, "dense": make.dense(channels, classes)}

    init.__name__ = init.__qualname__ = f"{name}_init"
    init.__doc__ = f"""Parameters of ``{name}``: {_network(kind, int(name[6:]))}.

    Weights are normal with variance 2 / inputs, biases 0, norms have seen nothing.

    Args:
        seed: a whole number of at least 0; the same seed gives the same weights. Global generators are left alone.
        in_channels, classes: of the images and of the result.
        widths: channels of the 3×3 convolutions of the four stages.
        note: biases in convolutions and no norm on shortcuts, as note 004, or the other way round, as torchvision.
        dtype, device: of the tensors; ``"meta"`` gives shapes without memory.

    Returns:
        The dict that ``{name}`` takes, {MEGABYTES[name]} MB in float32 by default.

    Raises:
        ValueError, TypeError: a size is no whole number of at least 1, ``seed`` no whole number.

    Source: note 004, ResNet; He et al. 2015, arXiv:1502.01852.
    """
    return init


def _shapes_of(name: str, init: Init) -> Callable[..., Shapes]:
    def shapes(input_shape: tuple[int, ...], classes: int = 1000) -> Shapes:
        x = blank(input_shape)
        params = init(0, x.shape[1], classes, device="meta")
        return traced(_stages(x, params, kind_of(params["stages"][0][0], "params"), False, "3x3"))

    shapes.__name__ = shapes.__qualname__ = f"{name}_shapes"
    shapes.__doc__ = f"""The output shape of every stage of ``{name}``: [(name, shape), …], found without computing anything.

    Stages are conv1, pool1, stage1, stage2, stage3, stage4, average, dense.

    Args:
        input_shape: (N, C, H, W).
        classes: of the result.

    Source: note 004, ResNet.
    """
    return shapes


def _count_of(name: str, init: Init) -> Callable[..., int]:
    def count(in_channels: int = 3, classes: int = 1000, note: bool = False) -> int:
        return parameter_count(init(0, in_channels, classes, note=note, device="meta"))

    count.__name__ = count.__qualname__ = f"{name}_parameter_count"
    count.__doc__ = f"How many numbers ``{name}`` learns; ``note`` as ``{name}_init``."
    return count


resnet18_init = _init_of("resnet18")
resnet34_init = _init_of("resnet34")
resnet50_init = _init_of("resnet50")
resnet101_init = _init_of("resnet101")
resnet152_init = _init_of("resnet152")
resnet18_shapes = _shapes_of("resnet18", resnet18_init)
resnet34_shapes = _shapes_of("resnet34", resnet34_init)
resnet50_shapes = _shapes_of("resnet50", resnet50_init)
resnet101_shapes = _shapes_of("resnet101", resnet101_init)
resnet152_shapes = _shapes_of("resnet152", resnet152_init)
resnet18_parameter_count = _count_of("resnet18", resnet18_init)
resnet34_parameter_count = _count_of("resnet34", resnet34_init)
resnet50_parameter_count = _count_of("resnet50", resnet50_init)
resnet101_parameter_count = _count_of("resnet101", resnet101_init)
resnet152_parameter_count = _count_of("resnet152", resnet152_init)
