"""The page of what the lab measured."""

from scipy import stats

INTRODUCTION = """# Quality on victims of our own making

Networks that the lab trained on poisoned data, measured as a user would: imported, calibrated on clean pictures that they
have not seen, evaluated on test pictures, repaired by jobs on the few clean pictures of the `repair` part. Made by

    make quality QUALITY_PAGE=docs/quality.md

`faces` are drawn by the lab (40 people, DeepID); MNIST (10,000 pictures, two convolutions) and CIFAR-10 (15,000 training
pictures re-encoded from JPEG, four convolutions with batch normalisation) need `GIFTHORSE_TEST_DATA`. One seed each: read
differences of a point or two as chance. Attacks as `gifthorse lab attacks` lists them, target class 3. Cases that are
not on the page were not run for it. `docs/quality.json` has the intervals: estimate, bounds at 95 %, observations.{reading}
"""


READING = """

What to take from it:

- Unlearning what gave alarms is the repair to try first: it takes patches and things that are worn away, and blends where
  the averages of twenty alarms show them, at little or no accuracy. Where the attack success rate stops at some per cent,
  look at the share of clean pictures that are mistaken for the attacker's class anyway.
- A repaired version that the gate lets vote is the best detector beside it: its disagreement finds what no other one does.
- The default fused score is there for what is worn. A small patch in the corner of faces is found better by STRIP's margin
  alone, and nothing here that needs no repaired version finds a blend on MNIST.
- A trigger that works on one class alone (`tact`) is found by none of these detectors, and the gate, which knows none like
  it, says that there is nothing to repair: that word is no proof.
- Clean networks are left alone on MNIST and CIFAR-10. Drawn faces with drawn glasses are taken for one person by a clean
  network as well (the gate says which, and NOT_REPAIRED), until real triggered pictures speak for the repair.
- Whoever may send pictures and see verdicts can trade attack success for stealth within two dozen tries: verdicts want a
  limit on callers, and alarms a look.
"""

DEFAULTS = [
    ("the fused score of STRIP margin, region paste and channel dropout decides", "Detection: faces, sunglasses, where STRIP alone lets most through; its price is in faces, badnets"),
    ("no noise consistency, no activation shift in it", "Detection: the last two columns"),
    ("no IBD-PSC at all", "Further detectors: cifar10"),
    ("early looks for STRIP where it decides alone", "STRIP that stops early: passes saved in every row, FAR as with all passes"),
    ("conformal thresholds", "Older rules: a normal fit rejects up to three times what was asked for"),
    ("any disagreement is offered and is not the default", "Older rules: with `none` it rejects clean pictures and misses most of the rest"),
    ("tuning takes the strongest setting whose accuracy holds", "Repair: ft-sam on mnist, blended"),
    ("`--unlearn` and the guarded pair are what the reports advise", "Repair: unlearn; Further detectors: disagreement"),
]


def rate(interval):
    """Of an interval of the protocol."""
    return interval.get("estimate", 0.0)


def percent(value, digits=1):
    return "-" if value is None else f"{100 * value:.{digits}f}"


def plausible(interval, alpha, evaluation):
    """Whether the rate could be that of a threshold that keeps to alpha on average: the threshold itself is a matter of
    chance, a beta variable, and so is the count that it rejects."""
    images = int(evaluation["cleanImages"])
    detector = evaluation["detectors"][0]
    count = len(detector.get("calibrationScores", [])) or 100
    rank = max(1, int(alpha * (count + 1) + 1e-9))
    rejected = round(rate(interval) * images)
    return stats.betabinom.sf(rejected - 1, images, rank, count + 1 - rank) > 1e-4


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)]) + "\n"


def triggered(evaluation):
    """The first triggered set, where there is a real one."""
    found = evaluation.get("triggered", [])
    return found[0] if found else None


def line(result):
    """A case in a line, for the terminal."""
    evaluation = result["detection"][0]
    attack = triggered(evaluation) if result["attack"] != "none" else None
    parts = [f"{result['case']:18} ACC {percent(result['trained']['accuracy'])} %"]
    if attack:
        parts.append(f"ASR {percent(rate(attack['attackSuccessRate']))} %")
        parts.append(f"FAR {percent(rate(attack['falseAcceptanceRateEffective']))} %")
    parts.append(f"FRR {percent(rate(evaluation['falseRejectionRate']))} %")
    for method, found in result["repairs"].items():
        if "refused" in found:
            parts.append(f"{method} refused")
            continue
        worst = max((one["asr"] for one in found["triggered"].values()), default=None)
        parts.append(f"{method} {percent(found['accuracy'])}/{percent(worst)} {found['gate']}")
    return ", ".join(parts)


def detectors(result):
    """Every detector's evaluation by name; the fused one first."""
    found = {}
    for evaluation in result["detection"]:
        for one in evaluation["detectors"]:
            found.setdefault(one["detector"], one)
    return found


def detection(results):
    names = list(dict.fromkeys(name for result in results for name in detectors(result)))
    rows = []
    for result in results:
        found, evaluation = detectors(result), result["detection"][0]
        attack = result["attack"] != "none"
        cells = [result["data"], result["attack"], percent(result["trained"]["accuracy"])]
        first = triggered(evaluation) if attack else None
        cells.append(percent(rate(first["attackSuccessRate"])) if first else "-")
        cells.append(percent(rate(evaluation["falseRejectionRate"])))
        for name in names:
            one = found.get(name)
            if not one or not attack or "triggered" not in one:
                cells.append("-")
                continue
            outcome = one["triggered"][0]
            cells.append(f"{percent(rate(outcome['falseAcceptanceRateEffective']))} ({outcome['auroc']:.3f})")
        rows.append(cells)
    return table(["data", "attack", "ACC", "ASR", "FRR", *names], rows)


def repairs(results):
    methods = list(dict.fromkeys(method for result in results for method in result["repairs"]))
    rows = []
    for result in results:
        worst = max((one["asr"] for one in result["trained"]["triggered"].values()), default=None)
        cells = [result["data"], result["attack"], f"{percent(result['trained']['accuracy'])} / {percent(worst)}"]
        cells.append(percent(result["trained"].get("mistaken")))
        for method in methods:
            found = result["repairs"].get(method)
            if not found or "refused" in found:
                cells.append("refused" if found else "")
                continue
            worst = max((one["asr"] for one in found["triggered"].values()), default=None)
            kept = {"REPAIRED": "R", "NO_EVIDENCE_LEFT": "N", "NOTHING_TO_REPAIR": "0"}.get(found["gate"], "-")
            cells.append(f"{percent(found['accuracy'])} / {percent(worst)} {kept}")
        rows.append(cells)
    return table(["data", "attack", "before", "mistaken", *methods], rows)


def word(results):
    rows = []
    for result in results:
        for kept in result["conformal"]:
            promised = f"{kept['exceeding']} of {kept['splits']}" if kept["rule"] == "pac" else "-"
            chance = f"{kept['p_value']:.2f}" if kept["rule"] == "pac" else "-"
            rows.append(
                [
                    result["case"], kept["rule"], percent(kept["alpha"], 0), f"{percent(kept['mean'], 2)} +- {percent(kept['error'], 2)}",
                    promised, chance,
                ]
            )  # fmt: skip
    head = ["victim", "rule", "alpha", "mean FRR", "re-splits above alpha", "chance of so many"]
    return table(head, rows)


def older(results):
    names = list(dict.fromkeys(name for result in results for name in result["rules"]))
    rows = []
    for result in results:
        cells = [result["data"], result["attack"]]
        for name in names:
            found = result["rules"].get(name)
            cells.append(f"{percent(found[0])} / {percent(found[1])}" if found else "")
        rows.append(cells)
    return table(["data", "attack", *names], rows)


def early(results):
    rows = []
    for result in results:
        stopped, attack = result["early"], result["attack"] != "none"
        fixed = detectors(result)["strip_entropy"]
        outcome = stopped["triggered"][0]
        cells = [result["data"], result["attack"], f"{stopped['meanPassesClean']:.0f}"]
        cells.append(f"{outcome['meanPasses']:.0f}" if attack else "-")
        cells += [percent(rate(stopped["falseRejectionRate"])), percent(rate(fixed["falseRejectionRate"]))]
        if attack:
            cells.append(percent(rate(outcome["falseAcceptanceRateEffective"])))
            cells.append(percent(rate(fixed["triggered"][0]["falseAcceptanceRateEffective"])))
        else:
            cells += ["-", "-"]
        rows.append(cells)
    head = ["data", "attack", "passes, clean", "passes, triggered", "FRR", "FRR of 100", "FAR", "FAR of 100"]
    return table(head, rows)


def adaptive(results):
    rows = []
    for result in results:
        if "adaptive" in result:
            found = result["adaptive"]
            cells = [result["data"], result["attack"]]
            for name in ("trained", "adapted"):
                outcome = found[name]
                cells += [percent(rate(outcome[key])) for key in ("attackSuccessRate", "residualAttackSuccessRate")]
            rows.append(cells)
    head = ["data", "attack", "ASR, trained patch", "past the guard", "ASR, adapted patch", "past the guard"]
    return table(head, rows)


def further(results):
    """Detectors that are not part of the default: the pair's, and parameter scaling."""
    rows = []
    for result in results:
        cells = [result["data"], result["attack"]]
        paired = result["repairs"].get("unlearn", {}).get("paired", {})
        for name in ("disagreement", "expert"):
            found = paired.get(name, {"refused": ""})
            if "refused" in found or result["attack"] == "none":
                cells.append("-")
                continue
            outcome = found["triggered"][0]
            frr, far = rate(found["falseRejectionRate"]), rate(outcome["falseAcceptanceRateEffective"])
            cells.append(f"{percent(frr)} / {percent(far)}")
        scaling = result["psc"]
        cells.append("-" if "refused" in scaling else f"{percent(scaling['frr'])} / {percent(scaling.get('far'))}")
        rows.append(cells)
    return table(["data", "attack", "disagreement", "expert", "IBD-PSC"], rows)


def cost(results):
    rows = []
    for result in results:
        evaluation = result["detection"][0]
        # The kernel keeps fifteen letters of a program's name.
        peaks = {name.removeprefix("gifthorse-"): one for name, one in result["peaks"].items()}
        repair = [f"{method} {found['seconds']:.0f}" for method, found in result["repairs"].items() if "seconds" in found]
        rows.append(
            [
                result["case"], f"{1000 * evaluation['secondsPerScan']:.0f}", f"{result['calibrationSeconds']:.0f}",
                peaks.get("detec", "-"), peaks.get("servi", "-"), ", ".join(repair),
            ]
        )  # fmt: skip
    head = ["victim", "ms a scan", "s a calibration", "MiB detector", "MiB serving", "s a repair"]
    return table(head, rows)


def page(results):
    return "\n".join(
        [
            INTRODUCTION.format(reading=READING),
            "## Detection at a total FRR of 1 %\n",
            "ACC and ASR of the network alone, FRR of the default policy, all in per cent. Then for each detector: FAR over",
            "effective trojans in per cent, and the AUROC over all triggered pictures in parentheses. `fused` is the default.",
            "",
            detection(results),
            "## STRIP that stops early\n",
            "STRIP's entropy alone, with the default looks, beside all of its 100 passes on the same calibration.",
            "",
            early(results),
            "## Older rules\n",
            "FRR / FAR over effective trojans in per cent, each at a nominal FRR of 1 % where the rule has one.",
            "",
            older(results),
            "## Further detectors\n",
            "FRR / FAR over effective trojans in per cent: the two that a repaired version allows (here the one of `unlearn`, where",
            "the gate lets it vote), and IBD-PSC, which needs batch normalisation and is no detector of ours.",
            "",
            further(results),
            "## An attacker who sees verdicts\n",
            "The attacker changes his patch by trial, for what the default policy lets through as his class",
            "(`tests/quality/adaptive.py`: 24 patches, 60 pictures each). On pictures he has not used, per cent:",
            "",
            adaptive(results),
            "## Repair\n",
            "ACC / ASR in per cent on all test pictures, and what the gate said without triggered pictures: N is",
            "NO_EVIDENCE_LEFT, R REPAIRED, 0 NOTHING_TO_REPAIR, - NOT_REPAIRED. `none` prunes alone, the others prune and tune,",
            "but `unlearn`, which cuts triggers out of twenty pictures that gave alarms and prunes nothing. `mistaken` is the share of",
            "clean pictures of other classes that the network answers with the attacker's class before anything is done: of the",
            "published repairs, on ten attacks on CIFAR-10 with 5 % of clean data, FT-SAM leaves an ASR of 2.5 % at 92.1 % accuracy,",
            "I-BAU 5.7 at 88.2, FP 21.7 at 92.1 and FT 38.8 at 91.8, of 95.7 at 91.2 (Zhu et al., ICCV 2023).",
            "",
            repairs(results),
            "## Where the defaults come from\n",
            table(["default", "see"], DEFAULTS),
            "## Time and memory\n",
            "On two cores, with whatever else ran there: a hint, no benchmark (docs/performance.md has those).",
            "",
            cost(results),
            "## Do thresholds keep their word?\n",
            "STRIP entropies of clean pictures, split 200 times into 1,000 to calibrate and the rest. A PAC threshold may reject",
            "more than alpha in 5 % of the calibrations; counted on the rest, and judged with its chance. No groups were used:",
            "pictures are independent draws (faces: drawn views of the same people in both parts).",
            "",
            word(results),
        ]
    )


def short(results):
    """The results without single scores; intervals as [estimate, lower bound, upper bound, observations]."""
    dropped = {"cleanScores", "triggeredScores", "calibrationScores", "passes", "cleanPasses", "effective", "illustrations"}

    def without(value):
        if isinstance(value, dict) and {"confidence", "observations"} <= value.keys():
            return [round(value.get(key, 0), 4) for key in ("estimate", "lower", "upper")] + [int(value["observations"])]
        if isinstance(value, dict):
            return {key: without(one) for key, one in value.items() if key not in dropped}
        if isinstance(value, float):
            return round(value, 6)
        return [without(one) for one in value] if isinstance(value, list) else value

    return without(results)
