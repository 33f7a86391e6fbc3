{{/* What everything is called: as the release, so that there can be several. */}}
{{- define "name" -}}
{{ .Values.fullnameOverride | default .Release.Name }}
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
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* Keys of the configuration that the chart itself has to know. */}}
{{- define "port" -}}
{{ ((.Values.configuration.logging_rest_api).api_port) | default 8080 | int }}
{{- end }}

{{- define "watched" -}}
{{ ((.Values.configuration.kubernetes).watched_namespace) | default .Release.Namespace }}
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
