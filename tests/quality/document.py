"""The page that says what was measured: docs/faces.md."""

import course

INTRODUCTION = """# The course's networks and faces

Five real BadNets of the CSAW-HackML course and {faces} real faces of 37 of their 1283 identities, measured through the
running services by

    make faces FACES_PAGE=docs/faces.md

which needs `GIFTHORSE_TEST_DATA`. The faces are few: a false acceptance rate here is good to about two points. FRR is
the share of clean faces rejected, FAR the share of *effective* trojans accepted: stamped faces for which the network
alone answers the attacker's class. Both at a threshold that promises an FRR of 1 %.
"""

SMALL = """
## All detectors, ten faces as hosts and overlays

{splits} splits over {banks} banks: 20 faces scale the fused score, 99 calibrate, 20 are evaluated, clean and stamped.
Each cell: **FAR %** (FRR % +- its standard error) AUROC. Passes are forward passes an input takes; those of channel
dropout run only the layers behind the cut. `fused` is the default policy: {weights}.
"""

LARGE = """
## STRIP's entropy alone, 25 faces as overlays

{splits} splits over {banks} banks: 99 faces calibrate, the other 25 are evaluated, clean and stamped.
"""

PICTURES = """
## The sample pictures

Each cell: the answer of the default policy (index 1283 is "backdoored") and its p-value; then the entropy of plain
STRIP in bit with its verdict at 1 %, and what the seed project's threshold for that network says of the same entropy
(its thresholds were chosen on poisoned data: {thresholds}). The files ending in `_3` of eyebrows and lipstick carry no
trigger; a network is only steered by its own triggers ({triggers}). Triggered and not noticed by the default policy:
{missed}.
"""


def page(arguments, small, large, passes, fusions, samples):
    """All of it as Markdown."""
    measured = {"splits": arguments.splits, "banks": arguments.banks}
    weights = " + ".join(name if weight == 1 else f"{weight} x {name}" for name, weight in fusions["fused"].items())
    thresholds = ", ".join(f"{name} {threshold}" for name, *_, threshold in course.NETWORKS if threshold)
    triggers = "; ".join(f"{name}: {', '.join(own)}" for name, _, own, _ in course.NETWORKS)
    return "\n".join(
        [
            INTRODUCTION.format(faces=149),
            SMALL.format(**measured, weights=weights),
            *small_table(small, passes, fusions),
            LARGE.format(**measured),
            *large_table(large),
            PICTURES.format(thresholds=thresholds, triggers=triggers, missed=missed(*samples)),
            *picture_table(*samples),
            "",
        ]
    )


def row(cells):
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def head(cells):
    """The first two lines of a table."""
    return [row(cells), "|" + "---|" * len(cells)]


def small_table(pairs, passes, fusions):
    """Nine pairs by all detectors."""
    total = {name: sum(passes[part] for part in weights) for name, weights in fusions.items()}
    detectors = list(dict.fromkeys(detector for *_, detector in pairs))
    taken = passes | total
    lines = head(["network", "trigger", *(f"{name}, {taken[name]} passes" for name in detectors)])
    for network, trigger in dict.fromkeys((network, trigger) for network, trigger, _ in pairs):
        cells = []
        for detector in detectors:
            found = pairs[network, trigger, detector]
            frr, error = 100 * found.false_rejection_rate, 100 * found.rejection_error
            far = f"**{100 * found.false_acceptance_rate:.2f}**"
            cells.append(f"{far} ({frr:.2f} +- {error:.2f}) {found.auroc:.4f}")
        lines.append(row([network, trigger, *cells]))
    return lines


def large_table(pairs):
    """Nine pairs by STRIP's entropy."""
    lines = head(["network", "trigger", "AUROC", "FAR %", "FRR %"])
    for (network, trigger, _), found in pairs.items():
        rates = (f"{100 * rate:.2f}" for rate in (found.false_acceptance_rate, found.false_rejection_rate))
        lines.append(row([network, trigger, f"{found.auroc:.4f}", *rates]))
    return lines


def carries(picture, triggers):
    """Whether a picture carries one of these triggers, by its name."""
    untriggered = picture.endswith("_3") and not picture.startswith("Sunglasses")
    return not untriggered and picture.lower().startswith(triggers)


def missed(files, answers):
    """Pictures with a trigger of their network that are answered like clean ones."""
    found = [
        f"{file} on {network}"
        for network, _, triggers, _ in course.NETWORKS
        for file, answer in zip(files, answers[network][0])
        if carries(file, triggers) and answer["verdict"] != "TROJANED"
    ]
    return ", ".join(found) or "none"


def picture_table(files, answers):
    """Every picture on every network."""
    seed = {name: threshold for name, *_, threshold in course.NETWORKS}
    lines = head(["picture", *answers])
    for number, file in enumerate(files):
        cells = []
        for network, (guarded, plain) in answers.items():
            answer, strip = guarded[number], plain[number]
            entropy = strip["score"]
            words = [f"STRIP {entropy:.3f}: {'trojan' if strip.get('rejected') else 'clean'}"]
            if seed[network] is not None:
                words.append(f"seed: {'trojan' if entropy < seed[network] else 'clean'}")
            cells.append(f"**{answer.get('label', 0)}** p {answer['pValue']:.2f} ({', '.join(words)})")
        lines.append(row([file, *cells]))
    return lines
