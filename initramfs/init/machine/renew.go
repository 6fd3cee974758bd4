package machine

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Renew makes a machine that may have been saved another one than those that are
// restored from the same file: it has the host's time, in nanoseconds since 1970, and
// its kernel draws other random bytes from here on.
func Renew(now int64, seed []byte) error {
	at := unix.NsecToTimeval(now)
	if err := unix.Settimeofday(&at); err != nil {
		return fmt.Errorf("cannot set the clock to %v: %w", time.Unix(0, now).UTC(), err)
	}
	if err := reseed(seed); err != nil {
		return fmt.Errorf("cannot give the kernel's generator of random numbers a new seed: %w", err)
	}
	return nil
}

// reseed mixes the seed into the kernel's pool and has its generator start anew from
// that, rather than when it would next (random(4)).
func reseed(seed []byte) error {
	random, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer random.Close()
	// struct rand_pool_info: the entropy in bits, the seed's size in bytes, the seed.
	info := binary.NativeEndian.AppendUint32(nil, uint32(8*len(seed)))
	info = binary.NativeEndian.AppendUint32(info, uint32(len(seed)))
	info = append(info, seed...)
	for _, order := range []struct {
		request uint
		of      unsafe.Pointer
	}{{unix.RNDADDENTROPY, unsafe.Pointer(&info[0])}, {unix.RNDRESEEDCRNG, nil}} {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, random.Fd(), uintptr(order.request), uintptr(order.of)); errno != 0 {
			return errno
		}
	}
	return nil
}
