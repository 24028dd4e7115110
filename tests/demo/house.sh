# What both demos share: the running services, and a job followed to its end. To be sourced.
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

# Queues a job for a model, follows it and prints its table. Triggered images only report.
repair() {
  local model=$1 job
  shift
  "$gifthorse" prune "$model" --seed 1 "$@" --json >".demo/$model.job.json"
  job=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["name"].removeprefix("pruningJobs/"))' \
    ".demo/$model.job.json")
  "$gifthorse" job watch "$job"
  rm -rf ".demo/$model.report"
  "$gifthorse" job report "$job" -o ".demo/$model.report" --json >".demo/$model.report.json"
  echo
  python3 tests/demo/repair.py ".demo/$model.report/report.json"
  echo
}

# Waits until a version answers beside its suspect: the trainer promotes what the gate lets through a moment after the
# job has ended.
promoted() {
  local shown="\"suspectVersion\":\"models/$1/versions/$2\""
  for _ in $(seq 100); do
    if "$gifthorse" model show "$1" --json | grep -F "$shown" >/dev/null; then
      sleep 1 # the gateway remembers for half a second which version answers
      return
    fi
    sleep 0.1
  done
  echo "no repaired version of $1 was promoted" >&2
  exit 1
}
