{{/*
TOML of a dict of `path` (of the section, empty for the root) and `values`. Helm's own toToml writes whole numbers with
a fraction, because they come as such out of YAML, and the services refuse those.
*/}}

{{- define "gifthorse.toml" -}}
{{- range $key, $value := .values }}
{{- if not (kindIs "map" $value) }}
{{ include "gifthorse.tomlKey" $key }} = {{ include "gifthorse.tomlValue" $value }}
{{- end }}
{{- end }}
{{- $path := .path }}
{{- range $key, $value := .values }}
{{- if kindIs "map" $value }}
{{- $own := include "gifthorse.tomlKey" $key }}
{{- $section := ternary (printf "%s.%s" $path $own) $own (ne $path "") }}
{{- if $value }}

[{{ $section }}]
{{- include "gifthorse.toml" (dict "path" $section "values" $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "gifthorse.tomlKey" -}}
{{ ternary . (toJson .) (regexMatch "^[A-Za-z0-9_-]+$" .) }}
{{- end -}}

{{- define "gifthorse.tomlValue" -}}
{{- if kindIs "string" . -}}
{{ toJson . }}
{{- else if kindIs "bool" . -}}
{{ . }}
{{- else if kindIs "slice" . -}}
[{{ range $index, $item := . }}{{ if $index }}, {{ end }}{{ include "gifthorse.tomlValue" $item }}{{ end }}]
{{- else if kindIs "map" . -}}
{ {{- range $index, $key := keys . | sortAlpha }}{{ if $index }}, {{ end }}{{ include "gifthorse.tomlKey" $key }} = {{ include "gifthorse.tomlValue" (get $ $key) }}{{ end -}} }
{{- else if eq (float64 .) (floor .) -}}
{{ printf "%d" (int64 .) }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}
