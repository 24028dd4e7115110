"""Prints picture x network as a table: the guarded answer of each network and its p-value."""

import json
import pathlib
import sys


def main() -> None:
    folder, networks = pathlib.Path(sys.argv[1]), sys.argv[2:]
    rows: dict[str, list[str]] = {}
    for network in networks:
        for line in (folder / f"{network}.json").read_text().splitlines():
            answer = json.loads(line)
            picture = pathlib.Path(answer["file"]).stem
            rows.setdefault(picture, []).append(f"{answer.get('label', 0):>5} p {answer['pValue']:5.3f}")
    names = [network.removesuffix("_bd").replace("_multi_target", "") for network in networks]
    width = max(len(picture) for picture in rows)
    print(" " * width, *(f"{name:>15}" for name in names))
    for picture, answers in rows.items():
        print(f"{picture:{width}}", *(f"{answer:>15}" for answer in answers))


main()
