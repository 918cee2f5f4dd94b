"""What lawbook holds, against the table of what it has to."""

import tomllib
from pathlib import Path

import pytest

from lawbook.reference import CHAPTERS
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
