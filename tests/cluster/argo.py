"""Install Argo CD and read the status of its Applications."""

from __future__ import annotations

from cluster.access import WORKSPACE, Doc, eventually, get, items, kubectl, names, run

VERSION = "v3.5.3"
MANIFESTS = f"https://raw.githubusercontent.com/argoproj/argo-cd/{VERSION}/manifests/install.yaml"
ROOT_NAME = "b2c-shop"
SETS = ("b2c-dev", "b2c-stage", "b2c-prod")
"""The names of the application sets, and of the projects."""
# Where Argo CD runs in pods, the repo-server mounts the local repository through the node.
REPO_SERVER = f"""
spec:
  template:
    spec:
      volumes: [{{name: shop, hostPath: {{path: {WORKSPACE}, type: Directory}}}}]
      containers:
        - name: argocd-repo-server
          env:
            - {{name: GIT_CONFIG_COUNT, value: "1"}}
            - {{name: GIT_CONFIG_KEY_0, value: safe.directory}}
            - {{name: GIT_CONFIG_VALUE_0, value: "*"}}
          volumeMounts: [{{name: shop, mountPath: {WORKSPACE}, readOnly: true}}]
"""


def install() -> None:
    """Install Argo CD, unless it runs already."""
    if not names("crd", "applications.argoproj.io"):
        kubectl("create", "namespace", "argocd")
        kubectl("apply", "--server-side", "-n", "argocd", "-f", MANIFESTS)
    if names("-n", "argocd", "deployment/argocd-repo-server"):
        kubectl("-n", "argocd", "patch", "deployment/argocd-repo-server", "--patch", REPO_SERVER)
        kubectl("-n", "argocd", "rollout", "status", "deployment/argocd-repo-server", "--timeout=300s")
        kubectl("-n", "argocd", "rollout", "status", "statefulset/argocd-application-controller", "--timeout=300s")


def applications() -> dict[str, Doc]:
    found = items("-n", "argocd", "applications.argoproj.io", "-l", "b2c.dev/environment")
    return {application["metadata"]["name"]: application for application in found}


def application(name: str) -> Doc:
    return get("-n", "argocd", "applications.argoproj.io", name)


def refresh(*applications: str) -> None:
    """Refresh all Applications now instead of after three minutes."""
    annotate = ("-n", "argocd", "annotate", "--overwrite")
    for name in names("-n", "argocd", "applicationsets.argoproj.io", *SETS):
        kubectl(*annotate, name, "argocd.argoproj.io/application-set-refresh=true")
    for name in applications:
        kubectl(*annotate, "applications.argoproj.io", name, "argocd.argoproj.io/refresh=normal")


def state(found: Doc) -> tuple[str, str]:
    """Return sync and health status, ideally Synced and Healthy."""
    status = found.get("status", {})
    return status.get("sync", {}).get("status", "Unknown"), status.get("health", {}).get("status", "Unknown")


def explain(found: Doc) -> str:
    """Return the error messages of an Application."""
    status = found.get("status", {})
    conditions = [condition["message"] for condition in status.get("conditions", [])]
    operation = status.get("operationState", {})
    bad = [
        f"{each['kind']}/{each['name']} {each.get('status')} {each.get('health', {}).get('status')}"
        for each in status.get("resources", [])
        if each.get("status") != "Synced" or each.get("health", {}).get("status", "Healthy") != "Healthy"
    ]
    said = (*state(found), operation.get("phase"), operation.get("message"), conditions, bad)
    return f"{found['metadata']['name']}: {said}"


def runs(found: Doc, digest: str) -> bool:
    """Tell whether an Application is healthy with this image."""
    wanted = found["spec"]["source"]["helm"]["values"]
    compared = found.get("status", {}).get("sync", {}).get("comparedTo", {}).get("source")
    return digest in wanted and compared == found["spec"]["source"] and state(found) == ("Synced", "Healthy")


def wait_until_it_runs(name: str, digest: str, seconds: float = 240) -> None:
    refresh()
    eventually(
        lambda: runs(application(name), digest), f"{name} runs {digest}", seconds, lambda: explain(application(name))
    )


def give_addresses() -> bool:
    """Give each Ingress an address where no ingress controller does it; return whether that was necessary."""
    if items("ingressclasses"):
        return False
    for found in items("-A", "ingress", "-l", "app.kubernetes.io/part-of=b2c-shop"):
        if not found.get("status", {}).get("loadBalancer"):
            where = ("-n", found["metadata"]["namespace"], "ingress", found["metadata"]["name"])
            address = '{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}'
            kubectl("patch", *where, "--subresource=status", "--type=merge", "--patch", address)
    return True


def all_run(expected: int) -> bool:
    give_addresses()
    found = applications()
    return len(found) == expected and {state(each) for each in found.values()} == {("Synced", "Healthy")}


def explain_all() -> str:
    return "\n".join(explain(each) for each in [application(ROOT_NAME), *applications().values()])


def metrics() -> str:
    """Return the application controller's Prometheus metrics."""
    if not names("-n", "argocd", "pods", "-l", "app.kubernetes.io/name=argocd-application-controller"):
        return run("curl", "-fsS", "http://127.0.0.1:8082/metrics")
    proxied = "/api/v1/namespaces/argocd/services/argocd-metrics:metrics/proxy/metrics"
    return kubectl("get", "--raw", proxied)


def remove() -> None:
    """Delete the shop's Applications with their objects; keep Argo CD."""
    found = names("-n", "argocd", "applications.argoproj.io", ROOT_NAME)
    for kind in ("applicationsets", "appprojects"):
        found += names("-n", "argocd", f"{kind}.argoproj.io", *SETS)
    found += names("-n", "argocd", "applications.argoproj.io", "-l", "b2c.dev/environment")
    for name in found:
        kubectl("-n", "argocd", "patch", name, "--type=merge", "--patch", '{"metadata":{"finalizers":null}}')
        kubectl("-n", "argocd", "delete", name, "--wait=false")
