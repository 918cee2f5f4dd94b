"""Every universal law can fail, and fails for what it says."""

import itertools

import pytest
import torch

from lawbook.fixtures.cases.kit import domain
from lawbook.fixtures.faulty import universal
from lawbook.fixtures.faulty.registry import load as load_faulty
from lawbook.reference import convolution, losses
from lawbook.spec_tests import globals_guard
from lawbook.spec_tests import load as load_specs
from lawbook.spec_tests.devices import device
from lawbook.spec_tests.layouts import KINDS, arranged
from lawbook.spec_tests.spec import Batch, Invalid
from lawbook.spec_tests.universal import UniversalLaws
from lawbook.spec_tests.upset import IN_VAIN
from lawbook.tools.teeth import judge_faulty
from lawbook.tools.tests.specimens import cases, judge, matrices, numbers, spec

SPECS = load_specs()
FAULTY = [
    known for found in load_faulty().values() for known in found if known.function.__module__ == universal.__name__
]
LAWS = [name.removeprefix("test_") for name in vars(UniversalLaws) if name.startswith("test_")]


@pytest.mark.parametrize("known", FAULTY, ids=lambda known: known.name)
def test_a_faulty_implementation_is_rejected_by_the_law_it_names(known):
    bite = judge_faulty(SPECS[known.component], known)
    assert bite.missed == []


@pytest.mark.parametrize("known", FAULTY, ids=lambda known: known.name)
def test_most_of_the_faulty_implementations_agree_with_the_reference(known):
    """Otherwise the law they name would not be needed."""
    gross = {
        "softmax_with_a_cached_sum",
        "softmax_summed_over_the_batch",
        "conv2d_with_batch_statistics",
        "conv2d_that_squeezes",
    }
    gross |= {"cross_entropy_by_logarithm_of_softmax", "mse_loss_every_second_time", "mse_loss_in_float64"}
    result = judge(SPECS[known.component], "agrees_with_reference", known.function)
    assert (result.outcome == "pass") is (known.name not in gross), result.text


def test_every_universal_law_has_a_faulty_implementation_of_its_own():
    named = {law for known in FAULTY for law in known.rejected_by}
    # Agreement itself is broken by all the others of the chapters.
    assert set(LAWS) - named == {"agrees_with_reference"}


def test_every_piece_of_global_state_has_one():
    pieces = len(globals_guard.capture())
    # Device and folder are tried below: to change them would break what runs beside.
    assert len(universal.GLOBAL_STATE) >= pieces - 2


@pytest.mark.parametrize("name", ["softmax", "mse_loss", "conv2d", "lstm"])
def test_the_reference_breaks_none(name):
    for law in LAWS:
        outcome = judge(SPECS[name], law, SPECS[name].component, device=device("simulated"), cases=10).outcome
        assert outcome in ("pass", "not_applicable"), law


class TestGlobalState:
    def test_the_working_directory_and_the_default_device(self, tmp_path):
        import os

        def leave(x):
            os.chdir(tmp_path)
            torch.set_default_device("meta")
            return x * 2

        before = os.getcwd()
        result = judge(spec(lambda x: x * 2, numbers), "global_state", leave)
        assert "the default device" in result.text
        assert "the working directory" in result.text
        assert os.getcwd() == before
        assert torch.get_default_device().type == "cpu"

    def test_what_one_law_leaves_changed_does_not_reach_the_next(self):
        def leave(x):
            torch.set_default_dtype(torch.float64)
            torch.manual_seed(1)
            return x * 2

        state = torch.get_rng_state()
        judge(spec(lambda x: x * 2, numbers), "agrees_with_reference", leave)
        assert torch.get_default_dtype() == torch.float32
        assert torch.equal(torch.get_rng_state(), state)

    def test_it_is_put_back_after_an_exception_too(self):
        def leave(x):
            torch.set_grad_enabled(False)
            raise ValueError

        assert judge(spec(lambda x: x * 2, numbers), "global_state", leave).outcome == "error"
        assert torch.is_grad_enabled()


class TestAccelerator:
    @pytest.mark.parametrize("name", ["conv2d", "rnn_cell", "corr2d_multi_in_out"])
    def test_coarse_products_are_rejected_and_exact_ones_pass(self, name):
        outcomes = {
            where: judge(SPECS[name], "accelerator_agrees", SPECS[name].component, device=device(where)).outcome
            for where in ("simulated", "simulated-tf32")
        }
        assert outcomes == {"simulated": "pass", "simulated-tf32": "fail"}

    @pytest.mark.parametrize("name", sorted(SPECS))
    def test_the_reference_leaves_nothing_on_the_cpu(self, name):
        outcome = judge(
            SPECS[name], "accelerator_agrees", SPECS[name].component, device=device("simulated"), cases=2
        ).outcome
        assert outcome in ("pass", "not_applicable")

    def test_without_products_the_coarse_device_is_as_good(self):
        assert (
            judge(SPECS["softmax"], "accelerator_agrees", losses.softmax, device=device("simulated-tf32")).outcome
            == "pass"
        )

    def test_without_a_device_it_is_not_run(self):
        result = judge(SPECS["softmax"], "accelerator_agrees", losses.softmax)
        assert (result.outcome, result.reason) == ("not_run", "no device given")

    def test_a_result_on_the_cpu_is_named(self):
        result = judge(
            SPECS["softmax"], "accelerator_agrees", universal.softmax_that_comes_home, device=device("simulated")
        )
        assert "is on cpu" in result.text

    def test_a_device_that_is_not_there_is_one_sentence(self):
        with pytest.raises(ValueError, match="device 'nowhere' cannot be used") as refused:
            device("nowhere")
        assert "\n" not in str(refused.value)


class TestMemoryLayout:
    def test_every_layout_keeps_the_values_and_differs_in_memory(self):
        tried = 0
        for case, kind in itertools.product(cases(matrices, 20), KINDS):
            if 1 in case.x.shape:
                continue
            tried += 1
            same, given = arranged(case, kind)
            assert torch.equal(given["x"], same.x)
            usual = given["x"].is_contiguous() and given["x"].storage_offset() == 0
            assert not usual, kind
        assert tried > 20

    def test_what_lies_beside_a_view_is_not_read(self):
        def whole_storage(x):
            return x * 2 + 0 * torch.tensor(x.untyped_storage().nbytes() != x.numel() * x.element_size())

        assert judge(spec(lambda x: x * 2, numbers), "memory_layout", whole_storage).outcome == "pass"

        def sum_of_storage(x):
            values = torch.empty(0, dtype=x.dtype).set_(x.untyped_storage())
            return x * 2 + values.sum() - x.sum()

        assert judge(spec(lambda x: x * 2, numbers), "memory_layout", sum_of_storage).outcome == "fail"


@domain
def batches(d):
    """A batch of rows."""
    return {"x": d.tensor(d.sizes(2, 2), ("normal",))}


class TestSamples:
    def of(self, reference, output=0):
        return spec(reference, batches, batch=lambda self, case: Batch(output=output, x=0))

    def test_results_of_floats_integers_and_numbers(self):
        def both(x):
            return {"sorted": torch.exp(x), "best": x.argmax(-1), "name": "exp", "rows": x.sum(-1)}

        of = self.of(both)
        assert judge(of, "samples_independent", both).outcome == "pass"

        def leaking(x):
            return {**both(x), "rows": x.sum(-1) * (1 + 1e-3 * len(x))}

        assert judge(of, "samples_independent", leaking).outcome == "fail"

    def test_a_position_that_matters_shows_in_the_reversed_batch(self):
        def first_counts_double(x):
            return torch.cat([2 * x[:1], x[1:]])

        of = self.of(lambda x: x * 1.0)
        assert judge(of, "samples_independent", first_counts_double).outcome == "fail"


class TestManySamples:
    OF = spec(lambda x: x * x, batches, differentiable=("x",), batch=lambda self, case: Batch(x=0))

    def test_a_tile_that_is_left_out_is_shown_with_few_samples(self):
        def four_at_most(x):
            return torch.cat([x[:4] ** 2, x[4:]])

        result = judge(self.OF, "many_samples", four_at_most)
        assert result.outcome == "fail"
        assert len(result.failure.case["x"]) == 5

    def test_gradients_are_judged_too(self):
        def sixteen_learn(x):
            return torch.cat([x[:16] ** 2, x[16:].detach() ** 2])

        assert judge(self.OF, "agrees_with_reference", sixteen_learn).outcome == "pass"
        result = judge(self.OF, "many_samples", sixteen_learn)
        assert result.outcome == "fail"
        assert "in the gradient" in result.failure.message

    def test_components_without_samples_are_spared(self):
        whole = spec(lambda x: x * x, batches, batch=lambda self, case: None)
        assert judge(whole, "many_samples", lambda x: x * x).outcome == "not_applicable"
        large = spec(lambda x: x * 2, domain(lambda d: {"x": d.tensor((2, 1000))}), batch=lambda self, case: Batch(x=0))
        assert judge(large, "many_samples", lambda x: x * 2).outcome == "not_applicable"


class TestInvalid:
    OF = spec(
        lambda x: x * 1.0,
        numbers,
        invalid=(Invalid(ValueError, "a number that is negative", x=-torch.ones(2)),),
    )

    @pytest.mark.parametrize("error", [ValueError, TypeError, RuntimeError, AssertionError, ZeroDivisionError])
    def test_any_exception_will_do(self, error):
        def refuse(x):
            raise error

        assert judge(self.OF, "invalid_input_raises", refuse).outcome == "pass"

    @pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
    def test_the_end_of_the_process_will_not(self, error, monkeypatch):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")

        def leave(x):
            raise error

        assert judge(self.OF, "invalid_input_raises", leave).outcome == "error"

    def test_an_answer_is_named(self):
        result = judge(self.OF, "invalid_input_raises", lambda x: x)
        assert "accepts a number that is negative, expected ValueError" in result.text

    def test_nothing_may_be_half_done(self):
        def half(x):
            x.abs_()
            raise ValueError

        result = judge(self.OF, "invalid_input_raises", half)
        assert "x was changed: after the refused call" in result.text


class TestInputs:
    OF = spec(
        lambda x, params: x * params["w"],
        domain(lambda d: {"x": d.tensor((2,)), "params": {"w": d.tensor((2,)), "b": [1]}}),
    )

    @pytest.mark.parametrize(
        ("change", "seen"),
        [
            (lambda x, params: x.add_(1), "x was changed"),
            (lambda x, params: x.resize_(1), "x was changed"),
            (lambda x, params: x.t_() if x.ndim > 1 else x.unsqueeze_(0), "x was changed"),
            (lambda x, params: params["w"].zero_(), "params['w'] was changed"),
            (lambda x, params: params.pop("b"), "hold other parts"),
            (lambda x, params: params["b"].append(2), "hold other parts"),
            (lambda x, params: params.update(w=params["w"] * 2), "params['w'] was changed"),
        ],
    )
    def test_any_change_is_seen(self, change, seen):
        def spoil(x, params):
            result = x * params["w"]
            change(x, params)
            return result

        result = judge(self.OF, "inputs_unmodified", spoil)
        assert result.outcome == "fail"
        assert seen in result.text


def test_a_stray_nan_and_a_hidden_one_are_told_apart():
    of = spec(lambda x: x * 2, domain(lambda d: {"x": d.tensor((4,), ("normal",))}))
    assert "a nan of the input is hidden" in judge(of, "nan_not_hidden", lambda x: torch.nan_to_num(x) * 2).text
    assert "leaked" in judge(of, "nan_not_hidden", lambda x: x * 2 + x.sum() * 0).text


def test_a_gradient_that_is_wrong_anyway_is_upset_twice_at_most():
    of = spec(lambda x: x * x, numbers, differentiable=("x",))
    recorded = []

    def with_half_the_slope(x):
        if x.requires_grad:
            recorded.append(x)
        return x * x.detach()

    assert judge(of, "repeated_calls_agree", with_half_the_slope, cases=30).outcome == "pass"
    # Once upset, once between forward and backward pass, once as usual.
    assert len(recorded) == 3 * IN_VAIN


def test_results_that_are_empty_or_of_one_element_are_judged():
    edges = tuple({"x": torch.ones(shape)} for shape in ((0,), (1,), (1, 0, 2)))
    of = spec(lambda x: x * 2, numbers, edges=edges)
    assert judge(of, "edge_sizes", lambda x: x * 2).cases == 3
    assert judge(of, "edge_sizes", lambda x: x * 2 if x.numel() else x.sum()).outcome == "fail"
    assert judge(of, "edge_sizes", lambda x: x * 2 if x.numel() != 1 else x.reshape(()) * 2).outcome == "fail"
    of = spec(lambda x: x * 2, numbers, edges=edges, differentiable=("x",))
    detached = judge(of, "edge_sizes", lambda x: x * 2 if x.numel() != 1 else x + x.detach())
    assert detached.outcome == "fail"
    assert "in the gradient" in detached.failure.message


def test_the_two_chapters_own_references_are_the_components_judged():
    assert SPECS["conv2d"].component is convolution.conv2d
    assert SPECS["softmax"].component is losses.softmax
