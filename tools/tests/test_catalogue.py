"""What lawbook holds, against the table of what it has to."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from lawbook.reference import CHAPTERS, chapter_of
from lawbook.spec_tests import load

CATALOGUE = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text())


@pytest.fixture(scope="module")
def held():
    found = {}
    for name, spec in load().items():
        found.setdefault(spec.chapter, set()).add(name)
    return found


def test_the_chapters_and_their_order(held):
    assert tuple(held) == CHAPTERS == tuple(CATALOGUE)


@pytest.mark.parametrize("chapter", CATALOGUE)
def test_every_component_of_the_chapter(held, chapter):
    assert held[chapter] == set(CATALOGUE[chapter])


def test_398_components():
    assert sum(map(len, CATALOGUE.values())) == 398


def test_every_spec_can_be_imported_from_its_chapter():
    """A test suite of someone else's takes its classes from there."""
    missing = {
        name: spec_class.__name__
        for name, spec_class in load().items()
        if getattr(import_module(f"lawbook.spec_tests.test_{spec_class.chapter}"), spec_class.__name__, None)
        is not spec_class
    }
    assert missing == {}


def test_the_reference_knows_the_chapter_of_every_component(held):
    assert [chapter_of(name) for names in held.values() for name in names] == [
        c for c, names in held.items() for _ in names
    ]


@pytest.mark.parametrize("name", ["no_such_component", "Tensor", "__name__"])
def test_what_is_no_component_has_no_chapter(name):
    assert chapter_of(name) == ""
