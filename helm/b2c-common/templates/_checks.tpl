{{/* Conditions between values. A JSON schema would refuse them without saying what to set. */}}
{{- define "b2c.checks" -}}
{{- $faults := list -}}
{{- $strict := has .Values.env (list "stage" "prod") -}}
{{- $exposed := ne .Values.expose.via "none" -}}
{{- if not (or .Values.image.digest .Values.image.tag) -}}
  {{- $faults = append $faults "no image is named: set image.digest, or in dev image.tag, of an image that the cluster can pull (helm/README.md builds one)" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.replicas) 1) -}}
  {{- $faults = append $faults (printf "replicas (%v) is not used with autoscaling: set it to 1; where pods run already, first hand the field over as helm/README.md says, or the upgrade leaves one of them" .Values.replicas) -}}
{{- end -}}
{{- if and $exposed (eq .Values.secret.source "chart") -}}
  {{- $faults = append $faults "expose.via needs secrets of your own, those of the chart are public: set secret.source to existing or external" -}}
{{- end -}}
{{- if and $exposed (not .Values.config.TRUSTED_PROXIES) -}}
  {{- $faults = append $faults "expose.via needs config.TRUSTED_PROXIES, or all clients share the proxy's address: set the number of proxies in a row before the pods, 1 for an ingress controller alone" -}}
{{- end -}}
{{- range include "b2c.wideNetworks" . | fromJsonArray -}}
  {{- $faults = append $faults (printf "config.TRUSTED_PROXIES: %s is so wide that it holds pods, which could then claim any client's address: set the number of proxies in a row, or networks from /20 (IPv4) or /64 (IPv6)" .) -}}
{{- end -}}
{{- if and $strict (eq .Values.expose.via "gateway") (not (.Values.expose.gateway).sectionName) -}}
  {{- $faults = append $faults (printf "expose.gateway.sectionName is missing: in %s set it to the Gateway's HTTPS listener, or passwords travel over every listener it has" .Values.env) -}}
{{- end -}}
{{- if and $strict (hasKey .Values "rateLimitStorage") (not .Values.rateLimitStorage.existingSecret) -}}
  {{- $faults = append $faults (printf "rateLimitStorage.existingSecret is missing: in %s several pods run, and each would count failed sign-ins for itself: set it to a Secret with the URL of a Redis or Valkey" .Values.env) -}}
{{- end -}}
{{- with $faults -}}
  {{- fail (printf "%s: %s" $.Chart.Name (join (printf "\n%s: " $.Chart.Name) .)) -}}
{{- end -}}
{{- end -}}

{{/* A JSON array of the networks in TRUSTED_PROXIES that are too wide to hold nothing but proxies. */}}
{{- define "b2c.wideNetworks" -}}
{{- $wide := list -}}
{{- range splitList "," (.Values.config.TRUSTED_PROXIES | default "" | toString) -}}
  {{- $parts := splitList "/" (trim .) -}}
  {{- if and (eq (len $parts) 2) (lt (last $parts | int) (ternary 64 20 (contains ":" .))) -}}
    {{- $wide = append $wide (trim .) -}}
  {{- end -}}
{{- end -}}
{{- toJson $wide -}}
{{- end -}}
