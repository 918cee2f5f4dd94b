"""A student's plain NumPy file: fifteen components, no gradients.

lawbook check examples/scratch_numpy.py
"""

import numpy as np

ADAPTER = {"bridge": "numpy", "name": "scratch_numpy", "version": "1"}


def need(condition, message, error=ValueError):
    if not condition:
        raise error(message)


def need_floating(*arrays):
    for array in arrays:
        need(np.issubdtype(array.dtype, np.floating), f"expected floating numbers, got {array.dtype}", TypeError)


# --- losses


def shifted(x, dim):
    need_floating(x)
    if x.ndim == 0:
        return x - x
    need(-x.ndim <= dim < x.ndim, f"there is no axis {dim}", IndexError)
    return x - x.max(axis=dim, keepdims=True, initial=-np.inf)


def softmax(x, dim):
    with np.errstate(all="ignore"):
        e = np.exp(shifted(x, dim))
        return e / e.sum(axis=dim, keepdims=True) if x.ndim else e


def log_softmax(x, dim):
    with np.errstate(all="ignore"):
        z = shifted(x, dim)
        return z - np.log(np.exp(z).sum(axis=dim, keepdims=True)) if x.ndim else z


def reduce(loss, reduction="mean"):
    need(reduction in ("mean", "sum", "none"), f"unknown reduction {reduction}")
    if reduction == "none":
        return loss.copy()
    with np.errstate(all="ignore"):
        total = loss.sum(dtype=loss.dtype)
        return total if reduction == "sum" else (total / loss.dtype.type(loss.size)).astype(loss.dtype)


def pair(y_hat, y):
    need(y_hat.shape == y.shape, f"shapes {y_hat.shape} and {y.shape} differ")
    need_floating(y_hat, y)
    return y_hat - y


def l1_loss(y_hat, y, reduction="mean"):
    return reduce(np.abs(pair(y_hat, y)), reduction)


def mse_loss(y_hat, y, reduction="mean"):
    return reduce(pair(y_hat, y) ** 2, reduction)


def huber_loss(y_hat, y, delta=1.0, reduction="mean"):
    need(delta > 0, "delta must be positive")
    d = np.abs(pair(y_hat, y))
    delta = d.dtype.type(delta)
    half = d.dtype.type(0.5)
    # The smaller of the two distances in the square keeps huge errors from overflowing.
    near = np.minimum(d, delta)
    return reduce(np.where(d < delta, half * near * near, delta * (d - half * delta)), reduction)


def accuracy(y_hat, y):
    need(y_hat.ndim == 1 or y_hat.shape[1] > 1, "expected classes, or scores of at least two classes a sample")
    need(y.shape == y_hat.shape[:1], f"expected {y_hat.shape[0]} labels, got shape {y.shape}")
    predicted = y_hat if y_hat.ndim == 1 else y_hat.argmax(axis=1)
    return np.asarray((predicted == y).sum(), dtype=np.int64)


# --- convolution


def corr2d(X, K):
    need(X.ndim == 2 and K.ndim == 2, "expected a matrix and a kernel of two axes")
    h, w = K.shape
    need(h <= X.shape[0] and w <= X.shape[1], "the kernel is larger than the image")
    out = np.zeros((X.shape[0] - h + 1, X.shape[1] - w + 1), X.dtype)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = (X[i : i + h, j : j + w] * K).sum()
    return out


def corr2d_multi_in(X, K):
    need(X.ndim == 3 and K.ndim == 3 and len(X) == len(K), "expected as many kernels as channels")
    maps = [corr2d(x, k) for x, k in zip(X, K, strict=True)]
    return np.sum(maps, axis=0, dtype=X.dtype)


def corr2d_multi_in_out(X, K):
    need(K.ndim == 4, "expected kernels of four axes")
    return np.stack([corr2d_multi_in(X, k) for k in K])


def transposed_corr2d(X, K):
    need(X.ndim == 2 and K.ndim == 2 and X.size and K.size, "expected a matrix and a kernel of two axes")
    need_floating(X, K)
    h, w = K.shape
    out = np.zeros((X.shape[0] + h - 1, X.shape[1] + w - 1), X.dtype)
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            out[i : i + h, j : j + w] += X[i, j] * K
    return out


def conv_output_size(n, kernel, padding=0, stride=1, dilation=1):
    need(kernel >= 1 and stride >= 1 and dilation >= 1 and padding >= 0, "sizes must be positive")
    span = dilation * (kernel - 1) + 1
    need(n >= 1 and n + 2 * padding >= span, "the kernel is larger than the padded input")
    return (n + 2 * padding - span) // stride + 1


# --- recurrent


def check_cell(x, states, params, gates):
    need(x.ndim == 2, "expected inputs (B, D)")
    need_floating(x, *states)
    for gate in gates:
        for name in (f"W_x{gate}", f"W_h{gate}", f"b_{gate}"):
            need(name in params, f"{name} is missing")
        units = params[f"b_{gate}"].shape[0]
        need(params[f"W_x{gate}"].shape == (x.shape[1], units), f"W_x{gate} has the wrong shape")
        need(params[f"W_h{gate}"].shape == (units, units), f"W_h{gate} is not square")
        need(all(state.shape == (len(x), units) for state in states), "the state has the wrong shape")


def logistic(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e)).astype(z.dtype)


def gate(x, h, params, name):
    return x @ params[f"W_x{name}"] + h @ params[f"W_h{name}"] + params[f"b_{name}"]


def rnn_cell(x, state, params, nonlinearity="tanh"):
    need(nonlinearity in ("tanh", "relu"), f"unknown nonlinearity {nonlinearity}")
    check_cell(x, [state], params, "h")
    z = gate(x, state, params, "h")
    return np.tanh(z) if nonlinearity == "tanh" else np.maximum(z, 0)


def lstm_cell(x, state, params):
    need(isinstance(state, tuple | list) and len(state) == 2, "expected a pair of states", TypeError)
    h, c = state
    check_cell(x, [h, c], params, "ifoc")
    i, f, o = (logistic(gate(x, h, params, name)) for name in "ifo")
    c = f * c + i * np.tanh(gate(x, h, params, "c"))
    return o * np.tanh(c), c


def gru_cell(x, h, params, reset="before"):
    need(reset in ("before", "after"), f"unknown place of the reset {reset}")
    check_cell(x, [h], params, "zrh")
    z, r = (logistic(gate(x, h, params, name)) for name in "zr")
    if reset == "before":
        candidate = np.tanh(gate(x, r * h, params, "h"))
    else:
        recurrent = h @ params["W_hh"] + params.get("b_hh", 0)
        candidate = np.tanh(x @ params["W_xh"] + params["b_h"] + r * recurrent)
    return z * h + (1 - z) * candidate
