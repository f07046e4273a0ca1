{{- define "b2c.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "b2c.metadata" . | nindent 2 }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  minReadySeconds: 5
  progressDeadlineSeconds: 300
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "b2c.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "b2c.labels" . | nindent 8 }}
        app.kubernetes.io/component: server
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        {{- include "b2c.podAnnotations" . | nindent 8 }}
    spec:
      serviceAccountName: {{ include "b2c.serviceAccountName" . }}
      {{- include "b2c.podDefaults" . | nindent 6 }}
      # Longer than everything that happens between "going" and "gone", whatever the values say.
      terminationGracePeriodSeconds: {{ add .Values.shutdown.preStopSeconds .Values.shutdown.drainSeconds .Values.shutdown.timeoutSeconds 5 }}
      topologySpreadConstraints:
        {{- include "b2c.spread" . | trim | nindent 8 }}
      containers:
        - {{ include "b2c.serverContainer" . | nindent 10 | trim }}
      volumes:
        {{- include "b2c.volumes" . | nindent 8 }}
{{- end }}

{{- define "b2c.serviceaccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "b2c.metadata" . | nindent 2 }}
  {{- with merge (include "b2c.early" . | fromYaml) .Values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}

{{- define "b2c.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "b2c.metadata" . | nindent 2 }}
spec:
  selector:
    {{- include "b2c.selector" . | nindent 4 }}
  ports:
    - name: http
      port: {{ .Values.port }}
      targetPort: http
      appProtocol: http
{{- end }}

{{- define "b2c.hpa" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "b2c.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .Chart.Name }}
  minReplicas: {{ .Values.autoscaling.minReplicas }}
  maxReplicas: {{ .Values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .Values.autoscaling.targetCpuPercent }}
  behavior:
    scaleDown:
      stabilizationWindowSeconds: 300
{{- end }}

{{- define "b2c.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "b2c.metadata" . | nindent 2 }}
spec:
  {{- toYaml (.Values.podDisruptionBudget | default (dict "maxUnavailable" 1)) | nindent 2 }}
  # A pod that cannot become ready must not block the drain of its node.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "b2c.selector" . | nindent 6 }}
{{- end }}

{{- define "b2c.podAnnotations" -}}
checksum/config: {{ include "b2c.settings" . | sha256sum }}
{{- if eq .Values.secret.source "chart" }}
checksum/secret: {{ include "b2c.secret" . | sha256sum }}
{{- end }}
{{- with .Values.secret.revision }}
b2c.dev/secret-revision: {{ . | quote }}
{{- end }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}
