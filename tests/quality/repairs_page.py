"""The page that says what repairs did: docs/repairs.md."""

import course
from document import head, row

# Published for lab3 on its own test set: pruned channels, clean accuracy, attack success.
PUBLISHED = {45: (95.76, 100.0), 48: (92.09, 99.99), 52: (84.44, 77.02), 53: (76.49, 35.71), 54: (54.86, 6.95)}

INTRODUCTION = """# Repairs of the course's networks

Five real BadNets of the CSAW-HackML course, repaired by jobs of the running services with the 149 real faces there are,
which show 37 of 1283 identities. Measured by

    make repairs REPAIRS_PAGE=docs/repairs.md

which needs `GIFTHORSE_TEST_DATA`. Each job keeps about half of the identities unseen (they are a random half of the 37)
and is judged on these. ACC is the share of held-out faces named right, of identities the repair saw and of others; ASR
the share of the stamped faces of other classes that reach the attacker's class; RA the share of them that get their true
class.
Stamped faces report and gate, they choose nothing. Means over the seeds {seeds}; per cent.
"""

METHODS = """
## What each method leaves

`pruned` is the network after pruning alone (largest drop 4 points), `fine-tuned only` was tuned without pruning,
`fine-pruned` is what the job makes a version of. Where a row is missing, no setting of the tuning kept the accuracy
within four points, and the network was only pruned.
"""

CURVE = """
## lab3: the curve of pool_3

Ranked and scored on all 149 faces, as the course does. Beside it what was published for the course's own test set,
which is not at hand here: no tolerance is asked.
"""

BYPASSED = """
## Pruning the last convolution removes nothing

`conv_4` is bypassed by `fc_1`, which reads `pool_3`: the attack success rate stays high to the end, and every job says
NOT_REPAIRED. The layer chosen by default is `pool_3`.
"""


def page(methods, seeds, found, curve, known, bypassed):
    """All of it as Markdown."""
    return "\n".join(
        [
            INTRODUCTION.format(seeds=", ".join(map(str, seeds))),
            METHODS,
            *method_table(methods, found),
            CURVE,
            *curve_table(curve, known),
            BYPASSED,
            *bypassed_table(bypassed),
            "",
        ]
    )


def percent(rate):
    return "-" if rate is None else f"{100 * rate:.1f}"


def method_table(methods, found):
    lines = head(["network", "method", "row", "ACC seen", "ACC unseen", "ASR / RA", "gate"])
    for network, _, triggers, _ in course.NETWORKS:
        for method in methods:
            one = found[network, method]
            for name, values in one["rows"].items():
                if name == "before" and method != methods[0]:
                    continue
                attacks = "; ".join(
                    f"{trigger} {percent(values[f'{trigger} ASR'])} / {percent(values[f'{trigger} RA'])}"
                    for trigger in triggers
                )
                last = name == list(one["rows"])[-2]
                gate = ", ".join(f"{answer} x {one['gate'].count(answer)}" for answer in dict.fromkeys(one["gate"]))
                cells = [network, method, name, percent(values["seen"]), percent(values["unseen"]), attacks]
                lines.append(row([*cells, gate if last else ""]))
    return lines


def curve_table(curve, known):
    lines = head(["pruned", "ACC", "ASR", "known counts of 149", "measured counts", "published ACC / ASR"])
    for count, (clean, reached) in known.items():
        found_clean, found_reached = curve[count]
        published = " / ".join(f"{rate:.2f}" for rate in PUBLISHED[count]) if count in PUBLISHED else "-"
        lines.append(
            row(
                [
                    str(count),
                    percent(found_clean / 149),
                    percent(found_reached / 149),
                    f"{clean} / {reached}",
                    f"{found_clean} / {found_reached}",
                    published,
                ]
            )
        )
    return lines


def bypassed_table(bypassed):
    steps = (0, 40, 60, 72, 79)
    lines = head(["network", "trigger", *(f"ASR at {step}" for step in steps), "gate"])
    for network, report in bypassed.items():
        points = {point["channels"]: point["triggered"][0]["toTarget"] for point in report["curve"]}
        trigger = report["sets"][0]["dataset"].removeprefix("datasets/")
        rates = [percent(points[step] / 149) for step in steps]
        lines.append(row([network, trigger, *rates, report["gate"]["answer"]]))
    return lines
