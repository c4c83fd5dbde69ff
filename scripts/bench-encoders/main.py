"""Times simile's encoders and their peers in turns; prints the table, writes encoders.json and docs/benchmarks.md.

In every cell all sides are loaded, their vectors compared, and then they take turns, A B C and C B A; a turn is one encoding
that does not count and several that do. A peer that is far behind after two rounds drops out. The medians are told.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import models
import table
from sides import Gone, Inputs, Sides
from works import Cell, cells

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent

# Lowest cosine of our vectors with the peer's in f32; random weights give nothing to be exact about in int8.
LEAST = {"f32": 0.9999, "bf16": 0.9995, "int8": 0.99}
# A peer this many times slower than the best one drops out.
BEHIND = 1.3


def arguments():
    parser = argparse.ArgumentParser(prog="bench-encoders", description=__doc__.split("\n")[0])
    parser.add_argument("--simile", default=REPOSITORY / "target/release/simile", type=Path, help="the program to time")
    parser.add_argument("--only", action="append", default=[], metavar="CELL",
                        help="only these, as resnet50/bf16 or minilm/16/int8/b1/t2 (repeatable)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--seconds", type=float, help="seconds for a cell [default: 8, quick: 3]")
    parser.add_argument("--shared", default=os.environ.get("SIMILE_SHARED", REPOSITORY.parent / "shared"), type=Path,
                        help="folder with models/resnet50-pqf and data/text [$SIMILE_SHARED, ../shared]")
    parser.add_argument("--bench", default=REPOSITORY / "target/bench", type=Path, help="where models and results lie")
    parser.add_argument("--docs", action="store_true",
                        help="write docs/benchmarks.md also after a part, from the results of all parts so far")
    asked = parser.parse_args()
    asked.seconds = asked.seconds or (3.0 if asked.quick else 8.0)
    asked.simile, asked.bench, asked.shared = asked.simile.resolve(), asked.bench.resolve(), asked.shared.resolve()
    return asked


def limits(asked):
    told = subprocess.run([asked.simile, "--json", "bench", "limits"], check=True, capture_output=True, text=True)
    return json.loads(told.stdout)


def prepare(places, asked, wanted):
    for model in sorted({cell.model for cell in wanted}):
        if models.missing(places, model):
            command = [sys.executable, HERE / "models.py", "--model", model, "--bench", asked.bench]
            command += ["--shared", asked.shared, "--repository", REPOSITORY]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def lowest_cosine(a, b):
    return float((a * b).sum(1).min())


def measure(sides, seconds):
    """Turns until the time is over, at least four rounds; gives the names of those that dropped out."""
    start, rounds, left = time.monotonic(), 0, list(sides)
    while rounds < 4 or (rounds < 40 and time.monotonic() - start < seconds):
        for side in left if rounds % 2 == 0 else left[::-1]:
            # Threads that spin after a run give up meanwhile.
            time.sleep(0.03)
            one = min(side.times, default=0.0)
            # The first turn tells how long one takes; later ones are about 80 ms each.
            side.turn(1 if one == 0.0 else max(1, min(25, round(80 / one))))
        rounds += 1
        if rounds == 2:
            best = min(table.median(side.times) for side in left[1:])
            left = left[:1] + [s for s in left[1:] if table.median(s.times) <= BEHIND * best]
            # What came before the caches were warm does not count, unless there is little of it.
            for side in left if best < 100 else []:
                side.times.clear()
    return rounds


def one_cell(sides, places, cell, asked, exact):
    inputs = Inputs(places, cell)
    ours = sides.ours(cell, inputs)
    peers = sides.theirs(cell, inputs)
    if not peers:
        raise SystemExit(f"{cell.name}: no peer can do it")
    # Vectors in f32 are the measure of all others of the same texts or photos.
    mine, which = ours.vectors(), (cell.work, cell.batch)
    if which not in exact:
        reference = peers[0] if cell.precision == "f32" else sides.theirs(
            Cell(cell.model, cell.length, "f32", cell.batch, cell.threads), inputs, only="torch")[0]
        exact[which] = reference.vectors()
    cosine = lowest_cosine(mine, exact[which])
    measure([ours, *peers], asked.seconds)
    for side in (ours, *peers):
        side.close()
    return table.row(cell, inputs.lengths, ours, peers, cosine)


def albert(sides, places, asked, wanted):
    """Our ALBERT beside our BERT of the same layers, widths and tokens."""
    rows = []
    for cell in wanted:
        made = []
        for model in ("albert-base", "bert-base"):
            other = Cell(model, cell.length, cell.precision, cell.batch, cell.threads)
            made.append(sides.ours(other, Inputs(places, other), beside=("albert-base", "bert-base")))
        measure(made, asked.seconds / 2)
        for side in made:
            side.close()
        ours, theirs = (table.median(side.times) for side in made)
        rows.append({
            "work": cell.work, "precision": cell.precision, "batch": cell.batch, "threads": cell.threads,
            "ours_ms": round(ours, 4), "bert_ms": round(theirs, 4), "ratio": round(ours / theirs, 4),
        })
        print(f"{cell.name:34} {ours:9.2f}   our BERT of the same sizes {theirs:9.2f}   ratio {ours / theirs:.3f}", flush=True)
    return rows


def main():
    asked = arguments()
    cores = len(os.sched_getaffinity(0))
    every = cells(cores)
    wanted = [cell for cell in every if cell.asked(asked.only)]
    every_albert = [Cell("albert-base", "32", p, b, t) for b, t in ((1, 1), (8, 2)) for p in ("f32", "bf16", "int8")]
    alberts = [cell for cell in every_albert if cell.threads <= cores and cell.asked(asked.only)]
    if not wanted and not alberts:
        raise SystemExit(f"no cell is called {asked.only}; a name is like {every[0].name}")
    places = models.Places(asked.bench, asked.shared, REPOSITORY)
    if not places.folder("resnet50").is_dir():
        raise SystemExit(f"{places.folder('resnet50')} is missing; name the folder that holds models/ by SIMILE_SHARED")
    prepare(places, asked, wanted + alberts + [Cell("bert-base", "32", "f32", 1, 1)] * bool(alberts))
    before = limits(asked)
    table.print_limits("before", before)
    sides, rows, exact, wrong = Sides(places, asked.simile), [], {}, []
    print(table.HEAD, flush=True)
    for cell in wanted:
        row = one_cell(sides, places, cell, asked, exact)
        rows.append(row)
        table.write(asked.bench / "encoders.json", [row], every, HERE / "held.json")
        print(table.line(row, before), flush=True)
        # Of random weights int8 is told, not judged.
        if row["cosine"] < LEAST[cell.precision] and not (cell.precision == "int8" and cell.model == "bert-base"):
            wrong.append(f"{cell.name}: cosine {row['cosine']:.5f}")
    table.write(asked.bench / "albert.json", albert(sides, places, asked, alberts), every_albert)
    sides.end()
    after = limits(asked)
    table.print_limits("after", after)
    (asked.bench / "limits.json").write_text(json.dumps({"before": before, "after": after}))
    if len(rows) == len(every) or asked.docs:
        table.write_docs(REPOSITORY / "docs/benchmarks.md", asked.bench)
    if wrong:
        raise SystemExit("not exact enough:\n  " + "\n  ".join(wrong))


try:
    main()
except Gone as why:
    raise SystemExit(f"bench-encoders: {why}")
