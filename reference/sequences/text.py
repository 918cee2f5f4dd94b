"""Text: cleaned, cut into tokens, counted, and turned into indices and back."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from lawbook.reference.checks import check_choice, check_whole

UNKNOWN = "<unk>"


def normalize_text(lines: Sequence[str]) -> list[str]:
    """Keep the letters of the English alphabet, in lower case, and single spaces between them.

        each run of characters outside A–Z and a–z becomes one space; none at the ends; then lower case

    Args:
        lines: any text.

    Returns:
        As many lines, some of them perhaps empty.

    Raises:
        TypeError: ``lines`` is one string, or a line is none.

    Conventions: letters with accents and of other alphabets are no letters here. Lower case comes last: the lower case of
        some of them (the Kelvin sign K, the dotted İ) is, or begins with, an English letter. The note's pattern needs a comma
        behind the run, and its replacement is lost.

    Source: note 004 (text preprocessing).
    """
    return [re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in _lines(lines)]


def tokenize(lines: Sequence[str], token: str = "word") -> list[list[str]]:
    """Cut each line into words or characters.

        word: what stands between runs of white space;   char: every code point, white space included

    Args:
        lines: any text; nothing is changed but cut.
        token: "word" or "char".

    Returns:
        A list of tokens for every line, empty for a line without any.

    Raises:
        ValueError: ``token`` is unknown.
        TypeError: ``lines`` is one string, or a line is none.

    Conventions: white space is what Python's ``str.isspace`` takes for it. The note prints a message for an unknown kind and
        returns nothing.

    Source: note 004 (text preprocessing).
    """
    check_choice("token", token, ("word", "char"))
    return [line.split() if token == "word" else list(line) for line in _lines(lines)]


def count_corpus(tokens: Sequence[Any]) -> dict[str, int]:
    """Count how often each token occurs.

    Args:
        tokens: tokens, or lists of tokens (lines); some lines may be empty.

    Returns:
        The number of occurrences by token, in the order in which they first occur; empty for an empty corpus.

    Raises:
        TypeError: ``tokens`` is one string, or holds what is neither a token nor a list of tokens.

    Conventions: tokens are the same where their code points are: nothing is folded, no case and no accents.

    Source: note 004 (text preprocessing, count_corpus).
    """
    counts: dict[str, int] = {}
    for token in _flat(tokens):
        counts[token] = counts.get(token, 0) + 1
    return counts


def vocab(
    tokens: Sequence[Any], min_freq: int = 0, reserved: Sequence[str] = (), ties: str = "first"
) -> tuple[list[str], dict[str, int], list[tuple[str, int]]]:
    """Number the tokens of a corpus: the unknown one, reserved ones, then the frequent before the rare.

        0: "<unk>";   1 … r: ``reserved`` in their order;   then the others with frequency ≥ ``min_freq``, falling

    Args:
        tokens: as in ``count_corpus``.
        min_freq: rarer tokens are left out; 0 and 1 keep all.
        reserved: tokens with a place of their own whether they occur or not. A token stands in the list once: "<unk>" or a
            repeated one among them, or a reserved one that occurs in the corpus, gets no second index.
        ties: of tokens with the same frequency comes first "first": the one that occurs first, "token": the one whose code
            points come first.

    Returns:
        The tokens by index, the index by token, and (token, frequency) for all tokens of the corpus, rare, reserved and
        unknown ones included, in the order of falling frequency.

    Raises:
        ValueError: ``min_freq`` is negative, or ``ties`` unknown.
        TypeError: as in ``count_corpus``, ``reserved`` is one string, or ``min_freq`` no whole number.

    Conventions: ties go to the first in the note and with Python's Counter.most_common, to the token's code points in
        torchtext. scikit-learn numbers tokens by their code points alone. The note sorts with ``reversed=``, which ``sorted``
        does not know, and reads the counts before they are there.

    Source: note 004 (text preprocessing, Vocab).
    """
    min_freq = check_whole("min_freq", min_freq, 0)
    check_choice("ties", ties, ("first", "token"))
    known = [UNKNOWN, *_lines(reserved, "reserved")]
    counts = list(count_corpus(tokens).items())
    freqs = sorted(sorted(counts) if ties == "token" else counts, key=lambda entry: -entry[1])
    # A dict keeps the first place of each.
    idx_to_token = list(dict.fromkeys([*known, *(token for token, count in freqs if count >= min_freq)]))
    return idx_to_token, {token: index for index, token in enumerate(idx_to_token)}, freqs


def encode(idx_to_token: Sequence[str], tokens: Any) -> Any:
    """Replace tokens by their indices.

    Args:
        idx_to_token: tokens by index, as ``vocab`` gives them, none twice; index 0 stands for all that are not among them.
        tokens: a token, or a list of tokens and lists, nested as deep as one likes.

    Returns:
        An index, or indices in the same nested lists.

    Raises:
        TypeError: something is neither a token nor a list.
        ValueError: ``idx_to_token`` is empty or holds a token twice.

    Source: note 004 (text preprocessing, Vocab.__getitem__).
    """
    indices = {token: index for index, token in enumerate(_vocabulary(idx_to_token))}
    return _mapped(tokens, lambda token: indices.get(_token(token), 0))


def decode(idx_to_token: Sequence[str], indices: Any) -> Any:
    """Replace indices by their tokens.

    Args:
        idx_to_token: as in ``encode``.
        indices: an index, or a list of indices and lists, nested as deep as one likes.

    Returns:
        A token, or tokens in the same nested lists.

    Raises:
        IndexError: an index is negative or beyond the last.
        TypeError: something is neither a whole number nor a list.
        ValueError: ``idx_to_token`` is empty or holds a token twice.

    Conventions: Python's lists count negative indices from the end; here they are errors.

    Source: note 004 (text preprocessing, Vocab.to_tokens).
    """
    known = _vocabulary(idx_to_token)

    def token(index: Any) -> str:
        index = check_whole("index", index)
        if not 0 <= index < len(known):
            raise IndexError(f"index is {index}, expected 0..{len(known) - 1}")
        return known[index]

    return _mapped(indices, token)


def _mapped(tree: Any, function: Any) -> Any:
    if isinstance(tree, list | tuple):
        return [_mapped(part, function) for part in tree]
    return function(tree)


def _vocabulary(idx_to_token: Sequence[str]) -> list[str]:
    known = _lines(idx_to_token, "idx_to_token")
    if not known or len(set(known)) != len(known):
        raise ValueError(
            f"idx_to_token has {len(known)} tokens, {len(set(known))} of them different, expected no repeats"
        )
    return known


def _lines(lines: Sequence[str], name: str = "lines") -> list[str]:
    if isinstance(lines, str):
        raise TypeError(f"{name} is one string, expected a list of them")
    return [_token(line) for line in lines]


def _token(token: Any) -> str:
    if not isinstance(token, str):
        raise TypeError(f"{token!r} is {type(token).__name__}, expected a string")
    return token


def _flat(tokens: Sequence[Any]) -> Iterator[str]:
    """Tokens one by one, of lines too."""
    if isinstance(tokens, str):
        raise TypeError("tokens is one string, expected a list of tokens")
    for entry in tokens:
        yield from map(_token, entry) if isinstance(entry, list | tuple) else [_token(entry)]
