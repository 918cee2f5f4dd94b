"""What training a recurrent network needs: gradients through time, whole and truncated, and their clipping."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from lawbook.reference.checks import check_floating, check_positive, check_shape, check_whole
from lawbook.reference.recurrent.parameters import (
    Form,
    Parameters,
    check_dtype,
    check_input,
    check_parameters,
    check_state,
    project,
    recurrence,
)

Gradients = TypeVar("Gradients", bound=Mapping[str, Tensor] | Sequence[Tensor])


def clip_gradients(grads: Gradients, theta: float) -> Gradients:
    """Scale all gradients by one factor, so that their joint norm is at most theta.

        g ← min(1, θ / ‖g‖) g,   ‖g‖ = √(Σ over all tensors and elements of g²)

    Args:
        grads: a dict, list or tuple of floating tensors of one dtype and of any shapes. A generator is refused: what
            has been read once would be empty when it is read for the norm, and the gradients would go unclipped.
        theta: the largest norm allowed, above 0.

    Returns:
        The same kind of container with new tensors; equal to the old ones when ‖g‖ ≤ θ, zeros included. The factor is a
        function of the gradients, and differentiated as one.

    Raises:
        ValueError: ``theta`` is not above 0, or a gradient holds inf or nan: θ/∞ would turn every finite gradient
            into zero, and the others into nan, without a word.
        TypeError: ``grads`` is no dict, list or tuple, or holds something else than floating tensors of one dtype.

    Conventions: PyTorch's clip_grad_norm_ divides by ‖g‖ + 1e-6, in place, and lets inf and nan pass unless
    error_if_nonfinite is set; optax and TensorFlow divide by ‖g‖.

    Source: note 004, gradient clipping; Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063.
    """
    if not isinstance(grads, dict | list | tuple):
        raise TypeError(f"grads must be a dict, list or tuple of tensors, got {type(grads).__name__}")
    named = list(grads.items() if isinstance(grads, dict) else enumerate(grads))
    for key, gradient in named:
        check_floating(f"grads[{key}]", gradient)
        check_dtype(f"grads[{key}]", gradient, named[0][1].dtype)
    check_positive("theta", theta)
    factor = _clipping_factor([gradient for _, gradient in named], theta)
    clipped: Any = {key: gradient.clone() if factor is None else gradient * factor for key, gradient in named}
    return clipped if isinstance(grads, dict) else type(grads)(clipped.values())


def _clipping_factor(grads: Sequence[Tensor], theta: float) -> Tensor | None:
    """θ / ‖g‖, or None where the norm does not exceed θ."""
    with torch.no_grad():
        # Squares overflow from 1e19 on and vanish below 1e-23, so the largest element is divided out first. It is a
        # constant for the derivative: the norm does not depend on it.
        largest = max((gradient.abs().max() for gradient in grads if gradient.numel()), default=torch.zeros(()))
        if not all(torch.isfinite(gradient).all() for gradient in grads):
            raise ValueError("grads hold inf or nan, expected finite numbers")
    if largest == 0:
        return None
    ratio = torch.stack([(gradient / largest).square().sum() for gradient in grads]).sum().sqrt()
    bound = torch.full_like(largest, theta) / largest
    return bound / ratio if ratio > bound else None


def truncated_bptt(x: Tensor, state: Tensor | None, params: Parameters, window: int) -> tuple[Tensor, Tensor]:
    """A simple recurrent network run window by window: the state's value passes on, its gradient does not.

        h_t = tanh(x_t W_xh + k_{t−1} W_hh + b_h),   k = h cut off from its past where a new window begins, else h

    so the output is that of ``rnn``, while no gradient travels further than ``window`` steps. ``state`` itself
    receives the gradient of the first window.

    Args:
        x: (T, B, D), floating, T at least 1.
        state: (B, H); None stands for zeros.
        params: those of ``rnn_cell``.
        window: steps in a window, at least 1; the last one may be shorter.

    Returns:
        output: (T, B, H).
        state: h_T, (B, H), which carries the last window's gradient.

    Raises:
        ValueError: no step, ``window`` below 1, or a shape or key that does not fit.
        TypeError: ``x`` is not floating, or the dtypes differ.

    Source: note 004, training with detach; Williams and Peng 1990, Neural Computation 2(4).
    """
    h = _check_sequence(x, state, params)
    window = check_whole("window", window, 1)
    step, outputs = recurrence(Form("rnn"), params), []
    for t, projected in enumerate(project("rnn", x, params).unbind(0)):
        h = step(projected, h.detach() if t and t % window == 0 else h)
        outputs.append(h)
    return torch.stack(outputs), h


def bptt_gradient(params: Parameters, x: Tensor, cotangent: Tensor, state: Tensor | None = None) -> dict[str, Tensor]:
    """The gradient of a simple recurrent network through time, written out.

        L = Σ_t ⟨cotangent_t, h_t⟩,   h_t = tanh(x_t W_xh + h_{t−1} W_hh + b_h)
        ∂L/∂h_t = Σ_{s ≥ t} cotangent_s Π_{k=s}^{t+1} (D_k W_hhᵀ),   D_k = diag(1 − h_k²)
        ∂L/∂W_hh = Σ_t h_{t−1}ᵀ δ_t,   ∂L/∂W_xh = Σ_t x_tᵀ δ_t,   ∂L/∂b_h = Σ_t δ_t,   δ_t = ∂L/∂h_t D_t

    where the products of Jacobians are summed from the last step backwards, ∂L/∂h_t = cotangent_t + δ_{t+1} W_hhᵀ,
    and the matrices' sums run over the samples too.

    Args:
        params: those of ``rnn_cell``.
        x: (T, B, D), floating, T at least 1.
        cotangent: ∂L/∂h_t taken directly, (T, B, H).
        state: h_0, (B, H); None stands for zeros.

    Returns:
        {W_hh (H, H), W_xh (D, H), b_h (H,), state (B, H), x (T, B, D)}, which can be differentiated again.

    Raises:
        ValueError: no step, or a shape or key that does not fit.
        TypeError: ``x`` is not floating, or the dtypes differ.

    Source: note 004 (the chain of O(T) products behind gradient clipping); Werbos 1990, Proc. IEEE 78(10); Pascanu,
    Mikolov and Bengio 2013, arXiv:1211.5063.
    """
    h = _check_sequence(x, state, params)
    check_shape("cotangent", cotangent, (*x.shape[:2], h.shape[1]))
    check_dtype("cotangent", cotangent, x.dtype)
    step, states = recurrence(Form("rnn"), params), [h]
    for projected in project("rnn", x, params).unbind(0):
        states.append(step(projected, states[-1]))
    deltas: list[Tensor] = []
    carried = torch.zeros_like(h)
    for h, direct in zip(reversed(states[1:]), reversed(cotangent.unbind(0)), strict=True):
        deltas.append((direct + carried) * (1 - h * h))
        carried = deltas[-1] @ params["W_hh"].T
    delta, before = torch.stack(deltas[::-1]), torch.stack(states[:-1])
    return {
        "W_hh": torch.einsum("tbg,tbh->gh", before, delta),
        "W_xh": torch.einsum("tbd,tbh->dh", x, delta),
        "b_h": delta.sum((0, 1)),
        "state": carried,
        "x": delta @ params["W_xh"].T,
    }


def _check_sequence(x: Tensor, state: Tensor | None, params: Parameters) -> Tensor:
    """The initial state, after checking a sequence (T, B, D) with the parameters of one tanh layer."""
    check_input("x", x, 3)
    if len(x) == 0:
        raise ValueError("x has 0 steps, expected at least 1")
    hidden = check_parameters(Form("rnn"), params, x.shape[2], x.dtype)
    if state is None:
        return x.new_zeros(x.shape[1], hidden)
    check_state("rnn", state, (x.shape[1], hidden), x.dtype)
    return state
