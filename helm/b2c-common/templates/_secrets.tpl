{{/* "true" where this service holds the private token keys: the one whose values have tokens.keys. */}}
{{- define "b2c.signs" -}}
{{- and (eq .Values.tokens.kind "jwt") (hasKey .Values.tokens "keys") -}}
{{- end }}

{{- define "b2c.keysFile" -}}
/etc/b2c/token-keys/keys.json
{{- end }}

{{/* The Secret of the credentials: the operator's own, or the one this chart or External Secrets makes. */}}
{{- define "b2c.secretName" -}}
{{- ternary .Values.secret.existingSecret .Chart.Name (eq .Values.secret.source "existing") -}}
{{- end }}

{{- define "b2c.secretKeyRef" -}}
valueFrom:
  secretKeyRef:
    name: {{ .name }}
    key: {{ .key }}
{{- end }}

{{- define "b2c.databaseUrl" -}}
- name: DATABASE_URL
  {{- include "b2c.secretKeyRef" (dict "name" (.Values.database.existingSecret | default .Chart.Name) "key" .Values.database.key) | nindent 2 }}
{{- end }}

{{/* Migrations run as the owner of the tables; without one of its own they use the service's role. */}}
{{- define "b2c.ownerDatabaseUrl" -}}
{{- $owner := .Values.database.owner -}}
- name: DATABASE_URL
  {{- if $owner.existingSecret }}
  {{- include "b2c.secretKeyRef" (dict "name" $owner.existingSecret "key" $owner.key) | nindent 2 }}
  {{- else if .Values.database.existingSecret }}
  {{- include "b2c.secretKeyRef" (dict "name" .Values.database.existingSecret "key" .Values.database.key) | nindent 2 }}
  {{- else }}
  {{- include "b2c.secretKeyRef" (dict "name" .Chart.Name "key" $owner.key) | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Keys of the credentials' Secret that become environment variables. */}}
{{- define "b2c.credentials" -}}
SERVICE_CREDENTIAL{{ if eq .Values.tokens.kind "demo" }} TOKEN_SECRETS{{ end }}
{{- end }}

{{- define "b2c.secret" -}}
apiVersion: v1
kind: Secret
metadata:
  {{- include "b2c.metadata" . | nindent 2 }}
stringData:
  # Public, as everything in a chart: enough for a cluster on a desk. The schema refuses it in stage and prod.
  SERVICE_CREDENTIAL: public-service-credential-of-the-chart-for-dev
  TOKEN_SECRETS: public-token-secret-of-the-chart-for-dev-only
{{- end }}

{{/* What the API server would fill in is written out, but for nullBytePolicy: releases before 2.3 do not know it. */}}
{{- define "b2c.externalsecret" -}}
{{- $external := .Values.secret.external -}}
{{- $keys := splitList " " (include "b2c.credentials" .) -}}
{{- if not .Values.database.existingSecret }}{{ $keys = concat $keys (list .Values.database.key .Values.database.owner.key) }}{{ end -}}
{{- if and (eq (include "b2c.signs" .) "true") (not .Values.tokens.keys.existingSecret) }}{{ $keys = append $keys .Values.tokens.keys.key }}{{ end -}}
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  {{- include "b2c.metadata.early" . | nindent 2 }}
spec:
  refreshInterval: {{ $external.refreshInterval }}
  secretStoreRef:
    name: {{ $external.store.name }}
    kind: {{ $external.store.kind }}
  target:
    name: {{ .Chart.Name }}
    creationPolicy: Owner
    deletionPolicy: Retain
  data:
    {{- range $keys }}
    - secretKey: {{ . }}
      remoteRef:
        key: {{ $external.remoteKey }}
        property: {{ . }}
        conversionStrategy: Default
        decodingStrategy: None
        metadataPolicy: None
    {{- end }}
{{- end }}
