{{/*
The configuration of a service: what the chart decides, then what `SERVICE.config` says of the rest.
*/}}

{{- define "gifthorse.configuration" -}}
{{- $root := .root -}}
{{- $values := index $root.Values .service -}}
{{- $at := printf "%s:%%s" $root.Values.listenAddress -}}
{{- $drain := $root.Values.drain -}}
{{- $decided := dict "service" (dict
      "listen" (printf $at (include "gifthorse.grpcPort" .service))
      "admin_listen" (printf $at (include "gifthorse.adminPort" .service))
      "log" (dict "format" $root.Values.log.format "filter" $root.Values.log.filter)
      "drain" (dict
        "notice" (printf "%ds" (int $drain.noticeSeconds))
        "grace" (printf "%ds" (int $drain.graceSeconds))
        "tasks" (printf "%ds" (int $drain.taskSeconds)))) -}}
{{- if ne .service "gateway" -}}
{{- $folder := include "gifthorse.storeFolder" $root -}}
{{- $store := dict "url" (default $folder $root.Values.store.url) -}}
{{- if and $root.Values.store.url (ne .service "trainer") -}}
{{- $_ := set $store "cache" "/tmp/copies" -}}
{{- $_ := set $store "cache_bytes" $root.Values.store.copies -}}
{{- end -}}
{{- $_ := set $decided "store" $store -}}
{{- end -}}
{{- if ($values.gpu | default dict).enabled -}}
{{- $_ := set $decided "engine" (dict "execution" (dict "cuda" (dict "device" 0 "required" true))) -}}
{{- end -}}
{{- $asked := get (dict "gateway" (list "serving" "detector" "trainer") "detector" (list "serving")) .service -}}
{{- if $asked -}}
{{- $upstream := dict -}}
{{- range $asked -}}
{{- $_ := set $upstream . (dict "urls" (list (include "gifthorse.replicasUrl" (dict "root" $root "service" .)))) -}}
{{- end -}}
{{- $_ := set $decided "upstream" $upstream -}}
{{- end -}}
{{- if eq .service "trainer" -}}
{{- $launcher := dict "kind" $values.launcher.kind -}}
{{- if eq $values.launcher.kind "kubernetes" -}}
{{- $_ := set $launcher "kubernetes" (include "gifthorse.launcher" $root | fromYaml) -}}
{{- end -}}
{{- $_ := set $decided "launcher" $launcher -}}
{{- end -}}
{{- mergeOverwrite $decided (deepCopy $values.config) | toYaml -}}
{{- end -}}

{{/* The name with an address for each replica that is ready, so that clients spread their requests themselves. */}}
{{- define "gifthorse.replicasUrl" -}}
http://{{ include "gifthorse.serviceName" . }}-replicas.{{ .root.Release.Namespace }}.svc:{{ include "gifthorse.grpcPort" .service }}
{{- end -}}

{{- define "gifthorse.launcher" -}}
{{- $worker := .Values.worker -}}
{{- $trainer := dict "root" . "service" "trainer" -}}
namespace: {{ .Release.Namespace }}
image: {{ include "gifthorse.image" (dict "root" . "service" "worker") | quote }}
image_pull_secrets: {{ .Values.images.pullSecrets | toJson }}
service_account: {{ include "gifthorse.name" . }}-worker
service_account_audience: gifthorse-trainer
trainer_url: http://{{ include "gifthorse.serviceName" $trainer }}.{{ .Release.Namespace }}.svc:{{ include "gifthorse.grpcPort" "trainer" }}
check_tokens: {{ .Values.trainer.launcher.checkTokens }}
cpu: {{ $worker.cpu | quote }}
memory: {{ $worker.memory | quote }}
gpu_resource: {{ $worker.gpuResource | quote }}
active_deadline: {{ $worker.activeDeadline | quote }}
ttl_after_finished: {{ $worker.ttlAfterFinished | quote }}
{{- if include "gifthorse.isFolder" . }}
volume_claim: {{ include "gifthorse.claimName" . }}
store_path: {{ include "gifthorse.storeFolder" . }}
{{- else }}
environment_from: {{ list (include "gifthorse.storeSecret" .) | toJson }}
{{- end }}
{{- with $worker.nodeSelector }}
node_selector: {{ toJson . }}
{{- end }}
{{- with $worker.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with $worker.priorityClassName }}
priority_class: {{ . | quote }}
{{- end }}
{{- with $worker.queue }}
queue: {{ . | quote }}
{{- end }}
{{- with $worker.runtimeClassName }}
runtime_class: {{ . | quote }}
{{- end }}
{{- end -}}
