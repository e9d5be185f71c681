// Nothing is built of it: tests install the CRDs that lie in the module.
module hookplane.dev/tests/gateway-api

go 1.26.0

require sigs.k8s.io/gateway-api v1.6.3 // indirect
