"""What an objective adds to the loss so that parameters stay small."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lawbook.reference.checks import check_floating


def l1_penalty(params: Mapping[str, Tensor], factor: float, skip_bias: bool = True) -> Tensor:
    """Add up the absolute values of the parameters.

        factor · Σ_w Σ |w|

    where the slope at 0 is 0.

    Args:
        params: parameters by name, floating, any shapes.
        factor: any number.
        skip_bias: leave out every parameter whose name contains "bias".

    Returns:
        A scalar of the parameters' dtype; 0 when nothing is left to add up.

    Raises:
        TypeError: ``params`` is not a mapping, or a parameter is not floating.

    Source: note 002 §6.3.3.
    """
    return factor * _joined(params, skip_bias).abs().sum()


def l2_penalty(params: Mapping[str, Tensor], factor: float, skip_bias: bool = True) -> Tensor:
    """Add up half the squares of the parameters.

        ½ · factor · Σ_w Σ w²

    where the ½ makes the gradient factor · w, that of weight decay.

    Args:
        params: parameters by name, floating, any shapes.
        factor: any number.
        skip_bias: leave out every parameter whose name contains "bias".

    Returns:
        A scalar of the parameters' dtype; 0 when nothing is left to add up.

    Raises:
        TypeError: ``params`` is not a mapping, or a parameter is not floating.

    Conventions: with the ½ in the notes, d2l and optax.add_decayed_weights' gradient; without it in Keras.

    Source: note 002 §6.3.3.
    """
    return 0.5 * factor * _joined(params, skip_bias).square().sum()


def regularized_objective(loss: Tensor, penalties: Sequence[Tensor]) -> Tensor:
    """Add penalties to a loss.

        objective = loss + Σ penalties

    where each penalty already carries its factor.

    Args:
        loss: a scalar tensor (no axes), floating.
        penalties: scalar tensors, as many as wished.

    Returns:
        A new scalar of the dtype of ``loss``.

    Raises:
        TypeError: a term is not a floating tensor.
        ValueError: a term is not a scalar.

    Source: note 002 §6.3, §6.3.4.
    """
    terms = {"loss": loss} | {f"penalties[{i}]": penalty for i, penalty in enumerate(penalties)}
    for name, term in terms.items():
        check_floating(name, term)
        if term.ndim:
            raise ValueError(f"{name} has shape {tuple(term.shape)}, expected a scalar")
    return torch.stack(list(terms.values())).sum()


def _joined(params: Mapping[str, Tensor], skip_bias: bool) -> Tensor:
    if not isinstance(params, Mapping):
        raise TypeError(f"params must map names to tensors, got {type(params).__name__}")
    for name, parameter in params.items():
        check_floating(f"params[{name!r}]", parameter)
    # Cut to nothing, a parameter that is left out still gives the sum its dtype.
    kept = [w.flatten()[: 0 if skip_bias and "bias" in name else None] for name, w in params.items()]
    return torch.cat(kept) if kept else torch.zeros(0)
