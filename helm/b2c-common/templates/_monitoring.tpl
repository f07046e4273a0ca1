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
{{- $runbooks := printf "%s/alerts.md" (index .Values "b2c-common").runbooks -}}
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
            runbook_url: {{ $runbooks }}#errorsaboveonepercent
        - alert: SlowAnswers
          expr: |
            histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{ {{- $service }}}[5m]))) > 1
          for: 10m
          labels:
            severity: ticket
          annotations:
            summary: "{{ .Chart.Name }} takes longer than 1 s for 1 % of its requests"
            runbook_url: {{ $runbooks }}#slowanswers
        - alert: DatabasePoolExhausted
          expr: |
            sum(database_connections_in_use{ {{- $service }}}) >= sum(database_pool_size{ {{- $service }}})
          for: 5m
          labels:
            severity: page
          annotations:
            summary: "{{ .Chart.Name }} uses every connection that its database pools may hold"
            runbook_url: {{ $runbooks }}#databasepoolexhausted
        - alert: JobsWaitTooLong
          expr: |
            max by (task) (jobs_oldest_seconds{ {{- $worker }}}) > 900
          for: 5m
          labels:
            severity: page
          annotations:
            summary: "{{ .Chart.Name }}: a job {{ `{{ $labels.task }}` }} could have run 15 minutes ago"
            runbook_url: {{ $runbooks }}#jobswaittoolong
        - alert: NoJobWorker
          expr: |
            absent(up{ {{- $worker }}} == 1)
          for: 15m
          labels:
            severity: page
          annotations:
            summary: "no job worker of {{ .Chart.Name }} answers Prometheus: jobs wait, no mail is sent"
            runbook_url: {{ $runbooks }}#nojobworker
        - alert: NoTarget
          expr: |
            absent(up{ {{- $service }}} == 1)
          for: 5m
          labels:
            severity: page
          annotations:
            summary: "no pod of {{ .Chart.Name }} answers Prometheus"
            runbook_url: {{ $runbooks }}#notarget
        {{- if eq .Chart.Name "order-service" }}
        {{- $orders := printf "%s,method=\"POST\",route=~\"/orders|/checkout\"" $service }}
        {{- range $burn := list (dict "name" "Fast" "rate" 14.4 "long" "1h" "short" "5m" "severity" "page") (dict "name" "Slow" "rate" 6.0 "long" "6h" "short" "30m" "severity" "page") (dict "name" "Creeping" "rate" 1.0 "long" "3d" "short" "6h" "severity" "ticket") }}
        - alert: OrdersFail{{ $burn.name }}
          expr: |
            sum(rate(http_request_duration_seconds_count{ {{- $orders }},status=~"5.."}[{{ $burn.long }}]))
              / sum(rate(http_request_duration_seconds_count{ {{- $orders }}}[{{ $burn.long }}])) > {{ $burn.rate }} * 0.001
            and
            sum(rate(http_request_duration_seconds_count{ {{- $orders }},status=~"5.."}[{{ $burn.short }}]))
              / sum(rate(http_request_duration_seconds_count{ {{- $orders }}}[{{ $burn.short }}])) > {{ $burn.rate }} * 0.001
          labels:
            severity: {{ $burn.severity }}
          annotations:
            summary: "orders answered with a server error use up the month's 0.1 % {{ $burn.rate }} times too fast"
            runbook_url: {{ $runbooks }}#ordersfail
        {{- end }}
        - alert: SessionFeedOld
          expr: |
            time() - min(session_feed_synced_timestamp_seconds{ {{- $service }}}) > 120
          for: 1m
          labels:
            severity: page
          annotations:
            summary: "order-service has not heard of ended sessions for 2 minutes"
            runbook_url: {{ $runbooks }}#sessionfeedold
        {{- end }}
        {{- $reads := printf "%s,method=\"GET\",route!~\"/healthz|/readyz|/metrics\"" $service }}
        {{- range $burn := list (dict "name" "Fast" "rate" 14.4 "long" "1h" "short" "5m" "severity" "page") (dict "name" "Slow" "rate" 6.0 "long" "6h" "short" "30m" "severity" "page") (dict "name" "Creeping" "rate" 1.0 "long" "3d" "short" "6h" "severity" "ticket") }}
        - alert: ReadsSlow{{ $burn.name }}
          expr: |
            1 - sum(rate(http_request_duration_seconds_bucket{ {{- $reads }},le="0.3"}[{{ $burn.long }}]))
              / sum(rate(http_request_duration_seconds_count{ {{- $reads }}}[{{ $burn.long }}])) > {{ $burn.rate }} * 0.01
            and
            1 - sum(rate(http_request_duration_seconds_bucket{ {{- $reads }},le="0.3"}[{{ $burn.short }}]))
              / sum(rate(http_request_duration_seconds_count{ {{- $reads }}}[{{ $burn.short }}])) > {{ $burn.rate }} * 0.01
          labels:
            severity: {{ $burn.severity }}
          annotations:
            summary: "{{ $.Chart.Name }}: reads slower than 300 ms use up the month's 1 % {{ $burn.rate }} times too fast"
            runbook_url: {{ $runbooks }}#readsslow
        {{- end }}
        - alert: RateLimitStorageLost
          expr: |
            sum(increase(rate_limit_storage_failures_total{ {{- $service }}}[10m])) > 0
          for: 5m
          labels:
            severity: ticket
          annotations:
            summary: "{{ .Chart.Name }} lost the storage of its rate limits"
            runbook_url: {{ $runbooks }}#ratelimitstoragelost
{{- end }}
