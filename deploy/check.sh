#!/usr/bin/env bash
# Checks everything in deploy/ with whatever is installed, and says what is not.
# --strict fails for what is missing too. Tools: apt-get install prometheus; pip install -r deploy/check-requirements.txt
set -uo pipefail
cd "$(dirname "$0")/.."

strict=no
[[ ${1:-} == --strict ]] && strict=yes
failed=()
missing=()

# check NAME TOOL COMMAND…
check() {
  local name=$1 tool=$2 said
  shift 2
  if ! command -v "$tool" >/dev/null; then
    missing+=("$name ($tool)")
  elif said=$("$@" 2>&1); then
    printf 'ok       %s\n' "$name"
  else
    printf 'FAILED   %s\n%s\n' "$name" "$said"
    failed+=("$name")
  fi
}

nats_configuration() {
  local file
  for file in nats cluster; do
    NATS_SERVER_NAME=check NATS_ROUTES='[nats://routes:check@127.0.0.1:6222]' NATS_ROUTES_PASSWORD=check \
      NATS_INGEST_PASSWORD=check NATS_RETENTION_PASSWORD=check NATS_SCHEDULER_PASSWORD=check \
      NATS_SENDER_PASSWORD=check NATS_API_PASSWORD=check nats-server -t -c "deploy/nats/$file.conf" || return 1
  done
}

prometheus_configuration() {
  local folder
  folder=$(mktemp -d)
  sed "s|/etc/prometheus/alerts.yaml|$PWD/deploy/helm/auditrelay/monitoring/alerts.yaml|" \
    deploy/prometheus/prometheus.yaml >"$folder/prometheus.yaml"
  promtool check config "$folder/prometheus.yaml"
  local result=$?
  rm -r "$folder"
  return $result
}

# `buf build proto -o proto/released.binpb` is part of a release: what comes after must still read it.
proto_breaks_nothing() { (cd proto && buf breaking --against released.binpb); }

chart() { python3 -c 'import helm_python, kubernetes_validate' 2>/dev/null || return 0; python3 deploy/helm/check.py; }
dashboards() { local file; for file in deploy/helm/auditrelay/monitoring/dashboards/*.json; do python3 -m json.tool "$file" >/dev/null || return 1; done; }

# A server that the tests fetched serves too.
nats_fetched=$(find "${XDG_CACHE_HOME:-$HOME/.cache}/auditrelay" -maxdepth 2 -name nats-server -type f 2>/dev/null | head -n 1)
[[ -n $nats_fetched ]] && PATH="$PATH:$(dirname "$nats_fetched")"

python3 -c 'import helm_python, kubernetes_validate' 2>/dev/null || missing+=('the chart (helm-python-sdk, kubernetes-validate)')
check 'the chart' python3 chart
check 'dashboards are JSON' python3 dashboards
check 'brokers' nats-server nats_configuration
check 'alerts' promtool promtool check rules deploy/helm/auditrelay/monitoring/alerts.yaml
check "alerts' tests" promtool promtool test rules deploy/prometheus/alerts_test.yaml
check 'Prometheus' promtool prometheus_configuration
check 'Dockerfile' hadolint hadolint deploy/docker/Dockerfile
check 'compose' docker-compose docker-compose -f deploy/compose/compose.yaml config -q
check 'workflows' actionlint actionlint
check 'safety of workflows' zizmor zizmor --offline --quiet --min-severity medium --config deploy/zizmor.yaml .github/workflows
check 'proto: style' buf buf lint proto
check 'proto: compatible' buf proto_breaks_nothing

for tool in "${missing[@]}"; do printf 'missing  %s\n' "$tool"; done
[[ ${#failed[@]} == 0 && ($strict == no || ${#missing[@]} == 0) ]]
