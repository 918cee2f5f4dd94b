"""False alarms: judge an implementation that is known to be right on many seeds.

    python -m lawbook.tools.alarms torch --seeds 50 [--component NAME] [--profile default] [--log FILE]

Every component runs in a process of its own. Expected failures (recorded findings) do not count; anything else that does
not pass is printed with its seed. With ``--log`` finished components are kept and not run again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from lawbook.fixtures import implementation as implementations
from lawbook.fixtures.faulty import registry
from lawbook.spec_tests import load
from lawbook.spec_tests.running import Settings, run_law
from lawbook.tools.expected import shipped

BAD = ("fail", "error")


def judge_component(task: tuple[str, str, list[int], str, str]) -> dict[str, Any]:
    """All laws of one component on all seeds."""
    what, name, seeds, profile, dtype = task
    torch.set_num_threads(1)
    implementation = implementations.load(what)
    expected = shipped(what).get(name, {})
    spec = load()[name]
    cases, worst, found = Counter[str](), 0.0, []
    started = time.process_time()
    for seed in seeds:
        settings = Settings(profile=profile, seed=seed, dtype=getattr(torch, dtype))
        for law in spec.law_names():
            result = run_law(spec, law, implementation, settings)
            if law in expected and result.outcome in BAD:
                cases["expected"] += result.cases
                continue
            cases[result.outcome] += result.cases
            if result.outcome in BAD:
                found.append({"seed": seed, "law": law, "text": result.text})
            else:
                worst = max(worst, result.worst)
    return {
        "component": name,
        "seeds": len(seeds),
        "cases": sum(cases.values()),
        "worst": float(f"{worst:.3g}"),
        "cpu": round(time.process_time() - started, 1),
        "alarms": found,
    }


def main(arguments: list[str] | None = None) -> int:
    """Print what was judged and every alarm; 1 when there is any."""
    parser = argparse.ArgumentParser(description="Judge a correct implementation on many seeds.")
    parser.add_argument("implementation")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--component", action="append", default=[])
    parser.add_argument("--profile", default="default")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--log", help="a file of finished components, one JSON object a line")
    chosen = parser.parse_args(arguments)
    log = Path(chosen.log) if chosen.log else None
    done = [json.loads(line) for line in log.read_text().splitlines()] if log and log.is_file() else []
    names = [n for n in load() if not chosen.component or n in chosen.component]
    left = [n for n in names if n not in {d["component"] for d in done}]
    registry.load()
    torch.set_num_threads(1)
    tasks = [(chosen.implementation, n, list(range(chosen.seeds)), chosen.profile, chosen.dtype) for n in left]
    results = list(done)
    with multiprocessing.get_context("fork").Pool(chosen.workers, maxtasksperchild=1) as pool:
        for result in pool.imap_unordered(judge_component, tasks):
            results.append(result)
            if log:
                with log.open("a") as file:
                    file.write(json.dumps(result) + "\n")
            print(f"{result['component']}: {result['cases']} cases, {result['cpu']} s", flush=True)
            for alarm in result["alarms"]:
                print(f"ALARM {result['component']} {alarm['law']} seed {alarm['seed']}\n{alarm['text']}", flush=True)
    alarms = sum(len(r["alarms"]) for r in results)
    cases, cpu = sum(r["cases"] for r in results), sum(r["cpu"] for r in results)
    worst = max((r["worst"] for r in results), default=0.0)
    print(
        f"{chosen.implementation}: {len(results)} components, {chosen.seeds} seeds, {cases} law-cases in {cpu:.0f} CPU s, "
        f"worst share {worst:g}, alarms: {alarms}"
    )
    return bool(alarms)


if __name__ == "__main__":
    sys.exit(main())
