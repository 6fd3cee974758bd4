package service

import (
	"bufio"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/internal/splice"
)

const (
	// maxLine is the longest piece of output in one record, in bytes. A longer
	// line is cut into several.
	maxLine = 16 << 10
	// lateOutput is how long output is awaited after the command's end.
	lateOutput = 100 * time.Millisecond
)

// running is one run of the command, with what reads its output.
type running struct {
	process *proc.Process
	table   *proc.Table
	outputs [2]*os.File
	readers sync.WaitGroup
}

// start starts a command with its output going to the log, and to whoever else sees it.
func (s *Service) start(spec proc.Spec, see ...func(line []byte)) (*running, error) {
	r := &running{table: s.table}
	inside := [2]int{-1, -1}
	defer func() {
		for _, fd := range inside {
			if fd >= 0 {
				unix.Close(fd)
			}
		}
	}()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	for i := range inside {
		if inside[i], r.outputs[i], err = spec.User.OutputPipe(); err != nil {
			r.close()
			return nil, err
		}
	}
	spec.Files = [3]int{int(null.Fd()), inside[0], inside[1]} // Fd makes it blocking
	if r.process, err = s.table.Start(spec); err != nil {
		r.close()
		return nil, err
	}
	for i, f := range r.outputs {
		r.readers.Go(func() {
			readLines(f, func(line []byte) {
				s.log.Add(i+1, line)
				for _, see := range see {
					see(line)
				}
			})
		})
	}
	return r, nil
}

// finish waits for the command's end and the rest of its output. Whatever it
// left behind is killed, so that nothing holds its output open.
func (r *running) finish() channel.Exit {
	exit := r.process.Exit()
	r.table.KillOrphans()
	r.drain()
	return exit
}

// drain takes the rest of the output.
func (r *running) drain() {
	for _, f := range r.outputs {
		_ = f.SetReadDeadline(time.Now().Add(lateOutput)) // an exec session may hold it
	}
	r.readers.Wait()
	r.close()
}

func (r *running) close() {
	for _, f := range r.outputs {
		if f != nil {
			f.Close()
		}
	}
}

// readLines calls add with each line, or with pieces of maxLine bytes of longer
// ones; those too that it comes to only after f's deadline.
func readLines(f *os.File, add func([]byte)) {
	in := bufio.NewReaderSize(splice.Left(f), maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			add(line)
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}
