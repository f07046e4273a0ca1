{{- define "b2c.notes" -}}
{{ .Chart.Name }} ({{ include "b2c.image" . }}) is being rolled out in {{ .Release.Namespace }}. Next:

  1. Wait for it:       kubectl -n {{ .Release.Namespace }} rollout status deployment/{{ .Chart.Name }}
  2. Walk through it:   helm test {{ .Release.Name }} -n {{ .Release.Namespace }}{{ if .Values.userServiceUrl }}   (needs user-service in the same namespace){{ end }}
{{- if eq .Values.expose.via "none" }}
  3. Reach it:          kubectl -n {{ .Release.Namespace }} port-forward service/{{ .Chart.Name }} {{ .Values.port }}
{{- else }}
  3. Reach it:          https://{{ .Values.expose.host }}{{ first .Values.expose.paths }}
{{- end }}

If a pod never starts: kubectl -n {{ .Release.Namespace }} logs job/{{ .Chart.Name }}-migrate
{{- if eq .Values.secret.source "chart" }}

WARNING: this release signs with secrets that stand in the chart, where everybody can read them.
Good for a cluster on a desk; for any other set secret.source to existing or external.
{{- end }}
{{- end }}
