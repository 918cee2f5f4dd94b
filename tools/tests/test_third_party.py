"""Laws in someone else's repository: the ``impl`` fixture, single Specs, subclasses."""

import pytest

pytest_plugins = ["pytester"]

CONFTEST = """
import pytest, torch

class Mine:
    def softmax(self, x, dim):
        return torch.softmax(x, dim){twist}

@pytest.fixture(scope="session")
def impl():
    return Mine()
"""


@pytest.fixture
def project(pytester):
    """A project whose conftest puts its own implementation on trial."""
    pytester.makeini("[pytest]\n")

    def make(test, twist=""):
        pytester.makeconftest(CONFTEST.format(twist=twist))
        pytester.makepyfile(test_mine=test)
        return pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "--profile", "quick")

    return make


def test_one_imported_spec_judges_the_projects_own_fixture(project):
    run = project("from lawbook.spec_tests.test_losses import TestSoftmax\n")
    outcomes = run.parseoutcomes()
    assert outcomes["passed"] >= 15
    assert "failed" not in outcomes


def test_a_wrong_implementation_fails_there(project):
    run = project("from lawbook.spec_tests.test_losses import TestSoftmax\n", twist=" * 1.001")
    assert run.ret == 1
    run.stdout.fnmatch_lines(["*softmax · agrees with reference · chapter losses*", "*worst at*"])


def test_a_subclass_adds_laws_and_a_false_one_is_found_out(project):
    test = (
        "from lawbook.spec_tests import test_losses\n\n"
        "class TestMine(test_losses.TestSoftmax):\n"
        "    def test_never_negative(self, impl, case):\n"
        '        """No probability is negative."""\n'
        "        assert (impl(case) >= 0).all() or impl(case).isnan().any()\n\n"
        "    def test_impossible(self, impl, case):\n"
        '        """Every probability is above one."""\n'
        "        assert (impl(case) > 1).all(), 'a probability is not above one'\n"
    )
    run = project(test)
    outcomes = run.parseoutcomes()
    assert outcomes["failed"] == 1
    run.stdout.fnmatch_lines(["*the law impossible does not hold for the reference in float64 itself*"])
