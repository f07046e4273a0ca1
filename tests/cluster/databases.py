"""PostgreSQL for each environment in pods, instead of CloudNativePG and of servers outside of the cluster."""

from __future__ import annotations

import secrets
from pathlib import Path

from cluster import images, runbook
from cluster.access import apply, kubectl, run

MANIFEST = Path(__file__).parent / "manifests/postgres.yaml"
OUTSIDE = "databases"
"""The namespace that stands for a network outside of the cluster."""
FIRST_CLUSTER = "docs/runbooks/first-cluster.md"


def new_password() -> str:
    return secrets.token_hex(16)


def start(namespace: str, name: str) -> None:
    """Start a PostgreSQL and wait until it answers."""
    image = images.postgres()
    given = {"NAMESPACE": namespace, "NAME": name, "IMAGE": image, "GIVEN": new_password()}
    apply(runbook.with_names(MANIFEST.read_text(), **given, USER_ID=str(images.user_of(image))))
    kubectl("-n", namespace, "wait", f"pod/{name}", "--for=condition=Ready", "--timeout=120s")


def sql(namespace: str, name: str, script: str, database: str = "postgres") -> str:
    psql = ("psql", "-qAt", "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1")
    return run("kubectl", "-n", namespace, "exec", "-i", name, "--", *psql, input=script)


def start_in_dev(namespace: str, service: str) -> None:
    """Create the server and the Secret that CloudNativePG creates from gitops/envs/dev/database.yaml."""
    name, owner = f"{service}-db", service.replace("-", "_")
    password = new_password()
    start(namespace, name)
    create_database(namespace, name, owner, password)
    url = f"postgresql://{owner}:{password}@{name}-rw.{namespace}:5432/{owner}"
    kubectl("-n", namespace, "create", "secret", "generic", f"{name}-app", f"--from-literal=uri={url}")


def create_database(namespace: str, name: str, owner: str, password: str) -> None:
    sql(namespace, name, f"CREATE ROLE {owner} LOGIN PASSWORD '{password}'")
    sql(namespace, name, f"CREATE DATABASE {owner} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0")


def start_outside(env: str) -> None:
    """Start the server of stage or prod; create databases, roles and Secrets as in the runbook."""
    start(OUTSIDE, env)
    names = ("USER_PASSWORD", "USER_OWNER_PASSWORD", "ORDER_PASSWORD", "ORDER_OWNER_PASSWORD")
    passwords = {name: new_password() for name in names}
    statements = runbook.block(FIRST_CLUSTER, "CREATE ROLE user_service_owner", "sql")
    for service in ("USER", "ORDER"):
        script = statements.replace("user_service", f"{service.lower()}_service")
        script = script.replace("'…'", f"'{passwords[f'{service}_OWNER_PASSWORD']}'", 1)
        sql(OUTSIDE, env, script.replace("'…'", f"'{passwords[f'{service}_PASSWORD']}'", 1))
    urls = runbook.block(FIRST_CLUSTER, "create secret generic user-service-database")
    urls = runbook.with_names(urls, **{"db.internal": f"{env}-rw.{OUTSIDE}", "?$TLS": ""})
    runbook.follow(urls, Path.cwd(), NS=f"b2c-{env}", **passwords)


def start_counter(*namespaces: str) -> None:
    """Start a Valkey for the rate limits; create the Secret with its URL as in the runbook."""
    manifest = (MANIFEST.parent / "valkey.yaml").read_text()
    apply(runbook.with_names(manifest, NAMESPACE=OUTSIDE, IMAGE=images.valkey()))
    kubectl("-n", OUTSIDE, "wait", "pod/valkey", "--for=condition=Ready", "--timeout=60s")
    script = runbook.block(FIRST_CLUSTER, "create secret generic user-service-rate-limits")
    script = runbook.with_names(script, **{":$STORE_PASSWORD@valkey.internal": f"valkey.{OUTSIDE}"})
    for namespace in namespaces:
        runbook.follow(script, Path.cwd(), NS=namespace)


def name_mail_server(*namespaces: str) -> None:
    """Create the Secret with the mail server's URL as in the runbook; jobs of mail wait for the server."""
    script = runbook.block(FIRST_CLUSTER, "create secret generic user-service-mail")
    for namespace in namespaces:
        runbook.follow(script, Path.cwd(), NS=namespace, MAIL_PASSWORD="unused")
