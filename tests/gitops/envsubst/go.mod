// Flux's substitution of variables, for tests.
module taurus-port-operator/tests/gitops/envsubst

go 1.26.0

require github.com/fluxcd/pkg/envsubst v1.7.1
