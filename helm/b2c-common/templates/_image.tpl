{{/* The digest decides; a tag stands alone only where the schema allows it (dev). */}}
{{- define "b2c.image" -}}
{{- $common := index .Values "b2c-common" -}}
{{- $repository := .Values.image.repository | default (printf "%s/%s" $common.imageRegistry .Chart.Name) -}}
{{- /* As in other charts, the global registry replaces the host and keeps the path. */ -}}
{{- with (.Values.global | default dict).imageRegistry -}}
{{- $repository = printf "%s/%s" . (regexReplaceAll "^(localhost|[^/]*[.:][^/]*)/" $repository "") -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ .Values.image.tag }}
{{- end }}
{{- end }}
