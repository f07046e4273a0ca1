"""Plant defects one by one; the rule of each must report it."""

from __future__ import annotations

from pathlib import Path

import pytest
import rendering
import rules
import shop

COMMON = "helm/b2c-common/templates/"
PROD = "gitops/envs/prod/values/"

# (defect, file, original text, planted text, rule that must report it)
DEFECTS = [
    ("the services sign and verify with different kinds of token", PROD + "user-service.yaml",
     "tokens:\n", "tokens:\n  issuer: somebody-else\n", rules.services_agree_on_tokens),
    ("the services do not share the service credential", PROD + "order-service.yaml",
     "database:", "secret: {existingSecret: user-service-database}\ndatabase:", rules.services_agree_on_tokens),
    ("order-service is told of the private keys", COMMON + "_config.tpl",
     '{{- if eq (include "b2c.signs" .) "true" }}', "{{- if true }}", rules.the_private_key_is_in_user_service_only),
    ("user-service is not told where its keys are", COMMON + "_config.tpl",
     "TOKEN_KEYS_FILE: {{", "TOKEN_KEY_FILE: {{", rules.the_private_key_is_in_user_service_only),
    ("a secret stands in git", COMMON + "_resources.tpl",
     'eq .Values.secret.source "chart"', "true", rules.tokens_are_safe_outside_dev),
    ("APP_ENV does not reach the service", COMMON + "_config.tpl",
     "APP_ENV:", "APPENV:", rules.the_environment_reaches_both),
    ("APP_ENV does not reach the migration", COMMON + "_migration.tpl",
     "value: {{ .Values.env }}", "value: dev", rules.the_environment_reaches_both),
    ("the ConfigMap is made and not read", COMMON + "_pod.tpl",
     "name: {{ .Chart.Name }}\nenv:", "name: another\nenv:", rules.the_environment_reaches_both),
    ("resources render as null", COMMON + "_pod.tpl",
     "{{- toYaml .Values.resources | nindent 2 }}", "limits: {{ .Values.limits }}", rules.pods_are_restricted),
    ("a secret's name has no source", PROD + "order-service.yaml",
     "existingSecret: order-service-database", "existingSecret: orders-database",
     rules.every_secret_reference_has_a_source),
    ("a secret's key has no source", PROD + "user-service.yaml",
     "  owner:", "  key: URL\n  owner:", rules.every_secret_reference_has_a_source),
    ("the Service selects nothing", COMMON + "_deployment.tpl",
     '  selector:\n    {{- include "b2c.selector"', '  selector:\n    app: shop\n    {{- include "b2c.selector"',
     rules.selectors_match),
    ("the Service sends requests to the migration's pod", COMMON + "_names.tpl",
     "app.kubernetes.io/component: server\n", "", rules.selectors_match),
    ("the HPA scales another Deployment", COMMON + "_deployment.tpl",
     "kind: Deployment\n    name: {{ .Chart.Name }}", "kind: Deployment\n    name: shop", rules.selectors_match),
    ("the container listens on another port than the Service names", COMMON + "_pod.tpl",
     "containerPort: {{ .Values.port }}", "containerPort: 5000", rules.ports_line_up),
    ("the Service has the first version's port", COMMON + "_deployment.tpl",
     "port: {{ .Values.port }}", "port: 5000", rules.ports_line_up),
    ("the server binds another port", COMMON + "_config.tpl",
     "PORT: {{ .Values.port | quote }}", 'PORT: "5000"', rules.ports_line_up),
    ("every service is a load balancer of its own", COMMON + "_deployment.tpl",
     "      appProtocol: http", "      appProtocol: http\n  type: LoadBalancer", rules.ports_line_up),
    ("the Ingress leads to a port that is not there", COMMON + "_expose.tpl",
     "port:\n                  name: http", "port:\n                  name: web", rules.ports_line_up),
    ("order-service asks a host that is not there", "helm/b2c-common/templates/_names.tpl",
     "name: {{ .Chart.Name }}\nnamespace:", "name: {{ .Release.Name }}-x\nnamespace:",
     rules.order_service_finds_user_service),
    ("both services claim a path", "helm/order-service/values.yaml",
     "paths: [", "paths: [/profile, ", rules.one_host_leads_to_both),
    ("the metrics are open to the world", "helm/order-service/values.yaml",
     "paths: [", "paths: [/metrics, ", rules.one_host_leads_to_both),
    ("the feed of ended sessions is open to the world", "helm/user-service/values.yaml",
     "paths: [", "paths: [/ended-sessions, ", rules.one_host_leads_to_both),
    ("all paths of order-service are open to the world", COMMON + "_expose.tpl",
     "pathType: {{ $type }}", "pathType: Prefix", rules.one_host_leads_to_both),
    ("nothing answers the host's root", "helm/order-service/values.yaml",
     "exactPaths: [/]", "exactPaths: []", rules.one_host_leads_to_both),
    ("two hosts", PROD + "order-service.yaml",
     "database:", "expose: {host: orders.example.com}\ndatabase:", rules.one_host_leads_to_both),
    ("liveness asks for the database", COMMON + "_pod.tpl",
     "livenessProbe:\n  httpGet: {path: /healthz", "livenessProbe:\n  httpGet: {path: /readyz",
     rules.probes_mean_different_things),
    ("an upgrade takes a pod before its successor is ready", COMMON + "_deployment.tpl",
     "maxUnavailable: 0", "maxUnavailable: 1", rules.no_request_is_lost_in_an_upgrade),
    ("the pod is killed while it drains", COMMON + "_deployment.tpl",
     "add .Values.shutdown.preStopSeconds .Values.shutdown.drainSeconds .Values.shutdown.timeoutSeconds 5",
     "30", rules.no_request_is_lost_in_an_upgrade),
    ("the pod drains longer than it hides", "helm/user-service/values.yaml",
     "drainSeconds: 2", "drainSeconds: 30", rules.no_request_is_lost_in_an_upgrade),
    ("git and the HPA fight over replicas", COMMON + "_deployment.tpl",
     "{{- if not .Values.autoscaling.enabled }}", "{{- if true }}", rules.replicas_have_one_master),
    ("the autoscaler measures a share of nearly nothing", PROD + "common.yaml",
     'requests: {cpu: "1"}', "requests: {cpu: 100m}", rules.the_autoscaler_measures_what_pods_use),
    ("pods do not share the count of attempts", COMMON + "_pod.tpl",
     "- name: RATE_LIMIT_STORAGE_URL", "- name: RATE_STORAGE_URL", rules.several_pods_count_attempts_together),
    ("mails of the worker have no way", COMMON + "_worker.tpl",
     "- name: MAIL_URL", "- name: MAIL_SERVER", rules.workers_run_as_their_server_does),
    ("a disruption budget with both fields", COMMON + "_deployment.tpl",
     "  # A pod that cannot", "  minAvailable: 1\n  # A pod that cannot", rules.replicas_have_one_master),
    ("fewer replicas at most than at least", COMMON + "_deployment.tpl",
     "maxReplicas: {{ .Values.autoscaling.maxReplicas }}", "maxReplicas: 2", rules.replicas_have_one_master),
    ("the container may run as root", COMMON + "_pod.tpl",
     "runAsNonRoot: true", "runAsNonRoot: false", rules.pods_are_restricted),
    ("the root file system is writable", COMMON + "_pod.tpl",
     "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", rules.pods_are_restricted),
    ("the pod gets a token for the API server", COMMON + "_pod.tpl",
     "automountServiceAccountToken: false", "automountServiceAccountToken: true", rules.pods_are_restricted),
    ("nothing limits /tmp", COMMON + "_pod.tpl",
     "emptyDir:\n    sizeLimit: 64Mi", "emptyDir: {}", rules.pods_are_restricted),
    ("without a peer everybody may come in", COMMON + "_netpol.tpl",
     "      from:\n        {{- $peers | nindent 8 }}\n", "", rules.traffic_is_closed_by_default),
    ("order-service may reach anything", COMMON + "_netpol.tpl",
     "  egress:\n", "  egress:\n    - {}\n", rules.traffic_is_closed_by_default),
    ("order-service may reach another port of the cluster", "helm/order-service/values.yaml",
     "{name: user-service, port: 5001}", "{name: user-service, port: 22}",
     rules.services_reach_what_they_need_and_no_more),
    ("egress is not closed", COMMON + "_netpol.tpl",
     "[Ingress, Egress]", "[Ingress]", rules.traffic_is_closed_by_default),
    ("order-service may not reach user-service", "helm/user-service/values.yaml",
     "fromServices: [order-service]", "fromServices: []", rules.services_reach_what_they_need_and_no_more),
    ("new pods start before the migration", COMMON + "_migration.tpl",
     'argocd.argoproj.io/sync-wave: "-1"', 'argocd.argoproj.io/sync-wave: "1"', rules.migrations_come_first),
    ("the migration runs before its configuration exists", COMMON + "_names.tpl",
     'argocd.argoproj.io/sync-wave: "-2"', 'argocd.argoproj.io/sync-wave: "-1"', rules.migrations_come_first),
    ("hooks of both engines", COMMON + "_migration.tpl",
     "    argocd.argoproj.io/hook: Sync", "    helm.sh/hook: pre-upgrade\n    argocd.argoproj.io/hook: Sync",
     rules.migrations_come_first),
    ("an image by tag in production", COMMON + "_image.tpl",
     "if .Values.image.digest", "if false", rules.images_are_pinned),
    ("changed configuration reaches no pod", COMMON + "_deployment.tpl",
     "checksum/config:", "checksum:", rules.changed_configuration_restarts_pods),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "stands", "planted", "rule"), [row[1:] for row in DEFECTS], ids=[row[0] for row in DEFECTS]
)
def test_planted_defect_is_found(workshop: Path, file: str, stands: str, planted: str, rule: rules.Rule) -> None:
    content = (workshop / file).read_text()
    assert stands in content
    (workshop / file).write_text(content.replace(stands, planted, 1))
    rendering.vendor_library(workshop / "helm")

    assert list(rule(shop.of_environment(workshop, "prod"))) != []


def test_every_rule_has_a_planted_defect() -> None:
    assert {row[4] for row in DEFECTS} == set(rules.RULES)
