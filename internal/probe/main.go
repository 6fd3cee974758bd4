// Command probe is the service that tests run inside a sandbox to try its walls
// from within. It answers HTTP on port 80: each path is an attempt, each answer
// says how the kernel took it. Whatever else reaches it, by TCP or UDP on the
// ports that it was given, is noted for GET /received.
//
//	probe tcp/22 udp/514
//
// As "probe attack" it tries, as a hostile root, all that attack.go lists.
//
// As "probe wire" it is an end of a cable instead: frames go through standard
// input and output.
//
// It needs nothing of the sandbox but its own file.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == idle {
		select {}
	}
	if len(os.Args) == 2 && os.Args[1] == asWire {
		if err := wire(os.Stdin, os.Stdout); err != io.EOF {
			log.Fatalf("probe: %v", err)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == asAttack {
		attack(os.Args[2:])
		return
	}
	seen := new(journal)
	for _, arg := range os.Args[1:] {
		network, port, ok := strings.Cut(arg, "/")
		if !ok {
			log.Fatalf("probe: %q is not of the form tcp/22", arg)
		}
		if err := seen.listen(network, ":"+port); err != nil {
			log.Fatalf("probe: %v", err)
		}
	}
	http.HandleFunc("/received", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, seen) })
	for path, try := range attempts {
		http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, try) })
	}
	log.Fatal(http.ListenAndServe(":80", nil))
}

// attempts are what a test can ask for; each takes the request's form values.
var attempts = map[string]func(r *http.Request) (string, error){
	"/read":    func(r *http.Request) (string, error) { return read(r.FormValue("path")) },
	"/write":   func(r *http.Request) (string, error) { return "", write(r.FormValue("path"), r.FormValue("text")) },
	"/remount": func(r *http.Request) (string, error) { return "", remount(r.FormValue("path")) },
	"/unmount": func(r *http.Request) (string, error) { return "", unix.Unmount(r.FormValue("path"), unix.MNT_DETACH) },
	"/mount": func(r *http.Request) (string, error) {
		return "", unix.Mount("none", r.FormValue("path"), "tmpfs", 0, "")
	},
	"/fileops":    func(*http.Request) (string, error) { return fileOps() },
	"/fileop":     func(r *http.Request) (string, error) { return "", fileOp(r.FormValue("dir"), r.FormValue("name")) },
	"/spawn":      func(r *http.Request) (string, error) { return "", spawn(r.FormValue("n")) },
	"/interfaces": func(*http.Request) (string, error) { return interfaces() },
	"/dial": func(r *http.Request) (string, error) {
		return dial(r.FormValue("network"), r.FormValue("address"), limit(r))
	},
	"/resolve": func(r *http.Request) (string, error) {
		return resolve(r.Context(), r.FormValue("server"), r.FormValue("name"))
	},
	"/spoof": func(r *http.Request) (string, error) {
		return "", spoof(frame{r.FormValue("mac"), r.FormValue("from"), r.FormValue("to"), r.FormValue("text")})
	},
}

// answer writes what an attempt gave, or the name of the error as its own
// status, so that no text can be taken for a success.
func answer(w http.ResponseWriter, r *http.Request, try func(*http.Request) (string, error)) {
	text, err := try(r)
	if err == nil {
		fmt.Fprint(w, text)
		return
	}
	w.WriteHeader(http.StatusConflict)
	fmt.Fprint(w, errorName(err))
}

// errorName is the kernel's name of the error, such as EROFS, or its text where
// there is none.
func errorName(err error) string {
	var number syscall.Errno
	var timeout net.Error
	switch {
	case errors.As(err, &number):
		return unix.ErrnoName(number)
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return err.Error()
}

// limit is how long an attempt to reach somebody may take.
func limit(r *http.Request) time.Duration {
	if d, err := time.ParseDuration(r.FormValue("limit")); err == nil {
		return d
	}
	return time.Second
}
