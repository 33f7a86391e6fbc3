{{/* What everything is called: as the release. */}}
{{- define "name" -}}
{{ .Values.fullnameOverride | default .Release.Name }}
{{- end }}

{{/* The same where it has to be ours alone in the whole cluster: in no namespace, or in that of others. */}}
{{- define "permission" -}}
{{ .Release.Namespace }}:{{ include "name" . }}
{{- end }}

{{- define "account" -}}
{{ .Values.serviceAccount.name | default (include "name" .) }}
{{- end }}

{{- define "selector" -}}
app.kubernetes.io/name: blue-elephant-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "image" -}}
{{- with .Values.image -}}
{{ required "image.repository: there is no public image; packaging/README.md says how one is made" .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* Keys of the configuration that the chart itself has to know. */}}
{{- define "port" -}}
{{ ((.Values.configuration.logging_rest_api).api_port) | default 8080 | int }}
{{- end }}

{{- define "watched" -}}
{{ ((.Values.configuration.kubernetes).watched_namespace) | default .Release.Namespace }}
{{- end }}

{{/* Of names those in the namespace of the release, which is meant where none stands in front: a JSON list. */}}
{{- define "here" -}}
{{- $here := list -}}
{{- range .names -}}
{{- $parts := splitList "/" . -}}
{{- if and (last $parts) (or (eq (len $parts) 1) (eq (first $parts) $.namespace)) -}}
{{- $here = append $here (last $parts) -}}
{{- end -}}
{{- end -}}
{{ toJson (uniq $here) }}
{{- end }}

{{/* What the configuration calls the Secrets of infrastructure roles: a JSON list. */}}
{{- define "robots" -}}
{{- $kubernetes := .Values.configuration.kubernetes | default dict -}}
{{- $names := list ($kubernetes.infrastructure_roles_secret_name | default "") -}}
{{- $listed := $kubernetes.infrastructure_roles_secrets | default list -}}
{{- if kindIs "string" $listed -}}
{{- $name := regexFind "secretname:[^,]*" $listed | trimPrefix "secretname:" | trim -}}
{{- /* In a line, a name alone is of the namespace `default`. */ -}}
{{- $names = append $names (ternary $name (printf "default/%s" $name) (or (empty $name) (contains "/" $name))) -}}
{{- else -}}
{{- range $listed -}}
{{- if kindIs "map" .secretname -}}
{{- $names = append $names (printf "%s/%s" (.secretname.namespace | default $.Release.Namespace) .secretname.name) -}}
{{- else -}}
{{- $names = append $names .secretname -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ toJson $names }}
{{- end }}

{{/* The Secrets beside the operator that its configuration names. */}}
{{- define "secrets" -}}
{{- $token := ternary "postgresql-operator" "postgres-operator" (eq .Values.configurationForm "ConfigMap") -}}
{{- $token = ((.Values.configuration.kubernetes).oauth_token_secret_name) | default $token -}}
{{- $names := concat (list $token (((.Values.configuration.logging_rest_api).api_token_secret_name) | default "")) (fromJsonArray (include "robots" .)) -}}
{{ include "here" (dict "names" $names "namespace" .Release.Namespace) }}
{{- end }}

{{/* The ConfigMaps beside the operator: its configuration, and those that this names. */}}
{{- define "configMaps" -}}
{{- /* A name alone is of the namespace of each cluster. */ -}}
{{- $environment := ((.Values.configuration.kubernetes).pod_environment_configmap) | default "" -}}
{{- $names := ternary (list $environment) list (contains "/" $environment) -}}
{{- $names = concat (ternary (list (include "name" .)) list (eq .Values.configurationForm "ConfigMap")) $names (fromJsonArray (include "robots" .)) -}}
{{ include "here" (dict "names" $names "namespace" .Release.Namespace) }}
{{- end }}

{{- define "podAccount" -}}
{{ ((.Values.configuration.kubernetes).pod_service_account_name) | default "postgres-pod" }}
{{- end }}

{{/* As a map, however it is written. */}}
{{- define "clusterLabels" -}}
{{- $labels := ((.Values.configuration.kubernetes).cluster_labels) | default (dict "application" "spilo") -}}
{{- if kindIs "string" $labels -}}
{{- $map := dict -}}
{{- range splitList "," $labels -}}
{{- $pair := splitn ":" 2 . -}}
{{- $_ := set $map (trim $pair._0) (trim $pair._1) -}}
{{- end -}}
{{- $labels = $map -}}
{{- end -}}
{{ toYaml $labels }}
{{- end }}
