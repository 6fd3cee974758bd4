# `make demo` and `make test` install what they need (Debian 12, as root).
GO ?= go
BIN ?= bin
PREFIX ?= /usr/local
DESTDIR ?=
VERSION ?= $(shell scripts/version)
export VERSION

.PHONY: build build-aarch64 build-x86_64 install package packages kernel lint test test-firewall cover attack test-packages test-services test-hosts test-aarch64 fuzz bench demo

# The same sources give the same bytes in whatever folder they stand: nothing of the
# builder's paths, of git's state and of what only a debugger reads.
PLAIN = -trimpath -buildvcs=false
TOOL = $(GO) tool -modfile=scripts/tools.mod

# With libvirt_dlopen, sbx looks for libvirt when it first calls it: it compiles and
# checks profiles where there is none.
build:
	$(GO) build $(PLAIN) -tags libvirt_dlopen -ldflags '-s -w -X github.com/sbx-dev/sbx/cmd/sbx/internal/verb.release=$(VERSION)' -o $(BIN)/sbx ./cmd/sbx
	CGO_ENABLED=0 $(GO) build $(PLAIN) -ldflags '-s -w' -o $(BIN)/sbx-init ./initramfs/init

# The first process of machines that name an architecture which is not this host's.
build-aarch64 build-x86_64: build-%:
	CGO_ENABLED=0 GOARCH=$(subst x86_64,amd64,$(subst aarch64,arm64,$*)) $(GO) build $(PLAIN) -ldflags '-s -w' -o $(BIN)/sbx-init-$* ./initramfs/init

install: build
	install -D -m 0755 $(BIN)/sbx $(DESTDIR)$(PREFIX)/bin/sbx
	install -D -m 0755 $(BIN)/sbx-init $(DESTDIR)$(PREFIX)/libexec/sbx/sbx-init
	for init in $(wildcard $(BIN)/sbx-init-*); do install -m 0755 $$init $(DESTDIR)$(PREFIX)/libexec/sbx/ || exit; done
	for unit in sbx@.service sbx-job@.service sbx-guard.service sbx-apply.service sbx-apply.timer; do \
		install -D -m 0644 systemd/$$unit $(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit && \
		sed -i 's|=/usr/bin/sbx |=$(PREFIX)/bin/sbx |' $(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit; \
	done
	install -D -m 0644 systemd/70-sbx-kvm.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/70-sbx-kvm.rules
	install -d -m 0755 $(DESTDIR)/etc/sbx/profiles

# A deb and an rpm for each of the architectures, in bin/package.
ARCHITECTURES ?= amd64 arm64
package:
	scripts/package $(BIN)/package $(ARCHITECTURES)

packages:
	scripts/install-packages

# What the tests' machines boot.
kernel: packages
	scripts/guest-kernel >/dev/null

lint:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt-clean: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) cue vet $(sort $(addprefix ./profiles:,$(shell sed -n 's/^package //p' profiles/*.cue)))
	CGO_ENABLED=0 $(GO) build ./schema/... ./compiler/... ./initramfs/...

test: kernel build lint
	scripts/test

# The firewall's model against the kernel in full; `make test` takes a sample.
test-firewall: kernel
	SBX_KERNEL_POLICIES=60 SBX_KERNEL_MACHINE_POLICIES=10 $(GO) test -count=1 -run TestModelAgreesWithTheKernel -timeout 30m -v ./compiler/firewall/nwfilter
	SBX_KERNEL_WALLS=30 $(GO) test -tags firewall -count=1 -run TestInnerWallsInFull -timeout 65m -v ./runtime

# Which of each package's statements the tests run.
cover: kernel
	scripts/cover

# The packages: the same bytes twice, lintian, rpmlint, rpm's installation.
test-packages:
	scripts/test-packages

# Profiles of Debian's services, drafted and shipped, with real clients; `make test` has a few.
test-services: kernel build
	scripts/install-packages memcached socat mosquitto mosquitto-clients postgresql mariadb-server mariadb-client squid openssh-server prometheus-node-exporter rsyslog unbound dnsmasq vsftpd bind9 bind9-dnsutils samba smbclient php-fpm haproxy varnish openssh-client lighttpd ngircd tor snmpd privoxy cron tinyproxy beanstalkd nsd chrony dovecot-core cups-daemon dillo caddy prometheus etcd-server apt-cacher-ng rsync pdns-server pdns-backend-bind
	$(GO) test -tags services -count=1 -run TestFigures ./internal/shelf
	$(GO) test -tags services -count=1 -run 'TestDraftedServices|TestExistingData|TestShelf|TestFurtherUnits|TestDillo' -timeout 40m -v ./cmd/sbx

# On real Debian hosts, in virtual machines: see internal/lab.
test-hosts:
	scripts/install-packages mmdebstrap
	$(GO) run ./internal/lab/run -record internal/lab/scenarios/*.sh

# A machine of aarch64, emulated, from Debian's files for it; and what is pure on
# such a processor, emulated by program.
test-aarch64:
	scripts/install-packages qemu-system-arm qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross
	CC=aarch64-linux-gnu-gcc CGO_ENABLED=1 GOARCH=arm64 $(GO) build -tags libvirt_dlopen -o /dev/null ./cmd/sbx
	SBX_ARM64_GUEST=$$(scripts/arm64-guest) $(GO) test -tags aarch64 -count=1 -run Aarch64 -timeout 30m -v ./runtime
	CGO_ENABLED=0 GOARCH=arm64 $(GO) test -short -count=1 -exec qemu-aarch64-static -timeout 60m ./internal/arch ./initramfs/... ./compiler ./schema

# What is hostile: root inside in both kinds of sandbox, its frames and copies, users
# of the host, changes under review. `make test` runs all of it too, among the rest.
attack: kernel build
	scripts/attack

# Every parser of what others have written, for FUZZTIME (60s) each.
fuzz:
	scripts/fuzz

# All benchmarks, one after the other; text, JSON and a picture in bin/bench.
# BENCH='-bench Run -record' runs some, and writes them into docs/performance.md.
bench: kernel build
	$(GO) run ./internal/bench $(BENCH)

demo: packages build
	scripts/demo
