{{/* One host for the shop: each chart adds the paths of its service. Neither object can refuse a path, so what is not listed,
such as /metrics, stays inside. */}}
{{- define "b2c.ingress" -}}
{{- $expose := .Values.expose -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "b2c.metadata" . | nindent 2 }}
  {{- with $expose.ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $expose.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with $expose.ingress.tlsSecret }}
  tls:
    - hosts: [{{ $expose.host }}]
      secretName: {{ . }}
  {{- end }}
  rules:
    - host: {{ $expose.host }}
      http:
        paths:
          {{- range $type, $paths := dict "Prefix" $expose.paths "Exact" $expose.exactPaths }}
          {{- range $paths }}
          - path: {{ . }}
            pathType: {{ $type }}
            backend:
              service:
                name: {{ $.Chart.Name }}
                port:
                  name: http
          {{- end }}
          {{- end }}
{{- end }}

{{/* What the API server would fill in is written out: a comparison with the cluster must find no difference. */}}
{{- define "b2c.httproute" -}}
{{- $expose := .Values.expose -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "b2c.metadata" . | nindent 2 }}
spec:
  parentRefs:
    - group: gateway.networking.k8s.io
      kind: Gateway
      {{- toYaml $expose.gateway | nindent 6 }}
  hostnames: [{{ $expose.host }}]
  rules:
    - matches:
        {{- range $type, $paths := dict "PathPrefix" $expose.paths "Exact" $expose.exactPaths }}
        {{- range $paths }}
        - path:
            type: {{ $type }}
            value: {{ . }}
        {{- end }}
        {{- end }}
      backendRefs:
        - group: ""
          kind: Service
          name: {{ .Chart.Name }}
          port: {{ .Values.port }}
          weight: 1
{{- end }}
