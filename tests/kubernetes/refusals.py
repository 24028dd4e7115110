"""Values that must not pass, values that must, and what they become."""

from urllib.parse import unquote, urlsplit

from rendering import CHART, Failure, Refused, of_kind

# What is set, and what helm must say about it.
REFUSED = [
    ("servnig.replicas=2", "servnig"),
    ("serving.replica=2", "replica"),
    ("serving.replicas=two", "replicas"),
    ("serving.replicas=0", "replicas"),
    ("serving.image.tag=1", "image"),
    ("serving.resources.limit.cpu=1", "limit"),
    ("serving.resources.limits.cpus=1", "cpus"),
    ("serving.gpu.enable=true", "enable"),
    ("serving.gpu.enabled=yes", "enabled"),
    ("serving.autoscaling.kind=keda", "prometheus"),
    ("serving.autoscaling.kind=kedda", "kind"),
    ("serving.autoscaling.minReplicas=99", "minReplicas"),
    ("serving.config.batching.max_row=3", "max_row"),
    ("serving.config.batching.max_delay=3", "max_delay"),
    ("serving.config.service.listen=0.0.0.0:1", "listen"),
    ("serving.tolerations[0].effects=NoSchedule", "effects"),
    ("gateway.autoscaling.kind=cpu", "autoscaling"),
    ("gateway.service.type=clusterip", "type"),
    ("detector.scratch=many", "scratch"),
    ("trainer.replicas=2", "database"),
    ("trainer.launcher.kind=processes", "kind"),
    ("store.url=http://bucket", "url"),
    ("store.url=s3://bucket/prefix", "database"),
    ("store.claim.accessMode=ReadOnlyMany", "accessMode"),
    ("database.url=mysql://host/jobs", "url"),
    ("worker.activeDeadline=12", "activeDeadline"),
    ("worker.tolerations[0].tolerationSeconds=12", "tolerationSeconds"),
    ("networkPolicy.client[0].ipBlock.cidr=10.0.0.0/8", "client"),
    ("networkPolicy.clients[0].ip=10.0.0.0/8", "ip"),
    ("networkPolicy.apiServer.ports[0]=99999", "ports"),
    ("topologySpread.zone=DoNotScheduel", "zone"),
    ("grpcRoute.enabled=true", "parentRefs"),
    ("ingress.enabled=true", "host"),
    ("listenAddress=127.0.0.1", "listenAddress"),
    ("images.pullPolicy=always", "pullPolicy"),
    ("postgresql.enabled=true,database.url=postgres://host/jobs", "two databases"),
]


def refused(helm):
    for setting, word in REFUSED:
        try:
            helm.text(settings=[setting])
        except Refused as said:
            if word not in str(said):
                raise Failure(f"--set {setting} is refused, but not for {word}: {said}") from None
        else:
            raise Failure(f"--set {setting} passes")
    return f"{len(REFUSED)} wrong values are refused, each by its name"


def schema_is_closed(schema):
    """No object of the schema takes keys that it does not know, but those whose keys are anybody's."""
    # Names of nodes, labels, amounts of resources; parts of an affinity, which the API server checks; helm's own.
    free = {"strings", "amounts", "affinity.nodeAffinity", "affinity.podAffinity", "affinity.podAntiAffinity", "global"}

    def walk(node, path):
        if not isinstance(node, dict):
            return
        if node.get("type") == "object" and node.get("additionalProperties") is not False and path not in free:
            raise Failure(f"the schema lets any key pass at {path}")
        for key, below in node.get("properties", {}).items():
            walk(below, f"{path}.{key}".lstrip("."))
        walk(node.get("items"), f"{path}[]")

    walk(schema, "")
    for key, definition in schema["definitions"].items():
        walk(definition, key)
    return "the schema of values is closed"


def lint(helm, cases):
    for case, files in cases.items():
        try:
            helm.lint(files)
        except Refused as said:
            raise Failure(f"{case}: helm lint: {said}") from None
    return f"helm lint --strict: nothing found in {len(cases)} sets of values of {CHART.name}"


def notes(helm, cases):
    """The notes name the first three commands, and the Service that is there."""
    for case, files in cases.items():
        said = helm.notes(files)
        service = "house-gateway" if case == "everything" else "demo-gifthorse-gateway"
        commands = (f"rollout status deployment/{service}", f"port-forward service/{service}", "gifthorse model import")
        for command in commands:
            if command not in said:
                raise Failure(f"{case}: the notes do not say {command}: {said}")
        if ("No NetworkPolicy" in said) != (case == "plain"):
            raise Failure(f"{case}: the notes are wrong about networks: {said}")
    return "the notes tell the first three commands"


def secrets(helm):
    """Passwords and keys arrive as they were given, whatever is in them."""
    awkward = 'a b/c@d:e?f#g%h+"i'
    values = {
        "postgresql": {"enabled": True, "password": awkward},
        "store": {"url": "s3://bucket", "s3": {"secretAccessKey": awkward, "endpoint": "http://objects:8333"}},
    }
    found = {secret["metadata"]["name"]: secret["stringData"] for secret in of_kind(helm.objects(values=values), "Secret")}
    database, store = found["demo-gifthorse-database"], found["demo-gifthorse-store"]
    url = urlsplit(database["url"])
    if database["password"] != awkward or unquote(url.password) != awkward or url.path != "/gifthorse":
        raise Failure(f"the password of the database became {database}")
    wanted = {"AWS_SECRET_ACCESS_KEY": awkward, "AWS_ENDPOINT": "http://objects:8333", "AWS_ALLOW_HTTP": "true"}
    if store != wanted:
        raise Failure(f"the keys of the object store became {store}")
    return "secrets arrive as they were given"
