{{- define "proxy-port.fullname" -}}
{{- .Values.nameOverride | default (printf "%s-%s" .Release.Name .Chart.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
