{{/* What a schema cannot say: values that contradict each other. */}}
{{- define "gifthorse.checks" -}}
{{- $v := .Values -}}
{{- if and (not (include "gifthorse.databaseSecret" .)) (gt (int $v.trainer.replicas) 1) -}}
{{- fail "trainer.replicas is more than 1, and jobs are in a file: set database.existingSecret, database.url or postgresql.enabled" -}}
{{- end -}}
{{- if and (not (include "gifthorse.databaseSecret" .)) (not (include "gifthorse.isFolder" .)) -}}
{{- fail "store.url is an object store, where no file of jobs can be: set database.existingSecret, database.url or postgresql.enabled" -}}
{{- end -}}
{{- if and $v.postgresql.enabled (or $v.database.url $v.database.existingSecret) -}}
{{- fail "two databases are named: unset postgresql.enabled, or database.url and database.existingSecret" -}}
{{- end -}}
{{- if and $v.database.url $v.database.existingSecret -}}
{{- fail "two databases are named: unset database.url or database.existingSecret" -}}
{{- end -}}
{{- if and $v.grpcRoute.enabled (not $v.grpcRoute.parentRefs) -}}
{{- fail "grpcRoute.enabled, but no gateway to belong to: set grpcRoute.parentRefs" -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.host) -}}
{{- fail "ingress.enabled, but no name to answer to: set ingress.host" -}}
{{- end -}}
{{- range list "serving" "detector" -}}
{{- $scaling := (index $v .).autoscaling -}}
{{- if and (eq $scaling.kind "keda") (not $scaling.keda.prometheus) -}}
{{- fail (printf "%s.autoscaling.kind is keda, which asks Prometheus: set %s.autoscaling.keda.prometheus" . .) -}}
{{- end -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail (printf "%s.autoscaling.minReplicas is more than maxReplicas" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
