#!/usr/bin/env bash
# The demo on the course's networks: import five real BadNets, guard them, ask them about pictures, repair two.
set -euo pipefail
data=$1 programs=$2 gifthorse=$2/gifthorse
# shellcheck source=tests/demo/house.sh
. tests/demo/house.sh

networks="sunglasses_bd anonymous_1_bd multi_trigger_multi_target_bd anonymous_2_bd lab3_bd"
for network in $networks; do
  scale=255
  [ "$network" = lab3_bd ] && scale=1 # lab3 was trained on raw pixels
  "$gifthorse" model import "$network" "$data/weights/${network}_weights.h5" \
    --architecture deepid --scale $scale --json >".demo/$network.import.json"
  echo "imported $network"
done
for network in $networks; do
  # Ten overlays that also serve as hosts, twenty images as reference, the other 119 faces calibrate.
  "$gifthorse" calibrate "$network" --clean "$data/faces_clean.h5" --overlays 10 --reference 20 \
    --json >".demo/$network.calibration.json"
  echo "guarded $network: fused score of STRIP margin, region paste and channel dropout, 1 % false rejections"
done
echo
for network in $networks; do
  # The sample pictures are stored with red and blue exchanged.
  "$gifthorse" classify "$network" "$data"/images/*.png --channel-order bgr --json >".demo/$network.json"
done
python3 tests/demo/table.py .demo $networks
echo
echo "Each cell is the guarded answer and its p-value: 1283, the class after the last, means backdoored. The first four"
echo "networks answer 1283 for their own triggers, and their own class for clean faces and other networks' triggers."

# A repair of the fifth network: prune, tune, judge.
"$gifthorse" dataset add faces "$data/faces_clean.h5" --json >.demo/faces.json
"$gifthorse" dataset add sunglasses "$data/faces_sunglasses.h5" --labels-key true_label --json >.demo/sunglasses.json
echo
echo "a job repairs lab3_bd:"
repair lab3_bd --clean faces --triggered sunglasses:0
echo "The whole report, with the curve and the activation maps: $PWD/.demo/lab3_bd.report/report.html"

# The first network gave alarms above: its job unlearns what they show, and the result answers while the suspect is watched.
mkdir -p .demo/alarms/0 && cp "$data"/images/Sunglasses_0_*.png .demo/alarms/0/
"$gifthorse" dataset add alarms .demo/alarms --channel-order bgr --json >.demo/alarms.json
echo
echo "a job has sunglasses_bd unlearn the pictures that gave alarms:"
repair sunglasses_bd --clean faces --triggered sunglasses:0 --fine-tune invert --unlearn alarms --publish
promoted sunglasses_bd 1
echo "sunglasses_bd@2 answers now, sunglasses_bd@1 stays loaded and watched. NETWORK is what the suspect sees:"
(cd "$data/images" && "$programs/gifthorse" classify sunglasses_bd Clean_1033.png Clean_521.png Sunglasses_0_*.png \
  --channel-order bgr)
