{{/* The background jobs: a Deployment of the same image. A Service without an address is there for Prometheus alone. */}}
{{- define "b2c.workerSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/component: worker
{{- end }}

{{- define "b2c.workerMetadata" -}}
name: {{ .Chart.Name }}-worker
namespace: {{ .Release.Namespace }}
labels:
  {{- include "b2c.labels" . | nindent 2 }}
  app.kubernetes.io/component: worker
{{- end }}

{{/* No replica of an old release waits for the new one: jobs wait for either. */}}
{{- define "b2c.worker" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "b2c.workerMetadata" . | nindent 2 }}
spec:
  replicas: {{ .Values.worker.replicas }}
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
      {{- include "b2c.workerSelector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "b2c.labels" . | nindent 8 }}
        app.kubernetes.io/component: worker
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        {{- include "b2c.podAnnotations" . | nindent 8 }}
    spec:
      serviceAccountName: {{ include "b2c.serviceAccountName" . }}
      {{- include "b2c.podDefaults" . | nindent 6 }}
      # Longer than the jobs that run may still take.
      terminationGracePeriodSeconds: {{ add .Values.shutdown.timeoutSeconds 10 }}
      containers:
        - {{ include "b2c.workerContainer" . | nindent 10 | trim }}
      volumes:
        {{- include "b2c.volumes" . | nindent 8 }}
{{- end }}

{{- define "b2c.workerContainer" -}}
name: worker
command: [python, -m, {{ .Chart.Name | replace "-" "_" }}, work]
{{ include "b2c.containerDefaults" . }}
ports:
  - name: http
    containerPort: {{ .Values.port }}
envFrom:
  - configMapRef:
      name: {{ .Chart.Name }}
env:
  {{- include "b2c.env" . | trim | nindent 2 }}
  {{- if .Values.mail.existingSecret }}
  - name: MAIL_URL
    {{- include "b2c.secretKeyRef" (dict "name" .Values.mail.existingSecret "key" .Values.mail.key) | nindent 4 }}
  {{- else }}
  # Mails become files of the pod, which end with it; the schema wants a server in stage and prod.
  - name: MAIL_DIR
    value: /tmp/mail
  {{- end }}
{{ include "b2c.probes" . }}
resources:
  {{- toYaml .Values.worker.resources | nindent 2 }}
volumeMounts:
  {{- include "b2c.mounts" . | nindent 2 }}
{{- end }}

{{- define "b2c.workerservice" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "b2c.workerMetadata" . | nindent 2 }}
spec:
  clusterIP: None
  selector:
    {{- include "b2c.workerSelector" . | nindent 4 }}
  ports:
    - name: http
      port: {{ .Values.port }}
      targetPort: http
{{- end }}

{{- define "b2c.workerpdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "b2c.workerMetadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "b2c.workerSelector" . | nindent 6 }}
{{- end }}

{{/* Added to the policy of all the service's pods: the worker alone reaches the mail server. */}}
{{- define "b2c.workernetworkpolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "b2c.workerMetadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "b2c.workerSelector" . | nindent 6 }}
  policyTypes: [Egress]
  egress:
    {{- include "b2c.wayTo" .Values.mail | nindent 4 }}
{{- end }}
