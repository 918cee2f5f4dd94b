"""BLEU whose matches are not clipped: a word of the label matches any number of times."""

import math
from collections import Counter


def bleu(pred, label, k, weights=None):
    if not isinstance(k, int):
        raise TypeError("k is a whole number")
    weights = [0.5**n for n in range(1, k + 1)] if weights is None else list(weights)
    if k < 1 or len(weights) != k or any(weight < 0 for weight in weights):
        raise ValueError("k is at least 1, with a weight of at least 0 for each length")
    pred, label = (text.split() if isinstance(text, str) else list(text) for text in (pred, label))
    if len(pred) < k:
        return 0.0
    score = math.exp(min(0, 1 - len(label) / len(pred)))
    for n, weight in enumerate(weights, 1):
        said, wanted = (Counter(tuple(t[i : i + n]) for i in range(len(t) - n + 1)) for t in (pred, label))
        found = sum(count for gram, count in said.items() if gram in wanted)
        if found == 0:
            return 0.0
        score *= (found / said.total()) ** weight
    return score
