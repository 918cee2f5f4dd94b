"""What three ways of reading a sequence cost."""

from lawbook.reference.checks import check_choice, check_whole

KINDS = ("convolution", "recurrent", "self_attention")


def attention_complexity(kind: str, n: int, d: int, k: int | None = None) -> dict[str, int]:
    """How a layer over n tokens of d features grows: multiplications, steps in sequence, and the longest path.

                         compute      sequential    path
        convolution      k · n · d²   1             ⌈n / k⌉
        recurrent        n · d²       n             n
        self_attention   n² · d       1             1

    where *sequential* counts steps that must wait for each other and *path* the layers or steps through which the first
    token reaches the last. Leading terms, constants left out.

    Args:
        kind: "convolution", "recurrent" or "self_attention".
        n: how many tokens, at least 1.
        d: how many features, at least 1.
        k: the convolution's kernel, at least 1; the other kinds have none and do not look at it.

    Returns:
        {"compute", "sequential", "path"}, whole numbers.

    Raises:
        ValueError: the kind is unknown, a size is below 1, or a convolution has no ``k``.
        TypeError: a size is no whole number.

    Conventions: for the path of a convolution Vaswani et al. write log_k(n), which dilated kernels reach; n / k is that
    of plain ones.

    Source: note 004, comparison of convolutional, recurrent and self-attention layers; Vaswani et al. 2017,
    arXiv:1706.03762, §4.
    """
    check_choice("kind", kind, KINDS)
    check_whole("n", n, 1)
    check_whole("d", d, 1)
    if kind == "recurrent":
        return {"compute": n * d * d, "sequential": n, "path": n}
    if kind == "self_attention":
        return {"compute": n * n * d, "sequential": 1, "path": 1}
    if k is None:
        raise ValueError("k is None, expected the size of the convolution's kernel")
    check_whole("k", k, 1)
    return {"compute": k * n * d * d, "sequential": 1, "path": -(-n // k)}
