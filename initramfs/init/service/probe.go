package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

const (
	probeTime = 5 * time.Second // that one probe may take, at the least
	dialTime  = 200 * time.Millisecond
)

// probe asks the service once, which may take as long as limit, or probeTime where
// that is longer.
func (s *Service) probe(ctx context.Context, p *manifest.Probe, limit time.Duration) error {
	limit = max(limit, probeTime)
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := s.ask(bounded, p)
	// A connection's own deadline may come a moment before that of the context.
	tooLong := bounded.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded)
	if err != nil && tooLong && ctx.Err() == nil {
		return fmt.Errorf("one probe took longer than %v: this sandbox is slow to answer, or its host is: %w", limit, err)
	}
	return err
}

func (s *Service) ask(ctx context.Context, p *manifest.Probe) error {
	switch {
	case p.TCP != 0:
		conn, err := dialSelf(ctx, p.TCP)
		if err == nil {
			conn.Close()
		}
		return err
	case p.HTTPPort != 0:
		return probeHTTP(ctx, p.HTTPPort, p.HTTPPath)
	case len(p.Exec) > 0:
		return s.probeExec(ctx, p.Exec)
	default:
		_, err := os.Stat(p.File)
		return err
	}
}

// dialSelf connects to a port of the sandbox itself: on its loopback, else on
// any address that it has.
func dialSelf(ctx context.Context, port int) (net.Conn, error) {
	addresses := []string{"127.0.0.1", "::1"}
	if own, err := net.InterfaceAddrs(); err == nil {
		for _, a := range own {
			if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
				addresses = append(addresses, p.Addr().String())
			}
		}
	}
	var first error
	for _, a := range addresses {
		// A sandbox answers itself at once. An IPv6 address that is not usable
		// yet would keep the probe for seconds.
		conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", net.JoinHostPort(a, strconv.Itoa(port)))
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// probeHTTP asks for a page and wants a status below 400 (RFC 9112). net/http
// would make sbx-init twice as large.
func probeHTTP(ctx context.Context, port int, path string) error {
	conn, err := dialSelf(ctx, port)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if strings.ContainsAny(path, " \r\n") {
		return fmt.Errorf("%q cannot be asked for over HTTP", path)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: sbx-init\r\nConnection: close\r\n\r\n", path); err != nil {
		return err
	}
	line, _, err := bufio.NewReader(conn).ReadLine()
	if err != nil {
		return err
	}
	version, rest, _ := strings.Cut(string(line), " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || !strings.HasPrefix(version, "HTTP/") {
		return fmt.Errorf("port %d does not answer in HTTP", port)
	}
	if status >= 400 {
		return fmt.Errorf("port %d answers with status %d", port, status)
	}
	return nil
}

// probeExec runs a command as the service's user and wants it to exit with 0. What
// the profile lets that user hold is for the service: a question needs none of it.
func (s *Service) probeExec(ctx context.Context, argv []string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	spec := s.spec
	spec.Argv, spec.Caps = argv, nil
	fd := int(null.Fd())
	spec.Files = [3]int{fd, fd, fd}
	p, err := s.table.Start(spec)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		s.table.SignalGroup(p, killSignal)
	}
	if exit := p.Exit(); exit != proc.Success {
		return fmt.Errorf("%s: %s", argv[0], exit)
	}
	return nil
}
