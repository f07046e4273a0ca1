{{/* One host for the shop: each chart adds the paths of its service. */}}
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
          {{- range $expose.paths }}
          - path: {{ . }}
            pathType: Prefix
            backend:
              service:
                name: {{ $.Chart.Name }}
                port:
                  name: http
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
        {{- range $expose.paths }}
        - path:
            type: PathPrefix
            value: {{ . }}
        {{- end }}
      backendRefs:
        - group: ""
          kind: Service
          name: {{ .Chart.Name }}
          port: {{ .Values.port }}
          weight: 1
{{- end }}
