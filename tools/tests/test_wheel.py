"""The distribution: complete, and usable from anywhere."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("reference", "fixtures", "spec_tests", "tools")


def packages() -> list[str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]


def test_every_folder_of_modules_is_packaged():
    found = {
        "lawbook." + ".".join(file.parent.relative_to(ROOT).parts)
        for room in ROOMS
        for file in (ROOT / room).rglob("__init__.py")
    }
    assert set(packages()) == found


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel built from the tree and installed in a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    copy = folder / "source"
    for file in subprocess.check_output(["git", "-C", str(ROOT), "ls-files"], text=True).splitlines():
        source = ROOT / file
        if source.is_file():
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            (copy / file).write_bytes(source.read_bytes())
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(copy)], check=True)
    wheel = next(folder.glob("*.whl"))
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True)
    return wheel, target


def test_wheel_holds_data_files(installed):
    names = zipfile.ZipFile(installed[0]).namelist()
    for ending in ("tools/verdict.schema.json", "adapters/torch/expected.toml", "report/templates/page.html"):
        assert any(name.endswith(ending) for name in names), ending


def test_laws_run_from_the_installed_wheel_in_any_directory(installed, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import lawbook.spec_tests\nimport torch\n\n"
        f"assert lawbook.spec_tests.__file__.startswith({str(installed[1])!r})\n\n\n"
        "def softmax(x, dim):\n    return torch.softmax(x, dim)\n"
    )
    trial = ["--impl", "mine.py", "--component", "softmax", "--verdict", "verdict.json"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "lawbook.spec_tests", *trial],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert verdict["components"]["softmax"]["outcome"] == "pass"
    assert verdict["implementation"]["name"] == "mine"
