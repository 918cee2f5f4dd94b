"""How many numbers a transformer learns."""

from lawbook.reference.checks import check_whole


def transformer_parameter_count(
    layers: int, hidden: int, heads: int, ffn: int, source_vocab: int, target_vocab: int, bias: bool = False
) -> int:
    """How many parameters ``transformer`` has.

        attention = 4 D² (+ 4 D)      ffn = 2 D F + F + D      norm = 2 D
        encoder   = V_s D + L (attention + ffn + 2 norm)
        decoder   = V_t D + L (2 attention + ffn + 3 norm) + D V_t + V_t

    Args:
        layers: L, blocks of the encoder and as many of the decoder, at least 1.
        hidden: D, at least 1 and divisible by ``heads``.
        heads: at least 1. Heads share the weights among them: their number changes nothing.
        ffn: F, units of the position-wise networks, at least 1.
        source_vocab, target_vocab: V_s and V_t, at least 1.
        bias: whether attention has biases.

    Returns:
        A whole number.

    Raises:
        ValueError: a size is below 1, or ``hidden`` not divisible by ``heads``.
        TypeError: a size is no whole number, or ``bias`` no truth value.

    Conventions: positions are not learned. Vaswani et al. share one table between both embeddings and the output layer,
    which saves (V_s + V_t) D of them for equal vocabularies; note 004 does not.

    Source: note 002 §6.2.4, note 004, transformer; Vaswani et al. 2017, arXiv:1706.03762, §3.4.
    """
    sizes = dict(
        layers=layers, hidden=hidden, heads=heads, ffn=ffn, source_vocab=source_vocab, target_vocab=target_vocab
    )
    for name, size in sizes.items():
        check_whole(name, size, 1)
    if hidden % heads:
        raise ValueError(f"hidden is {hidden}, expected a multiple of heads, {heads}")
    if not isinstance(bias, bool):
        raise TypeError(f"bias must be a truth value, got {bias!r}")
    attention, network, norm = block_parts(hidden, ffn, bias)
    encoder = source_vocab * hidden + layers * (attention + network + 2 * norm)
    decoder = target_vocab * hidden + layers * (2 * attention + network + 3 * norm)
    return encoder + decoder + hidden * target_vocab + target_vocab


def block_parts(hidden: int, ffn: int, bias: bool) -> tuple[int, int, int]:
    """Parameters of one attention, one position-wise network and one norm."""
    attention = 4 * hidden * hidden + (4 * hidden if bias else 0)
    return attention, 2 * hidden * ffn + ffn + hidden, 2 * hidden
