{{- define "taurus-port-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* A release that is called like the chart names its objects so, and not twice. */ -}}
{{- define "taurus-port-operator.fullname" -}}
{{- $name := include "taurus-port-operator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- $name = .Release.Name -}}
{{- else -}}
{{- $name = printf "%s-%s" .Release.Name $name -}}
{{- end -}}
{{- /* Releases may have dots in their names, Services and the operator's Lease may not. */ -}}
{{- $name | replace "." "-" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "taurus-port-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "taurus-port-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "taurus-port-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "taurus-port-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "taurus-port-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "taurus-port-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: taurus-port-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "taurus-port-operator.metadata" -}}
name: {{ include "taurus-port-operator.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "taurus-port-operator.labels" . | nindent 2 }}
{{- end -}}

{{- define "taurus-port-operator.image" -}}
{{- with .Values.image -}}
{{- /* The digest is taken, so another tag beside it would change nothing, and nobody would be warned. */ -}}
{{- if and .digest .tag (ne .tag $.Chart.AppVersion) -}}
{{- fail (printf "image.tag=%s is set, and image.digest=%s would be taken instead: set image.digest to that of the wanted image, or image.digest= for the image by its tag" .tag .digest) -}}
{{- end -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The environment name of each flag; lists are separated by commas. */ -}}
{{- define "taurus-port-operator.flags" -}}
{{- range $flag, $value := .Values.flags }}
- name: TAURUS_{{ $flag | upper | replace "-" "_" }}
  {{- if kindIs "slice" $value }}
  value: {{ join "," $value | quote }}
  {{- else if kindIs "float64" $value }}
  {{- /* Helm has no integers: large ones would be written with an exponent. */}}
  value: {{ int64 $value | quote }}
  {{- else }}
  value: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* The container's port that /metrics is served at. */ -}}
{{- define "taurus-port-operator.metricsPort" -}}
{{- if .Values.metricsTLS.secretName }}metrics{{ else }}admin{{ end -}}
{{- end -}}

{{- /* The roles' subject. */ -}}
{{- define "taurus-port-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "taurus-port-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- /* Seconds of a duration that has one of the forms which the schema of the values takes. */ -}}
{{- define "taurus-port-operator.seconds" -}}
{{- $given := . | lower | replace "," "." | trimPrefix "+" | trimPrefix "pt" -}}
{{- $units := dict "ms" 0.001 "h" 3600 "m" 60 "s" 1 -}}
{{- $seconds := 0.0 -}}
{{- if contains ":" $given -}}
{{- range $place, $part := splitList ":" $given -}}
{{- $seconds = addf $seconds (mulf (index (list 3600 60 1) $place) (float64 $part)) -}}
{{- end -}}
{{- else -}}
{{- range regexFindAll "[0-9]+([.][0-9]+)? ?(milli|ms|h|m|s)" $given -1 -}}
{{- $unit := regexFind "[a-z]+" . | replace "milli" "ms" -}}
{{- $seconds = addf $seconds (mulf (index $units $unit) (float64 (regexFind "[0-9.]+" .))) -}}
{{- end -}}
{{- end -}}
{{- $seconds -}}
{{- end -}}
