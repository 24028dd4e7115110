{{/* Parts of NetworkPolicies. The context is a dict of `root` and what is named. */}}

{{/* Pods of these `services`, as peers. */}}
{{- define "gifthorse.peers" -}}
{{- $root := .root -}}
{{- range .services }}
- podSelector:
    matchLabels:
      {{- if eq . "worker" }}
      {{- include "gifthorse.workerSelector" $ | nindent 6 }}
      {{- else }}
      {{- include "gifthorse.selector" (dict "root" $root "service" .) | nindent 6 }}
      {{- end }}
{{- end }}
{{- end -}}

{{/* Egress to somewhere else: `to` has peers and ports. Without ports there is none. */}}
{{- define "gifthorse.elsewhere" -}}
{{- if .ports }}
- ports:
    {{- range .ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
  {{- with .peers }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "gifthorse.names" -}}
- ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
  {{- with .Values.networkPolicy.dns }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* To the object store; a folder is mounted by the node. */}}
{{- define "gifthorse.toStore" -}}
{{- if not (include "gifthorse.isFolder" .) }}
{{- include "gifthorse.elsewhere" .Values.networkPolicy.objectStore }}
{{- end }}
{{- end -}}
