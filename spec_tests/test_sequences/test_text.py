"""Laws of text: what is kept, where it is cut, how it is counted and numbered."""

import re
import string
from collections import Counter

from lawbook.fixtures.cases import sequences as domains
from lawbook.fixtures.published import sequences as published
from lawbook.reference import sequences
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_data.laws import NO_TENSOR

WITHOUT_TENSORS = NO_TENSOR | {"accelerator_agrees": "no argument is a tensor"}
LINES = ["the time machine", "by h g wells"]
KNOWN = ["<unk>", "<pad>", "the", "a"]


def flat(tokens):
    """Tokens one by one, of lines too."""
    return [token for entry in tokens for token in (entry if isinstance(entry, list | tuple) else [entry])]


def as_lists(tree):
    """Nested lists in place of nested tuples."""
    return [as_lists(part) for part in tree] if isinstance(tree, list | tuple) else tree


def by_line(case, found, kind):
    """Pairs of a line and what became of it; LawBroken unless there is something of that kind for each."""
    count = len(found) if isinstance(found, list | tuple) else None
    require(count == len(case.lines), f"{found!r} for {len(case.lines)} lines")
    for given, result in zip(case.lines, found, strict=True):
        require(isinstance(result, kind), f"{given!r} becomes {result!r}")
        yield given, result


class TestNormalizeText(Spec):
    component = sequences.normalize_text
    cases = domains.normalize_text
    declines = WITHOUT_TENSORS
    invalid = (
        Invalid(TypeError, "one string in place of lines", lines="The Time Machine"),
        Invalid(TypeError, "a number among the lines", lines=["a", 3]),
    )
    edges = (dict(lines=[]), dict(lines=[""]), dict(lines=["A"]), dict(lines=[" ", "\n"]))

    def test_only_lower_case_letters_and_single_spaces(self, impl, case):
        """Nothing is left but a–z and spaces, never two spaces together and none at the ends."""
        for given, found in by_line(case, impl(case), str):
            strange = set(found) - set(string.ascii_lowercase + " ")
            require(not strange, f"{given!r} becomes {found!r}, which holds {sorted(strange)}")
            require("  " not in found and found == found.strip(), f"{given!r} becomes {found!r}: spaces are left over")

    def test_every_letter_stays_in_its_order(self, impl, case):
        """The letters A–Z and a–z of a line are those of the result, in the same order."""
        for given, found in by_line(case, impl(case), str):
            letters = "".join(c for c in given if c in string.ascii_letters).lower()
            require(found.replace(" ", "") == letters, f"{given!r} becomes {found!r}, its letters are {letters!r}")

    def test_words_stay_apart(self, impl, case):
        """What stood between other characters is a word of its own."""
        for given, found in by_line(case, impl(case), str):
            words = [word.lower() for word in re.findall("[A-Za-z]+", given)]
            require(found.split(" ") == (words or [""]), f"{given!r} becomes {found!r}, its words are {words}")

    def test_twice_is_once(self, impl, case):
        """What is normalized already stays as it is."""
        once = impl(case)
        return impl(case, lines=list(once)), once


class TestTokenize(Spec):
    component = sequences.tokenize
    cases = domains.tokenize
    declines = WITHOUT_TENSORS
    invalid = (
        Invalid(ValueError, "a kind of token of no one", lines=LINES, token="sentence"),
        Invalid(ValueError, "no kind of token", lines=LINES, token=None),
        Invalid(TypeError, "one string in place of lines", lines="the time machine"),
    )
    edges = (dict(lines=[]), dict(lines=[""]), dict(lines=["", "a"], token="char"), dict(lines=["  "], token="word"))

    def test_there_is_a_list_for_every_line(self, impl, case):
        """There are as many lists as lines; a line without tokens has an empty one."""
        for given, found in by_line(case, impl(case), list | tuple):
            require(found or not given.strip(), f"{given!r} has no tokens")

    def test_characters_give_the_line_back(self, impl, case):
        """Characters, joined, are the line, white space and upper case included; each is one code point."""
        for given, found in by_line(case, impl(case, token="char"), list | tuple):
            require("".join(found) == given, f"{given!r} becomes {found}")
            require(all(len(c) == 1 for c in found), f"{given!r} becomes {found}: a token has several code points")

    def test_words_hold_all_but_white_space(self, impl, case):
        """Words, joined, are the line without its white space; none is empty, and none holds white space."""
        for given, found in by_line(case, impl(case, token="word"), list | tuple):
            rest = "".join(c for c in given if not c.isspace())
            require("".join(found) == rest, f"{given!r} becomes {found}")
            require(all(found), f"{given!r} becomes {found}: a word is empty")
            spaced = [word for word in found if any(map(str.isspace, word))]
            require(not spaced, f"{given!r} becomes {found}: white space within {spaced}")

    def test_words_are_cut_at_every_white_space(self, impl, case):
        """Where white space stood between two words, two words come out."""
        for given, found in by_line(case, impl(case, token="word"), list | tuple):
            count = sum(not c.isspace() and (i == 0 or given[i - 1].isspace()) for i, c in enumerate(given))
            require(len(found) == count, f"{given!r} becomes {len(found)} words, expected {count}")


class TestCountCorpus(Spec):
    component = sequences.count_corpus
    cases = domains.count_corpus
    declines = WITHOUT_TENSORS
    invalid = (
        Invalid(TypeError, "one string in place of tokens", tokens="the time machine"),
        Invalid(TypeError, "a number among the tokens", tokens=["a", 3]),
        Invalid(TypeError, "lines of lines of tokens", tokens=[[["a"]]]),
    )
    edges = (dict(tokens=[]), dict(tokens=[[]]), dict(tokens=[[], ["a", "a"]]), dict(tokens=[""]))

    def test_counts_are_those_of_the_tokens(self, impl, case):
        """Every token is counted as often as it occurs, and nothing else is."""
        found, truth = impl(case), Counter(flat(case.tokens))
        require(found == dict(truth), f"it counts {found}, expected {dict(truth)}")

    def test_lines_are_one_corpus(self, impl, case):
        """Lines are counted together: where they are cut, and which come first, does not matter."""
        tokens, truth = flat(case.tokens), impl(case)
        for given in (tokens, [[], tokens], [tokens[1::2], tokens[::2], []]):
            found = impl(case, tokens=given)
            require(found == truth, f"{given} counts {found}, expected {truth}")


class TestVocab(Spec):
    component = sequences.vocab
    cases = domains.vocab
    declines = WITHOUT_TENSORS
    prerequisites = ("count_corpus",)
    invalid = (
        Invalid(ValueError, "a negative frequency", tokens=["a"], min_freq=-1),
        Invalid(ValueError, "ties of no one", tokens=["a"], ties="last"),
        Invalid(TypeError, "one string in place of reserved tokens", tokens=["a"], reserved="<pad>"),
        Invalid(TypeError, "one string in place of tokens", tokens="the time machine"),
    )
    edges = (dict(tokens=[]), dict(tokens=[[]], reserved=["<pad>"]), dict(tokens=["a"], min_freq=2))

    @staticmethod
    def numbered(impl, case):
        """Tokens, indices and frequencies; LawBroken where they have another form."""
        found = impl(case)
        require(
            isinstance(found, tuple) and len(found) == 3, f"it is {found!r}, expected tokens, indices and frequencies"
        )
        idx_to_token, token_to_idx, freqs = found
        require(
            isinstance(idx_to_token, list | tuple) and len(idx_to_token), f"the tokens by index are {idx_to_token!r}"
        )
        require(isinstance(token_to_idx, dict), f"the indices by token are {token_to_idx!r}")
        right = isinstance(freqs, list | tuple) and all(isinstance(e, tuple) and len(e) == 2 for e in freqs)
        require(right, f"the frequencies are {freqs!r}, expected pairs of token and number")
        return found

    def test_the_unknown_token_is_first(self, impl, case):
        """Index 0 is the unknown token, also where the corpus or the reserved tokens hold it."""
        idx_to_token, token_to_idx, _ = self.numbered(impl, case)
        require(idx_to_token[0] == "<unk>", f"index 0 is {idx_to_token[0]!r}")
        require(token_to_idx.get("<unk>") == 0, f"the unknown token has the index {token_to_idx.get('<unk>')}")

    def test_reserved_tokens_come_next(self, impl, case):
        """Behind the unknown token stand the reserved ones in their order, whether they occur or not."""
        expected = [token for token in dict.fromkeys(case.reserved) if token != "<unk>"]
        found = list(self.numbered(impl, case)[0][1 : 1 + len(expected)])
        require(found == expected, f"behind the unknown token stand {found}, expected {expected}")

    def test_no_token_stands_twice(self, impl, case):
        """Every token has one index, also one that is reserved and occurs."""
        idx_to_token = self.numbered(impl, case)[0]
        twice = [token for token, count in Counter(idx_to_token).items() if count > 1]
        require(not twice, f"{twice} stand twice in {idx_to_token}")

    def test_indices_and_tokens_belong_together(self, impl, case):
        """The index of the token at index i is i, for all indices and all tokens."""
        idx_to_token, token_to_idx, _ = self.numbered(impl, case)
        require(len(token_to_idx) == len(idx_to_token), f"{len(token_to_idx)} tokens for {len(idx_to_token)} indices")
        for index, token in enumerate(idx_to_token):
            require(
                token_to_idx.get(token) == index, f"{token!r} is at {index}, its index is {token_to_idx.get(token)}"
            )

    def test_frequent_tokens_come_before_rare_ones(self, impl, case):
        """Behind the reserved tokens frequencies fall, and ties stand as the argument says."""
        counts = Counter(flat(case.tokens))
        idx_to_token, _, freqs = self.numbered(impl, case)
        special = {"<unk>", *case.reserved}
        rest = [token for token in idx_to_token if token not in special]
        ranks = {token: rank for rank, token in enumerate(sorted(counts) if case.ties == "token" else counts)}
        for listed in (rest, [token for token, _ in freqs]):
            expected = sorted(listed, key=lambda token: (-counts[token], ranks[token]))
            require(list(listed) == expected, f"they stand as {list(listed)}, expected {expected} of {dict(counts)}")

    def test_frequency_counts_from_min_freq_on(self, impl, case):
        """A token that occurs ``min_freq`` times stays, one that occurs less often goes; reserved ones stay."""
        counts = Counter(flat(case.tokens))
        found = set(self.numbered(impl, case)[0]) - {"<unk>", *case.reserved}
        expected = {t for t, count in counts.items() if count >= case.min_freq} - {"<unk>", *case.reserved}
        require(found == expected, f"of {dict(counts)} stay {sorted(found)}, expected {sorted(expected)}")

    def test_all_frequencies_are_given(self, impl, case):
        """The frequencies are those of all tokens of the corpus, rare, reserved and unknown ones included."""
        found, truth = dict(self.numbered(impl, case)[2]), dict(Counter(flat(case.tokens)))
        require(found == truth, f"the frequencies are {found}, expected {truth}")

    def test_published_classes_of_note_003(self, impl):
        """Characters of normalized text have 28 classes: 26 letters, the space and the unknown token."""
        idx_to_token, _, _ = impl.call(tokens=[list("the quick brown fox jumps over the lazy dog"), []])
        count = len(idx_to_token)
        require(count == published.NOTE_003_CLASSES, f"there are {count} classes")


class TestEncode(Spec):
    component = sequences.encode
    cases = domains.encode
    declines = WITHOUT_TENSORS
    prerequisites = ("vocab",)
    invalid = (
        Invalid(TypeError, "a number among the tokens", idx_to_token=KNOWN, tokens=["a", 3]),
        Invalid(TypeError, "nothing in place of a token", idx_to_token=KNOWN, tokens=None),
        Invalid(ValueError, "a token with two indices", idx_to_token=["<unk>", "a", "a"], tokens=["a"]),
        Invalid(ValueError, "a vocabulary of nothing", idx_to_token=[], tokens=["a"]),
    )
    edges = (
        dict(idx_to_token=KNOWN, tokens=[]),
        dict(idx_to_token=KNOWN, tokens=[[], []]),
        dict(idx_to_token=["<unk>"], tokens="a"),
    )

    def test_known_tokens_come_back(self, impl, case):
        """Decoding the indices of known tokens gives the tokens, one by one and in nested lists."""
        known = list(case.idx_to_token)
        for given in (known, [known, [known[:1]], []], known[-1]):
            found = sequences.decode(known, as_lists(impl(case, tokens=given)))
            require(found == given, f"{given} comes back as {found}")

    def test_unknown_tokens_have_index_zero(self, impl, case):
        """A token that is not in the vocabulary has the index 0, wherever it stands."""
        strange = ["never", "The", "t", "<UNK>", "aa"]
        found = as_lists(impl(case, tokens=[strange, "never"]))
        require(found == [[0] * 5, 0], f"{[strange, 'never']} becomes {found}")

    def test_a_list_goes_token_by_token(self, impl, case):
        """The indices of a list are the indices of its entries, nested as they are."""
        if isinstance(case.tokens, str):
            return skip_case
        found = as_lists(impl(case))
        alone = [as_lists(impl(case, tokens=token)) for token in case.tokens]
        require(found == alone, f"the list becomes {found}, its entries {alone}")
        return None


class TestDecode(Spec):
    component = sequences.decode
    cases = domains.decode
    declines = WITHOUT_TENSORS
    prerequisites = ("vocab",)
    invalid = (
        Invalid(IndexError, "an index beyond the last", idx_to_token=KNOWN, indices=[1, 4]),
        Invalid(IndexError, "a negative index", idx_to_token=KNOWN, indices=-1),
        Invalid(IndexError, "a negative index deep in lists", idx_to_token=KNOWN, indices=[[0], [[-4]]]),
        Invalid(TypeError, "half an index", idx_to_token=KNOWN, indices=[1.5]),
        Invalid(TypeError, "a token in place of an index", idx_to_token=KNOWN, indices=["a"]),
    )
    edges = (
        dict(idx_to_token=KNOWN, indices=[]),
        dict(idx_to_token=KNOWN, indices=[[], [3]]),
        dict(idx_to_token=["<unk>"], indices=0),
    )

    def test_every_index_comes_back(self, impl, case):
        """Encoding the tokens of all indices gives the indices, one by one and in nested lists."""
        every = list(range(len(case.idx_to_token)))
        for given in (every, [every, [[0], every[-1]]], every[-1]):
            found = sequences.encode(case.idx_to_token, as_lists(impl(case, indices=given)))
            require(found == given, f"{given} comes back as {found}")

    def test_a_list_goes_index_by_index(self, impl, case):
        """The tokens of a list are the tokens of its entries, nested as they are."""
        if isinstance(case.indices, int):
            return skip_case
        found = as_lists(impl(case))
        alone = [as_lists(impl(case, indices=index)) for index in case.indices]
        require(found == alone, f"the list becomes {found}, its entries {alone}")
        return None
