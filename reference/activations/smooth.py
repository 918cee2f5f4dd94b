"""Smooth activations, elu and selu.

Each result and each slope keeps its digits however small it is: no 1 is subtracted from a number close to 1. Choices stand
where |x| would do, for the slope of |x| at 0 is none.
"""

import math

import torch
from torch import Tensor

from lawbook.reference.checks import check_choice, check_floating, check_positive

# The fixed point of mean 0 and variance 1, to float64's digits.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def sigmoid(x: Tensor) -> Tensor:
    """Squash a number into 0..1.

        y = 1 / (1 + exp(−x))

    where the form exp(x) / (1 + exp(x)) serves negative x, so that no exponential overflows.

    Args:
        x: any shape, floating.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Conventions: the slope exp(−|x|) / (1 + exp(−|x|))² keeps its digits for large x, where the usual y · (1 − y) in the
    working precision does not.

    Source: note 001 §1, note 004, section on multilayer perceptrons.
    """
    check_floating("x", x)
    negative = x < 0
    e = torch.exp(torch.where(negative, x, -x))
    return torch.where(negative, e, torch.ones_like(e)) / (1 + e)


def tanh(x: Tensor) -> Tensor:
    """Squash a number into −1..1.

        y = (1 − exp(−2x)) / (1 + exp(−2x))

    where y ≈ x near 0 and the slope is 1 − y².

    Args:
        x: any shape, floating.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Source: note 001 §1, note 004, section on multilayer perceptrons.
    """
    check_floating("x", x)
    negative = x < 0
    z = 2 * torch.where(negative, x, -x)
    e, e_minus_one = torch.exp(z), torch.expm1(z)
    # expm1 keeps the digits of a small x; its derivative, taken as expm1 + 1, loses those of a large one.
    size = torch.where(z > -1, -e_minus_one / (2 + e_minus_one), (1 - e) / (1 + e))
    return torch.where(negative, -size, size)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Keep positive numbers, let the others approach −alpha.

        y = x  if x > 0,  else  alpha · (exp(x) − 1)

    where the slope is continuous only for alpha = 1.

    Args:
        x: any shape, floating.
        alpha: any finite number.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Conventions: the slope at 0 is ``alpha``, as in PyTorch and JAX. Not to be mistaken for celu, alpha · (exp(x / alpha) − 1).

    Source: note 001 §1; Clevert, Unterthiner and Hochreiter 2015, arXiv:1511.07289.
    """
    check_floating("x", x)
    z = torch.where(x > 0, torch.zeros_like(x), x)
    # As in tanh: expm1 for the value near 0, exp for the slope far from it.
    return torch.where(x > 0, x, alpha * torch.where(z > -1, torch.expm1(z), torch.exp(z) - 1))


def selu(x: Tensor) -> Tensor:
    """Scale elu so that normal numbers of mean 0 and variance 1 keep both.

        y = 1.0507… · elu(x, alpha=1.6732…)

    where both constants solve E[y] = 0, E[y²] = 1 for x from N(0, 1).

    Args:
        x: any shape, floating.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Conventions: the slope at 0 is that of the negative side, 1.758…, as in PyTorch and JAX.

    Source: note 001 §1; Klambauer et al. 2017, arXiv:1706.02515.
    """
    return SELU_SCALE * elu(x, SELU_ALPHA)


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """Weigh a number by the probability that a normal one is smaller.

        "none":  y = x · Φ(x),    Φ(x) = erfc(−x / √2) / 2
        "tanh":  y = ½ · x · (1 + tanh u) = x · σ(2u),    u = √(2/π) · (x + 0.044715 · x³)

    where the two differ by less than 1e-3.

    Args:
        x: any shape, floating.
        approximate: "none" or "tanh".

    Returns:
        Shape and dtype of ``x``. In the negative tail 1 + erf and 1 + tanh would have no digits left, erfc and σ have.

    Raises:
        TypeError: ``x`` is not floating.
        ValueError: ``approximate`` is neither of the two.

    Conventions: PyTorch's and Keras's default is "none", JAX's and GPT-2's the approximation.

    Source: note 001 §1; Hendrycks and Gimpel 2016, arXiv:1606.08415.
    """
    check_floating("x", x)
    check_choice("approximate", approximate, ("none", "tanh"))
    if approximate == "none":
        return 0.5 * x * torch.erfc(x * -math.sqrt(0.5))
    return x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))


def silu(x: Tensor) -> Tensor:
    """Weigh a number by its own sigmoid.

        y = x · σ(x)

    where the least value is −0.2785 at x = −1.2785. Also called swish.

    Args:
        x: any shape, floating.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Conventions: swish with a factor, x · σ(beta · x), is this for beta = 1. PyTorch has it as silu only.

    Source: note 001 §1; Elfwing, Uchibe and Doya 2017, arXiv:1702.03118;
    Ramachandran, Zoph and Le 2017, arXiv:1710.05941.
    """
    check_floating("x", x)
    return x * sigmoid(x)


def mish(x: Tensor) -> Tensor:
    """Weigh a number by the hyperbolic tangent of its softplus.

        y = x · tanh(log(1 + exp(x)))

    where the least value is −0.3088 at x = −1.1925.

    Args:
        x: any shape, floating.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Source: note 001 §1; Misra 2019, arXiv:1908.08681.
    """
    check_floating("x", x)
    return x * tanh(_log_one_plus_exp(x))


def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Round the corner of relu off.

        y = log(1 + exp(beta · x)) / beta  if beta · x <= threshold,  else  x

    where the linear part saves time, and for thresholds above about 17 changes nothing in float32.

    Args:
        x: any shape, floating.
        beta: above 0; the larger, the sharper the corner.
        threshold: any number, of beta · x, not of x.

    Returns:
        Shape and dtype of ``x``. Finite wherever x is, however large the threshold.

    Raises:
        TypeError: ``x`` is not floating.
        ValueError: ``beta`` is not above 0.

    Conventions: beta and threshold are PyTorch's; JAX and Keras have neither.

    Source: note 001 §1; Dugas et al. 2000.
    """
    check_floating("x", x)
    check_positive("beta", beta)
    z = beta * x
    return torch.where(z > threshold, x, _log_one_plus_exp(z) / beta)


def logsigmoid(x: Tensor) -> Tensor:
    """Take the logarithm of the sigmoid without taking the sigmoid.

        y = log σ(x) = −log(1 + exp(−x))

    where y ≈ x for very negative x, at which σ(x) underflows.

    Args:
        x: any shape, floating.

    Returns:
        Shape and dtype of ``x``. Finite wherever x is.

    Raises:
        TypeError: ``x`` is not floating.

    Source: note 001 §1.
    """
    check_floating("x", x)
    return -_log_one_plus_exp(-x)


def scaled_sigmoid(x: Tensor) -> Tensor:
    """Shift and stretch the sigmoid so that it is close to the identity near 0.

        y = 4 · σ(x) − 2 = 2 · tanh(x / 2) = x − x³ / 12 + …

    where the second form keeps the digits of a small x, which the first loses to the 2.

    Args:
        x: any shape, floating.

    Returns:
        Shape and dtype of ``x``.

    Raises:
        TypeError: ``x`` is not floating.

    Source: note 004, section on numerical stability.
    """
    check_floating("x", x)
    return 2 * tanh(x / 2)


def _log_one_plus_exp(x: Tensor) -> Tensor:
    negative = x < 0
    return torch.where(negative, torch.zeros_like(x), x) + torch.log1p(torch.exp(torch.where(negative, x, -x)))
