"""Rows of the table: on the screen, in encoders.json and in docs/benchmarks.md."""

import json
import statistics
from importlib import metadata

from works import operations

BEGIN, END = "<!-- bench-encoders -->", "<!-- /bench-encoders -->"
HEAD = (
    f"{'cell':34} {'ours ms':>9} {'quartiles':>17}   {'best peer':15} {'its ms':>9} {'quartiles':>17}  ratio"
    "  share of peak  cosine   others"
)


def median(times):
    return statistics.median(times) if times else float("inf")


def quartiles(times):
    if len(times) < 2:
        return [times[0], times[0]]
    q1, _, q3 = statistics.quantiles(times, n=4, method="inclusive")
    return [q1, q3]


def row(cell, lengths, ours, peers, cosine):
    best = min(peers, key=lambda peer: median(peer.times))
    mine, theirs = median(ours.times), median(best.times)
    return {
        "work": cell.work,
        "precision": cell.precision,
        "batch": cell.batch,
        "threads": cell.threads,
        "ours_ms": round(mine, 4),
        "peer": best.name,
        "peer_ms": round(theirs, 4),
        "ratio": round(mine / theirs, 4),
        "ours_quartiles_ms": [round(q, 4) for q in quartiles(ours.times)],
        "peer_quartiles_ms": [round(q, 4) for q in quartiles(best.times)],
        "peers_ms": {peer.name: round(median(peer.times), 4) for peer in peers},
        "operations": round(operations(cell, lengths)),
        "cosine": round(cosine, 6),
    }


def peak(row_, limits):
    """Billions of operations a second that this machine can do at most in a row's numbers and threads."""
    of = [of for of in limits["of_threads"] if of["threads"] == row_["threads"]]
    return of[0][row_["precision"]] if of else None


def shares(row_, limits):
    """Ours and the peer's share of the peak, in percent."""
    most = peak(row_, limits)
    if not most:
        return None
    return [round(row_["operations"] / (ms * 1e6) / most * 100) for ms in (row_["ours_ms"], row_["peer_ms"])]


def name(row_):
    return f"{row_['work']}/{row_['precision']}/b{row_['batch']}/t{row_['threads']}"


def line(row_, limits):
    share = shares(row_, limits)
    share = f"{share[0]:4} % {share[1]:4} %" if share else " " * 13
    others = "  ".join(f"{n} {ms:.2f}" for n, ms in row_["peers_ms"].items() if n != row_["peer"])
    low, high = row_["ours_quartiles_ms"]
    theirs = row_["peer_quartiles_ms"]
    return (
        f"{name(row_):34} {row_['ours_ms']:9.2f} {low:8.2f} {high:8.2f}   {row_['peer']:15} {row_['peer_ms']:9.2f} "
        f"{theirs[0]:8.2f} {theirs[1]:8.2f}  {row_['ratio']:5.3f}  {share}  {row_['cosine']:.5f}   {others}"
    )


def print_limits(when, limits):
    hops = ", ".join(f"{hop:.0f}" for hop in limits["hop_ns"])
    print(f"limits {when}: a line from core to core {hops} ns")
    for of in limits["of_threads"]:
        peaks = ", ".join(f"{p} {of[p]:.0f}" for p in ("f32", "bf16", "int8") if of[p])
        reads = ", ".join(f"{of[f'read_{level}']:.0f}" for level in ("l1", "l2", "l3", "memory"))
        print(f"  threads: {of['threads']}: {peaks} billion operations a second; reads L1, L2, L3, memory {reads} GB/s")
    one, most = limits["of_threads"][0], limits["of_threads"][-1]
    if most["f32"] < 0.85 * most["threads"] * one["f32"]:
        print("  something else computes on this machine: what is measured now is worth little")


def write(path, rows, every, held=None):
    """Rows of this run, and those of earlier ones for cells that it left out, in the table's order."""
    known = {}
    if path.exists():
        known = {key(r): r for r in json.loads(path.read_text())}
    known.update({key(r): r for r in rows})
    reasons = json.loads(held.read_text()) if held and held.exists() else {}
    made = [known[cell.key] for cell in every if cell.key in known]
    for r in made:
        r.pop("held", None)
        if name(r) in reasons:
            r["held"] = reasons[name(r)]
    part = path.with_name(f"part-{path.name}")
    part.write_text("[\n" + ",\n".join(json.dumps(r) for r in made) + "\n]\n")
    part.rename(path)


def key(row_):
    return (row_["work"], row_["precision"], row_["batch"], row_["threads"])


def write_docs(path, bench):
    """The results that lie in `bench`, between the two marks."""
    text = path.read_text()
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{path} has no {BEGIN} and {END}")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    rows, alberts, limits = (json.loads((bench / f"{n}.json").read_text()) for n in ("encoders", "albert", "limits"))
    path.write_text(head + BEGIN + "\n" + markdown(rows, alberts, limits) + END + tail)


def markdown(rows, alberts, limits):
    versions = ", ".join(f"{p} {metadata.version(p)}" for p in ("torch", "onnxruntime", "openvino", "nncf"))
    out = [f"Peers: {versions}.", ""]
    out += ["| limits | f32 | bf16 | int8 | L1 | L2 | L3 | memory | core to core |", "|---|---|---|---|---|---|---|---|---|"]
    for when in ("before", "after"):
        hops = ", ".join(f"{hop:.0f}" for hop in limits[when]["hop_ns"])
        for of in limits[when]["of_threads"]:
            peaks = " | ".join(f"{of[p]:.0f}" if of[p] else "-" for p in ("f32", "bf16", "int8"))
            reads = " | ".join(f"{of[f'read_{level}']:.0f}" for level in ("l1", "l2", "l3", "memory"))
            out.append(f"| {when}, threads: {of['threads']} | {peaks} | {reads} | {hops} ns |")
    out += ["", "Peaks in billions of operations a second, reads in GB/s.", ""]
    out += ["| work | precision | batch | threads | ours, ms | best peer | its ms | ratio | share of peak, ours and peer |"]
    out += ["|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        share = shares(r, limits["before"])
        share = f"{share[0]} %, {share[1]} %" if share else "-"
        note = f" ({r['held']})" if "held" in r else ""
        out.append(
            f"| {r['work']} | {r['precision']} | {r['batch']} | {r['threads']} | {r['ours_ms']:.2f} | {r['peer']} | "
            f"{r['peer_ms']:.2f} | {r['ratio']:.2f}{note} | {share} |"
        )
    if alberts:
        out += ["", "Our ALBERT beside our BERT of the same layers, widths and tokens:", ""]
        out += ["| work | precision | batch | threads | ALBERT, ms | BERT, ms | ratio |", "|---|---|---|---|---|---|---|"]
    for r in alberts:
        out.append(
            f"| {r['work']} | {r['precision']} | {r['batch']} | {r['threads']} | {r['ours_ms']:.2f} | "
            f"{r['bert_ms']:.2f} | {r['ratio']:.2f} |"
        )
    return "\n".join(out) + "\n"
