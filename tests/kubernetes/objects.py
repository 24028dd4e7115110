"""Rendered objects against the API's own schemas, strictly; that a typo would be seen; that names agree."""

import copy
import functools
import json
from pathlib import Path

import jsonschema
from kubernetes_validate import utils

from rendering import Failure, name, pod_of

# The chart's oldest, one in the middle and the newest that the package of schemas knows.
VERSIONS = ("1.32", "1.34", "1.37")
# Mappings whose keys are anybody's: no schema can know a typo there. Where they must agree, `references` looks.
FREE = {
    "labels", "annotations", "matchLabels", "selector", "nodeSelector", "data", "stringData", "limits", "requests",
}
CUSTOM = json.loads((Path(__file__).parent / "custom_resources.json").read_text())["definitions"]


# The package reads its files again for every object.
utils.schema_contents = functools.cache(utils.schema_contents)


def refusal(found, version):
    """Why this object is not valid, or nothing: what `kubernetes-validate --strict -k VERSION` says, and of custom
    resources, which that lets pass, what is written down beside this file."""
    try:
        if found.get("kind") in CUSTOM:
            schema = {"definitions": CUSTOM, "$ref": f"#/definitions/{found['kind']}"}
            jsonschema.Draft202012Validator(schema).validate(found)
        else:
            utils.validate(found, version, strict=True)
    except (jsonschema.ValidationError, utils.SchemaNotFoundError) as error:
        return error.message
    except KeyError as missing:
        return f"there is no {missing}"
    return None


def valid(cases):
    """Every object of every case in every version."""
    for version in VERSIONS:
        for case, objects in cases.items():
            for found in objects:
                reason = refusal(found, version)
                if reason:
                    raise Failure(f"{case}: {name(found)} is not valid in Kubernetes {version}: {reason}")
    count = sum(map(len, cases.values()))
    return f"{count} objects of {len(cases)} renderings are valid in Kubernetes {', '.join(VERSIONS)}, strictly"


def places(value, path=()):
    """Every key of an object that a schema can know, as the way to it."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            # A Service's selector is free; a policy's or a Deployment's has matchLabels in it.
            free = key in FREE and not (isinstance(item, dict) and "matchLabels" in item)
            if not free:
                yield from places(item, (*path, key))


def typos_are_seen(cases):
    """Each key of each kind of object, misspelt, one at a time."""
    seen = set()
    for case, objects in cases.items():
        for found in objects:
            for path in places(found):
                # The same key of the same kind once, whatever the place in a list.
                sort = (found["kind"], tuple(step for step in path if isinstance(step, str)))
                if sort in seen:
                    continue
                seen.add(sort)
                wrong = copy.deepcopy(found)
                inside = wrong
                for step in path[:-1]:
                    inside = inside[step]
                inside[path[-1] + "x"] = inside.pop(path[-1])
                if not refusal(wrong, VERSIONS[1]):
                    raise Failure(f"{case}: a typo at {'.'.join(map(str, path))} of {name(found)} is not seen")
    return f"{len(seen)} keys, each misspelt once: all seen"


def references(cases):
    """What objects call each other by must be there: schemas do not look."""
    for case, objects in cases.items():
        there = {(found["kind"], found["metadata"]["name"]) for found in objects}
        elsewhere = OUTSIDE.get(case, set())

        def need(kind, asked, by):
            if (kind, asked) not in there and (kind, asked) not in elsewhere:
                raise Failure(f"{case}: {name(by)} names the {kind} {asked}, which is not there")

        pods = [pod_of(found) for found in objects if pod_of(found)]
        for found in objects:
            if found["metadata"].get("namespace", "gifthorse") != "gifthorse":
                raise Failure(f"{case}: {name(found)} is in another namespace")
            if pod_of(found):
                _pod(found, need)
            if found["kind"] == "Service":
                _selects(case, found, pods)
            target = found.get("spec", {}).get("scaleTargetRef")
            if target:
                need(target["kind"], target["name"], found)
            if found["kind"] == "GRPCRoute":
                for backend in found["spec"]["rules"][0]["backendRefs"]:
                    need("Service", backend["name"], found)
            if found["kind"] in ("RoleBinding", "ClusterRoleBinding"):
                need(found["roleRef"]["kind"], found["roleRef"]["name"], found)
                for subject in found["subjects"]:
                    need("ServiceAccount", subject["name"], found)
    return "every name that an object calls another by is there"


# What the values of a case say is made elsewhere.
OUTSIDE = {
    "production": {("Secret", "gifthorse-s3"), ("Secret", "gifthorse-postgres")},
    "production-gpu": {("Secret", "gifthorse-s3"), ("Secret", "gifthorse-postgres")},
    "plain": {("PersistentVolumeClaim", "folder")},
}


def _pod(found, need):
    pod, labels = pod_of(found)
    if found["kind"] != "Pod":
        need("ServiceAccount", pod["serviceAccountName"], found)
        wanted = found["spec"]["selector"]["matchLabels"]
        if not wanted.items() <= labels.items():
            raise Failure(f"{name(found)} does not select its own Pods")
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in found["spec"].get("volumeClaimTemplates", [])}
    for volume in pod.get("volumes", []):
        if "configMap" in volume:
            need("ConfigMap", volume["configMap"]["name"], found)
        if "persistentVolumeClaim" in volume:
            need("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], found)
    for container in pod["containers"]:
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        if mounted != volumes:
            raise Failure(f"{name(found)} mounts {mounted} and has {volumes}")
        for variable in container.get("env", []):
            if "valueFrom" in variable:
                need("Secret", variable["valueFrom"]["secretKeyRef"]["name"], found)
        for source in container.get("envFrom", []):
            need("Secret", source["secretRef"]["name"], found)
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        for probe in ("readinessProbe", "livenessProbe"):
            asked = container.get(probe, {})
            number = asked.get("grpc", {}).get("port") or ports.get(asked.get("httpGet", {}).get("port"))
            if "grpc" in asked and number != ports["grpc"] or "httpGet" in asked and number != ports["admin"]:
                raise Failure(f"the {probe} of {name(found)} asks a port that the container does not have")
    if found["kind"] == "Deployment":
        _profile(found, pod)


def _profile(found, pod):
    """Pod Security's profile `restricted`, a root that is read-only, and no token but the trainer's."""
    security, [container] = pod["securityContext"], pod["containers"]
    own = container["securityContext"]
    held = (
        security["runAsNonRoot"] and security["runAsUser"] == 10001
        and security["seccompProfile"]["type"] == "RuntimeDefault"
        and own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True
        and own["capabilities"] == {"drop": ["ALL"]}
    )
    if not held:
        raise Failure(f"{name(found)} is not within the profile restricted")
    if pod["automountServiceAccountToken"] and not found["metadata"]["name"].endswith("-trainer"):
        raise Failure(f"{name(found)} has a token for the API server")


def _selects(case, service, pods):
    wanted = service["spec"]["selector"].items()
    chosen = [pod for pod, labels in pods if wanted <= labels.items()]
    if len(chosen) != 1:
        raise Failure(f"{case}: {name(service)} selects the Pods of {len(chosen)} objects")
    ports = {port["name"] for container in chosen[0]["containers"] for port in container["ports"]}
    for port in service["spec"]["ports"]:
        if port["targetPort"] not in ports:
            raise Failure(f"{case}: {name(service)} leads to the port {port['targetPort']}, which no container has")
