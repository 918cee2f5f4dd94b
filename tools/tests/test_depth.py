"""The table of signals in depth."""

from lawbook.tools.depth import RULES, main, table


def test_every_rule_has_a_row_and_every_chosen_layer_a_column():
    lines = table(4, 8).splitlines()
    assert len(lines) == 2 + len(RULES)
    assert "| layer 1 | layer 2 | layer 4 |" in lines[0]
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_one_layer_has_one_column():
    assert table(1, 3).splitlines()[0].endswith("| layer 1 |")


def test_it_is_printed(capsys):
    assert main(["--depth", "2", "--width", "5"]) == 0
    assert "Kaiming, normal" in capsys.readouterr().out
