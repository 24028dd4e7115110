{{/* Names, labels and images. The context of those about one service is a dict of `root` and `service`. */}}

{{- define "gifthorse.name" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "gifthorse.serviceName" -}}
{{ include "gifthorse.name" .root }}-{{ .service }}
{{- end -}}

{{/* What selects Pods: it can never be changed. */}}
{{- define "gifthorse.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .service }}
{{- end -}}

{{- define "gifthorse.labels" -}}
{{ include "gifthorse.selector" . }}
app.kubernetes.io/part-of: gifthorse
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Pods of jobs are made by the trainer and carry its labels, not the chart's. */}}
{{- define "gifthorse.workerSelector" -}}
app.kubernetes.io/part-of: gifthorse
app.kubernetes.io/component: worker
{{- end -}}

{{- define "gifthorse.image" -}}
{{- $values := index .root.Values .service | default dict -}}
{{- $gpu := ($values.gpu | default dict).enabled | default false -}}
{{- if $values.image -}}
{{ $values.image }}
{{- else -}}
{{- $program := ternary (printf "%s-cuda" .service) .service (or $gpu ($values.cuda | default false)) -}}
{{ .root.Values.images.prefix }}/{{ $program }}:{{ default .root.Chart.AppVersion .root.Values.images.tag }}
{{- end -}}
{{- end -}}

{{- define "gifthorse.grpcPort" -}}
{{ get (dict "gateway" 4700 "serving" 4701 "detector" 4702 "trainer" 4703) . }}
{{- end -}}

{{- define "gifthorse.adminPort" -}}
{{ get (dict "gateway" 4710 "serving" 4711 "detector" 4712 "trainer" 4713) . }}
{{- end -}}

{{- define "gifthorse.isFolder" -}}
{{- if not .Values.store.url }}yes{{ end -}}
{{- end -}}

{{- define "gifthorse.storeFolder" -}}
/var/lib/gifthorse
{{- end -}}

{{- define "gifthorse.claimName" -}}
{{ default (printf "%s-store" (include "gifthorse.name" .)) .Values.store.claim.existing }}
{{- end -}}

{{- define "gifthorse.storeSecret" -}}
{{ default (printf "%s-store" (include "gifthorse.name" .)) .Values.store.s3.existingSecret }}
{{- end -}}

{{/* The Secret with the URL of the database; empty where jobs are in a file. */}}
{{- define "gifthorse.databaseSecret" -}}
{{- if .Values.database.existingSecret -}}
{{ .Values.database.existingSecret }}
{{- else if or .Values.database.url .Values.postgresql.enabled -}}
{{ include "gifthorse.name" . }}-database
{{- end -}}
{{- end -}}

{{- define "gifthorse.autoscaled" -}}
{{- $values := index .root.Values .service -}}
{{- if and $values.autoscaling (ne $values.autoscaling.kind "none") }}yes{{ end -}}
{{- end -}}
