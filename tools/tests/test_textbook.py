"""No false alarms: correct formulas in other forms than the reference's obey every law."""

import pytest

from lawbook.fixtures.implementation import Implementation
from lawbook.spec_tests import load
from lawbook.spec_tests.running import Settings, run_law
from lawbook.tools.record import BAD
from lawbook.tools.tests import textbook

SPECS = load()
TEXTBOOK = Implementation([textbook], "textbook")


@pytest.mark.parametrize("name", [name for name in SPECS if hasattr(textbook, name)])
def test_the_formula_of_a_textbook_obeys_every_law(name):
    of = SPECS[name]
    laws = [law for law in of.law_names() if law != "invalid_input_raises"]
    results = [run_law(of, law, TEXTBOOK, Settings(profile="default", seed=seed)) for law in laws for seed in (0, 1)]
    assert not [result.text for result in results if result.outcome in BAD]
    assert sum(result.outcome == "pass" for result in results) > len(laws)
