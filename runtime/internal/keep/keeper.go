package keep

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/confine"
	"github.com/sbx-dev/sbx/internal/logfile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/droplog"
)

// A keeper is a process beside a sandbox that writes its service's output to a log,
// and another of what its walls drop, and shares its channel, which in a machine only one
// process can hold. The sandbox does not need it: without one, output is lost but for the
// latest, and a machine has one session at a time.
//
// It reads what the sandbox sends for as long as that runs, and so has nothing but the
// descriptors that Up gives it, and an id that owns nothing but the log.
//
// lastLimit is how long a keeper may take to write the rest of the output when its
// sandbox has ended: far longer than that takes, since what comes after it fails.
const lastLimit = time.Minute

// passLimit is how long a keeper's end waits for the requests of others.
const passLimit = 10 * time.Second

// The descriptors that a keeper is started with.
const (
	keptLock     = 3 // locked for as long as there is a keeper
	keptLog      = 4 // the log's folder
	keptEnd      = 5 // where it notes how the command has ended
	keptChannel  = 6 // the connection to the first process
	keptListener = 7 // where others connect
	keptDropped  = 8 // where the kernel tells what the inner walls drop
)

// Main is the life of the keeper of the named sandbox, which ends with the
// sandbox. answer bounds how long its first process may take to answer.
func Main(ctx context.Context, name string, answer func(context.Context) (context.Context, context.CancelFunc)) error {
	log, end := os.NewFile(keptLog, "log"), os.NewFile(keptEnd, state.Ended)
	info, err := end.Stat()
	if err != nil {
		return err
	}
	conn, err := inherited(keptChannel, net.FileConn)
	if err != nil {
		return err
	}
	l, err := inherited(keptListener, net.FileListener)
	if err != nil {
		return err
	}
	err = confine.Enter(confine.Confinement{
		ID: compiler.HelperID(name), Files: keptDropped - 2, Folder: log, FileSize: logfile.MaxFile,
		Calls: slices.Concat(confine.Sockets, confine.Rotating),
	})
	if err != nil {
		return err
	}
	w, err := logfile.NewWriter(log, os.Geteuid())
	if err != nil {
		return err
	}
	defer w.Close()
	defer droplog.Keep(keptDropped, log, name)()
	if err := confine.Begun(); err != nil {
		return err
	}
	bounded, cancel := answer(ctx)
	defer cancel()
	client, err := channel.Dial(bounded, conn)
	if err != nil {
		return err
	}
	defer client.Close()
	defer share(l, client)()
	debug.FreeOSMemory() // what starting took: there is a keeper beside each service, and it does little
	noted, logged := make(chan error, 1), make(chan struct{})
	go func() { noted <- noteEnd(ctx, client, end, logged) }()
	err = keepLog(ctx, client, w, info.Size() == 0)
	close(logged)
	return errors.Join(err, <-noted)
}

// keepLog writes the output to the log: all of it, where this is the first keeper since
// the sandbox's start.
func keepLog(ctx context.Context, client *channel.Client, log *logfile.Writer, first bool) error {
	stamps := newStamper(log.Last(), first)
	return client.Output(ctx, 0, true, func(record channel.Record) error {
		at, fresh := stamps.stamp(record.Time)
		if !fresh {
			return nil
		}
		return log.Write(at, record.Stream, record.Data)
	})
}

// noteEnd waits for the command's end and notes it. It hears the end out only when all is
// logged: the sandbox goes when that is heard, with what it still holds of its output.
func noteEnd(ctx context.Context, client *channel.Client, in *os.File, logged <-chan struct{}) error {
	var last channel.Status
	err := client.Watch(ctx, func(s channel.Status) bool {
		if last = s; s.State == channel.Ended {
			<-logged
		}
		return true
	})
	if last.State != channel.Ended { // else how it has ended is known, however the channel did
		return cmp.Or(err, errors.New("the sandbox ended before its command did"))
	}
	data, err := json.Marshal(last)
	if err != nil {
		return err
	}
	_, err = in.Write(data)
	return err
}

// share lets other processes of root's use the channel, through a socket in the
// sandbox's folder, until stop is called: that lets the requests under way end,
// so that whoever waits is told the end, but not for long.
func share(l net.Listener, client *channel.Client) (stop func()) {
	shared := make(chan struct{})
	go func() { client.Share(l); close(shared) }()
	return func() {
		l.Close()
		select {
		case <-shared:
		case <-time.After(passLimit):
		}
	}
}
