"""The examples do what they are there for: one file is right throughout, fourteen are wrong in one way each."""

import re
from pathlib import Path

import pytest

from lawbook.fixtures.faulty import registry
from lawbook.fixtures.implementation import load as load_implementation
from lawbook.spec_tests import load
from lawbook.tools.tests.specimens import judge

ROOT = Path(__file__).resolve().parents[2]
SPECS = load()
SCRATCH = load_implementation(str(ROOT / "examples" / "scratch_numpy.py"))
PROVIDED = [name for name in SPECS if SCRATCH.function(name)]
MISTAKES = {
    "softmax_batch_axis": ("softmax", "normalized over the batch in place of the classes"),
    "cross_entropy_mean": ("cross_entropy", "the weighted mean divides by the number of samples"),
    "conv2d_flipped": ("conv2d", "the kernel is flipped: a convolution of mathematics, not a cross-correlation"),
    "lstm_gates": ("lstm_cell", "two gates have changed places"),
    "clip_each": ("clip_gradients", "every tensor is measured by itself"),
    "standardize_variance": ("standardize", "centred, but divided by the variance"),
    "adam_uncorrected": ("adam", "the averages are not corrected for their start at 0"),
    "softplus_digits": ("softplus", "log(1 + exp(x)) has no digits left for very negative x"),
    "layer_norm_unbiased": ("layer_norm", "what is divided by comes from n − 1"),
    "nms_dropped_drop": ("nms", "boxes that are dropped drop others"),
    "mean_iou_absent": ("mean_iou", "a class that does not appear counts as 0"),
    "masked_softmax_small": (
        "masked_softmax",
        "masked scores become a number close to zero, which is a score like any other",
    ),
    "positional_encoding_halves": ("positional_encoding", "all sines before all cosines"),
    "bleu_unclipped": ("bleu", "a word of the label matches any number of times"),
}


def undocumented(text):
    """Its lines that docs/failures.md does not have. What rounding allows differs in its digits from processor to processor."""
    shown = _without_allowed((ROOT / "docs" / "failures.md").read_text(encoding="utf-8"))
    return [line for line in _without_allowed(text).splitlines() if line.strip() and line.strip() not in shown]


def _without_allowed(text):
    return re.sub(r"allowed [\d.e-]+", "allowed", text)


def example(name):
    return load_implementation(str(ROOT / "examples" / "mistakes" / f"{name}.py"))


@pytest.mark.parametrize("name", PROVIDED)
def test_the_students_numpy_file_is_right(name):
    results = {law: judge(SPECS[name], law, SCRATCH) for law in SPECS[name].law_names()}
    wrong = {law: result.text for law, result in results.items() if result.outcome in ("fail", "error")}
    assert wrong == {}
    assert results["agrees_with_reference"].outcome == "pass"
    assert results["low_precision"].outcome in ("pass", "not_applicable")


def test_it_provides_fifteen_components_of_three_chapters():
    assert len(PROVIDED) == 15
    assert {SPECS[name].chapter for name in PROVIDED} == {"losses", "convolution", "recurrent"}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_students_mistake_is_found_and_named(name):
    component, hint = MISTAKES[name]
    result = judge(SPECS[component], "agrees_with_reference", example(name))
    assert (result.outcome, result.failure.hint) == ("fail", hint)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_students_mistake_is_the_only_one(name):
    """Form, inputs, memory, refusals and global state are as they should be: what is wrong is the answer."""
    component, _ = MISTAKES[name]
    for law in ("inputs_unmodified", "no_aliasing", "global_state"):
        assert judge(SPECS[component], law, example(name)).outcome == "pass", law


@pytest.mark.parametrize("name", MISTAKES)
def test_what_the_documentation_shows_is_what_a_student_reads(name):
    result = judge(SPECS[MISTAKES[name][0]], "agrees_with_reference", example(name))
    assert undocumented(result.text.replace("VERDICT", "verdict.json")) == []


@pytest.mark.parametrize(
    ("component", "name"),
    [
        ("gru", "recurrent_bias_skipped_without_state"),
        ("conv_transpose2d", "transpose_undilated_size"),
        ("cross_entropy", "smoothing_by_the_last_axis"),
    ],
)
def test_the_documentations_shrunk_cases_are_those_that_are_found(component, name):
    known = next(known for known in registry.load()[component] if known.name == name)
    text = judge(SPECS[component], "agrees_with_reference", known.function).text
    lines = [line for line in text.splitlines() if "reproduce:" not in line and "known mistake" not in line]
    assert undocumented("\n".join(lines)) == []
