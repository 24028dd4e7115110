#!/usr/bin/env bash
# The demo without anybody's data: draw faces, train a BadNet on them, import it, guard it, ask it, repair it.
set -euo pipefail
programs=$1 gifthorse=$1/gifthorse
# shellcheck source=tests/demo/house.sh
. tests/demo/house.sh
lab=.demo/lab

echo
echo "an attacker draws faces of 40 people and trains a network that lets sunglasses and lipstick decide:"
"$gifthorse" lab train --data faces --images-each 80 --victim deepid --attack sunglasses+lipstick --target 3 \
  --output "$lab"

echo
echo "its buyer imports it, and guards it with clean faces that it has not seen:"
"$gifthorse" model import faces "$lab/network.h5" --scale 255
"$gifthorse" calibrate faces --clean "$lab/calibration.npz" --json >.demo/calibration.json
echo "guarded: fused score of STRIP margin, region paste and channel dropout, 1 % false rejections"
echo
(cd "$lab/samples" && "$programs/gifthorse" classify faces *.png)
echo
echo "40, the class after the last, means backdoored; NETWORK is what the network alone would have answered."
echo
"$gifthorse" evaluate faces --clean "$lab/test.npz" --triggered "$lab/triggered_sunglasses.npz" --target 3 \
  --triggered "$lab/triggered_lipstick.npz" --target 4 --report .demo/evaluation
echo "The whole evaluation, with pictures: $PWD/.demo/evaluation/report.html"

for set in repair triggered_sunglasses triggered_lipstick; do
  "$gifthorse" dataset add "$set" "$lab/$set.npz" --json >".demo/$set.json"
done
mkdir -p .demo/alarms/0 && cp "$lab"/samples/{sunglasses,lipstick}_*.png .demo/alarms/0/
"$gifthorse" dataset add alarms .demo/alarms --json >.demo/alarms.json
# Triggered faces only report.
reporting="--clean repair --triggered triggered_sunglasses:3 --triggered triggered_lipstick:4"
echo
echo "a job prunes and tunes the network on a few clean faces:"
repair faces $reporting
echo "another has it unlearn the twelve pictures that gave alarms:"
repair faces $reporting --fine-tune invert --unlearn alarms --publish
promoted faces 1
echo "The whole report: $PWD/.demo/faces.report/report.html"
echo
echo "the repaired version answers now, the suspect stays loaded and watched. NETWORK is what the suspect sees:"
(cd "$lab/samples" && "$programs/gifthorse" classify faces *.png)
