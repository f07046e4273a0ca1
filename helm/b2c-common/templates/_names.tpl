{{/* Names do not contain the release's: a namespace holds one shop, and the other service must find this one. */}}
{{- define "b2c.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "b2c.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: b2c-shop
app.kubernetes.io/managed-by: {{ .Release.Service }}
b2c.dev/environment: {{ .Values.env }}
{{- end }}

{{/* Annotations of a resource that only has to exist before the migration runs (Argo CD's wave -2). */}}
{{- define "b2c.early" -}}
{{- if eq .Values.migrations.engine "argocd" -}}
argocd.argoproj.io/sync-wave: "-2"
{{- end }}
{{- end }}

{{- define "b2c.metadata.early" -}}
{{- include "b2c.metadata" . }}
{{- with include "b2c.early" . }}
annotations:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "b2c.metadata" -}}
name: {{ .Chart.Name }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "b2c.labels" . | nindent 2 }}
{{- end }}

{{- define "b2c.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default .Chart.Name -}}
{{- end }}

{{/* The fewest replicas that ever run. */}}
{{- define "b2c.fewest" -}}
{{- ternary (.Values.autoscaling.minReplicas | default 1) .Values.replicas .Values.autoscaling.enabled -}}
{{- end }}
