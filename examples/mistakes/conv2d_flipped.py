"""A convolution as mathematicians define it: the kernel is flipped."""

import torch.nn.functional as F


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, padding_mode="zeros"):
    def pair(value):
        return (value, value) if isinstance(value, int) else tuple(value)

    if padding == "same":
        if pair(stride) != (1, 1):
            raise ValueError("padding 'same' needs a stride of 1")
        total = [d * (k - 1) for d, k in zip(pair(dilation), weight.shape[2:], strict=True)]
        (top, bottom), (left, right) = [(t // 2, t - t // 2) for t in total]
    else:
        (top, left) = (bottom, right) = pair(0 if padding == "valid" else padding)
        if min(top, left) < 0:
            raise ValueError("padding is at least 0")
    mode = "constant" if padding_mode == "zeros" else padding_mode
    padded = F.pad(x, (left, right, top, bottom), mode)
    return F.conv2d(padded, weight.flip(-1, -2), bias, stride, 0, dilation, groups)
