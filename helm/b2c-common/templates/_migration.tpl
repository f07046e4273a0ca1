{{/* Runs before the new pods: as Argo CD's Sync hook between configuration and Deployment, or as Helm's pre-hook.
     Never both kinds of annotation: one Argo CD hook makes Argo CD ignore all of Helm's.
     Helm's pre-hooks run before anything of the chart exists, so the Job leans on nothing of it, not even a ServiceAccount. */}}
{{- define "b2c.migration" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Chart.Name }}-migrate
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "b2c.labels" . | nindent 4 }}
    app.kubernetes.io/component: migration
  annotations:
    {{- if eq .Values.migrations.engine "argocd" }}
    argocd.argoproj.io/hook: Sync
    argocd.argoproj.io/sync-wave: "-1"
    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
    {{- else }}
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
    {{- end }}
spec:
  backoffLimit: 2
  activeDeadlineSeconds: 600
  template:
    metadata:
      labels:
        {{- include "b2c.labels" . | nindent 8 }}
        app.kubernetes.io/component: migration
    spec:
      restartPolicy: Never
      {{- include "b2c.podDefaults" . | nindent 6 }}
      containers:
        - name: migrate
          command: [python, -m, {{ .Chart.Name | replace "-" "_" }}, migrate]
          {{- include "b2c.containerDefaults" . | nindent 10 }}
          env:
            - name: APP_ENV
              value: {{ .Values.env }}
            {{- include "b2c.ownerDatabaseUrl" . | nindent 12 }}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          volumeMounts:
            {{- include "b2c.tmpMount" . | nindent 12 }}
      volumes:
        {{- include "b2c.tmpVolume" . | nindent 8 }}
{{- end }}
