"""What the laws of BERT share: fixed parameters, and how chance is judged.

Every statistic may be exceeded by a correct implementation with a chance of at most ALARM. All laws of the chapter
together look at fewer than 1000 of them, so that a run raises a false alarm with a chance below 1e-10. The limits are
quantiles of the binomial, the hypergeometric and the χ² distribution, and Hoeffding's inequality.
"""

from lawbook.spec_tests.test_attention.laws import ramp
from lawbook.spec_tests.test_transformer.laws import encoder_parameters, norm

STREAMS = "libraries have streams of their own: a seed does not stand for the same choices in all of them; "
STOCHASTIC = {
    "agrees_with_reference": STREAMS + "other laws judge what is chosen and how often",
    "repeated_calls_agree": STREAMS + "'same seed same choice' says it of the implementation's own",
    "memory_layout": STREAMS + "other laws judge what is chosen and how often",
    "low_precision": "no argument is floating",
    "extremes_stay_finite": "no argument has extreme values",
    "nan_not_hidden": "no argument can hold nan",
    "accelerator_agrees": STREAMS + "no two devices have the same stream",
    "edge_sizes": STREAMS + "'nothing to choose changes nothing' says what becomes of empty inputs",
}
WORDS_ONLY = {
    "memory_layout": "no argument is a tensor",
    "low_precision": "no argument is floating",
    "extremes_stay_finite": "no argument has extreme values",
    "nan_not_hidden": "no argument can hold nan",
    "accelerator_agrees": "no argument is a tensor that would say where to compute",
}


def embeddings(size, vocabulary, longest, normed=True):
    """Fixed tables."""
    tables = dict(token=ramp(vocabulary, size), segment=ramp(2, size, value=1.0), position=ramp(longest, size))
    return tables | (norm(size) if normed else {})


def encoder(size, hidden, vocabulary, longest, layers=1):
    """Fixed parameters of an encoder."""
    blocks = [encoder_parameters(size, hidden) for _ in range(layers)]
    return dict(embeddings=embeddings(size, vocabulary, longest), blocks=blocks)


def mask_head(size, vocabulary):
    """Fixed parameters of the head that foretells tokens."""
    last = dict(W_2=ramp(size, vocabulary), b_2=ramp(vocabulary))
    return dict(W_1=ramp(size, size), b_1=ramp(size, value=0.3), **norm(size), **last)


def sentence_head(size):
    """Fixed parameters of the head that foretells whether a sentence is next."""
    return dict(W_1=ramp(size, size), b_1=ramp(size), W_2=ramp(size, 2), b_2=ramp(2))


def model(size, hidden, vocabulary, longest, layers=1):
    """Fixed parameters of the whole."""
    parts = dict(mlm=mask_head(size, vocabulary), nsp=sentence_head(size))
    return dict(encoder=encoder(size, hidden, vocabulary, longest, layers), **parts)
