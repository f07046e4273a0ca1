"""Rules for both services together that no JSON schema can express; each yields its violations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import rendering
from rendering import SERVICES, Doc
from shop import Shop, variables

Rule = Callable[[Shop], Iterator[str]]
PORTS = {"user-service": 5001, "order-service": 5002}
INNER = ("/healthz", "/readyz", "/metrics", "/openapi", "/ended-sessions")
"""Paths for operators and for the other service alone."""
BELOW = {"Exact": False, "Prefix": True, "PathPrefix": True}
SAME_IN_BOTH = ("APP_ENV", "TOKEN_KIND", "TOKEN_ISSUER", "TOKEN_AUDIENCE", "TOKEN_TTL_SECONDS")
SHARED_SECRETS = ("SERVICE_CREDENTIAL", "TOKEN_SECRETS")


def services_agree_on_tokens(shop: Shop) -> Iterator[str]:
    user, order = (shop.environment(service) for service in SERVICES)
    for name in SAME_IN_BOTH:
        if user.get(name) != order.get(name) or not user.get(name):
            yield f"{name}: {user.get(name)} and {order.get(name)}"
    for name in SHARED_SECRETS:
        if _content(shop, "user-service", name) != _content(shop, "order-service", name):
            yield f"{name} comes from different secrets"


def _content(shop: Shop, service: str, name: str) -> object:
    """Return a secret's value if the chart creates it, else its source."""
    source = shop.environment(service).get(name)
    for secret in shop.of(service, "Secret"):
        if source and secret["metadata"]["name"] == source[0]:
            return secret["stringData"].get(source[1])
    for external in shop.of(service, "ExternalSecret"):
        if source and external["spec"]["target"]["name"] == source[0]:
            return [entry["remoteRef"] for entry in external["spec"]["data"] if entry["secretKey"] == source[1]]
    return source


def tokens_are_safe_outside_dev(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        if shop.of(service, "Secret") and shop.env != "dev":
            yield f"{service}: a secret that stands in git"
        if shop.environment(service)["TOKEN_KIND"] != "jwt" and shop.env != "dev":
            yield f"{service}: shared-secret tokens in {shop.env}"


def the_private_key_is_in_user_service_only(shop: Shop) -> Iterator[str]:
    signs = shop.environment("user-service")["TOKEN_KIND"] == "jwt"
    file = shop.environment("user-service").get("TOKEN_KEYS_FILE", "")
    if signs != bool(file) or file not in [*_mounted_secrets(shop, "user-service"), ""]:
        yield f"user-service: TOKEN_KEYS_FILE is {file!r}, mounted {_mounted_secrets(shop, 'user-service')}"
    if _mounted_secrets(shop, "order-service") or "TOKEN_KEYS_FILE" in shop.environment("order-service"):
        yield "order-service: holds the private key"


def _mounted_secrets(shop: Shop, service: str) -> list[str]:
    volumes = {volume["name"]: volume.get("secret") for volume in shop.pod(service)["spec"]["volumes"]}
    return [
        f"{mount['mountPath']}/{item['path']}"
        for mount in shop.server(service)["volumeMounts"]
        for item in (volumes[mount["name"]] or {}).get("items", [])
    ]


def order_service_finds_user_service(shop: Shop) -> Iterator[str]:
    service = shop.the("user-service", "Service")
    expected = f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    if shop.environment("order-service").get("USER_SERVICE_URL") != expected:
        yield f"USER_SERVICE_URL: {shop.environment('order-service').get('USER_SERVICE_URL')}, but it is {expected}"


def the_environment_reaches_both(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        job = variables(shop.the(service, "Job")["spec"]["template"]["spec"]["containers"][0])
        for where, found in (("server", shop.environment(service)), ("migration", job)):
            if found.get("APP_ENV") != shop.env or "DATABASE_URL" not in found:
                yield f"{service} {where}: APP_ENV is {found.get('APP_ENV')} in {shop.env}, or no DATABASE_URL"
        if {"configMapRef": {"name": shop.the(service, "ConfigMap")["metadata"]["name"]}} not in shop.server(service)[
            "envFrom"
        ]:
            yield f"{service}: does not read its ConfigMap"


def every_secret_reference_has_a_source(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        sources = dict(shop.secrets)
        for secret in shop.of(service, "Secret"):
            sources[secret["metadata"]["name"]] = set(secret["stringData"])
        for external in shop.of(service, "ExternalSecret"):
            sources[external["spec"]["target"]["name"]] = {entry["secretKey"] for entry in external["spec"]["data"]}
        for holder, name, key in _secret_references(shop, service):
            if key not in sources.get(name, set()):
                yield f"{holder}: nobody makes {name}/{key}"


def _secret_references(shop: Shop, service: str) -> Iterator[tuple[str, str, str]]:
    for holder, spec in shop.pods(service):
        for container in spec["containers"]:
            for source in variables(container).values():
                if isinstance(source, tuple):
                    yield holder, *source
        for volume in spec.get("volumes", []):
            for item in volume.get("secret", {}).get("items", []):
                yield holder, volume["secret"]["secretName"], item["key"]


def selectors_match(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        labels = shop.pod(service)["metadata"]["labels"]
        deployment = shop.the(service, "Deployment")["spec"]
        selectors = [("Service", shop.the(service, "Service")["spec"]["selector"])]
        selectors += [("Deployment", deployment["selector"]["matchLabels"])]
        selectors += [
            ("spread", each["labelSelector"]["matchLabels"])
            for each in deployment["template"]["spec"]["topologySpreadConstraints"]
        ]
        selectors += [
            ("PDB", doc["spec"]["selector"]["matchLabels"]) for doc in shop.of(service, "PodDisruptionBudget")
        ]
        job = shop.the(service, "Job")["spec"]["template"]["metadata"]["labels"]
        for name, selector in selectors:
            if not selector.items() <= labels.items() or selector.items() <= job.items():
                yield f"{service} {name}: {selector} does not single out the server's pods"
        for doc in shop.of(service, "HorizontalPodAutoscaler"):
            if doc["spec"]["scaleTargetRef"]["name"] != shop.the(service, "Deployment")["metadata"]["name"]:
                yield f"{service} HPA: scales something else"


def ports_line_up(shop: Shop) -> Iterator[str]:
    for service, port in PORTS.items():
        (container_port,) = shop.server(service)["ports"]
        (service_port,) = shop.the(service, "Service")["spec"]["ports"]
        found = {
            "PORT": int(shop.environment(service)["PORT"]),
            "container": container_port["containerPort"],
            "service": service_port["port"],
        }
        if set(found.values()) != {port} or service_port["targetPort"] != container_port["name"]:
            yield f"{service}: {found}, target {service_port['targetPort']}; all should be {port}"
        if shop.the(service, "Service")["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"{service}: reachable past the gateway"
        for name, backend in _backends(shop, service):
            if name != shop.the(service, "Service")["metadata"]["name"] or backend not in {port, service_port["name"]}:
                yield f"{service}: the way in leads to {name}:{backend}"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if shop.server(service)[probe]["httpGet"]["port"] != container_port["name"]:
                yield f"{service}: {probe} asks another port"


def _backends(shop: Shop, service: str) -> Iterator[tuple[str, object]]:
    for ingress in shop.of(service, "Ingress"):
        for path in ingress["spec"]["rules"][0]["http"]["paths"]:
            backend = path["backend"]["service"]
            yield backend["name"], backend["port"].get("name") or backend["port"]["number"]
    for route in shop.of(service, "HTTPRoute"):
        for backend in route["spec"]["rules"][0]["backendRefs"]:
            yield backend["name"], backend["port"]


class Way(NamedTuple):
    """A path that an Ingress or HTTPRoute leads to a service; with `below`, those below it too."""

    path: str
    below: bool

    def leads_to(self, route: str) -> bool:
        """Compare whole segments, as Ingress and HTTPRoute do."""
        return route == self.path or (self.below and route.startswith(f"{self.path.rstrip('/')}/"))


def ways_in(shop: Shop, service: str) -> tuple[list[str], list[Way]]:
    """Return the hosts and paths of a service's Ingress or HTTPRoute."""
    hosts, ways = [], []
    for ingress in shop.of(service, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            hosts.append(rule["host"])
            ways += [Way(path["path"], BELOW[path["pathType"]]) for path in rule["http"]["paths"]]
    for route in shop.of(service, "HTTPRoute"):
        hosts += route["spec"]["hostnames"]
        paths = [match["path"] for rule in route["spec"]["rules"] for match in rule["matches"]]
        ways += [Way(path["value"], BELOW[path["type"]]) for path in paths]
    return hosts, ways


def one_host_leads_to_both(shop: Shop) -> Iterator[str]:
    hosts = [ways_in(shop, service)[0] for service in SERVICES]
    if hosts[0] != hosts[1]:
        yield f"different hosts: {hosts}"
    user, order = (ways_in(shop, service)[1] for service in SERVICES)
    for one, other in product(user, order):
        if one.leads_to(other.path) or other.leads_to(one.path):
            yield f"both services claim {max(one.path, other.path)}"
    if hosts[0] and Way("/", below=False) not in order:
        yield "nothing answers /"
    for way, inner in product([*user, *order], INNER):
        if way.leads_to(inner) or way.path.startswith(inner):
            yield f"{inner} is open to the world"


def probes_mean_different_things(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        server = shop.server(service)
        asked = {name: server[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
        if asked != {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}:
            yield f"{service}: {asked}"


def no_request_is_lost_in_an_upgrade(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        strategy = shop.the(service, "Deployment")["spec"]["strategy"]["rollingUpdate"]
        if strategy != {"maxUnavailable": 0, "maxSurge": 1}:
            yield f"{service}: {strategy}"
        environment = shop.environment(service)
        drain, timeout = int(environment["DRAIN_SECONDS"]), int(environment["SHUTDOWN_TIMEOUT_SECONDS"])
        stop = shop.server(service)["lifecycle"]["preStop"]["sleep"]["seconds"]
        grace = shop.pod(service)["spec"]["terminationGracePeriodSeconds"]
        if stop < 5 or stop <= drain or grace <= stop + drain + timeout:
            yield f"{service}: preStop {stop}, drain {drain}, timeout {timeout} do not fit into {grace}"


def replicas_have_one_master(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        deployment, scalers = shop.the(service, "Deployment")["spec"], shop.of(service, "HorizontalPodAutoscaler")
        if bool(scalers) == ("replicas" in deployment):
            yield f"{service}: replicas by the Deployment and the HPA, or by neither"
        fewest = scalers[0]["spec"]["minReplicas"] if scalers else deployment.get("replicas", 1)
        if scalers and fewest > scalers[0]["spec"]["maxReplicas"]:
            yield f"{service}: fewest above most"
        if shop.env != "dev" and fewest < 2:
            yield f"{service}: one pod in {shop.env}"
        budgets = [doc["spec"] for doc in shop.of(service, "PodDisruptionBudget")]
        if len(budgets) != (1 if fewest > 1 else 0):
            yield f"{service}: {len(budgets)} disruption budgets at {fewest} replicas"
        if any(("minAvailable" in budget) == ("maxUnavailable" in budget) for budget in budgets):
            yield f"{service}: a disruption budget needs exactly one of its two fields"


def the_autoscaler_measures_what_pods_use(shop: Shop) -> Iterator[str]:
    """A percentage of a very small request is reached even by an idle pod; see docs/scaling.md."""
    for service in SERVICES:
        request = rendering.quantity(shop.server(service)["resources"]["requests"]["cpu"])
        workers = int(shop.environment(service).get("WORKERS", 1))
        if shop.of(service, "HorizontalPodAutoscaler") and request < workers / 2:
            yield f"{service}: requests {request} cores for {workers} workers"


def several_pods_count_attempts_together(shop: Shop) -> Iterator[str]:
    if shop.env != "dev" and "RATE_LIMIT_STORAGE_URL" not in shop.environment("user-service"):
        yield f"each pod counts its own attempts in {shop.env}"


def pods_are_restricted(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        for holder, spec in shop.pods(service):
            yield from (f"{holder}: {problem}" for problem in _unrestricted(spec))


def _unrestricted(spec: Doc) -> Iterator[str]:
    """Yield violations of the restricted standard, of a read-only root, and of no mounted token."""
    pod = spec["securityContext"]
    if pod.get("runAsNonRoot") is not True or pod["seccompProfile"]["type"] != "RuntimeDefault":
        yield "may run as root, or without seccomp"
    if spec.get("automountServiceAccountToken") is not False or spec.get("enableServiceLinks") is not False:
        yield "a way to the API server"
    for volume in spec.get("volumes", []):
        if "sizeLimit" not in volume.get("emptyDir", {"sizeLimit": ""}):
            yield f"volume {volume['name']} without a limit"
    for container in spec["containers"]:
        yield from _loose(container)


def _loose(container: Doc) -> Iterator[str]:
    context, resources = container["securityContext"], container["resources"]
    if not context.get("readOnlyRootFilesystem") or context.get("allowPrivilegeEscalation") is not False:
        yield "a writable root, or privileges to gain"
    if context.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "keeps capabilities"
    if not {"cpu", "memory"} <= (resources.get("requests") or {}).keys() or not (resources.get("limits") or {}).get(
        "memory"
    ):
        yield "requests or limits are missing"


def traffic_is_closed_by_default(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        spec = shop.the(service, "NetworkPolicy")["spec"]
        if sorted(spec["policyTypes"]) != ["Egress", "Ingress"]:
            yield f"{service}: open in one direction"
        if not spec["podSelector"]["matchLabels"].items() <= shop.pod(service)["metadata"]["labels"].items():
            yield f"{service}: the policy misses the pods"
        for rule in spec.get("ingress", []):
            if not rule.get("from"):
                yield f"{service}: anybody may come in"
        for rule in spec["egress"]:
            if not rule.get("ports") or (not rule.get("to") and shop.env != "dev"):
                yield f"{service}: a way out to anywhere: {rule}"


def services_reach_what_they_need_and_no_more(shop: Shop) -> Iterator[str]:
    if (reached := _reached(shop, "order-service")) != {"dns", "database", "user-service"}:
        yield f"order-service may reach {sorted(reached)}"
    store = {"throttling store"} if "RATE_LIMIT_STORAGE_URL" in shop.environment("user-service") else set()
    if (reached := _reached(shop, "user-service")) != {"dns", "database", *store}:
        yield f"user-service may reach {sorted(reached)}"
    labels = shop.pod("order-service")["metadata"]["labels"].items()
    admitted = [peer for rule in shop.the("user-service", "NetworkPolicy")["spec"]["ingress"] for peer in rule["from"]]
    if not any(peer.get("podSelector", {}).get("matchLabels", {"": ""}).items() <= labels for peer in admitted):
        yield "user-service: order-service may not come in"


def _reached(shop: Shop, service: str) -> set[str]:
    names = {
        53: "dns",
        5353: "dns",
        5432: "database",
        6379: "throttling store",
        5001: "user-service",
        5002: "order-service",
    }
    rules = shop.the(service, "NetworkPolicy")["spec"]["egress"]
    return {names.get(port["port"], str(port["port"])) for rule in rules for port in rule.get("ports", [])}


def workers_run_as_their_server_does(shop: Shop) -> Iterator[str]:
    """The same image, settings and secrets; probes on their own port; nobody but Prometheus calls them."""
    for service in SERVICES:
        (deployment,), server = shop.of_worker(service, "Deployment"), shop.server(service)
        (worker,) = deployment["spec"]["template"]["spec"]["containers"]
        own = {"MAIL_URL", "MAIL_DIR"}
        for name in ("image", "envFrom", "ports", "volumeMounts", "startupProbe", "livenessProbe", "readinessProbe"):
            if worker[name] != server[name]:
                yield f"{service} worker: {name} differs from the server's"
        if {name: value for name, value in variables(worker).items() if name not in own} != variables(server):
            yield f"{service} worker: has other variables than the server"
        if len(own & variables(worker).keys()) != 1:
            yield f"{service} worker: mails have no way, or two"
        yield from _worker_is_found(shop, service, deployment)


def _worker_is_found(shop: Shop, service: str, deployment: Doc) -> Iterator[str]:
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    (headless,) = shop.of_worker(service, "Service")
    selectors = [headless["spec"]["selector"], deployment["spec"]["selector"]["matchLabels"]]
    budgets = [doc["spec"] for doc in shop.of_worker(service, "PodDisruptionBudget")]
    policies = [doc["spec"] for doc in shop.of_worker(service, "NetworkPolicy")]
    selectors += [each["selector"]["matchLabels"] for each in budgets]
    selectors += [each["podSelector"]["matchLabels"] for each in policies]
    if not all(selector.items() <= labels for selector in selectors):
        yield f"{service} worker: a selector misses it"
    if any(selector.items() <= shop.pod(service)["metadata"]["labels"].items() for selector in selectors):
        yield f"{service} worker: a selector catches the server"
    if len(budgets) != (deployment["spec"]["replicas"] > 1):
        yield f"{service} worker: {len(budgets)} disruption budgets"
    if any(not rule.get("to") for policy in policies for rule in policy["egress"]) and shop.env != "dev":
        yield f"{service} worker: may send mail to anywhere"


def migrations_come_first(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        notes = shop.the(service, "Job")["metadata"]["annotations"]
        by_argo = notes.get("argocd.argoproj.io/hook") == "Sync" and "argocd.argoproj.io/hook-delete-policy" in notes
        by_helm = notes.get("helm.sh/hook") == "pre-install,pre-upgrade" and "helm.sh/hook-delete-policy" in notes
        if by_argo == by_helm or by_argo == any("helm.sh" in note for note in notes):
            yield f"{service}: the migration must be exactly one engine's hook: {notes}"
        if by_argo and not _wave(shop.the(service, "ConfigMap")) < _wave(shop.the(service, "Job")) < _wave(
            shop.the(service, "Deployment")
        ):
            yield f"{service}: waves out of order"
        if by_argo and shop.of(service, "Pod"):
            yield f"{service}: a chart test that Argo CD would never run"
        if by_helm and (needed := _made_later(shop, service)):
            yield f"{service}: Helm's hook runs before the chart makes {needed}"


def _wave(doc: Doc) -> int:
    return int(doc["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0"))


def _made_later(shop: Shop, service: str) -> set[str]:
    kinds = ("Secret", "ExternalSecret", "ServiceAccount")
    own = {doc["metadata"]["name"] for kind in kinds for doc in shop.of(service, kind)}
    spec = shop.the(service, "Job")["spec"]["template"]["spec"]
    used = {source[0] for source in variables(spec["containers"][0]).values() if isinstance(source, tuple)}
    return own & (used | {spec.get("serviceAccountName")})


def images_are_pinned(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        for holder, spec in shop.pods(service):
            for container in spec["containers"]:
                pinned = re.fullmatch(rf"[^@:]+/{service}@sha256:[a-f0-9]{{64}}", container["image"])
                if not pinned and (shop.env != "dev" or not re.fullmatch(rf".+/{service}:[\w.-]+", container["image"])):
                    yield f"{holder}: {container['image']}"


def changed_configuration_restarts_pods(shop: Shop) -> Iterator[str]:
    for service in SERVICES:
        notes = shop.pod(service)["metadata"]["annotations"]
        needed = {"checksum/config"} | ({"checksum/secret"} if shop.of(service, "Secret") else set())
        if missing := needed - notes.keys():
            yield f"{service}: no {sorted(missing)}"


RULES: tuple[Rule, ...] = (
    services_agree_on_tokens,
    tokens_are_safe_outside_dev,
    the_private_key_is_in_user_service_only,
    order_service_finds_user_service,
    the_environment_reaches_both,
    every_secret_reference_has_a_source,
    selectors_match,
    ports_line_up,
    one_host_leads_to_both,
    probes_mean_different_things,
    no_request_is_lost_in_an_upgrade,
    replicas_have_one_master,
    the_autoscaler_measures_what_pods_use,
    several_pods_count_attempts_together,
    pods_are_restricted,
    traffic_is_closed_by_default,
    services_reach_what_they_need_and_no_more,
    workers_run_as_their_server_does,
    migrations_come_first,
    images_are_pinned,
    changed_configuration_restarts_pods,
)
