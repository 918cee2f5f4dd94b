"""From sentences to examples."""

import torch

from lawbook.fixtures.cases import bert as domains
from lawbook.fixtures.published import bert as published
from lawbook.reference import bert
from lawbook.spec_tests.chance import ALARM
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_attention.laws import ramp
from lawbook.spec_tests.test_bert.laws import STOCHASTIC, STREAMS, WORDS_ONLY
from lawbook.spec_tests.test_bert.test_masking import between

TEXT = [[["a", "b"], ["c"], ["d", "e"]], [["f"], ["c"]]]


class TestTokensAndSegments(Spec):
    component = bert.tokens_and_segments
    cases = domains.tokens_and_segments
    declines = {**WORDS_ONLY, "edge_sizes": "cases without tokens are among the usual ones"}
    invalid = (
        Invalid(TypeError, "a string for a list of tokens", a="hello"),
        Invalid(TypeError, "a string for the second list of tokens", a=["hello"], b="world"),
        Invalid(TypeError, "numbers for tokens", a=[1, 2]),
    )

    def test_lengths_are_equal(self, impl, case):
        """As many segments as tokens: two more than the first sequence, one more than the second."""
        tokens, segments = impl(case)
        expected = len(case.a) + 2 + (0 if case.b is None else len(case.b) + 1)
        require(len(tokens) == len(segments) == expected, f"{len(tokens)} tokens, {len(segments)} segments")

    def test_sequences_are_found_again(self, impl, case):
        """Without the first token and the separators behind them, the tokens of a segment are its sequence."""
        tokens, segments = impl(case)
        first = [token for token, segment in zip(tokens, segments, strict=True) if segment == 0]
        second = [token for token, segment in zip(tokens, segments, strict=True) if segment == 1]
        require(first == ["<cls>", *case.a, "<sep>"], f"the first segment is {first}")
        expected = [] if case.b is None else [*case.b, "<sep>"]
        require(second == expected, f"the second segment is {second}, expected {expected}")

    def test_second_follows_the_first(self, impl, case):
        """Segments never fall, and what comes before the second sequence is what stands without it."""
        tokens, segments = impl(case)
        alone, zeros = impl(case, b=None)
        require(list(segments) == sorted(segments), f"segments are {list(segments)}")
        require(list(tokens)[: len(alone)] == list(alone), f"tokens begin with {list(tokens)[: len(alone)]}")
        require(not any(zeros), f"a single sequence has the segments {list(zeros)}")


class TestNextSentencePairs(Spec):
    component = bert.next_sentence_pairs
    cases = domains.next_sentence_pairs
    declines = {**STOCHASTIC, "shape_and_dtype": STREAMS + "the sentences that are drawn differ in length"}
    _good = dict(sentence=TEXT[0][0], next_sentence=TEXT[0][1], paragraphs=TEXT, seed=3)
    invalid = (
        Invalid(ValueError, "a text without another sentence", **{**_good, "paragraphs": [[["c"]], [["c"], ["c"]]]}),
        Invalid(ValueError, "no text", **{**_good, "paragraphs": []}),
        Invalid(TypeError, "no seed", **{**_good, "seed": None}),
    )

    def test_first_stays_and_second_is_of_the_text(self, impl, case):
        """The first sentence is kept; the second is the next one if it says so, else another one of the text."""
        first, second, is_next = impl(case)
        require(list(first) == case.sentence, f"the first sentence is {list(first)}, expected {case.sentence}")
        if is_next:
            require(list(second) == case.next_sentence, f"{list(second)} is said to be next")
        others = [other for paragraph in case.paragraphs for other in paragraph]
        require(list(second) in others, f"{list(second)} stands nowhere in the text")

    def test_another_sentence_is_never_the_next_one(self, impl, case):
        """A pair is said to be no neighbours only where the second sentence differs from the next one."""
        for seed in range(20):
            _, second, is_next = impl(case, seed=seed)
            wrong = not is_next and list(second) == case.next_sentence
            require(not wrong, f"{list(second)} is the next sentence and said to be another (seed {seed})")

    def test_same_seed_same_choice(self, impl, case):
        """The same seed gives the same pair again, also after another seed."""
        first = impl(case)
        impl(case, seed=case["seed"] + 1)
        require(impl(case) == first, "the same seed gives another pair at a later call")

    def test_half_are_neighbours(self, impl):
        """In 4000 pairs half are neighbours, and every other sentence of the text stands as often in the rest."""
        first, second = published.PAIR
        others = [published.OTHER, ["a"], ["b", "c"], ["d"]]
        text = [[first, second, others[0]], [others[1]], [others[2], second, others[3]]]
        total = 4000
        settings = dict(sentence=first, next_sentence=second, paragraphs=text)
        pairs = [impl.call(**settings, seed=seed) for seed in range(total)]
        between(sum(bool(is_next) for *_, is_next in pairs), total, 0.5, "neighbours")
        drawn = [list(other) for _, other, is_next in pairs if not is_next]
        for other in (first, *others):
            between(drawn.count(other), len(drawn), 1 / (len(others) + 1), f"{other} drawn", ALARM / 10)


PARTS = ("tokens", "segments", "positions", "labels")
EXAMPLE = dict(
    tokens=torch.tensor([1, 5, 2, 6]),
    segments=torch.tensor([0, 0, 0, 1]),
    positions=torch.tensor([1]),
    labels=torch.tensor([4]),
    is_next=True,
)


class TestPadBertBatch(Spec):
    component = bert.pad_bert_batch
    cases = domains.pad_bert_batch
    declines = {
        "low_precision": "no argument is floating",
        "extremes_stay_finite": "no argument has extreme values",
        "nan_not_hidden": "no argument can hold nan",
        "accelerator_agrees": "examples are gathered where data is loaded",
    }
    edges = (
        dict(examples=[EXAMPLE], max_len=4, pad=0),
        dict(
            examples=[{**EXAMPLE, "positions": torch.zeros(0).long(), "labels": torch.zeros(0).long()}],
            max_len=5,
            pad=3,
        ),
        dict(
            examples=[{**{part: torch.zeros(0).long() for part in PARTS}, "is_next": False}],
            max_len=0,
            pad=0,
        ),
    )
    invalid = (
        Invalid(ValueError, "no example", examples=[], max_len=6, pad=0),
        Invalid(ValueError, "an example that is too long", examples=[EXAMPLE], max_len=3, pad=0),
        Invalid(
            ValueError,
            "more predictions than there is room for",
            examples=[{**EXAMPLE, "positions": torch.tensor([1, 2]), "labels": torch.tensor([4, 4])}],
            max_len=6,
            pad=0,
        ),
        Invalid(
            ValueError,
            "more labels than positions",
            examples=[{**EXAMPLE, "labels": torch.tensor([4, 4])}],
            max_len=20,
            pad=0,
        ),
        Invalid(ValueError, "a missing part", examples=[{"tokens": torch.tensor([1, 2])}], max_len=6, pad=0),
        *(
            Invalid(TypeError, f"{part} that are no integers", examples=[{**EXAMPLE, part: x}], max_len=20, pad=0)
            for part, x in {"tokens": ramp(4), "segments": ramp(4), "positions": ramp(1), "labels": ramp(1)}.items()
        ),
    )

    def test_examples_are_found_again(self, impl, case):
        """Cut back to its length, and to the predictions of weight 1, each row is its example."""
        found = impl(case)
        for k, example in enumerate(case.examples):
            length = int(found["valid_lens"][k])
            counts = found["weights"][k] == 1
            for name, part in (
                ("tokens", found["tokens"][k, :length]),
                ("segments", found["segments"][k, :length]),
                ("positions", found["positions"][k][counts]),
                ("labels", found["labels"][k][counts]),
            ):
                require(torch.equal(part, example[name]), f"{name} of example {k} are {part.tolist()}")
            require(bool(found["is_next"][k]) is example["is_next"], f"example {k} says another thing of being next")

    def test_padding_weighs_nothing(self, impl, case):
        """Behind its predictions an example has weight 0, position 0 and label 0, behind its tokens the padding."""
        found = impl(case)
        weights = found["weights"]
        require(((weights == 0) | (weights == 1)).all(), f"weights are {weights.tolist()}")
        for name in ("positions", "labels"):
            require((found[name][weights == 0] == 0).all(), f"{name} of weight 0 are not 0", got=found[name])
        beyond = torch.arange(case.max_len) >= found["valid_lens"][:, None]
        require((found["tokens"][beyond] == case.pad).all(), "other tokens than the padding stand behind an example")
        require((found["segments"][beyond] == 0).all(), "the padding is of segment 1")

    def test_all_rows_have_one_length(self, impl, case):
        """``max_len`` tokens, and room to foretell 15 % of them, whatever the examples hold."""
        found = impl(case)
        batch, room = len(case.examples), max(1, round(published.SHARE * case.max_len))
        expected: dict[str, tuple[int, ...]] = dict.fromkeys(("tokens", "segments"), (batch, case.max_len))
        expected |= dict.fromkeys(("positions", "weights", "labels"), (batch, room))
        expected |= dict.fromkeys(("valid_lens", "is_next"), (batch,))
        shapes = {name: tuple(part.shape) for name, part in found.items()}
        require(shapes == expected, f"gave shapes {shapes}, expected {expected}")

    def test_each_example_is_padded_alone(self, impl, case):
        """An example by itself gives its own row."""
        found = impl(case)
        for k, example in enumerate(case.examples):
            alone = impl(case, examples=[example])
            for name, part in alone.items():
                require(torch.equal(part[0], found[name][k]), f"{name} of example {k} depend on the others")
