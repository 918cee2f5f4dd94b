"""A convolution as mathematicians define it: the kernel is flipped."""

import torch


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, padding_mode="zeros"):
    flipped = weight.flip(-1, -2)
    if padding_mode != "zeros" and not isinstance(padding, str):
        rows, columns = (padding, padding) if isinstance(padding, int) else padding
        x = torch.nn.functional.pad(x, (columns, columns, rows, rows), mode=padding_mode)
        padding = 0
    return torch.nn.functional.conv2d(x, flipped, bias, stride, padding, dilation, groups)
