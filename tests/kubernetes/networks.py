"""Who reaches whom under the rendered NetworkPolicies, worked out as Kubernetes defines them."""

from rendering import Failure, of_kind, pod_of

GRPC = {"gateway": 4700, "serving": 4701, "detector": 4702, "trainer": 4703}
ADMIN = {service: port + 10 for service, port in GRPC.items()}
WORKER = {
    "app.kubernetes.io/name": "gifthorse",
    "app.kubernetes.io/component": "worker",
    "app.kubernetes.io/part-of": "gifthorse",
    "app.kubernetes.io/managed-by": "gifthorse-trainer",
}
# Every way that is meant to be open inside the cluster, on the ports of gRPC and of the database.
MEANT = {
    ("gateway", "serving"), ("gateway", "detector"), ("gateway", "trainer"), ("detector", "serving"),
    ("worker", "trainer"), ("test", "gateway"), ("trainer", "postgresql"),
}


class Pod:
    def __init__(self, labels, namespace):
        self.labels, self.namespace = labels, namespace


def _pods(objects):
    pods = {labels["app.kubernetes.io/component"]: Pod(labels, {"kubernetes.io/metadata.name": "gifthorse"})
            for _, labels in filter(None, map(pod_of, objects))}
    pods["worker"] = Pod(WORKER, {"kubernetes.io/metadata.name": "gifthorse"})
    # A Pod of the release that nobody has thought of: the first policy closes it.
    pods["newcomer"] = Pod({"app.kubernetes.io/name": "gifthorse", "app.kubernetes.io/instance": "demo"},
                           {"kubernetes.io/metadata.name": "gifthorse"})
    pods["neighbour"] = Pod({"app": "other"}, {"kubernetes.io/metadata.name": "gifthorse"})
    pods["stranger"] = Pod({"app": "other"}, {"kubernetes.io/metadata.name": "elsewhere"})
    pods["client"] = Pod({"app": "ingress"}, {"kubernetes.io/metadata.name": "gateway-system"})
    pods["prometheus"] = Pod({"app": "prometheus"}, {"kubernetes.io/metadata.name": "monitoring"})
    pods["names"] = Pod({"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"})
    return pods


def _matches(selector, labels):
    if "matchExpressions" in selector:
        raise Failure("this test does not know matchExpressions in a NetworkPolicy")
    return selector.get("matchLabels", {}).items() <= labels.items()


def _is_peer(peer, pod):
    if "ipBlock" in peer:
        return False
    there = _matches(peer["namespaceSelector"], pod.namespace) if "namespaceSelector" in peer else (
        pod.namespace["kubernetes.io/metadata.name"] == "gifthorse")
    return there and _matches(peer.get("podSelector", {}), pod.labels)


def _allows(policies, pod, way, side, other, port, protocol):
    if pod.namespace["kubernetes.io/metadata.name"] != "gifthorse":
        return True
    isolating = [policy["spec"] for policy in policies
                 if _matches(policy["spec"]["podSelector"], pod.labels) and way in policy["spec"]["policyTypes"]]
    if not isolating:
        return True
    for rule in (rule for spec in isolating for rule in spec.get(way.lower(), [])):
        ports = [(entry["port"], entry["protocol"]) for entry in rule["ports"]]
        if (port, protocol) in ports and (side not in rule or any(_is_peer(peer, other) for peer in rule[side])):
            return True
    return False


def reaches(policies, source, target, port, protocol="TCP"):
    return (_allows(policies, source, "Egress", "to", target, port, protocol)
            and _allows(policies, target, "Ingress", "from", source, port, protocol))


def flows(cases):
    """Open ways are those that are meant, and no others."""
    for case in ("defaults", "kind", "production", "gpu"):
        objects = cases[case]
        policies, pods = of_kind(objects, "NetworkPolicy"), _pods(objects)
        meant = {way for way in MEANT if set(way) <= pods.keys()}
        outside = {"neighbour", "stranger", "client", "prometheus", "names"}
        # Whoever may call: everybody, unless it is said who.
        callers = {"client"} if case == "production" else outside
        meant |= {(caller, "gateway") for caller in callers}
        listeners = {**GRPC, "postgresql": 5432, "newcomer": 80}
        for target in listeners.keys() & pods.keys():
            for source in pods.keys() - {target}:
                open_now = reaches(policies, pods[source], pods[target], listeners[target])
                # Everybody includes the rest of the house, which egress holds back.
                if open_now != ((source, target) in meant):
                    raise Failure(f"{case}: {source} {'reaches' if open_now else 'does not reach'} {target}")
        readers = {"prometheus"} if case in ("production", "gpu") else set()
        for target, port in ADMIN.items():
            for source in pods.keys() - {target}:
                if reaches(policies, pods[source], pods[target], port) != (source in readers):
                    raise Failure(f"{case}: metrics of {target} are open, or closed, to {source}")
        for source in pods.keys() - outside - {"postgresql", "newcomer"}:
            if not reaches(policies, pods[source], pods["names"], 53, "UDP"):
                raise Failure(f"{case}: {source} cannot resolve names")
            if reaches(policies, pods[source], pods["stranger"], 80):
                raise Failure(f"{case}: {source} reaches port 80 of a stranger")
        stranger = pods["stranger"]
        api = {source for source in pods.keys() - outside if reaches(policies, pods[source], stranger, 6443)}
        if api != {"trainer"}:
            raise Failure(f"{case}: the API server is within reach of {sorted(api)}, not of the trainer alone")
        # The object store is asked on 443, which the API server may have, too.
        stores = {source for source in pods.keys() - outside if reaches(policies, pods[source], stranger, 443)}
        wanted = {"serving", "detector", "trainer", "worker"} if case == "production" else {"trainer"}
        if stores != wanted:
            raise Failure(f"{case}: the object store is within reach of {sorted(stores)}, not of {sorted(wanted)}")
    return "networks: 7 ways inside and the gateway's door are open, as meant, and no others"
