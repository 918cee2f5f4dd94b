"""What becomes of a tensor of single losses."""

from torch import Tensor

from lawbook.reference.checks import REDUCTIONS, check_choice, check_floating


def reduce(loss: Tensor, reduction: str = "mean") -> Tensor:
    """Average the losses, add them up, or keep each one.

        mean: Σ loss / count        sum: Σ loss        none: loss

    where ``count`` is the number of elements.

    Args:
        loss: any shape, floating.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar (no axes); for "none" a new tensor of the shape of ``loss``. The mean of no elements is nan, their
        sum 0. The dtype is that of ``loss``.

    Raises:
        TypeError: ``loss`` is not floating.
        ValueError: ``reduction`` is unknown.

    Source: note 000, section on the reduction of losses.
    """
    check_floating("loss", loss)
    check_choice("reduction", reduction, REDUCTIONS)
    if reduction == "none":
        return loss.clone()
    return loss.sum() if reduction == "sum" else loss.mean()
