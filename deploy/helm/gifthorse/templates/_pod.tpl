{{/* Parts of Pods. */}}

{{/* The profile `restricted` of Pod Security, and a root that nobody can write to. */}}
{{- define "gifthorse.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "gifthorse.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/*
Readiness is asked where requests go, on the gRPC port: it takes in the store and the models, and for the gateway that
serving is ready. None of that is healed by a restart, so liveness is the page `/live`, which answers from the first
moment, while models are loaded, and until the last, while the service drains. So no startup probe is needed either.
*/}}
{{- define "gifthorse.probes" -}}
readinessProbe:
  grpc: { port: {{ include "gifthorse.grpcPort" . }} }
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /live, port: admin }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{- define "gifthorse.spread" -}}
{{- $spread := .root.Values.topologySpread -}}
{{- $context := . -}}
{{- range $key, $when := dict "topology.kubernetes.io/zone" $spread.zone "kubernetes.io/hostname" $spread.node }}
{{- if $when }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: {{ $when }}
  labelSelector:
    matchLabels: {{- include "gifthorse.selector" $context | nindent 6 }}
  # Pods of the version that goes do not count, or a roll-out would end lopsided.
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end -}}

{{/* Environment with secrets: the trainer's database, and the object store of all but the gateway. */}}
{{- define "gifthorse.environment" -}}
{{- if and (eq .service "trainer") (include "gifthorse.databaseSecret" .root) }}
env:
  - name: GIFTHORSE_TRAINER__DATABASE__URL
    valueFrom:
      secretKeyRef: { name: {{ include "gifthorse.databaseSecret" .root }}, key: url }
{{- end }}
{{- if and (ne .service "gateway") (not (include "gifthorse.isFolder" .root)) }}
envFrom:
  - secretRef: { name: {{ include "gifthorse.storeSecret" .root }} }
{{- end }}
{{- end -}}

{{- define "gifthorse.resources" -}}
{{- $values := index .root.Values .service -}}
{{- $resources := deepCopy $values.resources -}}
{{- if ($values.gpu | default dict).enabled -}}
{{- $limits := merge (dict $values.gpu.resource (int $values.gpu.count)) ($resources.limits | default dict) -}}
{{- $_ := set $resources "limits" $limits -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
