"""Lints and renders the chart with Helm's own code and validates what comes out, without a cluster.

    pip install helm-python-sdk==0.2.2 kubernetes-validate==1.37.0 && python3 deploy/helm/check.py
"""

import pathlib
import re
import shutil
import sys
import tempfile

import helm_python as helm
import kubernetes_validate
import yaml

HERE = pathlib.Path(__file__).parent
CHART = HERE / "auditrelay"
# Kinds whose schemas are not Kubernetes' own.
CUSTOM = {"ScaledObject", "ServiceMonitor", "PrometheusRule", "HTTPRoute"}


def without_dependencies(folder: pathlib.Path) -> pathlib.Path:
    """A copy of the chart that renders without the network: its dependency is optional."""
    copy = folder / "auditrelay"
    shutil.copytree(CHART, copy)
    manifest = copy / "Chart.yaml"
    manifest.write_text(re.sub(r"dependencies:.*", "", manifest.read_text(), flags=re.S))
    return copy


def objects(rendered) -> list[dict]:
    texts = rendered.values() if isinstance(rendered, dict) else [rendered]
    found = []
    for text in texts:
        if "apiVersion:" in text:
            found += [document for document in yaml.safe_load_all(text) if document]
    return found


def refused(chart, values: dict) -> bool:
    try:
        chart.validate_schema(values)
    except helm.HelmError:
        return True
    return False


def main() -> int:
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        copy = without_dependencies(pathlib.Path(folder))
        base = yaml.safe_load((CHART / "values.yaml").read_text())
        broker = {"broker": {**base["broker"], "addresses": "nats:4222"}}
        sets = {
            "defaults": broker,
            "everything": yaml.safe_load((HERE / "values" / "everything.yaml").read_text()),
            "creds": {"broker": {**base["broker"], "addresses": "nats", "auth": "creds"}},
            "bundled": {"nats": {"enabled": True}},
        }
        (copy / "values.yaml").write_text(yaml.safe_dump({**base, **broker}))
        wrong += [f"lint: {error}" for error in helm.lint(str(copy))["errors"]]
        chart = helm.Chart.load(str(copy))
        for name, values in sets.items():
            chart.validate_schema(values)
            found = objects(chart.render(values, name="auditrelay", namespace="audit"))
            for document in found:
                label = f"{name}: {document['kind']} {document['metadata']['name']}"
                if document["kind"] in CUSTOM:
                    continue
                try:
                    kubernetes_validate.validate(document, "1.33", strict=True)
                except Exception as error:
                    wrong.append(f"{label}: {error}")
            out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None
            if out:
                (out / f"{name}.yaml").write_text(yaml.safe_dump_all(found))
            print(f"{name}: {len(found)} objects")
            wrong += promises(name, found)
            wrong += [f"{name}: {mistake}" for one in found for mistake in unrestricted(one)]
        for name, values in {
            "a misspelled value": {"servicse": {}},
            "no replicas": {"services": {"api": {"replicas": 0}}},
            "an unknown setting": {"settings": {"audit_log": "x"}},
        }.items():
            if not refused(chart, values):
                wrong.append(f"values.schema.json lets {name} pass")
    print("\n".join(wrong) or "the chart is in order")
    return 1 if wrong else 0


def promises(name: str, found: list[dict]) -> list[str]:
    """What no schema knows."""
    wrong = []
    deployments = [one for one in found if one["kind"] == "Deployment"]
    if len(deployments) != 5:
        wrong.append(f"{name}: {len(deployments)} deployments")
    for one in deployments:
        pod = one["spec"]["template"]["spec"]
        container = pod["containers"][0]
        service = container["args"][0]
        if not container["securityContext"]["readOnlyRootFilesystem"] or not pod["securityContext"]["runAsNonRoot"]:
            wrong.append(f"{name}: {service} may write or be root")
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        if ("keys" in mounts) != (service in ("api", "webhook-sender")):
            wrong.append(f"{name}: {service} and the keys")
        for variable in container["env"]:
            if "PASSWORD" in variable["name"] and "value" in variable:
                wrong.append(f"{name}: {service} has a password in its manifest")
    for one in found:
        if one["kind"] == "NetworkPolicy":
            outside = any("ipBlock" in peer for rule in one["spec"]["egress"] for peer in rule.get("to", []))
            if outside != one["metadata"]["name"].endswith("webhook-sender"):
                wrong.append(f"{name}: {one['metadata']['name']} and the way out")
    return wrong


# What Kubernetes' own profile "restricted" lets a pod mount.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def unrestricted(one: dict) -> list[str]:
    """What that profile would not let in, or warn of; in a namespace that enforces it nothing of it starts."""
    kinds = {"Deployment", "StatefulSet", "DaemonSet", "Job"}
    if one["kind"] == "Pod":
        pod = one["spec"]
    elif one["kind"] in kinds:
        pod = one["spec"]["template"]["spec"]
    elif one["kind"] == "CronJob":
        pod = one["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    else:
        return []
    wrong = [f"{key} is on" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    for volume in pod.get("volumes", []):
        wrong += [f"a volume is a {kind}" for kind in volume.keys() - VOLUMES - {"name"}]
    of_pod = pod.get("securityContext", {})
    for container in pod["containers"] + pod.get("initContainers", []):
        own = {**of_pod, **container.get("securityContext", {})}
        capabilities = own.get("capabilities", {})
        for what, holds in {
            "may be root": own.get("runAsNonRoot") is True and own.get("runAsUser") != 0,
            "may gain privileges": own.get("allowPrivilegeEscalation") is False and not own.get("privileged"),
            "keeps capabilities": capabilities == {"drop": ["ALL"]},
            "has no seccomp profile": own.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
            "asks for a port of the host": not any("hostPort" in port for port in container.get("ports", [])),
            "unmasks /proc": own.get("procMount", "Default") == "Default",
        }.items():
            if not holds:
                wrong.append(f"{container['name']} {what}")
    return [f"{one['kind']} {one['metadata']['name']}: {mistake}" for mistake in wrong]


sys.exit(main())
