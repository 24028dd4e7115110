"""Prints the networks of a repair's report side by side, and what the gate said."""

import json
import sys


def percent(counts: dict | None) -> str:
    if not counts or not counts["total"]:
        return "-"
    return f"{100 * counts['count'] / counts['total']:.1f} %"


def main() -> None:
    report = json.load(open(sys.argv[1]))
    attack = report["sets"][0]["dataset"]
    columns = ("network", "accuracy", "classes unseen", "attack success", "true class", "backdoored")
    rows = [columns]
    for network in report["networks"]:
        outcome = next(one for one in network["attacks"] if one["set"] == attack)
        cells = (network["heldOut"], network["unseen"], outcome["success"], outcome["recovered"], outcome["detected"])
        rows.append((network["name"], *map(percent, cells)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(columns))]
    for name, *cells in rows:
        print(name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:])), sep="  ")
    pruned, channels = len(report["pruned"]), report["layer"]["channels"]
    print(f"{pruned} of {channels} channels of {report['layer']['name']} are pruned. {report['gate']['answer']}:")
    for reason in report["gate"]["reasons"]:
        if "the synthetic trigger" not in reason or "may work" in reason:
            print(f"  {reason}")


main()
