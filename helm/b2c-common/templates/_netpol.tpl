{{/* Both directions are closed for every pod of the service; what follows is all that may pass. */}}
{{- define "b2c.networkpolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "b2c.metadata.early" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ .Chart.Name }}
  policyTypes: [Ingress, Egress]
  {{- $peers := include "b2c.ingressPeers" . | trim }}
  {{- /* An empty list of peers would let everybody in: without a peer there is no rule. */}}
  {{- if $peers }}
  ingress:
    - ports:
        - port: http
      from:
        {{- $peers | nindent 8 }}
  {{- end }}
  egress:
    - ports:
        {{- range $port := .Values.networkPolicy.dns.ports }}
        {{- range list "UDP" "TCP" }}
        - port: {{ $port }}
          protocol: {{ . }}
        {{- end }}
        {{- end }}
      to:
        {{- toYaml .Values.networkPolicy.dns.to | nindent 8 }}
    {{- include "b2c.wayTo" .Values.networkPolicy.database | nindent 4 }}
    {{- $storage := .Values.rateLimitStorage | default dict }}
    {{- if $storage.existingSecret }}
    {{- include "b2c.wayTo" $storage | nindent 4 }}
    {{- end }}
    {{- /* The server opens pages and the worker expires them. */}}
    {{- $stripe := .Values.stripe | default dict }}
    {{- if $stripe.existingSecret }}
    {{- include "b2c.wayTo" $stripe | nindent 4 }}
    {{- end }}
    {{- range .Values.networkPolicy.toServices }}
    - ports:
        - port: {{ .port }}
      to:
        {{- include "b2c.peer" .name | nindent 8 }}
    {{- end }}
{{- end }}

{{- define "b2c.wayTo" -}}
- ports:
    - port: {{ .port }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "b2c.ingressPeers" -}}
{{- with .Values.networkPolicy.from }}
{{- toYaml . }}
{{- end }}
{{- range .Values.networkPolicy.fromServices }}
{{ include "b2c.peer" . }}
{{- end }}
{{- if eq .Values.migrations.engine "helm" }}
{{ include "b2c.peer" "b2c-smoke" }}
{{- end }}
{{- end }}

{{- define "b2c.peer" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ . }}
{{- end }}
