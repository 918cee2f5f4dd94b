"""The example that trains: its tasks are what they are said to be, and what is interrupted goes on."""

import importlib.util
import sys
from datetime import date
from pathlib import Path

import pytest
import torch

PATH = Path(__file__).resolve().parents[2] / "examples" / "train.py"


@pytest.fixture(scope="module")
def example():
    found = importlib.util.spec_from_file_location("training_example", PATH)
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


def test_verbs_agree_and_choices_are_counted(example):
    text, bits = example.story(torch.Generator().manual_seed(0), 3000)
    assert 0.1 < bits < 0.5
    for sentence in text.split(". ")[:-1]:
        number = "one" if any(sentence.startswith(f"{who} ") for who in example.WORDS["one"]) else "many"
        assert any(sentence.startswith(f"{who} ") for who in example.WORDS[number])
        who = next(who for who in example.WORDS[number] if sentence.startswith(f"{who} "))
        verbs = example.WORDS["walks" if number == "one" else "walk"]
        assert any(sentence.removeprefix(who).startswith(f" {verb} ") for verb in verbs)


def test_dates_say_the_same_in_both_forms(example):
    data = example.dates().data

    def read(name, row):
        tokens = data[name][row, : int(data[f"{name}_lengths"][row]) - 1].tolist()
        return "".join(example.TOKENS[token] for token in tokens)

    for row in range(50):
        day = date.fromisoformat(read("target", row))
        written = read("source", row).replace(",", "").split()
        assert str(day.year) in written
        assert day.strftime("%B").lower() in written
        assert any(word.rstrip("stndrh") == str(day.day) for word in written)


def test_held_out_days_are_not_trained_on(example):
    task = example.dates()
    trained = {tuple(row) for row in task.data["target"].tolist()}
    seen = []
    # A model that writes down what it is asked.
    task.judge(lambda source, lengths, n: seen.append(source) or torch.zeros(len(source), n).long())
    assert len(trained) == len(task.data["target"]) == 4000
    assert len(seen[0]) == 500
    assert not {tuple(row) for row in task.data["source"].tolist()} & {tuple(row) for row in seen[0].tolist()}


def test_an_interrupted_training_goes_on(example, tmp_path, monkeypatch, capsys):
    command = ["digits", "--epochs", "3", "--checkpoint", str(tmp_path / "there" / "digits.safetensors")]
    train = example.trainer("reference", "train_classifier")
    heard = []

    def interrupted(**given):
        tell = given.pop("on_epoch")

        def on_epoch(epoch, loss):
            heard.append(epoch)
            tell(epoch, loss)
            if len(heard) == 2:
                raise KeyboardInterrupt

        return train(**given, on_epoch=on_epoch)

    monkeypatch.setattr(example, "trainer", lambda *_: interrupted)
    assert example.main(command) == 130
    assert "the same command goes on from" in capsys.readouterr().out
    curve, logs = tmp_path / "pictures" / "curve.svg", tmp_path / "logs"
    assert example.main([*command, "--curve", str(curve), "--logs", str(logs)]) == 0
    assert heard == [0, 1, 2]
    out = capsys.readouterr().out
    assert "in 3 epochs" in out
    assert float(out.partition("that are right: ")[2].split()[0]) > 0.9
    assert curve.read_text(encoding="utf-8").startswith("<svg")
    assert any("tfevents" in file.name for file in logs.iterdir())


@pytest.mark.parametrize("layers", ["reference", "torch"])
@pytest.mark.parametrize("name", ["train_classifier", "train_language_model", "train_seq2seq"])
def test_both_kinds_of_layers_train_everything(example, layers, name):
    assert callable(example.trainer(layers, name))


def test_held_out_sentences_are_not_trained_on(example):
    task = example.gaps()
    asked = []
    # A model that writes down what it is asked.
    task.judge(lambda tokens, lengths, at: asked.append(tokens) or torch.zeros(len(tokens), 1, task.data["vocab"]))
    trained = {tuple(row) for row in task.data["tokens"].tolist()}
    assert len(trained) == len(task.data["tokens"]) > 500
    # One word is hidden when verbs are asked for, another when any word is: together they show most sentences whole.
    verbs, words = asked
    assert bool((verbs == example.MASK).sum(1).eq(1).all())
    assert bool((words == example.MASK).sum(1).eq(1).all())
    shown = torch.where(verbs == example.MASK, words, verbs)
    shown = shown[(shown != example.MASK).all(1)]
    assert len(shown) > 100
    assert not {tuple(row) for row in shown.tolist()} & trained
