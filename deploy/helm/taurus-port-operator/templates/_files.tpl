{{- /* What of the environment leads to files and names, and the files themselves: credentials, authorities and the calendar. */ -}}

{{- define "taurus-port-operator.environment" -}}
{{- if .Values.singleNamespace }}
- name: TAURUS_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}
{{- $name := include "taurus-port-operator.fullname" . }}
{{- if ne $name "taurus-port-operator" }}
- name: TAURUS_LEASE_NAME
  value: {{ $name }}
{{- end }}
{{- include "taurus-port-operator.flags" . }}
{{- with .Values.defaultCredentials }}
{{- if .secretName }}
- name: TAURUS_DEFAULT_CREDENTIALS_DIR
  value: /var/run/taurus/credentials
{{- end }}
{{- if .identity }}
- name: TAURUS_DEFAULT_CREDENTIALS_IDENTITY
  value: {{ .identity }}
{{- end }}
{{- if or .secretName .identity }}
- name: TAURUS_DEFAULT_CREDENTIALS_NAMESPACES
  value: {{ join "," .namespaces | quote }}
- name: TAURUS_DEFAULT_CREDENTIALS_PROJECTS
  value: {{ join "," .projects | quote }}
{{- end }}
{{- end }}
{{- if .Values.extraCA.configMap }}
- name: TAURUS_EXTRA_CA
  value: /var/run/taurus/ca/{{ .Values.extraCA.key }}
{{- end }}
{{- if .Values.calendar.configMap }}
- name: TAURUS_CALENDAR
  value: /var/run/taurus/calendar/{{ .Values.calendar.key }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "taurus-port-operator.mounts" -}}
{{- if .Values.defaultCredentials.secretName }}
- name: default-credentials
  mountPath: /var/run/taurus/credentials
  readOnly: true
{{- end }}
{{- if .Values.extraCA.configMap }}
- name: extra-ca
  mountPath: /var/run/taurus/ca
  readOnly: true
{{- end }}
{{- if .Values.calendar.configMap }}
- name: calendar
  mountPath: /var/run/taurus/calendar
  readOnly: true
{{- end }}
{{- end -}}

{{- define "taurus-port-operator.volumes" -}}
{{- with .Values.defaultCredentials.secretName }}
- name: default-credentials
  secret:
    secretName: {{ . }}
    defaultMode: 288 # 0440, which not every reader of YAML takes for octal
{{- end }}
{{- with .Values.extraCA.configMap }}
- name: extra-ca
  configMap:
    name: {{ . }}
{{- end }}
{{- with .Values.calendar.configMap }}
- name: calendar
  configMap:
    name: {{ . }}
{{- end }}
{{- end -}}
