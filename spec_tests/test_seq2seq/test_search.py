"""Searches for the most probable sequence."""

import itertools
import math

import torch

from lawbook.fixtures.cases import seq2seq as domains
from lawbook.fixtures.published import seq2seq as published
from lawbook.reference import seq2seq
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_seq2seq.laws import NO_TENSORS, number, printed

INFINITY = float("inf")


def scored(case, tokens):
    """The sum of the logarithms of a sequence's probabilities."""
    prefix: tuple[int, ...] = (case.bos,)
    total = 0.0
    require(len(tokens) > 0, "the sequence has no token")
    for token in tokens:
        scores = case.step_fn(prefix)
        require(0 <= token < len(scores), f"{token} is no token of 0..{len(scores) - 1}")
        total += scores[token].item()
        prefix = (*prefix, token)
    return total


class Given:
    """A step function by its prefixes without the beginning of the sequence; it shows what it gives."""

    def __init__(self, scores, otherwise):
        self.scores, self.otherwise = scores, otherwise

    def __call__(self, prefix):
        return torch.tensor(self.scores.get(tuple(prefix[1:]), self.otherwise), dtype=torch.float64)

    def __repr__(self):
        return ", ".join([*(f"{s} after {p}" for p, s in self.scores.items()), f"{self.otherwise} elsewhere"])


def _impossible(prefix):
    return torch.full((3,), -INFINITY, dtype=torch.float64)


# Greedy search takes 0 first, after which nothing good follows; 1 is a little worse, and what follows it much better.
TRAP = Given({(): [-1.0, -1.5, -9.0], (0,): [-3.0, -3.0, -3.0], (1,): [-0.25, -3.0, -3.0]}, [0.0, -1.0, -1.0])
# What looks best comes to a point where no token is possible.
DEAD_END = Given({(): [-1.0, -2.0, -9.0], (0,): [-INFINITY] * 3, (1,): [-3.0, -9.0, -9.0]}, [-1.0, -9.0, -9.0])


def textbook(prefix):
    """The textbook's figures; what they do not show is impossible, and so is an end before the fourth step."""
    shown = published.PROBABILITIES.get("".join(published.TOKENS_SHOWN[token] for token in prefix[1:]), (0.0,) * 4)
    scores = torch.tensor(shown, dtype=torch.float64)
    scores[published.END] *= len(prefix) == 4
    return scores.log()


def found(got, tokens, score, asked=""):
    """Require these tokens; the score found and the one expected."""
    message = f"gave {list(got[0])} of score {got[1]}, expected {tokens} of score {score}"
    require(list(got[0]) == tokens, f"{asked}{message}")
    return number(got[1]), number(score)


class SearchLaws(Spec):
    """Laws of every search."""

    declines = NO_TENSORS

    def power(self, case):
        return case.arguments.get("alpha", 0.0)

    def test_score_is_that_of_the_tokens(self, impl, case):
        """The score is the sum of the tokens' own logarithms, divided by their number to the power alpha."""
        tokens, score = impl(case)
        total = scored(case, tokens)
        return number(score), number(total / len(tokens) ** self.power(case))

    def test_sequence_ends_once(self, impl, case):
        """The end stands at the end or nowhere; without it the sequence has as many tokens as it may."""
        tokens = list(impl(case)[0])
        require(0 < len(tokens) <= case.steps, f"{tokens} has {len(tokens)} tokens of {case.steps} at most")
        require(case.eos not in tokens[:-1], f"{tokens} goes on after the end, {case.eos}")
        require(tokens[-1] == case.eos or len(tokens) == case.steps, f"{tokens} stops before the end")

    def test_first_of_equal_sequences_wins(self, impl, case):
        """Where all tokens are equally probable the lowest ones are taken."""
        tokens = list(impl(case, step_fn=Given({}, [0.0, 0.0, 0.0]), eos=2)[0])
        require(tokens == [0] * case.steps, f"all tokens tie, yet it took {tokens}")

    def test_certain_end_comes_at_once(self, impl, case):
        """Where only the end is possible, it is the whole sequence, of score 0."""
        return found(impl(case, step_fn=Given({}, [-INFINITY, 0.0, -INFINITY]), eos=1), [1], 0.0)

    def test_step_function_sees_the_whole_prefix(self, impl, case):
        """It is asked with tuples of all tokens so far, the beginning of the sequence first, never after the end."""
        asked = []

        def recording(prefix):
            asked.append(tuple(prefix))
            return case.step_fn(prefix)

        impl(case, step_fn=recording)
        require(asked and asked[0] == (case.bos,), f"the first question is {asked[:1]}, expected {(case.bos,)}")
        for prefix in asked:
            fits = prefix[0] == case.bos and len(prefix) <= case.steps and case.eos not in prefix[1:]
            require(fits, f"it is asked what follows {prefix}")


SMALL = dict(step_fn=domains.table(1, 3, 2, False, False, 1), bos=0, eos=2)
IMPOSSIBLE = Invalid(ValueError, "no possible token", step_fn=_impossible, bos=0, eos=2, steps=2)


class TestGreedySearch(SearchLaws):
    component = seq2seq.greedy_search
    cases = domains.greedy_search
    edges = (dict(**SMALL, steps=1),)
    invalid = (Invalid(ValueError, "no step", **SMALL, steps=0), IMPOSSIBLE)

    def test_each_token_is_the_best_of_its_step(self, impl, case):
        """No token was more probable where one was taken, and of equal ones it is the lowest."""
        prefix: tuple[int, ...] = (case.bos,)
        for token in impl(case)[0]:
            scores = case.step_fn(prefix)
            best = int((scores == scores.max()).nonzero()[0])
            require(token == best, f"after {prefix} it took {token}, expected {best} of {scores.tolist()}")
            prefix = (*prefix, token)

    def test_exhaustive_search_is_no_worse(self, impl, case):
        """The best of all sequences scores at least as much."""
        score, best = float(impl(case)[1]), seq2seq.exhaustive_search(**case.arguments)[1]
        return number(score), number(min(score, best))

    def test_it_walks_past_better_sequences(self, impl, case):
        """A token that is worse now may lead to a better sequence, which greedy search does not see."""
        return found(impl(case, step_fn=TRAP, eos=2, steps=2), [0, 0], -4.0)

    def test_published_example(self, impl):
        """The textbook's figure: A, B, C and the end have a probability of 0.048."""
        tokens, score = impl.call(step_fn=textbook, bos=4, eos=published.END, steps=4)
        require(list(tokens) == published.GREEDY, f"took {list(tokens)}, printed is {published.GREEDY}")
        printed([math.exp(score)], [published.GREEDY_PROBABILITY])


class TestExhaustiveSearch(SearchLaws):
    component = seq2seq.exhaustive_search
    cases = domains.exhaustive_search
    edges = (dict(**SMALL, steps=1), dict(**SMALL, steps=1, alpha=1.0))
    invalid = (Invalid(ValueError, "no step", **SMALL, steps=0), IMPOSSIBLE)
    prerequisites = ("greedy_search",)

    def test_nothing_scores_more(self, impl, case):
        """Of all sequences, ended or as long as they may be, none is better."""
        size = len(case.step_fn((case.bos,)))
        best = max(
            scored(case, tokens) / length**case.alpha
            for length in range(1, case.steps + 1)
            for tokens in itertools.product(range(size), repeat=length)
            if case.eos not in tokens[:-1] and (tokens[-1] == case.eos or length == case.steps)
        )
        return number(impl(case)[1]), number(best)

    def test_it_finds_what_greedy_search_misses(self, impl, case):
        """A worse first token that leads to a better sequence is taken."""
        return found(impl(case, step_fn=TRAP, eos=2, steps=2, alpha=0.0), [1, 0], -1.75)

    def test_dead_ends_are_passed_over(self, impl, case):
        """Beginnings after which no token is possible are no sequences."""
        return found(impl(case, step_fn=DEAD_END, eos=2, steps=3, alpha=0.0), [1, 0, 0], -6.0)

    def test_length_is_made_up_for(self, impl, case):
        """At alpha 0 and below, log P = −2 of one token beats −3 of three; at alpha 1 it is the other way about."""
        step_fn = Given({(): [-1.0, -9.0, -2.0], (0,): [-1.0, -9.0, -9.0], (0, 0): [-9.0, -9.0, -1.0]}, [-9.0] * 3)
        powers = {0.0: ([2], -2.0), 1.0: ([0, 0, 2], -1.0), -1.0: ([2], -2.0)}
        return [found(impl(case, step_fn=step_fn, eos=2, steps=3, alpha=p), *right) for p, right in powers.items()]

    def test_published_example(self, impl):
        """The textbook's figure: A, C, B and the end have 0.054, more than greedy search's 0.048."""
        tokens, score = impl.call(step_fn=textbook, bos=4, eos=published.END, steps=4)
        require(list(tokens) == published.BETTER, f"took {list(tokens)}, printed is {published.BETTER}")
        printed([math.exp(score)], [published.BETTER_PROBABILITY])


class TestBeamSearch(SearchLaws):
    component = seq2seq.beam_search
    cases = domains.beam_search
    edges = (dict(**SMALL, steps=1, k=1), dict(**SMALL, steps=1, k=5, alpha=0.0))
    invalid = (
        Invalid(ValueError, "no step", **SMALL, steps=0, k=2),
        Invalid(ValueError, "no place", **SMALL, steps=2, k=0),
        Invalid(ValueError, "no possible token", **IMPOSSIBLE.arguments, k=2),
    )
    prerequisites = ("greedy_search", "exhaustive_search")

    def found(self, impl, case, tokens, score, **changes):
        """This result of a search over three tokens, of which 2 ends."""
        asked = "".join(f"{name} {value}; " for name, value in changes.items())
        return found(impl(case, bos=0, eos=2, **changes), tokens, score, f"with eos 2; {asked}")

    def test_one_place_is_greedy_search(self, impl, case):
        """With k = 1 it takes greedy search's tokens."""
        tokens, score = seq2seq.greedy_search(case.step_fn, case.bos, case.eos, case.steps)
        return found(impl(case, k=1), tokens, score / len(tokens) ** case.alpha)

    def test_places_for_all_are_exhaustive_search(self, impl, case):
        """With as many places as there are sequences it finds the best of all."""
        size = len(case.step_fn((case.bos,)))
        best = seq2seq.exhaustive_search(case.step_fn, case.bos, case.eos, case.steps, case.alpha)
        return found(impl(case, k=size**case.steps), *best)

    def test_exhaustive_search_is_no_worse(self, impl, case):
        """No beam finds more than the best of all sequences."""
        best = seq2seq.exhaustive_search(case.step_fn, case.bos, case.eos, case.steps, case.alpha)[1]
        score = float(impl(case)[1])
        return number(score), number(min(score, best))

    def test_no_more_beginnings_than_places(self, impl, case):
        """At every length it continues k different beginnings at most."""
        asked = set()

        def recording(prefix):
            asked.add(tuple(prefix))
            return case.step_fn(prefix)

        impl(case, step_fn=recording)
        for length in range(1, case.steps + 1):
            count = sum(len(prefix) == length for prefix in asked)
            require(count <= case.k, f"{count} beginnings of {length} tokens are continued, expected {case.k} at most")

    def test_beginnings_differ(self, impl, case):
        """Two places hold two beginnings, so that the second best first token can win."""
        return self.found(impl, case, [1, 0], -1.75, step_fn=TRAP, steps=2, k=2, alpha=0.0)

    def test_ended_sequence_keeps_its_score(self, impl, case):
        """A sequence that ends early is kept, not continued, and wins if no other is better."""
        step_fn = Given({(): [-2.0, -9.0, -1.0]}, [-1.0, -1.0, -1.0])
        return self.found(impl, case, [2], -1.0, step_fn=step_fn, steps=3, k=2, alpha=0.0)

    def test_ended_sequence_keeps_its_place(self, impl, case):
        """Better beginnings that come later do not push out what has ended, and take no place beyond the k."""
        scores = {(): [-1.0, -9.0, -3.0], (0,): [-0.5, -1.0, -9.0], (0, 0): [-9.0] * 3, (0, 1): [0.0, -9.0, -9.0]}
        return self.found(impl, case, [2], -3.0, step_fn=Given(scores, [-9.0] * 3), steps=3, k=2, alpha=0.0)

    def test_dead_end_gives_its_place_back(self, impl, case):
        """A beginning after which no token is possible is dropped, and the other one goes on in both places."""
        return self.found(impl, case, [1, 0, 0], -6.0, step_fn=DEAD_END, steps=3, k=2, alpha=0.0)

    def test_longer_sequence_may_win_after_an_end(self, impl, case):
        """The search goes on after an end: length may make up for what is lost."""
        step_fn = Given({(): [-1.5, -9.0, -1.0]}, [0.0, -9.0, -9.0])
        return self.found(impl, case, [0, 0, 0], -0.5, step_fn=step_fn, steps=3, k=2, alpha=1.0)

    def test_sooner_end_may_win_after_an_end(self, impl, case):
        """Where length costs, what goes on may still win: by ending at once, not by becoming as long as it may."""
        scores = {(): [-9.0, -1.0, -3.0], (1,): [-9.0, -9.0, -0.25]}
        return self.found(impl, case, [1, 2], -2.5, step_fn=Given(scores, [-9.0] * 3), steps=6, k=2, alpha=-1.0)

    def test_length_counts_the_end_and_not_the_beginning(self, impl, case):
        """Two tokens and their end are three, two without an end are two: at alpha 1 a score of −1 either way."""
        step_fn = Given({(): [-1.0, -9.0, -9.0], (0,): [-9.0, -1.0, -9.0], (0, 1): [-9.0, -9.0, -1.0]}, [-9.0] * 3)
        ended = self.found(impl, case, [0, 1, 2], -1.0, step_fn=step_fn, steps=5, k=1, alpha=1.0)
        return [ended, self.found(impl, case, [0, 1], -1.0, step_fn=step_fn, steps=2, k=1, alpha=1.0)]

    def test_impossible_tokens_take_no_place(self, impl, case):
        """A possible continuation of the second beginning comes before impossible ones of the first."""
        scores = {(): [-1.0, -2.0, -INFINITY], (0,): [-1.0, -INFINITY, -INFINITY], (1,): [-INFINITY, -5.0, -INFINITY]}
        scores |= {(0, 0): [-9.0, -9.0, -9.0], (1, 1): [0.0, -9.0, -9.0]}
        return self.found(impl, case, [1, 1, 0], -7.0, step_fn=Given(scores, [0.0] * 3), steps=3, k=2, alpha=0.0)

    def test_more_places_may_score_lower(self, impl, case):
        """Two places find less than one here: two beginnings push out the one whose continuation would have won."""
        scores = {(): [-1.0, -1.5, -9.0], (0,): [-2.0, -9.0, -9.0], (1,): [-1.0, -1.25, -9.0]}
        scores |= {(0, 0): [0.0, -9.0, -9.0], (1, 0): [-4.0] * 3, (1, 1): [-4.0] * 3}
        step_fn = Given(scores, [0.0] * 3)
        one = self.found(impl, case, [0, 0, 0], -3.0, step_fn=step_fn, steps=3, k=1, alpha=0.0)
        return [one, self.found(impl, case, [1, 0, 0], -6.5, step_fn=step_fn, steps=3, k=2, alpha=0.0)]

    def test_published_example(self, impl):
        """The textbook's figure: two places find A, C, B and the end, of probability 0.054."""
        tokens, score = impl.call(step_fn=textbook, bos=4, eos=published.END, steps=4, k=2, alpha=0.0)
        require(list(tokens) == published.BETTER, f"took {list(tokens)}, printed is {published.BETTER}")
        printed([math.exp(score)], [published.BETTER_PROBABILITY])
