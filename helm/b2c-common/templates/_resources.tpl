{{/* The packing list: what a service consists of in the cluster. */}}
{{- define "b2c.resources" -}}
{{- include "b2c.checks" . -}}
{{- $wanted := list "configmap" -}}
{{- if not .Values.serviceAccount.name }}{{ $wanted = append $wanted "serviceaccount" }}{{ end -}}
{{- if eq .Values.secret.source "chart" }}{{ $wanted = append $wanted "secret" }}{{ end -}}
{{- if eq .Values.secret.source "external" }}{{ $wanted = append $wanted "externalsecret" }}{{ end -}}
{{- if .Values.networkPolicy.enabled }}{{ $wanted = append $wanted "networkpolicy" }}{{ end -}}
{{- if .Values.migrations.enabled }}{{ $wanted = append $wanted "migration" }}{{ end -}}
{{- $wanted = concat $wanted (list "deployment" "service" "worker" "workerservice") -}}
{{- if gt (int .Values.worker.replicas) 1 }}{{ $wanted = append $wanted "workerpdb" }}{{ end -}}
{{- if and .Values.networkPolicy.enabled .Values.mail.existingSecret }}{{ $wanted = append $wanted "workernetworkpolicy" }}{{ end -}}
{{- if .Values.autoscaling.enabled }}{{ $wanted = append $wanted "hpa" }}{{ end -}}
{{- if gt (include "b2c.fewest" . | int) 1 }}{{ $wanted = append $wanted "pdb" }}{{ end -}}
{{- if eq .Values.expose.via "ingress" }}{{ $wanted = append $wanted "ingress" }}{{ end -}}
{{- if eq .Values.expose.via "gateway" }}{{ $wanted = append $wanted "httproute" }}{{ end -}}
{{- if .Values.monitoring.serviceMonitor }}{{ $wanted = append $wanted "servicemonitor" }}{{ end -}}
{{- if .Values.monitoring.prometheusRule }}{{ $wanted = append $wanted "prometheusrule" }}{{ end -}}
{{- /* Only Helm runs chart tests; Argo CD would carry the pod along and never start it. */ -}}
{{- if eq .Values.migrations.engine "helm" }}{{ $wanted = append $wanted "smoke" }}{{ end -}}
{{- range $wanted }}
---
{{ include (printf "b2c.%s" .) $ }}
{{- end }}
{{- end }}
