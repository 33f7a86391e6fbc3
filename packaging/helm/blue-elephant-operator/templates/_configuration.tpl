{{/* The groups of an OperatorConfiguration; all other keys stand beside them. */}}
{{- define "groups" -}}
aws_or_gcp,connection_pooler,debug,kubernetes,load_balancer,logging_rest_api,logical_backup,major_version_upgrade,patroni,postgres_pod_resources,scalyr,teams_api,timeouts,users
{{- end }}

{{/* Keys whose values are objects of Kubernetes, and not maps of texts. */}}
{{- define "objects" -}}
liveness_probe,pod_service_account_definition,pod_service_account_role_binding_definition,sidecars
{{- end }}

{{/* A value as a ConfigMap has it. */}}
{{- define "text" -}}
{{- if has .key (splitList "," (include "objects" .)) -}}
{{ if kindIs "string" .value }}{{ .value }}{{ else }}{{ toJson .value }}{{ end }}
{{- else if eq .key "infrastructure_roles_secrets" -}}
{{- if kindIs "string" .value }}{{ .value }}
{{- else if gt (len .value) 1 }}
{{- fail "configuration.kubernetes.infrastructure_roles_secrets: a ConfigMap has place for one; write configurationForm: OperatorConfiguration" }}
{{- else if .value }}{{ include "pairs" (first .value) }}
{{- end }}
{{- else if kindIs "map" .value -}}
{{ include "pairs" .value }}
{{- else if kindIs "slice" .value -}}
{{ join "," .value }}
{{- else -}}
{{ include "scalar" .value }}
{{- end -}}
{{- end }}

{{- define "pairs" -}}
{{- $pairs := list -}}
{{- range $key, $value := . -}}
{{- $text := include "scalar" $value -}}
{{- $pairs = append $pairs (printf "%s:%s" $key (ternary (squote $text) $text (contains "," $text))) -}}
{{- end -}}
{{ join "," $pairs }}
{{- end }}

{{/* Helm knows numbers as floats, and would write large ones with an exponent. */}}
{{- define "scalar" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end }}
