"""One step of each recurrent kind."""

from torch import Tensor

from lawbook.reference.recurrent.parameters import (
    Form,
    Parameters,
    State,
    check_form,
    check_input,
    check_parameters,
    check_state,
    project,
    recurrence,
)


def _cell(form: Form, x: Tensor, state: State, params: Parameters, name: str) -> State:
    check_form(form)
    check_input("x", x, 2)
    hidden = check_parameters(form, params, x.shape[1], x.dtype)
    check_state(form.kind, state, (x.shape[0], hidden), x.dtype, name)
    return recurrence(form, params)(project(form.kind, x, params), state)


def rnn_cell(x: Tensor, state: Tensor, params: Parameters, nonlinearity: str = "tanh") -> Tensor:
    """One step of a simple recurrent network.

        h' = tanh(x W_xh + h W_hh + b_h)

    where h is the previous *state*, not the previous input.

    Args:
        x: (B, D), floating.
        state: h, (B, H).
        params: {W_xh (D, H), W_hh (H, H), b_h (H,)}, of x's dtype.
        nonlinearity: "tanh" or "relu".

    Returns:
        h', (B, H).

    Raises:
        ValueError: a key of ``params`` is missing or unknown, a shape does not fit, or the nonlinearity is unknown.
        TypeError: ``x`` is not floating, ``params`` no dict of tensors, or the dtypes differ.

    Conventions: PyTorch's two biases b_ih and b_hh only ever appear as their sum, which is b_h; its weights are the
    transposes of these.

    Source: note 001 RNN, note 002 §6.2.3, note 004; Elman 1990, Cognitive Science 14.
    """
    return _cell(Form("rnn", nonlinearity=nonlinearity), x, state, params, "state")


def lstm_cell(x: Tensor, state: tuple[Tensor, Tensor], params: Parameters) -> tuple[Tensor, Tensor]:
    """One step of a long short-term memory.

        i = σ(x W_xi + h W_hi + b_i)      f = σ(x W_xf + h W_hf + b_f)      o = σ(x W_xo + h W_ho + b_o)
        c' = f ⊙ c + i ⊙ tanh(x W_xc + h W_hc + b_c)
        h' = o ⊙ tanh(c')

    where i is the input gate, f the forget gate, o the output gate and c the memory cell.

    Args:
        x: (B, D), floating.
        state: the pair (h, c), both (B, H).
        params: {W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xc, W_hc, b_c}, of x's dtype;
            W_x· (D, H), W_h· (H, H), b_· (H,).

    Returns:
        The pair (h', c'), both (B, H).

    Raises:
        ValueError: a key of ``params`` is missing or unknown, or a shape does not fit.
        TypeError: ``x`` is not floating, ``params`` no dict of tensors, the state no pair, or the dtypes differ.

    Conventions: PyTorch stacks the gates in the order i, f, c, o, Keras likewise, ONNX i, o, f, c; names leave no
    order to confuse. Flax carries the state as (c, h). No bias is added to the forget gate here.

    Source: note 002 §6.2.3, note 004; Hochreiter and Schmidhuber 1997, Neural Computation 9(8); Gers, Schmidhuber and
    Cummins 2000, Neural Computation 12(10), for the forget gate.
    """
    return _cell(Form("lstm"), x, state, params, "state")


def gru_cell(x: Tensor, h: Tensor, params: Parameters, reset: str = "before") -> Tensor:
    """One step of a gated recurrent unit.

        z = σ(x W_xz + h W_hz + b_z)      r = σ(x W_xr + h W_hr + b_r)
        before:  n = tanh(x W_xh + (r ⊙ h) W_hh + b_h)
        after:   n = tanh(x W_xh + b_h + r ⊙ (h W_hh + b_hh))
        h' = z ⊙ h + (1 − z) ⊙ n

    where z is the update gate (1 keeps the old state), r the reset gate (0 forgets it in the candidate n).

    Args:
        x: (B, D), floating.
        h: the previous state, (B, H).
        params: {W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h}, of x's dtype; W_x· (D, H), W_h· (H, H), b_· (H,).
            With ``reset="after"`` also, if wanted, b_hh (H,), the recurrent bias that the reset gate multiplies;
            without it, zeros.
        reset: whether the gate resets h "before" the recurrent product or the product "after" it.

    Returns:
        h', (B, H).

    Raises:
        ValueError: a key of ``params`` is missing or unknown (b_hh with ``reset="before"`` is), a shape does not fit,
            or ``reset`` is unknown.
        TypeError: ``x`` is not floating, ``params`` no dict of tensors, or the dtypes differ.

    Conventions: "before" is the published form and that of note 004, of ONNX with linear_before_reset=0 and of Keras
    with reset_after=False. "after" is PyTorch, Flax, cuDNN and Keras by default. PyTorch's unit is "after" with
    b_z = b_iz + b_hz, b_r = b_ir + b_hr, b_h = b_in and b_hh = b_hn: only the candidate's two biases stay apart. Keras
    and ONNX keep the old state with z as here; Cho's paper does so too, Chung's swaps z and 1 − z.

    Source: note 002 §6.2.3, note 004; Cho et al. 2014, arXiv:1406.1078; Chung et al. 2014, arXiv:1412.3555.
    """
    return _cell(Form("gru", reset=reset), x, h, params, "h")
