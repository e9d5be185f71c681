{{- define "hookplane.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* 40 characters leave room for our suffixes in names that may have 63. */ -}}
{{- define "hookplane.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := include "hookplane.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Objects without a namespace belong to the whole cluster: their names say whose they are. */ -}}
{{- define "hookplane.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "hookplane.fullname" .) }}
{{- end }}

{{- define "hookplane.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "hookplane.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: hookplane
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* (context, component): what selects the pods of one part; never changes. */ -}}
{{- define "hookplane.selector" -}}
app.kubernetes.io/name: {{ include "hookplane.name" (index . 0) }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- /* Nothing that changes with a version: a new chart must not restart what it does not change. */ -}}
{{- define "hookplane.podLabels" -}}
{{ include "hookplane.selector" . }}
app.kubernetes.io/part-of: hookplane
{{- with (index . 0).Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "hookplane.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "hookplane.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "hookplane.operator" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "hookplane.operator" -}}
{{ include "hookplane.fullname" . }}-operator
{{- end }}

{{- define "hookplane.postgresql" -}}
{{ include "hookplane.fullname" . }}-postgresql
{{- end }}

{{- /* The store outlives the release, as the data plane does: installing again takes it over. */ -}}
{{- define "hookplane.postgresqlKeep" -}}
{{- if .Values.postgresql.bundled.keep -}}
annotations:
  helm.sh/resource-policy: keep
{{- end -}}
{{- end }}

{{- define "hookplane.postgresqlSecret" -}}
{{- default (include "hookplane.postgresql" .) .Values.postgresql.bundled.existingSecret }}
{{- end }}

{{- /* What the level `restricted` of Pod Security demands. No user and no group: the image names its
own, and OpenShift gives each namespace another one. */ -}}
{{- define "hookplane.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- /* The same, and a read-only root besides. */ -}}
{{- define "hookplane.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* (name of a template, values to lay over what it says) */ -}}
{{- define "hookplane.laidOver" -}}
{{- $own := include (index . 0) (dict) | fromYaml -}}
{{- range $name, $value := index . 1 -}}
{{- $_ := set $own $name $value -}}
{{- end -}}
{{- toYaml $own }}
{{- end }}

{{- define "hookplane.gatewayNamespaces" -}}
{{- default (list .Release.Namespace) .Values.gatewayNamespaces | sortAlpha | uniq | toJson }}
{{- end }}

{{- /* What operator/hookplane_operator/settings.py reads. */ -}}
{{- define "hookplane.settings" -}}
image: {{ include "hookplane.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
imagePullSecrets: {{ toJson .Values.imagePullSecrets }}
gatewayNamespaces: {{ toJson .Values.gatewayNamespaces }}
watchNamespaces: {{ toJson .Values.watchNamespaces }}
watchSecrets: {{ .Values.secrets.watch }}
clusterDomain: {{ .Values.clusterDomain | quote }}
ownServices:
  - {{ printf "%s.%s.svc.%s" (include "hookplane.operator" .) .Release.Namespace .Values.clusterDomain }}
  {{- if .Values.postgresql.bundled.enabled }}
  - {{ printf "%s.%s.svc.%s" (include "hookplane.postgresql" .) .Release.Namespace .Values.clusterDomain }}
  {{- end }}
defaultGateway:
  enabled: {{ .Values.defaultGateway.enabled }}
  name: {{ .Values.defaultGateway.name | quote }}
  {{- if .Values.defaultGateway.enabled }}
  spec: {{- include "hookplane.gatewaySpec" . | nindent 4 }}
  {{- end }}
pods: {{- toYaml .Values.dataPlane | nindent 2 }}
statusWritesPerSecond: {{ .Values.operator.statusWritesPerSecond }}
metricsFrom: {{ toJson .Values.networkPolicy.metricsFrom }}
{{- with .Values.caBundle }}
{{- if .configMapName }}
caBundle: {configMapName: {{ .configMapName | quote }}, key: {{ .key | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "hookplane.gatewaySpec" -}}
{{- $given := .Values.defaultGateway.spec -}}
{{- $postgresql := include "hookplane.store" . | fromYaml -}}
{{- $store := merge (dict "postgresql" $postgresql) (default dict $given.store) -}}
{{- with include "hookplane.retentionSize" . -}}
{{- $store = mergeOverwrite (dict "retention" (dict "size" .)) $store -}}
{{- end -}}
{{- $spec := merge (dict "store" $store) $given -}}
{{- /* a gateway has replicas or autoscaling, and the chart's values have replicas */ -}}
{{- range $role := list "receiver" "dispatcher" -}}
{{- if dig $role "autoscaling" false $spec -}}
{{- $_ := set $spec $role (omit (get $spec $role) "replicas") -}}
{{- end -}}
{{- end -}}
{{- toYaml $spec }}
{{- end }}

{{- /* Half of the bundled database's volume: it has rows, indexes, attempts and logs besides. Empty
where there is none, or where its size is not whole. */ -}}
{{- define "hookplane.retentionSize" -}}
{{- $size := .Values.postgresql.bundled.storage.size | toString -}}
{{- if and .Values.postgresql.bundled.enabled (regexMatch "^[1-9][0-9]*([KMGT]i|[kMGT])?$" $size) -}}
{{- $unit := regexFind "[A-Za-z]+$" $size -}}
{{- $base := hasSuffix "i" $unit | ternary 1024 1000 -}}
{{- $bytes := trimSuffix $unit $size | int64 -}}
{{- range until (index (dict "K" 1 "k" 1 "M" 2 "G" 3 "T" 4) (trimSuffix "i" $unit) | default 0 | int) -}}
{{- $bytes = mul $bytes $base -}}
{{- end -}}
{{- printf "%dKi" (div $bytes 2048) -}}
{{- end -}}
{{- end }}

{{- define "hookplane.store" -}}
{{- $name := .Values.postgresql.dsnSecret.name -}}
{{- $key := .Values.postgresql.dsnSecret.key -}}
{{- $migrationKey := .Values.postgresql.dsnSecret.migrationKey -}}
{{- if .Values.postgresql.bundled.enabled -}}
{{- $name = include "hookplane.postgresqlSecret" . -}}
{{- $key = "dsn" -}}
{{- $migrationKey = "migration-dsn" -}}
{{- end -}}
dsn:
  secretKeyRef: {name: {{ $name | quote }}, key: {{ $key | quote }}}
{{- with $migrationKey }}
migrationDSN:
  secretKeyRef: {name: {{ $name | quote }}, key: {{ . | quote }}}
{{- end }}
{{- end }}
