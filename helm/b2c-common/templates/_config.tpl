{{/* Everything in the service's environment that is no secret. */}}
{{- define "b2c.settings" -}}
APP_ENV: {{ .Values.env | quote }}
PORT: {{ .Values.port | quote }}
DRAIN_SECONDS: {{ .Values.shutdown.drainSeconds | quote }}
SHUTDOWN_TIMEOUT_SECONDS: {{ .Values.shutdown.timeoutSeconds | quote }}
TOKEN_KIND: {{ .Values.tokens.kind | quote }}
TOKEN_ISSUER: {{ .Values.tokens.issuer | quote }}
TOKEN_AUDIENCE: {{ .Values.tokens.audience | quote }}
TOKEN_TTL_SECONDS: {{ .Values.tokens.ttlSeconds | quote }}
{{- if eq (include "b2c.signs" .) "true" }}
TOKEN_KEYS_FILE: {{ include "b2c.keysFile" . }}
{{- end }}
{{- with .Values.userServiceUrl }}
USER_SERVICE_URL: {{ . | quote }}
{{- end }}
{{- range $name, $value := .Values.config }}
{{- /* Helm reads numbers as floats: a large one would come out as 2.592e+06. */}}
{{ $name }}: {{ ternary (int64 $value) $value (kindIs "float64" $value) | quote }}
{{- end }}
{{- end }}

{{- define "b2c.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "b2c.metadata.early" . | nindent 2 }}
data:
  {{- include "b2c.settings" . | nindent 2 }}
{{- end }}
