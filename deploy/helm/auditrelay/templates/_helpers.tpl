{{- define "auditrelay.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "auditrelay.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else if contains (include "auditrelay.name" .) .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "auditrelay.name" .) | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of one service: (dict "root" $ "name" "ingest"). */}}
{{- define "auditrelay.selector" -}}
app.kubernetes.io/name: {{ include "auditrelay.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{- define "auditrelay.labels" -}}
{{ include "auditrelay.selector" . }}
app.kubernetes.io/part-of: auditrelay
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "auditrelay.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "auditrelay.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "auditrelay.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "auditrelay.brokerAddresses" -}}
{{- if .Values.broker.addresses -}}
{{ .Values.broker.addresses }}
{{- else if .Values.nats.enabled -}}
{{ .Release.Name }}-nats:4222
{{- else -}}
{{ fail "broker.addresses says where the broker is; or nats.enabled runs one" }}
{{- end -}}
{{- end -}}

{{/* The broker's URLs of one user; the password is put in by Kubernetes. */}}
{{- define "auditrelay.brokerUrl" -}}
{{- $scheme := ternary "tls" "nats" .root.Values.broker.tls.enabled -}}
{{- $user := ternary (printf "%s:$(NATS_PASSWORD)@" .user) "" (eq .root.Values.broker.auth "password") -}}
{{- $urls := list -}}
{{- range splitList "," (include "auditrelay.brokerAddresses" .root) -}}
{{- $urls = append $urls (printf "%s://%s%s" $scheme $user (trim .)) -}}
{{- end -}}
{{ join "," $urls }}
{{- end -}}

{{/* Whether something else than the chart says how many pods there are. */}}
{{- define "auditrelay.scaled" -}}
{{- if or .service.autoscaling.enabled (and (eq .name "webhook-sender") .root.Values.keda.enabled) -}}yes{{- end -}}
{{- end -}}
