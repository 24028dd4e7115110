#!/usr/bin/env bash
# The main job, end to end: start the services, import the course's BadNets, guard them, ask them about pictures.
set -euo pipefail
cd "$(dirname "$0")/../.."
data=${GIFTHORSE_TEST_DATA:-../shared/data}/csaw
programs=$(realpath "${CARGO_TARGET_DIR:-target}")/debug
gifthorse=$programs/gifthorse

if [ ! -d "$data/weights" ]; then
  cat >&2 <<TEXT
The demo needs the course's networks and pictures, and there are none at $data.
Set GIFTHORSE_TEST_DATA to a folder with
  csaw/weights/{sunglasses,anonymous_1,multi_trigger_multi_target,anonymous_2,lab3}_bd_weights.h5
  csaw/images/*.png
  csaw/faces_clean.h5, csaw/faces_sunglasses.h5
or try your own network:
  $gifthorse up &
  $gifthorse model import mine FILE.h5|FILE.onnx
  $gifthorse calibrate mine --clean CLEAN.h5
  $gifthorse classify mine PICTURE...
TEXT
  exit 1
fi

# `make demo` asks before it builds.
[ "${1:-}" = --check-data ] && exit 0

rm -rf .demo && mkdir -p .demo
"$gifthorse" up --json --data .demo/data --gateway 127.0.0.1:0 >.demo/up.json 2>.demo/up.log &
house=$!
# The house ends with the demo, however that ends.
trap 'kill -INT $house 2>/dev/null; wait $house 2>/dev/null || true' EXIT
until [ -s .demo/up.json ]; do
  kill -0 $house 2>/dev/null || { echo "the services did not start:" >&2; cat .demo/up.log >&2; exit 1; }
  sleep 0.1
done
GIFTHORSE_GATEWAY=$(python3 -c 'import json; print(json.load(open(".demo/up.json"))["gateway"])')
export GIFTHORSE_GATEWAY
echo "services are up, the gateway listens on $GIFTHORSE_GATEWAY"

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

# Queues a job, follows it and prints its table. The triggered faces only report.
repair() {
  local network=$1 job
  shift
  "$gifthorse" prune "$network" --clean faces --triggered sunglasses:0 --seed 1 "$@" --json >".demo/$network.job.json"
  job=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["name"].removeprefix("pruningJobs/"))' \
    ".demo/$network.job.json")
  "$gifthorse" job watch "$job"
  "$gifthorse" job report "$job" -o ".demo/$network.report" --json >".demo/$network.report.json"
  echo
  python3 tests/demo/repair.py ".demo/$network.report/report.json"
  echo
}

# A repair of the fifth network: prune, tune, judge.
"$gifthorse" dataset add faces "$data/faces_clean.h5" --json >.demo/faces.json
"$gifthorse" dataset add sunglasses "$data/faces_sunglasses.h5" --labels-key true_label --json >.demo/sunglasses.json
echo
echo "a job repairs lab3_bd:"
repair lab3_bd
echo "The whole report, with the curve and the activation maps: $PWD/.demo/lab3_bd.report/report.html"

# The first network gave alarms above: its job unlearns what they show, and the result answers while the suspect is watched.
mkdir -p .demo/alarms/0 && cp "$data"/images/Sunglasses_0_*.png .demo/alarms/0/
"$gifthorse" dataset add alarms .demo/alarms --channel-order bgr --json >.demo/alarms.json
echo
echo "a job has sunglasses_bd unlearn the pictures that gave alarms:"
repair sunglasses_bd --fine-tune invert --unlearn alarms --publish
# The trainer promotes what the gate lets through a moment after the job has ended.
promoted() {
  "$gifthorse" model show sunglasses_bd --json | grep '"suspectVersion":"models/sunglasses_bd/versions/1"' >/dev/null
}
for _ in $(seq 100); do
  promoted && break
  sleep 0.1
done
promoted || { echo "sunglasses_bd@2 was not promoted" >&2; exit 1; }
sleep 1 # the gateway remembers for half a second which version answers
echo "sunglasses_bd@2 answers now, sunglasses_bd@1 stays loaded and watched. NETWORK is what the suspect sees:"
(cd "$data/images" && "$programs/gifthorse" classify sunglasses_bd Clean_1033.png Clean_521.png Sunglasses_0_*.png \
  --channel-order bgr)
