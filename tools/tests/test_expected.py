"""Expected failures are read strictly and held strictly."""

import pytest
import torch

from lawbook.spec_tests import load
from lawbook.spec_tests.running import LawResult
from lawbook.tools.expected import BadExpected, read_expected, reason_of, shipped, weigh


class TestFile:
    def read(self, tmp_path, content):
        file = tmp_path / "expected.toml"
        file.write_bytes(content)
        return read_expected(file)

    def test_components_laws_and_reasons(self, tmp_path):
        table = self.read(tmp_path, b'[softmax]\nglobal_state = "seeds itself"\n[lstm]\nlow_precision = "no kernel"\n')
        assert table == {"softmax": {"global_state": "seeds itself"}, "lstm": {"low_precision": "no kernel"}}

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            (b"[softmax", "are not TOML"),
            (b"\xff\xfe", "are not TOML"),
            (b'softmax = "all of it"', "must map laws to reasons"),
            (b"[softmax]\nglobal_state = true", "must map laws to reasons"),
            (b'[softmax]\nglobal_state = ""', "must map laws to reasons"),
            (b'[softmax]\nglobal_state = "  "', "must map laws to reasons"),
            (b'[softmax]\nglobal_state = ["a", "b"]', "must map laws to reasons"),
        ],
    )
    def test_a_damaged_file_is_one_sentence(self, tmp_path, content, complaint):
        with pytest.raises(BadExpected) as refused:
            self.read(tmp_path, content)
        assert complaint in str(refused.value)
        assert "\n" not in str(refused.value)

    def test_a_missing_file_and_a_folder(self, tmp_path):
        for path in (tmp_path / "none.toml", tmp_path):
            with pytest.raises(BadExpected, match="cannot read the expected failures"):
                read_expected(path)

    @pytest.mark.parametrize("adapter", ["torch", "jax", "numpy", "keras", "onnx", "transformers"])
    def test_what_comes_with_an_adapter_names_components_and_laws_that_exist(self, adapter):
        specs = load()
        for component, laws in shipped(adapter).items():
            assert component in specs
            assert set(laws) <= set(specs[component].law_names()), component

    @pytest.mark.parametrize("what", ["nothing", "mine.py", "../torch", "a/b", "reference"])
    def test_others_ship_none(self, what):
        assert shipped(what) == {}


class TestReason:
    @pytest.mark.parametrize("name", ["float64", "bfloat16", "float16"])
    def test_one_of_a_dtype_counts_in_it_alone(self, name):
        known = {"global_state": f"in {name}: it seeds itself"}
        for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
            expected = known["global_state"] if str(dtype) == f"torch.{name}" else None
            assert reason_of(known, "global_state", dtype) == expected

    def test_in_half_precision_what_fails_in_low_precision_may_always(self):
        known = {"low_precision": "squares vanish", "gradient_agrees": "in float64: a float32 inside"}
        for law in ("agrees_with_reference", "gradient_agrees", "low_precision"):
            assert reason_of(known, law, torch.float16) == reason_of(known, law, torch.bfloat16) == "squares vanish"
        assert reason_of(known, "agrees_with_reference", torch.float32) is None
        assert reason_of({}, "agrees_with_reference", torch.float16) is None

    def test_a_reason_of_its_own_comes_first(self):
        known = {"low_precision": "squares vanish", "agrees_with_reference": "in float16: as low_precision"}
        assert reason_of(known, "agrees_with_reference", torch.float16) == "in float16: as low_precision"
        assert reason_of({"global_state": "it seeds itself"}, "global_state", torch.float32) == "it seeds itself"


class TestStrictness:
    @staticmethod
    def weigh(outcome, reason="it seeds itself", strict=True):
        result = LawResult(outcome, reason="was that", text="was that")
        weigh(result, reason, strict)
        return result

    @pytest.mark.parametrize("outcome", ["fail", "error"])
    def test_a_known_deviation_is_expected(self, outcome):
        result = self.weigh(outcome)
        assert (result.outcome, result.reason) == ("expected_failure", "it seeds itself")

    def test_one_that_is_gone_fails(self):
        result = self.weigh("pass")
        assert result.outcome == "fail"
        assert "expected to fail (it seeds itself), but it holds" in result.text

    def test_one_that_is_met_sometimes_may_pass(self):
        assert self.weigh("pass", "sometimes: it seeds itself").outcome == "pass"

    def test_elsewhere_than_where_it_was_found_it_may_pass(self):
        assert self.weigh("pass", strict=False).outcome == "pass"
        assert self.weigh("fail", strict=False).outcome == "expected_failure"

    @pytest.mark.parametrize("outcome", ["crash", "timeout", "not_provided", "not_applicable", "not_run"])
    def test_a_crash_is_never_expected_and_what_was_not_judged_stays_so(self, outcome):
        assert self.weigh(outcome).outcome == outcome

    @pytest.mark.parametrize("outcome", ["pass", "fail"])
    def test_what_is_not_expected_is_left_alone(self, outcome):
        result = self.weigh(outcome, None)
        assert (result.outcome, result.reason) == (outcome, "was that")
