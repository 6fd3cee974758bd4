# make demo and make test install what they need (Debian 12, as root).
GO ?= go

.PHONY: build lint test demo
build:
	$(GO) build -o bin/sbx ./cmd/sbx
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/sbx-init ./initramfs/init

lint:
	test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
