"""Measures the whole system on victims that the lab makes: attack, detect, repair.

    lab.py PROGRAMS [--data DATA] [--cases NAME,...] [--work FOLDER] [--subset] [--markdown FILE] [--json FILE]

PROGRAMS is the folder of the built programs. A case is a data set, a victim and an attack: the lab trains the victim, the
services import, calibrate and evaluate it, and jobs repair it. Drawn faces need nothing; MNIST and CIFAR-10 are taken from
DATA, and are left out, loudly, where it has none. With --work, what is measured there already is not measured again.
--subset measures one attacked and one clean network on drawn faces, without repairs but one, and exits 1 on broken
invariants alone: realised false rejection rates far from what was promised, verdicts that do not repeat.
Needs the packages of requirements.txt.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import conformal
import lab_page
from services import Gifthorse
from victim import Case, Data

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conformance"))
from house import house  # noqa: E402

METHODS = ("none", "ft", "ft-sam", "fst", "unlearn")


FACES = Data("faces", "deepid", "50,4,23,23", words=("--identities", "40", "--images-each", "200"))
FEW_FACES = Data("few-faces", "deepid", "40,5,30,25", words=("--identities", "20", "--images-each", "120", "--epochs", "10"))
MNIST = Data("mnist", "mnist", "60,5,17,18", "mnist_10k_1x28x28.h5")
CIFAR = Data(
    "cifar10", "conv4", "78,5,17,1", "cifar10_train_15000.h5", "cifar10_test_2500.h5", words=("--epochs", "16")
)
CASES = [
    *((FACES, attack) for attack in ("none", "sunglasses", "lipstick", "badnets", "blended", "sig", "wanet", "tact")),
    *((MNIST, attack) for attack in ("none", "badnets", "blended")),
    *((CIFAR, attack) for attack in ("none", "badnets", "blended", "sig", "wanet", "tact")),
]
SUBSET = [(FEW_FACES, "none"), (FEW_FACES, "sunglasses")]


def invariants(results):
    """What must hold whatever chance does: (what, whether it holds)."""
    for result in results:
        for evaluation in result["detection"][:1]:
            rate = evaluation["falseRejectionRate"]
            # The interval of the count at a confidence that one run in ten thousand misses.
            yield f"{result['case']}: FRR {rate}", lab_page.plausible(rate, evaluation["alpha"], evaluation)
        for kept in result["conformal"]:
            yield f"{result['case']}: {kept['rule']} {kept['alpha']}", conformal.Kept(**kept).holds
        yield f"{result['case']}: scores repeat", result["repeats"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cases", help="names such as faces-badnets, separated by commas")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--subset", action="store_true")
    parser.add_argument("--stored", action="store_true", help="nothing is measured: the page is made of what --work holds")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cases = SUBSET if arguments.subset else CASES
    if arguments.cases:
        named = arguments.cases.split(",")
        cases = [case for case in cases if f"{case[0].name}-{case[1]}" in named]
    methods = ("unlearn",) if arguments.subset else arguments.methods.split(",")
    results = []
    with tempfile.TemporaryDirectory(prefix="gifthorse-lab-") as folder:
        work = arguments.work or Path(folder) / "work"
        work.mkdir(parents=True, exist_ok=True)
        with house(arguments.programs, Path(folder)) as running:
            gifthorse = Gifthorse(arguments.programs / "gifthorse", running.addresses["gateway"], folder)
            for data, attack in cases:
                if data.training and not (arguments.data and (arguments.data / "datasets" / data.training).exists()):
                    print(f"SKIPPED: {data.name} needs {data.training} in the data folder", flush=True)
                    continue
                case = Case(data, attack, arguments, running, gifthorse, work)
                if arguments.stored and not case.is_measured():
                    continue
                results.append(case.measure(methods))
                print(lab_page.line(results[-1]), flush=True)
    if arguments.markdown:
        arguments.markdown.write_text(lab_page.page(results))
    if arguments.json:
        # A case a line, so that a new measurement shows as such.
        cases = ",\n".join(json.dumps(one) for one in lab_page.short(results))
        arguments.json.write_text(f"[\n{cases}\n]\n")
    broken = [what for what, holds in invariants(results) if not holds]
    print("\n".join(f"BROKEN: {what}" for what in broken) or "every invariant holds")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
