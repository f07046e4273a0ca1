{{/* Runs before the new pods: as Argo CD's Sync hook between configuration and Deployment, or as Helm's pre-hook.
     Never both kinds of annotation: one Argo CD hook makes Argo CD ignore all of Helm's.
     Helm's pre-hooks run before anything of the chart exists, so the Job needs nothing of it: a ServiceAccount
     only if it is not the chart's. */}}
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
    # A failed Job stays for its log. `helm uninstall` knows no hooks, so what has succeeded must go at once.
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
    {{- end }}
spec:
  backoffLimit: 2
  activeDeadlineSeconds: {{ .Values.migrations.deadlineSeconds }}
  template:
    metadata:
      labels:
        {{- include "b2c.labels" . | nindent 8 }}
        app.kubernetes.io/component: migration
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      restartPolicy: Never
      {{- with .Values.serviceAccount.name }}
      serviceAccountName: {{ . }}
      {{- end }}
      {{- include "b2c.podDefaults" . | nindent 6 }}
      containers:
        - name: migrate
          command: [python, -m, {{ .Chart.Name | replace "-" "_" }}, migrate]
          {{- include "b2c.containerDefaults" . | nindent 10 }}
          env:
            - name: APP_ENV
              value: {{ .Values.env }}
            {{- with .Values.config.ALLOW_UNVERIFIED_DATABASE }}
            - name: ALLOW_UNVERIFIED_DATABASE
              value: {{ . | quote }}
            {{- end }}
            {{- with .Values.config.SEARCH_LANGUAGE }}
            - name: SEARCH_LANGUAGE
              value: {{ . | quote }}
            {{- end }}
            {{- include "b2c.ownerDatabaseUrl" . | nindent 12 }}
            {{- with .Values.database.appRole }}
            - name: APP_ROLE
              value: {{ . | quote }}
            {{- end }}
            {{- with .Values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          resources:
            {{- toYaml .Values.migrations.resources | nindent 12 }}
          volumeMounts:
            {{- include "b2c.commonMounts" . | nindent 12 }}
      volumes:
        {{- include "b2c.commonVolumes" . | nindent 8 }}
{{- end }}
