{{/* The digest decides; a tag stands alone only where the schema allows it (dev). */}}
{{- define "b2c.image" -}}
{{- $common := index .Values "b2c-common" -}}
{{- $repository := .Values.image.repository | default (printf "%s/%s" $common.imageRegistry .Chart.Name) -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}
