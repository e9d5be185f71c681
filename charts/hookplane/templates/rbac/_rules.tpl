{{- /* Rules of the operator, each with what it is for. No wildcards, nothing that grants rights. */ -}}

{{- /* Wherever tenants are served. */ -}}
{{- define "hookplane.rules.tenants" -}}
- apiGroups: [hookplane.dev]
  resources: [webhookendpoints, webhooksubscriptions, webhookreplays]
  verbs: [list, watch]
- apiGroups: [hookplane.dev]
  resources: [webhookendpoints/status, webhooksubscriptions/status, webhookreplays/status]
  verbs: [patch]
# those that ended and say how long they are kept
- apiGroups: [hookplane.dev]
  resources: [webhookreplays]
  verbs: [delete]
# targets that are Services
- apiGroups: [""]
  resources: [services]
  verbs: [get]
{{ include "hookplane.rules.secrets" . }}
{{ include "hookplane.rules.events" . }}
{{- end }}

{{- /* Keys that manifests name are read; those that it made itself are written too. */ -}}
{{- define "hookplane.rules.secrets" -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, {{ if .Values.secrets.watch }}list, watch, {{ end }}create, patch, delete]
{{- end }}

{{- define "hookplane.rules.events" -}}
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- /* Wherever gateways live: what they are made of. */ -}}
{{- define "hookplane.rules.gateways" -}}
- apiGroups: [hookplane.dev]
  resources: [webhookgateways]
  # written once: the default gateway
  verbs: [list, watch{{ if .Values.defaultGateway.enabled }}, create, patch{{ end }}]
- apiGroups: [hookplane.dev]
  resources: [webhookgateways/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies, ingresses]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
# what was refused is tried again when they change
- apiGroups: [""]
  resources: [resourcequotas, limitranges]
  verbs: [list, watch]
{{ include "hookplane.rules.secrets" . }}
{{ include "hookplane.rules.events" . }}
{{- end }}
