package main

import (
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// says is a command that sends messages to NOTIFY_SOCKET, each when its file in /tmp is
// there, and then waits for its end.
func says(t *testing.T, messages ...string) []string {
	t.Helper()
	const script = `use Socket; $| = 1; my ($number, $to) = (0, $ENV{NOTIFY_SOCKET});
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
for my $text (@ARGV) { until (-e "/tmp/$number") { select(undef, undef, undef, 0.05) } $number++;
send($s, $text, 0, sockaddr_un($to)) or die "send to $to: $!" } sleep 1 while 1;`
	return append([]string{"/usr/bin/perl", "-e", script, "--"}, messages...)
}

// A service that says itself when it is ready is so then, and not before; ps has its
// words from inside, made safe. Its next run begins anew.
func TestAServiceSaysItselfThatItIsReady(t *testing.T) {
	t.Parallel()
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
		Argv:    says(t, "STATUS=loading \x1b[31m1 of 2", "READY=1\nSTATUS=serving", "RELOADING=1", "READY=1\nSTATUS=", "STOPPING=1"),
		Restart: "never", StopTimeout: 1,
		Ready: &manifest.Ready{Notify: true, Timeout: patience.Milliseconds()},
	}})
	step := func(file, what string, is func(channel.Status) bool) channel.Status {
		t.Helper()
		if _, exit, err := s.exec(t, channel.Command{Argv: []string{"touch", "/tmp/" + file}}); err != nil || exit.Status() != 0 {
			t.Fatal(exit, err)
		}
		return s.await(t, what, is)
	}
	loading := step("0", "loading", func(now channel.Status) bool { return now.Text != "" })
	if loading.State != channel.Starting || loading.Text != `loading \x1b[31m1 of 2` {
		t.Errorf("%+v", loading)
	}
	serving := step("1", "ready", func(now channel.Status) bool { return now.State == channel.Ready })
	if serving.Text != "serving" {
		t.Errorf("%+v", serving)
	}
	step("2", "reloading", func(now channel.Status) bool { return now.State == channel.Reloading })
	step("3", "ready again", func(now channel.Status) bool { return now.State == channel.Ready && now.Text == "" })
	step("4", "stopping", func(now channel.Status) bool { return now.State == channel.Stopping })
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.await(t, "ready a second time", func(now channel.Status) bool { // at once now, and whatever it says next
		return now.Restarts == 1 && now.PID != serving.PID && (now.State == channel.Ready || now.State == channel.Stopping)
	})
}

// Redis speaks by libsystemd.
func TestRedisSaysThatItIsReady(t *testing.T) {
	t.Parallel()
	s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
		Argv:    []string{"/usr/bin/redis-server", "--supervised", "systemd", "--daemonize", "no", "--dir", "/tmp", "--save", "", "--port", "0", "--unixsocket", "/tmp/redis"},
		Restart: "never", StopTimeout: patience.Milliseconds(),
		Ready: &manifest.Ready{Notify: true, Timeout: patience.Milliseconds()},
	}})
	now := s.await(t, "ready", func(now channel.Status) bool { return now.State == channel.Ready })
	if !strings.Contains(now.Text, "Ready to accept connections") {
		t.Errorf("%+v", now)
	}
}

// One that does not is not ready within its time, and the error says what is missing.
func TestAServiceThatSaysNothingIsNotReady(t *testing.T) {
	for name, c := range map[string]struct {
		argv []string
		want string
	}{
		"nothing":      {[]string{"/bin/sleep", "1000"}, "it has said nothing to NOTIFY_SOCKET"},
		"another word": {shell(`[ "$NOTIFY_SOCKET" ] && exec perl -e 'use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0); send(S, "STATUS=looking for its disk", 0, sockaddr_un($ENV{NOTIFY_SOCKET})); sleep 1000'`), `its status is "looking for its disk"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var last channel.Status
			for limit := 3 * time.Second; limit < patience; limit *= 3 { // a slow host has not started the program by then
				s := start(t, manifest.Manifest{Service: true, Run: manifest.Run{
					Argv: c.argv, Restart: "never", StopTimeout: 1, Ready: &manifest.Ready{Notify: true, Timeout: limit.Milliseconds()},
				}})
				last = s.ending(t)()
				if strings.HasPrefix(last.Message, "not ready within "+limit.String()) && strings.Contains(last.Message, c.want) {
					return
				}
			}
			t.Errorf("%+v", last)
		})
	}
}
