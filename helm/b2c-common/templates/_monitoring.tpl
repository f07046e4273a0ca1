{{- define "b2c.servicemonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "b2c.metadata" . | nindent 2 }}
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ .Chart.Name }}
  endpoints:
    - port: http
      path: /metrics
      interval: {{ .Values.monitoring.interval }}
{{- end }}

{{- define "b2c.prometheusrule" -}}
{{- $worker := printf "service=%q,namespace=%q" (printf "%s-worker" .Chart.Name) .Release.Namespace -}}
{{- $service := printf "service=%q,namespace=%q" .Chart.Name .Release.Namespace -}}
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  {{- include "b2c.metadata" . | nindent 2 }}
spec:
  groups:
    - name: {{ .Chart.Name }}
      rules:
        - alert: ErrorsAboveOnePercent
          expr: |
            sum(rate(http_request_duration_seconds_count{ {{- $service }},status=~"5.."}[5m]))
              / sum(rate(http_request_duration_seconds_count{ {{- $service }}}[5m])) > 0.01
          for: 5m
          labels:
            severity: page
          annotations:
            summary: "{{ .Chart.Name }} answers more than 1 % of its requests with a server error"
        - alert: SlowAnswers
          expr: |
            histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{ {{- $service }}}[5m]))) > 1
          for: 10m
          labels:
            severity: ticket
          annotations:
            summary: "{{ .Chart.Name }} takes longer than 1 s for 1 % of its requests"
        - alert: DatabasePoolExhausted
          expr: |
            sum(database_connections_in_use{ {{- $service }}}) >= sum(database_pool_size{ {{- $service }}})
          for: 5m
          labels:
            severity: page
          annotations:
            summary: "{{ .Chart.Name }} uses every connection that its database pools may hold"
        - alert: JobsWaitTooLong
          expr: |
            max by (task) (jobs_oldest_seconds{ {{- $worker }}}) > 900
          for: 5m
          labels:
            severity: page
          annotations:
            summary: "{{ .Chart.Name }}: a job {{ `{{ $labels.task }}` }} could have run 15 minutes ago"
        - alert: NoJobWorker
          expr: |
            absent(up{ {{- $worker }}} == 1)
          for: 15m
          labels:
            severity: page
          annotations:
            summary: "no job worker of {{ .Chart.Name }} answers Prometheus: jobs wait, no mail is sent"
        - alert: NoTarget
          expr: |
            absent(up{ {{- $service }}} == 1)
          for: 5m
          labels:
            severity: page
          annotations:
            summary: "no pod of {{ .Chart.Name }} answers Prometheus"
{{- end }}
