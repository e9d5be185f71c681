module hookplane.dev/tests/http-target

go 1.26.0
