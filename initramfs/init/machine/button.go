package machine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What the kernel tells of ACPI's events by (include/acpi and drivers/acpi/event.c):
// a message has one attribute, whose value begins with the device's class.
const (
	acpiFamily     = "acpi_event"
	acpiGroup      = "acpi_mc_group"
	acpiEvent      = 1 // the attribute's type
	acpiClassLen   = 20
	acpiHeadersLen = unix.NLMSG_HDRLEN + 4 // netlink's and generic netlink's
	powerButton    = "button/power"
)

// ListenForPowerButton has pressed called whenever somebody presses the machine's
// power button, as virDomainShutdown and libvirt-guests do. Without ACPI it is one of
// the keys. It comes before Seal.
func ListenForPowerButton(keys Keys, pressed func()) error {
	family, err := netlink.GenlFamilyGet(acpiFamily)
	if errors.Is(err, unix.ENOENT) {
		keys.listen(pressed)
		return nil
	}
	keys.close() // the same press
	if err != nil {
		return fmt.Errorf("the machine's power button: %w", err)
	}
	for _, group := range family.Groups {
		if group.Name == acpiGroup {
			return listenForEvents(group.ID, pressed)
		}
	}
	return nil
}

func listenForEvents(group uint32, pressed func()) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return fmt.Errorf("the machine's power button: %w", err)
	}
	events := os.NewFile(uintptr(fd), "ACPI's events")
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(group)),
	)
	if err != nil {
		events.Close()
		return fmt.Errorf("the machine's power button: %w", err)
	}
	go func() {
		defer events.Close()
		for message := make([]byte, 4096); ; {
			n, err := events.Read(message)
			switch {
			case errors.Is(err, unix.ENOBUFS): // some were lost
			case err != nil:
				return
			case isPowerButton(message[:n]):
				pressed()
			}
		}
	}()
	return nil
}

// isPowerButton says whether a message tells that the power button was pressed.
func isPowerButton(message []byte) bool {
	if len(message) < acpiHeadersLen+unix.SizeofNlAttr+acpiClassLen {
		return false
	}
	attribute := message[acpiHeadersLen:]
	if binary.NativeEndian.Uint16(attribute[2:]) != acpiEvent {
		return false
	}
	class := attribute[unix.SizeofNlAttr:][:acpiClassLen]
	name, _, _ := strings.Cut(string(class), "\x00")
	return name == powerButton
}
