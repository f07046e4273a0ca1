{{/* What the pod of every kind has in common: the restricted pod security standard, and no way to the API server. */}}
{{- define "b2c.podDefaults" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with concat .Values.imagePullSecrets ((.Values.global | default dict).imagePullSecrets | default list) }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $name := list "nodeSelector" "tolerations" "affinity" "priorityClassName" "hostAliases" "dnsConfig" }}
{{- with index $.Values $name }}
{{ $name }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- range $name, $id := .Values.podSecurityContext }}
  {{- if $id }}
  {{ $name }}: {{ int64 $id }}
  {{- end }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "b2c.containerDefaults" -}}
image: {{ include "b2c.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* Mounts and volumes of the server and of the migration. */}}
{{- define "b2c.commonMounts" -}}
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "b2c.commonVolumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Startup and liveness ask whether the process lives, readiness whether it can serve: a lost database must not restart pods. */}}
{{- define "b2c.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}

{{- define "b2c.env" -}}
{{- range splitList " " (include "b2c.credentials" .) }}
- name: {{ . }}
  {{- include "b2c.secretKeyRef" (dict "name" (include "b2c.secretName" $) "key" .) | nindent 2 }}
{{- end }}
{{ include "b2c.databaseUrl" . }}
{{- $storage := .Values.rateLimitStorage | default dict }}
{{- if $storage.existingSecret }}
- name: RATE_LIMIT_STORAGE_URL
  {{- include "b2c.secretKeyRef" (dict "name" $storage.existingSecret "key" $storage.key) | nindent 2 }}
{{- end }}
{{- $stripe := .Values.stripe | default dict }}
{{- if $stripe.existingSecret }}
{{- range list "STRIPE_SECRET_KEY" "STRIPE_WEBHOOK_SECRET" }}
- name: {{ . }}
  {{- include "b2c.secretKeyRef" (dict "name" $stripe.existingSecret "key" .) | nindent 2 }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "b2c.serverContainer" -}}
name: server
command: [python, -m, chassis.server]
{{ include "b2c.containerDefaults" . }}
ports:
  - name: http
    containerPort: {{ .Values.port }}
envFrom:
  - configMapRef:
      name: {{ .Chart.Name }}
env:
  {{- include "b2c.env" . | trim | nindent 2 }}
{{ include "b2c.probes" . }}
lifecycle:
  preStop:
    # Endpoints learn that the pod is going while it still serves; only then comes SIGTERM.
    sleep:
      seconds: {{ .Values.shutdown.preStopSeconds }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  {{- include "b2c.mounts" . | nindent 2 }}
{{- end }}

{{/* Mounts of the server and of the worker. */}}
{{- define "b2c.mounts" -}}
{{- include "b2c.commonMounts" . }}
{{- if eq (include "b2c.signs" .) "true" }}
- name: token-keys
  mountPath: {{ include "b2c.keysFile" . | dir }}
  readOnly: true
{{- end }}
{{- end }}

{{- define "b2c.volumes" -}}
{{- include "b2c.commonVolumes" . }}
{{- if eq (include "b2c.signs" .) "true" }}
- name: token-keys
  secret:
    secretName: {{ .Values.tokens.keys.existingSecret | default .Chart.Name }}
    defaultMode: 0440
    items:
      - key: {{ .Values.tokens.keys.key }}
        path: {{ include "b2c.keysFile" . | base }}
{{- end }}
{{- end }}

{{- define "b2c.spread" -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ . }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "b2c.selector" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
